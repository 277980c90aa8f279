"""The time index: rising timestamps, look-ups, and the zeros that mean 1970 or nothing."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from kfast.log.file_pool import FilePool
from kfast.log.index import CorruptIndexError
from kfast.log.results import TimestampOffset
from kfast.log.time_index import TimeIndex

ENTRIES = [(0, 0), (5000, 7), (1_700_000_000_000, 20)]


def packed(entries: list[tuple[int, int]]) -> bytes:
    return b"".join(struct.pack(">qi", *entry) for entry in entries)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "00000000000000001000.timeindex"


def opened(path: Path) -> TimeIndex:
    return TimeIndex(str(path), 1000, 12 * 100, FilePool())


def test_only_later_timestamps_are_added(path: Path) -> None:
    index = opened(path)
    index.reset()
    for timestamp_ms, offset in [
        (-1, 1000),
        (0, 1000),
        (5000, 1007),
        (4999, 1008),
        (5000, 1009),
        (ENTRIES[2][0], 1020),
    ]:
        index.maybe_append(timestamp_ms, offset)
    assert path.read_bytes() == packed(ENTRIES)
    again = opened(path)
    assert [again.entry(number) for number in range(len(again))] == [(t, 1000 + o) for t, o in ENTRIES]


def test_a_lookup_finds_the_entry_at_or_before(path: Path) -> None:
    path.write_bytes(packed(ENTRIES))
    index = opened(path)
    for timestamp_ms, expected in (
        (-5, (-1, 1000)),
        (0, (0, 1000)),
        (4999, (0, 1000)),
        (5000, (5000, 1007)),
        (2**62, (1_700_000_000_000, 1020)),
    ):
        assert index.lookup(timestamp_ms) == expected


def test_zeros_are_an_entry_only_where_they_can_be_one(path: Path) -> None:
    for entries, tail, count in (
        ([], 12 * 50, 0),
        ([(0, 0)], 0, 1),
        (ENTRIES, 0, 3),
        (ENTRIES, 12 * 50, 3),
        ([(256, 256)], 12, 1),
    ):
        path.write_bytes(packed(entries) + bytes(tail))
        assert len(opened(path)) == count


@pytest.mark.parametrize(
    "data", [packed([(5, 1), (5, 2)]), packed([(5, 2), (6, 1)]), packed([(-7, 0)]), packed(ENTRIES)[:-1]]
)
def test_entries_that_do_not_rise_are_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(CorruptIndexError, match=r"\d"):
        opened(path).load()


def test_the_last_entry_of_a_finished_segment_needs_no_loading(path: Path) -> None:
    path.write_bytes(packed(ENTRIES))
    index = opened(path)
    assert index.finished_entry() == TimestampOffset(1_700_000_000_000, 1020)
    assert index.count == -1
    index.load()
    assert index.finished_entry() is None
    for data in (b"", packed(ENTRIES) + bytes(12)):
        path.write_bytes(data)
        assert opened(path).finished_entry() is None


def test_truncation_drops_an_offset_and_what_follows(path: Path) -> None:
    path.write_bytes(packed(ENTRIES))
    index = opened(path)
    index.truncate_to_offset(1008)
    assert path.read_bytes() == packed(ENTRIES[:2])
    index.truncate_to_offset(1000)
    assert path.read_bytes() == b""
    assert index.last_entry() == TimestampOffset(-1, 1000)


def test_one_place_is_kept_for_the_last_entry(path: Path) -> None:
    index = TimeIndex(str(path), 0, 24, FilePool())
    index.reset()
    assert not index.is_full()
    index.maybe_append(1, 1)
    assert index.is_full()
