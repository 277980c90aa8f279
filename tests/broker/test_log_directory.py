"""Formatting an empty directory, and leaving foreign ones alone."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kfast.broker.broker import Broker
from kfast.broker.log_directory import ensure_formatted, ensure_usable
from kfast.broker.metadata_replay import replay
from kfast.errors import LogDirectoryError
from kfast.record.builder import RecordBatchBuilder
from kfast.record.control_records import (
    ControlRecord,
    KRaftVersion,
    KRaftVoters,
    LeaderChange,
    QuorumVoter,
    SnapshotHeader,
    Voter,
    VoterEndpoint,
    encode_control,
)
from kfast.record.metadata_records import (
    MetadataRecord,
    PartitionChangeRecord,
    PartitionRecord,
    TopicRecord,
    encode,
)


def test_an_empty_directory_gets_ids_of_its_own_and_keeps_them(tmp_path: Path) -> None:
    first = ensure_formatted(tmp_path, 1)
    assert first.node_id == 1
    assert len(first.cluster_id) == 22
    assert ensure_formatted(tmp_path, 9) == first


@pytest.mark.parametrize("name", ["notes.txt", "__cluster_metadata-0"])
def test_a_foreign_directory_is_refused_and_untouched(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(LogDirectoryError, match=name):
        ensure_formatted(tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_lock_file_and_a_missing_directory_are_no_foreigners(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    ensure_usable(tmp_path)
    ensure_usable(tmp_path / "missing")


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LogDirectoryError, match="not a directory"):
        ensure_usable(tmp_path / "file")


def tree(directory: Path) -> dict[str, str]:
    """Every file and directory below, with what it holds, when it was written, and its mode."""
    return {
        str(path.relative_to(directory)): f"{path.lstat().st_mode:o} {path.lstat().st_mtime_ns} "
        + (hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
        for path in [directory, *directory.rglob("*")]
    }


def metadata_batch(base_offset: int, *records: MetadataRecord) -> bytes:
    builder = RecordBatchBuilder(base_offset, leader_epoch=1)
    for record in records:
        builder.append(None, encode(record), 0)
    return bytes(builder.build())


def control_batch(*records: ControlRecord) -> bytes:
    builder = RecordBatchBuilder(0, is_control=True, leader_epoch=1)
    for record in records:
        builder.append(*encode_control(record), 0)
    return bytes(builder.build())


def voters(*ids: int) -> KRaftVoters:
    endpoint = VoterEndpoint("CONTROLLER", "localhost", 9093)
    return KRaftVoters(tuple(Voter(number, uuid.UUID(int=1000 + number), (endpoint,)) for number in ids))


@pytest.fixture
def kafkas(golden: Any, tmp_path: Path) -> Path:
    """A directory of a cluster of one that Apache Kafka left, in which a test makes it one of more."""
    return golden.extract("12-kraft", tmp_path) / "log"


def write_metadata(directory: Path, name: str, data: bytes) -> None:
    for path in (directory / "__cluster_metadata-0").iterdir():
        path.unlink()
    (directory / "__cluster_metadata-0" / name).write_bytes(data)


def make_replicated(directory: Path) -> None:
    log = directory / "__cluster_metadata-0" / f"{0:020d}.log"
    topic_id = uuid.UUID(int=500)
    shared = (TopicRecord("shared", topic_id), PartitionRecord(0, topic_id, (1, 2), (1, 2), 1))
    log.write_bytes(log.read_bytes() + metadata_batch(71, *shared))


def make_dynamic_with_three(directory: Path) -> None:
    name = f"{0:020d}-{0:010d}.checkpoint"
    write_metadata(directory, name, control_batch(SnapshotHeader(0), KRaftVersion(1), voters(1, 2, 3)))


def make_static_with_three(directory: Path) -> None:
    leader = LeaderChange(1, tuple(QuorumVoter(number) for number in (1, 2, 3)), (QuorumVoter(1),))
    write_metadata(directory, f"{0:020d}.log", control_batch(leader))


def make_static_by_its_state(directory: Path) -> None:
    state = {"leaderId": 2, "currentVoters": [{"voterId": 2}, {"voterId": 3}], "data_version": 0}
    write_metadata(directory, "quorum-state", json.dumps(state).encode())


def make_of_another_node(directory: Path) -> None:
    path = directory / "meta.properties"
    path.write_text(path.read_text().replace("node.id=1", "node.id=7"))


def move_a_partition_to_another_directory(directory: Path) -> None:
    log = directory / "__cluster_metadata-0" / f"{0:020d}.log"
    topic_id = next(topic.topic_id for topic in replay(log.parent).image.topics.values() if topic.name == "bare")
    change = PartitionChangeRecord(0, topic_id, directories=(uuid.UUID(int=12345),))
    log.write_bytes(log.read_bytes() + metadata_batch(71, change))
    shutil.rmtree(directory / "bare-0")


def lose_the_metadata_log(directory: Path) -> None:
    shutil.rmtree(directory / "__cluster_metadata-0")


REFUSED = {
    lose_the_metadata_log: r"holds 6 partitions \(bare-0, ...\) and no metadata log",
    make_replicated: r"shared-0 has its replicas on nodes \[1, 2\] and this is node 1",
    make_dynamic_with_three: r"nodes \[1, 2, 3\] vote on its metadata and this is node 1",
    make_static_with_three: r"nodes \[1, 2, 3\] vote on its metadata and this is node 1",
    make_static_by_its_state: r"nodes \[2, 3\] vote on its metadata and this is node 1",
    make_of_another_node: r"nodes \[1\] vote on its metadata and this is node 7",
    move_a_partition_to_another_directory: "bare-0 lies in the log directory with id AAAAAAAAAAAAAAAAAAAwOQ",
}


@pytest.mark.parametrize("has_lock_file", [False, True])
@pytest.mark.parametrize("change", REFUSED, ids=lambda change: change.__name__)
def test_a_directory_that_needs_others_is_refused_and_stays_as_it_is(
    kafkas: Path, change: Callable[[Path], None], has_lock_file: bool
) -> None:
    change(kafkas)
    if has_lock_file:
        (kafkas / ".lock").touch()
    before = tree(kafkas)
    with pytest.raises(LogDirectoryError, match=REFUSED[change]):
        Broker(kafkas)
    assert tree(kafkas) == before


def test_another_node_id_than_its_own_is_refused(kafkas: Path) -> None:
    before = tree(kafkas)
    with pytest.raises(LogDirectoryError, match=r"belongs to node.id 1 and node.id 2 was asked for"):
        Broker(kafkas, config={"node.id": "2"})
    assert tree(kafkas) == before


def test_a_partition_that_was_copied_from_another_directory_is_here(kafkas: Path) -> None:
    path = kafkas / "meta.properties"
    path.write_text(
        path.read_text().replace("directory.id=imUaqx20AuCztA8b8Hlomw", "directory.id=AAAAAAAAAAAAAAAAAAAwOQ")
    )
    with Broker(kafkas) as broker:
        assert broker.log("bare", 0).log_end_offset == 25


def test_what_a_crash_left_while_formatting_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "meta.properties.tmp").write_text("version=1\ncluster.id=hal")
    ensure_usable(tmp_path)
    assert ensure_formatted(tmp_path, 5).node_id == 5
    assert [path.name for path in tmp_path.iterdir()] == ["meta.properties"]
