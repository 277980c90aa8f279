"""Compaction: of each key the last record stays. Whole segments are written anew, smaller, and put into place.

    dirty part of the log -> OffsetMap of its keys -> segments before its end, in groups -> RecordFilter -> .cleaned
    -> .swap -> the old ones .deleted -> .swap loses its suffix                 a crash leaves the old ones or the new

What the map has no room for waits for the next pass. Which log is next is `LogCleaner`'s. Source: Kafka's Cleaner.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kfast.clock import Clock
from kfast.log.cleanable import Cleanable
from kfast.log.compaction import CleanedTransactions, OffsetMap, RecordFilter
from kfast.log.config import LogConfig
from kfast.log.log import Log
from kfast.log.segment import MAX_RELATIVE_OFFSET, LogSegment
from kfast.record.batch import RecordBatch

DEDUPE_BUFFER_BYTES: Final = 128 << 20
WRITE_SIZE: Final = 1 << 20
"""Bytes gathered before they are written: about a batch more at most."""

Throttle = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class CleanReport:
    """What one pass has done to a log: up to where it is clean now, and the bytes of those segments."""

    end_offset: int
    bytes_before: int
    bytes_after: int
    elapsed_ms: int


class Cleaner:
    """Compacts one log at a time. For one thread."""

    def __init__(
        self,
        clock: Clock,
        dedupe_buffer_bytes: int = DEDUPE_BUFFER_BYTES,
        throttle: Throttle = lambda size: None,
    ) -> None:
        """`throttle` is told of the bytes that were read or written, and waits where they were too many."""
        self._clock = clock
        self._dedupe_buffer_bytes = dedupe_buffer_bytes
        self._throttle = throttle

    def clean(self, what: Cleanable) -> CleanReport:
        """Compact one log. Raises OSError, CorruptRecordError, KafkaStorageError; then what is left to do stays."""
        start_ns, now_ms = self._clock.monotonic_ns(), self._clock.now_ms()
        log = what.log
        offset_map = self._build_map(what)
        end_offset = offset_map.latest_offset + 1
        log.flush(what.first_uncleanable_offset)  # or a loss of power takes what superseded a record that was flushed
        segments = [segment for segment in what.segments if segment.base_offset < end_offset]
        transactions = CleanedTransactions()
        bytes_after = 0
        for group in group_segments(segments, what.first_uncleanable_offset, log.config):
            record_filter = RecordFilter(
                offset_map,
                transactions,
                log.producer_states(),
                what.first_uncleanable_offset,
                now_ms,
                log.config.delete_retention_ms,
            )
            bytes_after += self._clean_group(log, group, record_filter, transactions).size_bytes
        elapsed_ms = (self._clock.monotonic_ns() - start_ns) // 1_000_000
        return CleanReport(end_offset, sum(one.size_bytes for one in segments), bytes_after, elapsed_ms)

    def _build_map(self, what: Cleanable) -> OffsetMap:
        """Read the keys of the dirty segments until the map is full: from a batch that does not fit on, it waits."""
        offset_map = OffsetMap(self._dedupe_buffer_bytes, what.first_dirty_offset - 1)
        transactions = CleanedTransactions()
        transactions.add(what.log.aborted_between(what.first_dirty_offset, what.first_uncleanable_offset))
        for batch in self._dirty_batches(what):
            if not transactions.is_void(batch) and not batch.is_control:
                records = list(batch.records())
                if not offset_map.has_room_for(len(records)):
                    return offset_map
                for record in records:
                    if record.key is not None and record.offset >= what.first_dirty_offset:
                        offset_map.put(record.key, record.offset)
            offset_map.latest_offset = batch.last_offset
        offset_map.latest_offset = what.first_uncleanable_offset - 1
        return offset_map

    def _dirty_batches(self, what: Cleanable) -> Iterator[RecordBatch]:
        ends = [*(segment.base_offset for segment in what.segments[1:]), what.first_uncleanable_offset]
        for segment, end in zip(what.segments, ends, strict=False):
            if end > what.first_dirty_offset:
                for _, batch in segment.records.batches(segment.position_before(what.first_dirty_offset)):
                    self._throttle(batch.size_bytes)
                    if batch.last_offset >= what.first_dirty_offset:
                        yield batch

    def _clean_group(
        self,
        log: Log,
        group: list[LogSegment],
        record_filter: RecordFilter,
        transactions: CleanedTransactions,
    ) -> LogSegment:
        cleaned = log.create_cleaned(group[0].base_offset)
        try:
            for segment, next_segment in itertools.zip_longest(group, group[1:]):
                end = next_segment.base_offset if next_segment else segment.next_offset()
                transactions.add(log.aborted_between(segment.base_offset, end))
                self._clean_into(cleaned, segment, record_filter)
            cleaned.transaction_index.keep(transactions.take_kept())
            cleaned.finish()
            cleaned.flush()
            cleaned.records.set_modified_ms(group[-1].records.modified_ms())
            log.replace_segments(group, cleaned)
        except BaseException:
            cleaned.unlink()
            raise
        return cleaned

    def _clean_into(self, cleaned: LogSegment, segment: LogSegment, record_filter: RecordFilter) -> None:
        buffer, kept = bytearray(), list[RecordBatch]()
        for _, batch in segment.records.batches():
            self._throttle(batch.size_bytes)
            left = record_filter.filter(batch)
            if left is not None:
                kept.append(RecordBatch(left))
                buffer += left
            if len(buffer) >= WRITE_SIZE:
                self._write(cleaned, buffer, kept)
                buffer, kept = bytearray(), []
        if kept:
            self._write(cleaned, buffer, kept)

    def _write(self, cleaned: LogSegment, buffer: bytearray, kept: list[RecordBatch]) -> None:
        cleaned.append_kept(buffer, kept)
        self._throttle(len(buffer))


def group_segments(segments: Sequence[LogSegment], end_offset: int, config: LogConfig) -> list[list[LogSegment]]:
    """Put neighbours together that, as large as they are now, fit into one segment: small ones do not pile up.

    `end_offset` is that of the first offset after all of `segments`.
    """
    ends = [*(segment.base_offset for segment in segments[1:]), end_offset]
    found: list[list[LogSegment]] = []
    for segment, end in zip(segments, ends, strict=True):
        if found and _fits((*found[-1], segment), end - 1, config):
            found[-1].append(segment)
        else:
            found.append([segment])
    return found


def _fits(group: Sequence[LogSegment], last_offset: int, config: LogConfig) -> bool:
    return (
        sum(segment.size_bytes for segment in group) <= config.segment_bytes
        and sum(segment.offset_index.size_bytes for segment in group) <= config.segment_index_bytes
        and sum(segment.time_index.size_bytes for segment in group) <= config.segment_index_bytes
        and (group[-1].size_bytes == 0 or last_offset - group[0].base_offset <= MAX_RELATIVE_OFFSET)
    )
