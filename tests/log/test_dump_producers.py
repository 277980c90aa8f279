"""Producer snapshots: shown whole, or named as damaged."""

from __future__ import annotations

from pathlib import Path

from kfast.log.dump import dump
from kfast.log.producer_snapshot import write_snapshot
from kfast.log.producer_state import BatchMetadata, ProducerState


def test_each_producer_is_an_entry(tmp_path: Path) -> None:
    states = [
        ProducerState(7, 2, 5, 1000, 30, (BatchMetadata(12, 41, 3, 1000),)),
        ProducerState(8, 0, 6, 2000),
    ]
    path = write_snapshot(str(tmp_path), 42, states)
    first, second = dump([path])
    assert first == {
        "type": "producer",
        "file": path,
        "producer_id": 7,
        "producer_epoch": 2,
        "coordinator_epoch": 5,
        "last_sequence": 12,
        "last_offset": 41,
        "offset_delta": 3,
        "last_timestamp_ms": 1000,
        "transaction_first_offset": 30,
    }
    assert (second["last_offset"], second["last_sequence"], second["transaction_first_offset"]) == (-1, -1, None)


def test_nobody_has_written_beyond_a_snapshots_offset(tmp_path: Path) -> None:
    path = write_snapshot(str(tmp_path), 42, [ProducerState(7, 2, 5, 1000, None, (BatchMetadata(12, 42, 3, 1000),))])
    errors = [entry["reason"] for entry in dump([path]) if entry["type"] == "error"]
    assert errors == ["producer 7 has written offset 42; the snapshot is of 42"]


def test_a_damaged_one_is_named_and_not_believed(tmp_path: Path) -> None:
    path = Path(write_snapshot(str(tmp_path), 42, [ProducerState(7)]))
    whole = path.read_bytes()
    for damaged, words in ((whole[:5], "5 bytes"), (b"\x00\x02" + whole[2:], "version 2"), (whole[:-1] + b"x", "CRC")):
        path.write_bytes(damaged)
        (error,) = dump([path])
        assert (error["type"], error["position"]) == ("error", 0)
        assert words in error["reason"]
        assert str(path) not in error["reason"]
