"""Formatting an empty directory, and leaving foreign ones alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from kfast.broker.log_directory import ensure_formatted, ensure_usable, write_voters
from kfast.errors import LogDirectoryError
from kfast.record.batches import iter_batches
from kfast.record.control_records import KRaftVersion, KRaftVoters, SnapshotFooter, SnapshotHeader, decode_control


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


def test_voters_are_a_snapshot_at_offset_0_as_kafka_writes_it(tmp_path: Path) -> None:
    properties = ensure_formatted(tmp_path, 1)
    write_voters(tmp_path, properties, now_ms=1_700_000_000_000)
    assert not list(tmp_path.glob("*.part"))
    batches = list(iter_batches((tmp_path / f"{0:020d}-{0:010d}.checkpoint").read_bytes()))
    assert [(batch.base_offset, batch.is_control, batch.is_valid()) for batch in batches] == [
        (0, True, True),
        (3, True, True),
    ]
    records = [decode_control(record.key, record.value) for batch in batches for record in batch.records()]
    header, version, voters, footer = records
    assert header == SnapshotHeader(1_700_000_000_000)
    assert version == KRaftVersion(1)
    assert isinstance(voters, KRaftVoters)
    assert [(voter.voter_id, voter.directory_id) for voter in voters.voters] == [(1, properties.directory_id)]
    assert footer == SnapshotFooter()
