"""The offset index: entries, look-ups, and files that Kafka left or somebody broke."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from kfast.log.file_pool import FilePool
from kfast.log.index import CorruptIndexError
from kfast.log.offset_index import OffsetIndex
from kfast.log.results import OffsetPosition

ENTRIES = [(3, 300), (7, 450), (20, 10_000), (21, 2**31 - 1)]


def packed(entries: list[tuple[int, int]]) -> bytes:
    return b"".join(struct.pack(">ii", *entry) for entry in entries)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "00000000000000001000.index"


def opened(path: Path) -> OffsetIndex:
    return OffsetIndex(str(path), 1000, 8 * 100, FilePool())


def test_entries_are_written_as_they_come_and_read_back(path: Path) -> None:
    index = opened(path)
    index.reset()
    for offset, position in ENTRIES:
        index.append(1000 + offset, position)
        assert index.last_entry() == OffsetPosition(1000 + offset, position)
    assert path.read_bytes() == packed(ENTRIES)
    again = opened(path)
    assert [again.entry(number) for number in range(len(again))] == [(1000 + o, p) for o, p in ENTRIES]


def test_a_lookup_finds_the_entry_at_or_below(path: Path) -> None:
    path.write_bytes(packed(ENTRIES))
    index = opened(path)
    for offset, expected in (
        (1000, (1000, 0)),
        (1002, (1000, 0)),
        (1003, (1003, 300)),
        (1006, (1003, 300)),
        (1007, (1007, 450)),
        (1019, (1007, 450)),
        (9999, (1021, 2**31 - 1)),
    ):
        assert index.lookup(offset) == expected


def test_zeros_at_the_end_are_no_entries(path: Path) -> None:
    """Kafka preallocates index files, and a crash leaves them so. A position may end in zero bytes itself."""
    for entries in ([], [(1, 256)], [(256, 65536), (2**24, 2**24)]):
        path.write_bytes(packed(entries) + bytes(8 * 50))
        index = opened(path)
        assert len(index) == len(entries)
        index.trim()
        assert path.read_bytes() == packed(entries)


@pytest.mark.parametrize(
    "data",
    [
        packed([(3, 300), (3, 400)]),
        packed([(3, 300), (4, 300)]),
        packed([(-1, 300)]),
        packed([(3, -1)]),
        b"\x7b" * 80,
        packed(ENTRIES)[:-3],
    ],
)
def test_entries_that_do_not_rise_are_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(CorruptIndexError, match=r"\d"):
        opened(path).load()


def test_a_missing_file_is_said_to_be_missing(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        opened(path).load()
    with pytest.raises(FileNotFoundError):
        opened(path).check_size()


@pytest.mark.parametrize(("position", "count"), [(0, 0), (300, 0), (301, 1), (450, 1), (10_001, 3), (2**31 - 1, 3)])
def test_truncation_drops_what_lies_at_a_position_and_after(path: Path, position: int, count: int) -> None:
    path.write_bytes(packed(ENTRIES) + bytes(80))
    index = opened(path)
    index.truncate_to_position(position)
    assert len(index) == count
    assert path.read_bytes() == packed(ENTRIES[:count])
    index.append(1030, 5)
    assert path.read_bytes() == packed([*ENTRIES[:count], (30, 5)])


def test_it_is_full_at_its_size(path: Path) -> None:
    index = OffsetIndex(str(path), 0, 20, FilePool())
    index.reset()
    index.append(1, 10)
    assert not index.is_full()
    index.append(2, 20)
    assert index.is_full()


def test_what_lies_after_a_position_begins_with_the_entry_that_kafka_finds(path: Path) -> None:
    """Its search passes over an equal entry if it is the first one, and over no other."""
    index = opened(path)
    index.reset()
    assert index.offset_after(0) is None
    for offset, position in ((1010, 4200), (1020, 8400), (1030, 12600)):
        index.append(offset, position)
    found = [index.offset_after(position) for position in (0, 4199, 4200, 4201, 8400, 12600, 12601)]
    assert found == [1010, 1010, 1020, 1020, 1020, 1030, None]
