"""The time index: the largest timestamp up to an offset, at the same moments as the offset index.

    entry of 12 bytes: 0 timestamp, ms, i64 | 8 offset - base_offset of the segment, i32

Timestamps strictly rise from entry to entry, whatever order the records' own have; before an entry's offset nothing is
later than its timestamp. A finished segment ends with an entry of its largest timestamp. Source: Kafka's TimeIndex.
"""

from __future__ import annotations

import os
import struct
from array import array
from bisect import bisect_right
from typing import ClassVar, Final

from kfast.log.file_pool import FilePool
from kfast.log.index import CorruptIndexError, Index, size_without_zeros
from kfast.log.results import TimestampOffset
from kfast.record.layout import NO_TIMESTAMP

ENTRY: Final = struct.Struct(">qi")


class TimeIndex(Index):
    """Timestamps to offsets of one segment."""

    ENTRY_SIZE: ClassVar[int] = ENTRY.size

    __slots__ = ("_offsets", "_timestamps")

    def __init__(self, path: str, base_offset: int, max_size_bytes: int, file_pool: FilePool) -> None:
        super().__init__(path, base_offset, max_size_bytes, file_pool)
        self._timestamps = array("q")
        self._offsets = array("i")  # relative to base_offset, as on disk

    def lookup(self, timestamp_ms: int) -> TimestampOffset:
        """The entry with the largest timestamp not above `timestamp_ms`; (-1, base offset) where there is none."""
        self._ensure_loaded()
        entry = bisect_right(self._timestamps, timestamp_ms)
        return self.entry(entry - 1) if entry else TimestampOffset(NO_TIMESTAMP, self.base_offset)

    def entry(self, number: int) -> TimestampOffset:
        self._ensure_loaded()
        return TimestampOffset(self._timestamps[number], self.base_offset + self._offsets[number])

    def last_entry(self) -> TimestampOffset:
        """(-1, base offset) where there is none."""
        return self.entry(len(self) - 1) if len(self) else TimestampOffset(NO_TIMESTAMP, self.base_offset)

    def finished_entry(self) -> TimestampOffset | None:
        """The last entry of a finished segment's index, read without the rest; None where that cannot be told."""
        if self.count >= 0:
            return None
        file = self._file_pool.open(self.path)
        data = os.pread(file.fd, ENTRY.size, max(0, os.fstat(file.fd).st_size - ENTRY.size))
        if len(data) < ENTRY.size or not any(data):
            return None
        timestamp_ms, offset = ENTRY.unpack(data)
        return TimestampOffset(timestamp_ms, self.base_offset + offset)

    def is_full(self) -> bool:
        """One place is kept for the last entry of a finished segment."""
        return self.count >= self.max_count - 1

    def maybe_append(self, timestamp_ms: int, offset: int) -> None:
        """Add an entry if it is later than the last one."""
        last_timestamp_ms = self._timestamps[-1] if self._timestamps else NO_TIMESTAMP
        if timestamp_ms > last_timestamp_ms:
            relative_offset = offset - self.base_offset
            self._write(ENTRY.pack(timestamp_ms, relative_offset))
            self._offsets.append(relative_offset)
            self._timestamps.append(timestamp_ms)

    def truncate_to_offset(self, offset: int) -> None:
        """Drop the entries of `offset` and after it."""
        self.load()
        self.truncate(bisect_right(self._offsets, offset - self.base_offset - 1))

    def _parse(self, data: bytes) -> int:
        self._timestamps, self._offsets = parse_time_entries(data, self.path)
        return len(self._timestamps)

    def _cut(self, count: int) -> None:
        del self._timestamps[count:]
        del self._offsets[count:]


def parse_time_entries(data: bytes, path: str) -> tuple[array[int], array[int]]:
    """Return (timestamps, relative offsets) of a file's bytes, without the zeros at its end.

    A record of 1970 at the segment's base makes an entry that is all zeros; only the first can be one. Raises
    CorruptIndexError.
    """
    size = size_without_zeros(data, ENTRY.size) or (ENTRY.size if len(data) == ENTRY.size else 0)
    timestamps, offsets = array("q"), array("i")
    last_timestamp_ms, last_offset = NO_TIMESTAMP, 0
    for timestamp_ms, offset in ENTRY.iter_unpack(memoryview(data)[:size]):
        if timestamp_ms <= last_timestamp_ms or offset < last_offset:
            raise CorruptIndexError(
                f"{path}: entry {len(offsets)} ({timestamp_ms}, {offset}) follows ({last_timestamp_ms}, {last_offset})"
            )
        timestamps.append(timestamp_ms)
        offsets.append(offset)
        last_timestamp_ms, last_offset = timestamp_ms, offset
    return timestamps, offsets
