"""When the metadata log becomes a snapshot, and what is left of it then."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from kfast.broker.broker import Broker
from kfast.broker.metadata_replay import replay
from kfast.broker.metadata_snapshots import snapshot_ids
from kfast.clock import ManualClock
from kfast.log.dump import dump, is_invalid
from kfast.record.builder import RecordBatchBuilder
from kfast.record.metadata_records import TOPIC_RESOURCE, BeginTransactionRecord, encode

SMALL = {"metadata.log.max.record.bytes.between.snapshots": "2000"}
OFTEN = {"metadata.log.max.snapshot.interval.ms": "60000"}


def alter(broker: Broker, count: int) -> None:
    for number in range(count):
        broker.metadata.alter_configs(TOPIC_RESOURCE, "events", {"retention.ms": str(number)})


def metadata_files(directory: Path, suffix: str) -> list[str]:
    return sorted(path.name for path in (directory / "__cluster_metadata-0").glob(f"*{suffix}"))


def test_a_long_log_becomes_a_snapshot_and_what_came_after_it(tmp_path: Path) -> None:
    with Broker(tmp_path, config=SMALL) as broker:
        broker.metadata.create_topic("events", 3, {"cleanup.policy": "compact"})
        assert snapshot_ids(tmp_path / "__cluster_metadata-0") == [(0, 0)]
        alter(broker, 40)
        written, quorum = broker.metadata.image, replay(tmp_path / "__cluster_metadata-0").quorum
    (snapshot,) = snapshot_ids(tmp_path / "__cluster_metadata-0")
    assert snapshot.end_offset > 10
    assert metadata_files(tmp_path, ".log") == [f"{snapshot.end_offset:020d}.log"]
    replayed = replay(tmp_path / "__cluster_metadata-0")
    assert replayed.image == written
    assert replayed.quorum == quorum
    assert replayed.quorum.voter_ids == (1,)
    assert 0 < replayed.size_bytes < 2000
    assert not any(map(is_invalid, dump([tmp_path], deep=True)))
    with Broker(tmp_path, config=SMALL) as broker:
        assert broker.metadata.image == written
        alter(broker, 1)
        assert broker.metadata.configs(TOPIC_RESOURCE, "events")["retention.ms"] == "0"


def test_bytes_are_counted_across_restarts(tmp_path: Path) -> None:
    for _ in range(8):
        with Broker(tmp_path, config=SMALL) as broker:
            if broker.metadata.topic("events") is None:
                broker.metadata.create_topic("events", 1)
            alter(broker, 4)
    assert snapshot_ids(tmp_path / "__cluster_metadata-0")[0].end_offset > 0


def test_a_log_that_is_too_long_at_start_becomes_one_at_once(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker:
        broker.metadata.create_topic("events", 1)
        alter(broker, 40)
        end_offset = replay(tmp_path / "__cluster_metadata-0").end_offset
    with Broker(tmp_path, config=SMALL):
        assert snapshot_ids(tmp_path / "__cluster_metadata-0") == [(end_offset, 1)]


def test_after_an_hour_the_next_change_brings_one(tmp_path: Path) -> None:
    clock = ManualClock()
    with Broker(tmp_path, config=OFTEN, clock=clock) as broker:
        broker.metadata.create_topic("events", 1)
        clock.advance(60_000)
        assert snapshot_ids(tmp_path / "__cluster_metadata-0") == [(0, 0)]
        alter(broker, 1)
        (first,) = snapshot_ids(tmp_path / "__cluster_metadata-0")
        assert first.end_offset > 0
        clock.advance(59_999)
        alter(broker, 1)
        assert snapshot_ids(tmp_path / "__cluster_metadata-0") == [first]


def test_never_is_never(tmp_path: Path) -> None:
    clock = ManualClock()
    with Broker(tmp_path, config={"metadata.log.max.snapshot.interval.ms": "0"}, clock=clock) as broker:
        broker.metadata.create_topic("events", 1)
        clock.advance(10**9)
        alter(broker, 1)
        assert snapshot_ids(tmp_path / "__cluster_metadata-0") == [(0, 0)]


def test_kafkas_log_goes_on_from_a_snapshot_of_ours(golden: Any, tmp_path: Path) -> None:
    directory = golden.extract("12-kraft", tmp_path) / "log"
    with Broker(directory, config=SMALL) as broker:
        written = broker.metadata.image
    assert snapshot_ids(directory / "__cluster_metadata-0") == [(71, 1)]
    assert replay(directory / "__cluster_metadata-0").image == written


def test_none_is_taken_within_a_transaction_that_nobody_ended(tmp_path: Path) -> None:
    """Kafka refuses an abort without a begin, which would then lie below the snapshot."""
    metadata = tmp_path / "__cluster_metadata-0"
    with Broker(tmp_path) as broker:
        broker.metadata.create_topic("events", 1)
        alter(broker, 40)
    end_offset = replay(metadata).end_offset
    builder = RecordBatchBuilder(end_offset, leader_epoch=1)
    builder.append(None, encode(BeginTransactionRecord("cut short")), 0)
    (log,) = metadata.glob("*.log")
    log.write_bytes(log.read_bytes() + builder.build())
    with Broker(tmp_path, config=SMALL):
        assert snapshot_ids(metadata) == [(end_offset + 2, 1)]


@pytest.mark.parametrize("left", ["all segments", "older snapshots", "an unfinished snapshot"])
def test_what_a_crash_left_below_a_snapshot_counts_for_nothing_and_goes(
    tmp_path: Path, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Broker(tmp_path) as broker:
        broker.metadata.create_topic("events", 1)
        alter(broker, 40)
    metadata = tmp_path / "__cluster_metadata-0"
    if left == "all segments":
        monkeypatch.setattr("kfast.broker.snapshot_generator.drop_before", lambda *_: None)
    elif left == "older snapshots":
        monkeypatch.setattr("kfast.broker.snapshot_generator.snapshot_ids", lambda _: [])
    else:
        (metadata / f"{9:020d}-{1:010d}.checkpoint.part").write_bytes(b"cut o")
    with Broker(tmp_path, config=SMALL) as broker:
        written = broker.metadata.image
    monkeypatch.undo()
    with Broker(tmp_path, config=SMALL) as broker:
        assert broker.metadata.image == written
        alter(broker, 40)
        written = broker.metadata.image
    assert len(metadata_files(tmp_path, ".checkpoint")) == len(metadata_files(tmp_path, ".log")) == 1
    assert not metadata_files(tmp_path, ".part")
    assert replay(metadata).image == written


def test_a_disk_that_takes_no_snapshot_takes_changes_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("kfast.broker.snapshot_generator.write_snapshot", full)
    with Broker(tmp_path, config=SMALL) as broker:
        broker.metadata.create_topic("events", 1)
        alter(broker, 40)
        written = broker.metadata.image
    assert snapshot_ids(tmp_path / "__cluster_metadata-0") == [(0, 0)]
    assert "No space left on device" in caplog.text
    assert replay(tmp_path / "__cluster_metadata-0").image == written
