"""The segments of a log, in order of their base offsets: immutable, replaced whole, so that reading needs no lock."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from kfast.log.segment import LogSegment

LogOffsetMetadata: TypeAlias = tuple[int, LogSegment, int]
"""An offset, the segment it lies in, and its position there: taken together so that they fit together."""


class LogSegments:
    """At least one segment; the last one is the active one, which is appended to."""

    __slots__ = ("_base_offsets", "all")

    def __init__(self, segments: Iterable[LogSegment]) -> None:
        self.all = tuple(segments)
        self._base_offsets = [segment.base_offset for segment in self.all]

    @property
    def active(self) -> LogSegment:
        return self.all[-1]

    @property
    def first(self) -> LogSegment:
        return self.all[0]

    def floor(self, offset: int) -> int:
        """Number of the segment whose range `offset` lies in; -1 where it is below all."""
        return bisect_right(self._base_offsets, offset) - 1

    def since(self, offset: int) -> tuple[LogSegment, ...]:
        """The segment whose range `offset` lies in, and those after it."""
        return self.all[max(0, self.floor(offset)) :]

    def __iter__(self) -> Iterator[LogSegment]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    def __repr__(self) -> str:
        return f"LogSegments({', '.join(map(str, self._base_offsets))})"
