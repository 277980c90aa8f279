"""How much of a compacted log could be cleaned now, and which log needs it most: decided here, done by the cleaner.

    clean                          dirty                              not to be touched
    up to the checkpoint's offset  up to the first of: active segment, last stable offset, min.compaction.lag.ms

Source: Kafka's LogCleanerManager and LogToClean.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from kfast.log.log import Log
from kfast.log.segment import LogSegment

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cleanable:
    """What compaction would work on in one log now."""

    log: Log
    segments: tuple[LogSegment, ...]
    """From the first of the log up to the first that may not be touched."""
    first_dirty_offset: int
    first_uncleanable_offset: int
    clean_bytes: int
    dirty_bytes: int
    is_overdue: bool
    """Whether a record has waited for longer than max.compaction.lag.ms."""

    @property
    def dirty_ratio(self) -> float:
        total = self.clean_bytes + self.dirty_bytes
        return self.dirty_bytes / total if total else 0.0

    @property
    def is_worth_it(self) -> bool:
        """Whether it is dirty enough (min.cleanable.dirty.ratio) or has waited for long enough."""
        return (
            self.is_overdue and self.dirty_bytes > 0
        ) or self.dirty_ratio > self.log.config.min_cleanable_dirty_ratio


def dirtiest(candidates: Iterable[Cleanable]) -> Cleanable | None:
    """The one to clean next; None where none is worth it."""
    return max((one for one in candidates if one.is_worth_it), key=lambda one: one.dirty_ratio, default=None)


def cleanable(log: Log, checkpoint: int | None, now_ms: int) -> Cleanable:
    """Return what may be cleaned of `log`, which was cleaned up to the offset `checkpoint`."""
    segments, config = log.segments, log.config
    ends = [segment.base_offset for segment in segments[1:]]  # the active segment has none, and is not touched
    first_dirty_offset = _first_dirty_offset(log, checkpoint)
    first_dirty = bisect_right(ends, first_dirty_offset)
    uncleanable = min(segments[-1].base_offset, log.last_stable_offset)
    if config.min_compaction_lag_ms > 0:
        limit_ms = now_ms - config.min_compaction_lag_ms
        too_new = (one.base_offset for one in segments[first_dirty:-1] if one.largest_timestamp_ms() > limit_ms)
        uncleanable = min(uncleanable, next(too_new, uncleanable))
    end = bisect_right(ends, max(uncleanable, first_dirty_offset))
    return Cleanable(
        log,
        segments[:end],
        first_dirty_offset,
        segments[end].base_offset,
        sum(segment.size_bytes for segment in segments[:first_dirty]),
        sum(segment.size_bytes for segment in segments[first_dirty:end]),
        _is_overdue(segments[first_dirty:end], now_ms - config.max_compaction_lag_ms),
    )


def _first_dirty_offset(log: Log, checkpoint: int | None) -> int:
    """The checkpoint, where it lies in the log; retention may have passed it, and damage may have cut the log."""
    if checkpoint is None or log.log_start_offset <= checkpoint <= log.log_end_offset:
        return log.log_start_offset if checkpoint is None else checkpoint
    logger.warning(
        "%s: cleaned up to offset %d, but the log is %d..%d; it is taken for not cleaned",
        *(log.directory.name, checkpoint, log.log_start_offset, log.log_end_offset),
    )
    return log.log_start_offset


def _is_overdue(dirty: Iterable[LogSegment], clean_until_ms: int) -> bool:
    return any(0 < segment.first_timestamp_ms() < clean_until_ms for segment in dirty)
