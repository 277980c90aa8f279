"""Compaction: of each key the last record stays. Whole segments are written anew, smaller, and put into place.

    dirty part of the log -> OffsetMap of its keys -> segments before it, in groups -> RecordFilter -> .cleaned
    -> .swap -> the old ones .deleted -> .swap loses its suffix                 a crash leaves the old ones or the new

The active segment is never cleaned, nor what an open transaction or min.compaction.lag.ms keeps from it. What the map
has no room for waits for the next pass. `cleanable` decides, `Cleaner` acts; which log is next is `LogCleaner`'s.
Source: Kafka's LogCleaner, LogCleanerManager and Cleaner.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kfast.clock import Clock
from kfast.errors import CorruptRecordError
from kfast.log.compaction import CleanedTransactions, OffsetMap, RecordFilter
from kfast.log.names import CLEANED_SUFFIX, SWAP_SUFFIX
from kfast.log.segment import MAX_RELATIVE_OFFSET, LogSegment
from kfast.record.batch import RecordBatch

if TYPE_CHECKING:
    from kfast.log.log import Log

logger = logging.getLogger(__name__)

DEDUPE_BUFFER_BYTES: Final = 128 << 20
WRITE_SIZE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Cleanable:
    """What compaction would work on in one log now."""

    segments: tuple[LogSegment, ...]
    """From the first of the log up to the first that may not be touched."""
    first_dirty_offset: int
    first_uncleanable_offset: int
    dirty_bytes: int
    clean_bytes: int
    is_overdue: bool
    """Whether a record waits for longer than max.compaction.lag.ms."""

    @property
    def dirty_ratio(self) -> float:
        total = self.dirty_bytes + self.clean_bytes
        return self.dirty_bytes / total if total else 0.0


@dataclass(frozen=True, slots=True)
class CleanReport:
    """What one pass has done: bytes and records of the segments before and after, and up to where they are clean."""

    first_dirty_offset: int
    end_offset: int
    bytes_before: int
    bytes_after: int
    elapsed_s: float


def cleanable(log: Log, first_dirty_offset: int | None, now_ms: int) -> Cleanable:
    """Return what may be cleaned of `log`, which is clean up to `first_dirty_offset`, as its checkpoint says."""
    segments, config = log.segments, log.config
    first_dirty_offset = max(first_dirty_offset or 0, log.log_start_offset)
    if first_dirty_offset > segments[-1].base_offset:  # the checkpoint was of another log
        first_dirty_offset = log.log_start_offset
    uncleanable = min(segments[-1].base_offset, log.last_stable_offset)
    for segment in segments[:-1]:
        if config.min_compaction_lag_ms and now_ms - segment.largest_timestamp_ms() < config.min_compaction_lag_ms:
            uncleanable = min(uncleanable, segment.base_offset)
            break
    bounds = [*(segment.base_offset for segment in segments[1:]), log.log_end_offset]
    touchable = tuple(segment for segment, end in zip(segments, bounds, strict=True) if end <= uncleanable)
    dirty = [
        segment for segment, end in zip(touchable, bounds, strict=False) if end > first_dirty_offset
    ]
    dirty_bytes = sum(segment.size_bytes for segment in dirty)
    return Cleanable(
        segments=touchable,
        first_dirty_offset=first_dirty_offset,
        first_uncleanable_offset=bounds[len(touchable) - 1] if touchable else log.log_start_offset,
        dirty_bytes=dirty_bytes,
        clean_bytes=sum(segment.size_bytes for segment in touchable) - dirty_bytes,
        is_overdue=any(now_ms - first_ms > config.max_compaction_lag_ms for first_ms in _first_timestamps(dirty)),
    )


def _first_timestamps(segments: Iterable[LogSegment]) -> Iterator[int]:
    for segment in segments:
        timestamp_ms = segment.first_timestamp_ms()
        if timestamp_ms >= 0:
            yield timestamp_ms


def groups(segments: Sequence[LogSegment], next_offset: int, config_segment_bytes: int, index_bytes: int) -> list[list[LogSegment]]:
    """Put neighbours together that, as large as they are now, fit into one segment: so that small ones do not pile up.

    `next_offset` is that after the last of `segments`.
    """
    ends = [*(segment.base_offset for segment in segments[1:]), next_offset]
    found: list[list[LogSegment]] = []
    sizes = (0, 0, 0)
    for segment, end in zip(segments, ends, strict=True):
        added = (segment.size_bytes, segment.offset_index.size_bytes, segment.time_index.size_bytes)
        total = tuple(map(sum, zip(sizes, added, strict=True)))
        fits = (
            found
            and total[0] <= config_segment_bytes
            and max(total[1:]) <= index_bytes
            and end - 1 - found[-1][0].base_offset <= MAX_RELATIVE_OFFSET
        )
        if fits:
            found[-1].append(segment)
            sizes = total  # type: ignore[assignment]
        else:
            found.append([segment])
            sizes = added
    return found


class Cleaner:
    """Compacts one log at a time. For one thread."""

    def __init__(
        self,
        clock: Clock,
        dedupe_buffer_bytes: int = DEDUPE_BUFFER_BYTES,
        throttle: Callable[[int], None] = lambda size: None,
    ) -> None:
        """`throttle` is told of the bytes that were read or written, and waits where that were too many."""
        self._clock = clock
        self._dedupe_buffer_bytes = dedupe_buffer_bytes
        self._throttle = throttle

    def clean(self, log: Log, what: Cleanable) -> CleanReport:
        """Compact `what` of `log`. Raises OSError, KafkaStorageError; then the log is as it was."""
        start_ns = self._clock.monotonic_ns()
        offset_map = self._build_map(what)
        end_offset = offset_map.latest_offset + 1
        bounds = {a.base_offset: b.base_offset for a, b in zip(what.segments, what.segments[1:], strict=False)}
        segments = [one for one in what.segments if one.base_offset < max(end_offset, what.first_dirty_offset)]
        before = sum(segment.size_bytes for segment in segments)
        next_offset = bounds.get(segments[-1].base_offset, what.first_uncleanable_offset) if segments else 0
        for group in groups(segments, next_offset, log.config.segment_bytes, log.config.segment_index_bytes):
            self._clean_group(log, group, offset_map, what.first_dirty_offset)
        after = sum(one.size_bytes for one in log.segments if one.base_offset < next_offset)
        elapsed_s = (self._clock.monotonic_ns() - start_ns) / 1e9
        return CleanReport(what.first_dirty_offset, end_offset, before, after, elapsed_s)

    def _build_map(self, what: Cleanable) -> OffsetMap:
        """Read the dirty segments' keys, until the map is full; a batch counts whole or not at all."""
        offset_map = OffsetMap(self._dedupe_buffer_bytes)
        offset_map.latest_offset = what.first_dirty_offset - 1
        dirty = [one for one in what.segments if one.base_offset + 1 > what.first_dirty_offset or one is what.segments[-1]]
        transactions = CleanedTransactions(entry for one in dirty for entry in one.transaction_index.entries)
        for segment in what.segments:
            for _, batch in segment.records.batches():
                if batch.last_offset < what.first_dirty_offset:
                    continue
                if offset_map.is_full:
                    return offset_map
                self._throttle(batch.size_bytes)
                if not transactions.is_void(batch) and not batch.is_control:
                    for record in batch.records():
                        if record.key is not None and record.offset >= what.first_dirty_offset:
                            offset_map.put(record.key, record.offset)
                offset_map.latest_offset = batch.last_offset
        offset_map.latest_offset = what.first_uncleanable_offset - 1
        return offset_map

    def _clean_group(self, log: Log, group: list[LogSegment], offset_map: OffsetMap, first_dirty_offset: int) -> None:
        cleaned = log.create_segment(group[0].base_offset, CLEANED_SUFFIX)
        transactions = CleanedTransactions(entry for one in group for entry in one.transaction_index.entries)
        record_filter = RecordFilter(
            offset_map,
            transactions,
            log.producer_states(),
            offset_map.latest_offset + 1,
            self._clock.now_ms(),
            log.config.delete_retention_ms,
        )
        try:
            for segment in group:
                self._clean_into(cleaned, segment, record_filter)
            cleaned.transaction_index.keep(transactions.kept)
            cleaned.finish()
            cleaned.flush()
            log.replace_segments(group, cleaned)
        except BaseException:
            cleaned.unlink()
            raise

    def _clean_into(self, cleaned: LogSegment, segment: LogSegment, record_filter: RecordFilter) -> None:
        buffer, kept = bytearray(), []
        for _, batch in segment.records.batches():
            self._throttle(batch.size_bytes)
            left = record_filter.filter(batch)
            if left is not None:
                kept.append(RecordBatch(left))
                buffer += left
            if len(buffer) >= WRITE_SIZE:
                cleaned.append_kept(buffer, kept)
                self._throttle(len(buffer))
                buffer, kept = bytearray(), []
        if kept:
            cleaned.append_kept(buffer, kept)
            self._throttle(len(buffer))
