"""The offset index: where in a segment's file a batch lies, for about one batch in every 4 KiB.

    entry of 8 bytes: 0 offset - base_offset of the segment, i32 | 4 position in the file, i32

An entry holds the *last* offset of a batch and the position where that batch *starts*: so whatever is looked up, the
entry with the largest offset not above it leads to a batch that is not beyond it. Source: Kafka's OffsetIndex.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left, bisect_right
from typing import ClassVar, Final

from kfast.log.file_pool import FilePool
from kfast.log.index import CorruptIndexError, Index, size_without_zeros
from kfast.log.results import OffsetPosition

ENTRY: Final = struct.Struct(">ii")


class OffsetIndex(Index):
    """Offsets to positions of one segment."""

    ENTRY_SIZE: ClassVar[int] = ENTRY.size

    __slots__ = ("_offsets", "_positions")

    def __init__(self, path: str, base_offset: int, max_size_bytes: int, file_pool: FilePool) -> None:
        super().__init__(path, base_offset, max_size_bytes, file_pool)
        self._offsets = array("i")  # relative to base_offset, as on disk
        self._positions = array("i")

    def lookup(self, offset: int) -> OffsetPosition:
        """The entry with the largest offset not above `offset`; (base offset, 0) where there is none."""
        if self.count < 0:
            self._ensure_loaded()
        number = bisect_right(self._offsets, offset - self.base_offset) - 1
        if number < 0:
            return OffsetPosition(self.base_offset, 0)
        return OffsetPosition(self.base_offset + self._offsets[number], self._positions[number])

    def offset_after(self, position: int) -> int | None:
        """The offset of the first entry whose batch lies at `position` or after it; None where there is none.

        Where that is the index's first entry, at just `position`, it is that of the next one: Kafka's search never
        looks at the least entry for an equal one.
        """
        self._ensure_loaded()
        number = bisect_left(self._positions, position)
        if number == 0 and len(self._positions) and self._positions[0] == position:
            number = 1
        return self.base_offset + self._offsets[number] if number < len(self._offsets) else None

    def entry(self, number: int) -> OffsetPosition:
        self._ensure_loaded()
        return OffsetPosition(self.base_offset + self._offsets[number], self._positions[number])

    def last_entry(self) -> OffsetPosition:
        """(base offset, 0) where there is none."""
        return self.entry(len(self) - 1) if len(self) else OffsetPosition(self.base_offset, 0)

    def is_full(self) -> bool:
        return self.count >= self.max_count

    def append(self, offset: int, position: int) -> None:
        relative_offset = offset - self.base_offset
        self._write(ENTRY.pack(relative_offset, position))
        self._positions.append(position)
        self._offsets.append(relative_offset)

    def truncate_to_position(self, position: int) -> None:
        """Drop the entries of batches at `position` and after it."""
        self.load()
        self.truncate(bisect_right(self._positions, position - 1))

    def _parse(self, data: bytes) -> int:
        self._offsets, self._positions = parse_offset_entries(data, self.path)
        return len(self._offsets)

    def _cut(self, count: int) -> None:
        del self._offsets[count:]
        del self._positions[count:]


def parse_offset_entries(data: bytes, path: str) -> tuple[array[int], array[int]]:
    """Return (relative offsets, positions) of a file's bytes, without the zeros at its end.

    No entry is all zeros: the first batch of a segment never gets one. Raises CorruptIndexError.
    """
    numbers = array("i", data[: size_without_zeros(data, ENTRY.size)])
    if sys.byteorder == "little":
        numbers.byteswap()
    offsets, positions = numbers[0::2], numbers[1::2]
    for name, values in (("offset", offsets), ("position", positions)):
        if len(values) and (values[0] < 0 or not _is_rising(values)):
            raise CorruptIndexError(f"{path}: the {name}s of its {len(values)} entries do not rise")
    return offsets, positions


def _is_rising(values: array[int]) -> bool:
    return all(map(int.__lt__, values, values[1:]))
