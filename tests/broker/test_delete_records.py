"""DeleteRecords, against what Apache Kafka 4.1 answers to the same requests."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path
from typing import Any

import pytest

from kfast.broker.broker import Broker
from kfast.clock import ManualClock
from kfast.record.builder import RecordBatchBuilder
from kfast.wire.api_versions import API_VERSIONS, ApiKey

SOON = datetime.timedelta(seconds=5)
SEGMENTED = {"internal.segment.bytes": "200", "file.delete.delay.ms": "1000", "retention.ms": "-1"}

NO_ERROR, OUT_OF_RANGE, UNKNOWN, INVALID_TOPIC, POLICY_VIOLATION, STORAGE = 0, 1, 3, 17, 44, 56


def fill(broker: Broker, topic: str = "events", count: int = 10, producer_id: int = -1, **configs: str) -> None:
    """A topic of one partition with a batch of one record at each offset; two fit into a segment of SEGMENTED."""
    broker.metadata.create_topic(topic, 1, configs)
    for number in range(count):
        builder = RecordBatchBuilder(producer_id=producer_id, producer_epoch=0, base_sequence=number)
        builder.append(b"key", b"x", 1000 + number)
        broker.log(topic, 0).append(builder.build())


def delete(client: Any, *asked: tuple[str, int, int], version: int | None = None) -> list[tuple[str, int, int, int]]:
    """(topic, partition, error code, low watermark) for each (topic, partition, offset)."""
    topics = [{"name": name, "partitions": [{"partition_index": n, "offset": offset}]} for name, n, offset in asked]
    response = client.ask(ApiKey.DELETE_RECORDS, version, topics=topics, timeout=SOON)
    return [
        (topic.name, found.partition_index, found.error_code, found.low_watermark)
        for topic in response.topics
        for found in topic.partitions
    ]


def list_offset(client: Any, timestamp_ms: int, topic: str = "events") -> tuple[int, int]:
    topics = [{"name": topic, "partitions": [{"partition_index": 0, "timestamp": timestamp_ms}]}]
    (found,) = client.ask(ApiKey.LIST_OFFSETS, replica_id=-1, topics=topics).topics[0].partitions
    return found.timestamp, found.offset


@pytest.mark.parametrize("version", range(API_VERSIONS[ApiKey.DELETE_RECORDS].max + 1))
@pytest.mark.parametrize(
    ("offset", "error_code", "low_watermark"),
    [
        (0, NO_ERROR, 0),
        (4, NO_ERROR, 4),
        (10, NO_ERROR, 10),
        (-1, NO_ERROR, 10),
        (11, OUT_OF_RANGE, -1),
        (-2, OUT_OF_RANGE, -1),
    ],
)
def test_the_low_watermark_follows(
    broker: Broker, client: Any, version: int, offset: int, error_code: int, low_watermark: int
) -> None:
    fill(broker)
    assert delete(client, ("events", 0, offset), version=version) == [("events", 0, error_code, low_watermark)]
    assert broker.log("events", 0).log_start_offset == max(low_watermark, 0)


def test_it_never_goes_back(broker: Broker, client: Any) -> None:
    fill(broker)
    assert [delete(client, ("events", 0, offset))[0][3] for offset in (6, 3, 6, 0)] == [6, 6, 6, 6]


def test_each_partition_stands_for_itself(broker: Broker, client: Any) -> None:
    fill(broker)
    fill(broker, "compacted", **{"cleanup.policy": "compact"})
    fill(broker, "both", **{"cleanup.policy": "compact,delete"})
    asked = [("events", 0, 3), ("events", 1, 3), ("nope", 0, 3), ("compacted", 0, 3), ("both", 0, 3)]
    assert delete(client, *asked) == [
        ("events", 0, NO_ERROR, 3),
        ("events", 1, UNKNOWN, -1),
        ("nope", 0, UNKNOWN, -1),
        ("compacted", 0, POLICY_VIOLATION, -1),
        ("both", 0, NO_ERROR, 3),
    ]


def test_topics_of_the_brokers_own_are_not_deleted_from(broker: Broker, client: Any) -> None:
    assert delete(client, ("__consumer_offsets", 0, 0))[0][2] == UNKNOWN
    broker.metadata.create_topic("__consumer_offsets", 1, {"cleanup.policy": "compact"})
    assert delete(client, ("__consumer_offsets", 0, 0), ("__cluster_metadata", 0, 0)) == [
        ("__consumer_offsets", 0, INVALID_TOPIC, -1),
        ("__cluster_metadata", 0, UNKNOWN, -1),
    ]


def test_of_a_partition_that_is_named_twice_the_last_offset_counts(broker: Broker, client: Any) -> None:
    fill(broker)
    assert delete(client, ("events", 0, 7), ("events", 0, 2)) == [("events", 0, NO_ERROR, 2)]


def test_nothing_asked_for_is_nothing_answered(client: Any) -> None:
    assert delete(client) == []


def test_a_log_that_takes_no_more_says_so(broker: Broker, client: Any) -> None:
    fill(broker)
    broker.log("events", 0).close()
    assert delete(client, ("events", 0, 3)) == [("events", 0, STORAGE, -1)]


def test_readers_find_the_new_start(broker: Broker, client: Any) -> None:
    fill(broker)
    delete(client, ("events", 0, 5))
    assert list_offset(client, -2) == (-1, 5)
    assert list_offset(client, 1003) == (1005, 5)
    assert list_offset(client, -1) == (-1, 10)


def test_retention_removes_the_files_after_their_delay(tmp_path: Path, connect: Any) -> None:
    clock = ManualClock()
    with Broker(tmp_path, clock=clock) as broker:
        fill(broker, producer_id=7, **SEGMENTED)
        log = broker.log("events", 0)
        bases = [segment.base_offset for segment in log.segments]
        assert len(bases) > 3
        delete(connect(broker.port), ("events", 0, bases[2]))
        assert [segment.base_offset for segment in log.segments] == bases  # the answer waits for no file
        clock.advance(5 * 60_000)  # retention
        assert [segment.base_offset for segment in log.segments] == bases[2:]
        names = {path.name for path in log.directory.iterdir()}
        assert {f"{base:020d}.log.deleted" for base in bases[:2]} <= names
        clock.advance(1000)
        left = {path.name for path in log.directory.iterdir()}
        assert left == {name for name in names if not name.endswith(".deleted")}
        assert min(name for name in left if name.endswith(".snapshot")) == f"{bases[2]:020d}.snapshot"
        assert [state.producer_id for state in log.producer_states()] == [7]  # known by what it wrote last


@pytest.mark.parametrize("is_clean", [True, False])
def test_a_restart_keeps_the_start(tmp_path: Path, is_clean: bool) -> None:
    clock = ManualClock()
    broker = Broker(tmp_path / "data", clock=clock)
    fill(broker)
    broker.log("events", 0).increment_log_start_offset(7)
    clock.advance(60_000)  # the checkpoint
    if is_clean:
        broker.stop()
    checkpoint = (tmp_path / "data" / "log-start-offset-checkpoint").read_text()
    assert checkpoint == "0\n1\nevents 0 7\n"
    copy = tmp_path / "copy"  # what a kill leaves
    shutil.copytree(tmp_path / "data", copy, ignore=shutil.ignore_patterns(".lock"))
    with Broker(copy) as again:
        log = again.log("events", 0)
        assert (log.log_start_offset, log.log_end_offset) == (7, 10)
    broker.stop()
