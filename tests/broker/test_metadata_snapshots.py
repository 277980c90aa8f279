"""Snapshots of the metadata log: what they hold, in whose bytes."""

from __future__ import annotations

import errno
import os
import uuid
from pathlib import Path
from typing import Any

import pytest

from kfast.broker.metadata_image import MetadataImage
from kfast.broker.metadata_replay import replay
from kfast.broker.metadata_snapshots import SnapshotId, records_of, snapshot_ids, write_snapshot
from kfast.broker.quorum import Quorum
from kfast.log.checkpoints import MetaProperties
from kfast.log.dump import dump, is_invalid
from kfast.record.batches import iter_batches
from kfast.record.control_records import KRaftVersion, KRaftVoters, SnapshotFooter, SnapshotHeader, decode_control
from kfast.record.metadata_records import FeatureLevelRecord, PartitionRecord, TopicRecord

NOW_MS = 1_700_000_000_000
PROPERTIES = MetaProperties("cluster", 1, uuid.UUID(int=1234))


def test_a_snapshot_that_a_full_disk_does_not_take_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_snapshot(tmp_path, SnapshotId(0, 0), Quorum.of_one(PROPERTIES), (), NOW_MS)
    assert list(tmp_path.iterdir()) == []


def test_a_new_quorum_is_a_snapshot_at_offset_0_as_kafka_writes_it(tmp_path: Path) -> None:
    write_snapshot(tmp_path, SnapshotId(0, 0), Quorum.of_one(PROPERTIES), (), NOW_MS)
    assert [path.name for path in tmp_path.iterdir()] == [f"{0:020d}-{0:010d}.checkpoint"]
    batches = list(iter_batches((tmp_path / f"{0:020d}-{0:010d}.checkpoint").read_bytes()))
    assert [(batch.base_offset, batch.is_control, batch.is_valid()) for batch in batches] == [
        (0, True, True),
        (3, True, True),
    ]
    records = [decode_control(record.key, record.value) for batch in batches for record in batch.records()]
    header, version, voters, footer = records
    assert header == SnapshotHeader(NOW_MS)
    assert version == KRaftVersion(1)
    assert isinstance(voters, KRaftVoters)
    assert [(voter.voter_id, voter.directory_id) for voter in voters.voters] == [(1, PROPERTIES.directory_id)]
    assert footer == SnapshotFooter()


def test_the_image_of_kafkas_log_is_the_same_from_a_snapshot_of_it(golden: Any, tmp_path: Path) -> None:
    replayed = replay(golden("12-kraft") / "log" / "__cluster_metadata-0")
    snapshot = SnapshotId(replayed.end_offset, replayed.epoch)
    write_snapshot(tmp_path, snapshot, replayed.quorum, records_of(replayed.image, 1), NOW_MS)
    again = replay(tmp_path)
    assert again.image == replayed.image
    assert (again.snapshot, again.end_offset, again.epoch) == (snapshot, replayed.end_offset, replayed.epoch)
    assert (again.log_start_offset, again.size_bytes) == (replayed.end_offset, 0)
    assert replayed.quorum == Quorum(static_voter_ids=(1,))
    assert not any(map(is_invalid, dump([tmp_path], deep=True)))


def test_the_metadata_version_comes_first() -> None:
    image = MetadataImage(features={"group.version": 1, "metadata.version": 27, "a": 2})
    assert next(records_of(image, 1)) == FeatureLevelRecord("metadata.version", 27)


def test_many_records_are_several_batches_numbered_on(tmp_path: Path) -> None:
    topic_id = uuid.UUID(int=5)
    records = [TopicRecord("many", topic_id)]
    records += [PartitionRecord(number, topic_id, (1,), (1,), 1) for number in range(2500)]
    write_snapshot(tmp_path, SnapshotId(9, 2), Quorum.of_one(PROPERTIES), records, NOW_MS)
    batches = list(iter_batches((tmp_path / f"{9:020d}-{2:010d}.checkpoint").read_bytes()))
    assert [batch.count for batch in batches] == [3, 1024, 1024, 453, 1]
    assert [batch.base_offset for batch in batches] == [0, 3, 1027, 2051, 2504]
    assert {batch.partition_leader_epoch for batch in batches} == {2}
    assert len(replay(tmp_path).image.topics["many"].partitions) == 2500


def test_one_that_cannot_be_written_is_not_there(tmp_path: Path) -> None:
    (tmp_path / f"{9:020d}-{2:010d}.checkpoint.part").mkdir()
    with pytest.raises(OSError):
        write_snapshot(tmp_path, SnapshotId(9, 2), Quorum(), (), NOW_MS)
    assert snapshot_ids(tmp_path) == []


def test_the_newest_comes_last(tmp_path: Path) -> None:
    for end_offset, epoch in ((100, 1), (20, 3), (20, 2)):
        (tmp_path / SnapshotId(end_offset, epoch).file_name).touch()
    (tmp_path / f"{900:020d}-{1:010d}.checkpoint.part").touch()
    assert snapshot_ids(tmp_path) == [(20, 2), (20, 3), (100, 1)]
    assert snapshot_ids(tmp_path / "missing") == []
