"""The metadata log over real directories: what it writes is there after a restart, and Kafka's own opens."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from kfast.broker.config import BrokerConfig
from kfast.broker.metadata_log import MetadataLog
from kfast.broker.metadata_replay import replay
from kfast.broker.offline_partitions import RETRY_MS
from kfast.clock import ManualClock
from kfast.errors import (
    FencedLeaderEpochError,
    KafkaStorageError,
    LogDirectoryError,
    TopicAlreadyExistsError,
    UnknownLeaderEpochError,
    UnknownTopicOrPartitionError,
)
from kfast.log.checkpoints import MetaProperties
from kfast.log.manager import LogManager
from kfast.log.names import parse_partition_directory
from kfast.record.builder import RecordBatchBuilder
from kfast.record.metadata_records import (
    BROKER_RESOURCE,
    TOPIC_RESOURCE,
    BeginTransactionRecord,
    MetadataRecord,
    PartitionRecord,
    TopicRecord,
    encode,
)
from kfast.scheduler import Scheduler


@contextlib.contextmanager
def opened(directory: Path, command_line: dict[str, str] | None = None) -> Iterator[MetadataLog]:
    clock = ManualClock()
    logs = LogManager(directory, clock=clock, scheduler=Scheduler(clock))
    try:
        metadata = MetadataLog.open(directory, logs, BrokerConfig(command_line), clock)
        try:
            yield metadata
        finally:
            metadata.close()
    finally:
        logs.shutdown()


def partitions_on_disk(directory: Path) -> set[tuple[str, int]]:
    parsed = (parse_partition_directory(path.name) for path in directory.iterdir() if path.is_dir())
    return {found for found in parsed if found and found[0] != "__cluster_metadata"}


def fail(*_: object, **__: object) -> None:
    raise KafkaStorageError("there is no space left")


def contents(directory: Path) -> dict[str, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def test_a_new_directory_is_formatted_and_empty(tmp_path: Path) -> None:
    with opened(tmp_path) as metadata:
        assert metadata.topics == {}
        assert metadata.image.features == {"metadata.version": 25}
        properties = MetaProperties.read(tmp_path / "meta.properties")
        assert (metadata.cluster_id, metadata.node_id) == (properties.cluster_id, 1)
    assert (tmp_path / "__cluster_metadata-0" / f"{0:020d}-{0:010d}.checkpoint").exists()


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    topic_id = uuid.UUID(int=0x1234)
    with opened(tmp_path) as metadata:
        metadata.create_topic("events", 3, {"retention.ms": "5", "cleanup.policy": "compact"}, topic_id)
        metadata.create_topic("gone", 1, {"retention.ms": "6"})
        metadata.alter_configs(TOPIC_RESOURCE, "events", {"retention.ms": None, "flush.messages": "1"})
        metadata.alter_configs(BROKER_RESOURCE, "", {"log.retention.ms": "7"})
        metadata.delete_topic("gone")
        metadata.next_producer_id()
        written = metadata.image
        cluster_id = metadata.cluster_id
    with opened(tmp_path) as metadata:
        assert metadata.image == written
        assert metadata.cluster_id == cluster_id
        assert list(metadata.topics) == ["events"]
        assert metadata.topic_name(topic_id) == "events"
        assert len(metadata.topics["events"].partitions) == 3
        assert metadata.configs(TOPIC_RESOURCE, "events") == {"cleanup.policy": "compact", "flush.messages": "1"}
        assert metadata.configs(BROKER_RESOURCE, "") == {"log.retention.ms": "7"}
    assert partitions_on_disk(tmp_path) == {("events", 0), ("events", 1), ("events", 2)}


def test_logs_of_a_topic_have_its_configs_and_follow_changes_at_once(tmp_path: Path) -> None:
    with opened(tmp_path) as metadata:
        metadata.create_topic("events", 1, {"retention.ms": "5"})
        log = metadata._logs.get("events", 0)
        assert log is not None
        assert log.config.retention_ms == 5
        metadata.alter_configs(TOPIC_RESOURCE, "events", {"retention.ms": "9"})
        assert log.config.retention_ms == 9
        metadata.alter_configs(TOPIC_RESOURCE, "events", {"retention.ms": None})
        metadata.alter_configs(BROKER_RESOURCE, "1", {"log.retention.ms": "11"})
        assert log.config.retention_ms == 11


def test_a_topic_exists_once(tmp_path: Path) -> None:
    with opened(tmp_path) as metadata:
        metadata.create_topic("events", 1)
        with pytest.raises(TopicAlreadyExistsError, match="'events' already exists"):
            metadata.create_topic("events", 1)


def test_a_topic_created_again_begins_empty_under_a_new_id(tmp_path: Path) -> None:
    with opened(tmp_path) as metadata:
        first = metadata.create_topic("events", 1)
        builder = RecordBatchBuilder()
        builder.append(None, b"old", 0)
        metadata._logs.get("events", 0).append(builder.build())
        metadata.delete_topic("events")
        assert metadata._logs.get("events", 0) is None
        second = metadata.create_topic("events", 1)
        assert second.topic_id != first.topic_id
        assert metadata._logs.get("events", 0).log_end_offset == 0
        assert metadata.topic_name(first.topic_id) is None


def test_a_directory_that_cannot_be_moved_keeps_none_of_the_others_from_being_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stays(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with opened(tmp_path) as metadata:
        metadata.create_topic("events", 3)
        monkeypatch.setattr(metadata._logs.get("events", 0), "rename", stays)
        metadata.delete_topic("events")
        assert "events-0 is deleted, its directory stays until the next start" in caplog.text
        assert partitions_on_disk(tmp_path) == {("events", 0)}
        assert metadata._logs.logs == []
    with opened(tmp_path):
        assert partitions_on_disk(tmp_path) == set()


def test_a_log_that_could_not_be_made_is_made_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with opened(tmp_path) as metadata:
        monkeypatch.setattr(LogManager, "_open", full)
        for attempt in (lambda: metadata.create_topic("events", 2), lambda: metadata.open_log("events", 1)):
            with pytest.raises(KafkaStorageError, match="No space left"):
                attempt()
        monkeypatch.undo()
        with pytest.raises(KafkaStorageError, match="No space left"):
            metadata.open_log("events", 1)
        metadata._clock.advance(RETRY_MS)
        assert metadata.topic("events") is not None
        assert metadata.open_log("events", 1) is metadata._logs.get("events", 1)
        with pytest.raises(UnknownTopicOrPartitionError, match="events-2"):
            metadata.open_log("events", 2)


def test_a_partition_that_is_offline_is_not_opened_for_each_request_and_without_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def fail_to_open(_: LogManager, topic: str, partition: int, *__: object) -> None:
        tried.append(partition)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with opened(tmp_path) as metadata:
        monkeypatch.setattr(LogManager, "_open", fail_to_open)
        with pytest.raises(KafkaStorageError):
            metadata.create_topic("events", 3)
        assert tried == [0, 1, 2]
        for _ in range(3):
            metadata._clock.advance(RETRY_MS)
            for _ in range(5):
                with pytest.raises(KafkaStorageError, match=r"events-1 cannot be opened .* Input/output error"):
                    metadata.open_log("events", 1)
        assert tried == [0, 1, 2, 1, 1, 1]
        metadata.delete_topic("events")
        monkeypatch.undo()
        metadata.create_topic("events", 3)
        assert metadata.open_log("events", 1) is metadata._logs.get("events", 1)


def test_unknown_topics_are_named(tmp_path: Path) -> None:
    with opened(tmp_path) as metadata:
        with pytest.raises(UnknownTopicOrPartitionError, match="'nope'"):
            metadata.delete_topic("nope")
        with pytest.raises(UnknownTopicOrPartitionError, match="'nope'"):
            metadata.alter_configs(TOPIC_RESOURCE, "nope", {"retention.ms": "1"})
        with pytest.raises(UnknownTopicOrPartitionError, match="nope-0"):
            metadata.leader_epoch("nope", 0)


def test_leader_epochs_of_clients_are_compared(tmp_path: Path, golden) -> None:
    with opened(golden.extract("12-kraft", tmp_path) / "log") as metadata:
        assert metadata.leader_epoch("events", 0) == 1
        metadata.check_leader_epoch("events", 0, -1)
        metadata.check_leader_epoch("events", 0, 1)
        with pytest.raises(UnknownLeaderEpochError, match="epoch 3"):
            metadata.check_leader_epoch("events", 0, 3)
        with pytest.raises(FencedLeaderEpochError, match="it is 1"):
            metadata.check_leader_epoch("events", 0, 0)


def test_producer_ids_are_never_handed_out_twice(tmp_path: Path) -> None:
    with opened(tmp_path) as metadata:
        assert [metadata.next_producer_id() for _ in range(1001)] == list(range(1001))
        assert metadata.image.next_producer_id == 2000
    with opened(tmp_path) as metadata:
        assert metadata.next_producer_id() == 2000


def test_a_block_of_producer_ids_is_written_before_its_first_id_is_given(tmp_path: Path) -> None:
    with opened(tmp_path) as metadata:
        assert metadata.next_producer_id() == 0
        assert replay(str(tmp_path / "__cluster_metadata-0")).image.next_producer_id == 1000


@pytest.mark.parametrize("step", ["append", "flush"])
def test_no_producer_id_is_given_of_a_block_that_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with opened(tmp_path) as metadata:
        monkeypatch.setattr(metadata._log, step, fail)
        with pytest.raises(KafkaStorageError, match="no space left"):
            metadata.next_producer_id()
        monkeypatch.undo()
        assert metadata.next_producer_id() == 0
        assert metadata.image.next_producer_id == 1000
    with opened(tmp_path) as metadata:
        assert metadata.next_producer_id() == 1000


def test_a_missing_partition_directory_is_made(tmp_path: Path) -> None:
    with opened(tmp_path) as metadata:
        metadata.create_topic("events", 2)
    for path in (tmp_path / "events-1").iterdir():
        path.unlink()
    (tmp_path / "events-1").rmdir()
    with opened(tmp_path) as metadata:
        assert metadata._logs.get("events", 1) is not None
    assert (tmp_path / "events-1" / "partition.metadata").exists()


def test_an_unknown_partition_directory_is_left_alone_and_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tmp_path) as metadata:
        metadata.create_topic("events", 1)
    (tmp_path / "stranger-0").mkdir()
    (tmp_path / "stranger-0" / f"{0:020d}.log").write_bytes(b"whatever")
    (tmp_path / "stranger-0" / "partition.metadata").write_bytes(b"\xff")
    (tmp_path / "events-7").mkdir()
    with opened(tmp_path) as metadata:
        assert list(metadata.topics) == ["events"]
    assert (tmp_path / "stranger-0" / f"{0:020d}.log").read_bytes() == b"whatever"
    assert "stranger-0" in caplog.text
    assert "events-7" in caplog.text
    assert "__cluster_metadata-0" not in caplog.text


def test_what_a_crash_left_of_a_topic_that_was_being_deleted_goes_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tmp_path) as metadata:
        metadata.create_topic("events", 2)
        metadata.create_topic("kept", 1)
        monkeypatch.setattr(LogManager, "delete", lambda *_: None)  # killed after the record, before the directories
        metadata.delete_topic("events")
        monkeypatch.undo()
    assert partitions_on_disk(tmp_path) == {("events", 0), ("events", 1), ("kept", 0)}
    with opened(tmp_path):
        assert partitions_on_disk(tmp_path) == {("kept", 0)}
        assert len(list(tmp_path.glob("events-*-delete"))) == 2
    assert not caplog.text


def test_a_torn_tail_costs_only_the_torn_change(tmp_path: Path) -> None:
    with opened(tmp_path) as metadata:
        metadata.create_topic("whole", 1)
        metadata.create_topic("torn", 1)
    log = tmp_path / "__cluster_metadata-0" / f"{0:020d}.log"
    log.write_bytes(log.read_bytes()[:-5])
    with opened(tmp_path) as metadata:
        assert list(metadata.topics) == ["whole"]
        metadata.create_topic("next", 1)
    with opened(tmp_path) as metadata:
        assert list(metadata.topics) == ["whole", "next"]


def test_a_stopped_kafkas_directory_opens_and_grows(tmp_path: Path, golden) -> None:
    case = golden.manifest["cases"]["12-kraft"]
    directory = golden.extract("12-kraft", tmp_path) / "log"
    with opened(directory) as metadata:
        assert metadata.cluster_id == "GorPxrYhRXe04ZUaJ0GI5w"
        for name, expected in case["topics"].items():
            assert len(metadata.topics[name].partitions) == expected["partitions"]
            assert metadata.configs(TOPIC_RESOURCE, name) == expected["configs"]
            for number in metadata.topics[name].partitions:
                partition = case["logdirs"]["log"]["partitions"][f"{name}-{number}"]
                assert metadata._logs.get(name, number).log_end_offset == partition["end_offset"]
        metadata.create_topic("new", 1)
        assert not (directory / ".kafka_cleanshutdown").exists()
    with opened(directory) as metadata:
        assert set(metadata.topics) == {*case["topics"], "new"}


def test_a_transaction_nobody_ended_does_not_swallow_what_comes_after_it(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    append(tmp_path, BeginTransactionRecord("cut short"), TopicRecord("half", uuid.UUID(int=5)))
    with opened(tmp_path) as metadata:
        metadata.create_topic("whole", 1)
    with opened(tmp_path) as metadata:
        assert list(metadata.topics) == ["whole"]


def test_a_log_damaged_below_its_snapshot_goes_on_behind_it(tmp_path: Path) -> None:
    with opened(tmp_path) as metadata:
        metadata.create_topic("events", 1)
        end_offset = replay(str(tmp_path / "__cluster_metadata-0")).end_offset
    directory = tmp_path / "__cluster_metadata-0"
    log = directory / f"{0:020d}.log"
    (directory / f"{end_offset:020d}-{1:010d}.checkpoint").write_bytes(log.read_bytes())
    log.write_bytes(b"")
    with opened(tmp_path) as metadata:
        assert list(metadata.topics) == ["events"]
        metadata.create_topic("next", 1)
    with opened(tmp_path) as metadata:
        assert list(metadata.topics) == ["events", "next"]


def append(directory: Path, *records: MetadataRecord) -> None:
    """Add one batch to the metadata log of `directory`, as its writer would."""
    metadata_directory = directory / "__cluster_metadata-0"
    builder = RecordBatchBuilder(replay(str(metadata_directory)).end_offset, leader_epoch=1)
    for record in records:
        builder.append(None, encode(record), 0)
    with (metadata_directory / f"{0:020d}.log").open("ab") as file:
        file.write(builder.build())


def test_a_static_quorum_stays_static(tmp_path: Path, golden) -> None:
    directory = golden.extract("12-kraft", tmp_path) / "log"
    with opened(directory):
        pass
    assert not list((directory / "__cluster_metadata-0").glob("*.checkpoint"))


def test_a_directory_that_needs_other_nodes_is_refused_unchanged(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    topic_id = uuid.UUID(int=5)
    append(tmp_path, TopicRecord("shared", topic_id), PartitionRecord(0, topic_id, (1, 2), (1, 2), 1))
    with (tmp_path / "__cluster_metadata-0" / f"{0:020d}.log").open("ab") as log:
        log.write(b"a torn tail")
    before = contents(tmp_path)
    with pytest.raises(LogDirectoryError, match=r"shared-0 has its replicas on nodes \[1, 2\]"), opened(tmp_path):
        pass
    assert contents(tmp_path) == before


def test_the_directory_says_which_node_it_is(tmp_path: Path) -> None:
    with opened(tmp_path, {"node.id": "5"}) as metadata:
        assert metadata.node_id == 5
        metadata.create_topic("events", 1)
        assert metadata.topics["events"].partitions[0].replicas == (5,)
    with opened(tmp_path) as metadata:
        assert metadata.node_id == 5
    with pytest.raises(LogDirectoryError, match=r"node.id 5 .* 6"), opened(tmp_path, {"node.id": "6"}):
        pass
