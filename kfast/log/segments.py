"""The segments of a log, in order of their base offsets: immutable, replaced whole, so that reading needs no lock.

What is looked for in a log is found here: the segment first, then the place in it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from kfast.file_slice import FileSlice
from kfast.log.results import TimestampAndOffset
from kfast.log.segment import LogSegment
from kfast.log.transaction_index import AbortedTransaction

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

    def find(self, fetch_offset: int, max_bytes: int, end: LogOffsetMetadata, min_one_batch: bool) -> FileSlice:
        """The batches from the one that holds `fetch_offset` on, before `end`, in one segment. See `Log.read`."""
        end_offset, end_segment, end_position = end
        if fetch_offset < end_offset:
            for segment in self.all[max(0, self.floor(fetch_offset)) :]:
                limit = end_position if segment is end_segment else segment.records.size_bytes
                found = segment.translate_offset(fetch_offset, limit)
                if found is not None:
                    position, first_size = found
                    if max_bytes < first_size:
                        max_bytes = first_size if min_one_batch else 0
                    return segment.records.slice(position, min(max_bytes, limit - position))
                if segment is end_segment:
                    break
        return end_segment.records.slice(end_position, 0)

    def offset_metadata(self, offset: int, end: LogOffsetMetadata) -> LogOffsetMetadata:
        """Where the batch that holds `offset` starts; offsets that bound a read are those of batches."""
        segment = self.all[max(0, self.floor(offset))]
        limit = end[2] if segment is end[1] else segment.records.size_bytes
        found = segment.translate_offset(offset, limit)
        return offset, segment, found[0] if found else limit

    def find_timestamp(self, timestamp_ms: int, start_offset: int) -> TimestampAndOffset | None:
        """The first record from `start_offset` on that is not earlier than `timestamp_ms`; None where there is none.

        As in Kafka only the first segment that is late enough is looked at: where `start_offset` hides what it holds of
        that time, nothing is found until retention has removed it. One without timestamps counts as late as its file.
        """
        for segment in self.all:
            if segment.largest_timestamp_ms() >= timestamp_ms:
                return segment.find_timestamp(timestamp_ms, start_offset)
        return None

    def find_max_timestamp(self) -> TimestampAndOffset | None:
        """The first record that has the largest timestamp, in the first segment that has it; None without records."""
        return max(self.all, key=lambda segment: segment.max_timestamp().timestamp_ms).find_max_timestamp()

    def aborted_transactions(self, fetch_offset: int, records: FileSlice, end_offset: int) -> list[AbortedTransaction]:
        """Those with records in what `find` found from `fetch_offset` on, and perhaps a few that begin later."""
        if not records.size:
            return []
        segments = self._since_first_batch(fetch_offset)
        upper_bound = segments[0].offset_after(records.position + records.size)
        if upper_bound is None:
            upper_bound = segments[1].base_offset if len(segments) > 1 else end_offset
        return _aborted_between(segments, fetch_offset, upper_bound)

    def aborted_between(self, start_offset: int, end_offset: int) -> list[AbortedTransaction]:
        """Those with records from `start_offset` on and before `end_offset`."""
        return _aborted_between(self.since(start_offset), start_offset, end_offset)

    def _since_first_batch(self, offset: int) -> tuple[LogSegment, ...]:
        """From the segment on where a batch holds `offset` or follows it: compaction leaves some without any."""
        segments = self.since(offset)
        while len(segments) > 1 and segments[0].translate_offset(offset, segments[0].size_bytes) is None:
            segments = segments[1:]
        return segments

    def __iter__(self) -> Iterator[LogSegment]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    def __repr__(self) -> str:
        return f"LogSegments({', '.join(map(str, self._base_offsets))})"


def _aborted_between(segments: Iterable[LogSegment], start_offset: int, end_offset: int) -> list[AbortedTransaction]:
    """A transaction is listed where its marker lies, which may be any number of segments after its records."""
    found: list[AbortedTransaction] = []
    for segment in segments:
        some, is_complete = segment.transaction_index.overlapping(start_offset, end_offset)
        found += some
        if is_complete:
            break
    return found
