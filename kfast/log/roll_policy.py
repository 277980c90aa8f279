"""When a new segment is to begin: decided here, begun elsewhere.

By size, by age, and by what an index can hold. Age is counted in the records' own timestamps, from the first batch's
on, so that old records that are copied here are parted as they were; where that batch has none, in the time since the
segment was begun or opened. Source: Kafka's LogSegment.shouldRoll, RollParams and LogConfig.maxSegmentMs.
"""

from __future__ import annotations

from kfast.clock import Clock
from kfast.log.config import LogConfig
from kfast.log.segment import MAX_RELATIVE_OFFSET, LogSegment


class RollPolicy:
    """Of one segment, the active one, whose age counts from now where its records do not tell.

    Its limit is LogConfig.max_segment_ms less a part of segment.jitter.ms, so that logs that began together do not all
    roll at once.
    """

    __slots__ = ("_clock", "_created_ms", "_jitter_ms")

    def __init__(self, config: LogConfig, clock: Clock) -> None:
        self._clock = clock
        self._created_ms = clock.now_ms()
        self._jitter_ms = config.random_segment_jitter()

    def should_roll(
        self, segment: LogSegment, config: LogConfig, size: int, last_offset: int, max_timestamp_ms: int
    ) -> bool:
        """Whether `size` bytes, to be appended up to `last_offset`, must go into a new segment. An empty one stays."""
        size_bytes = segment.records.size_bytes
        return size_bytes > 0 and (
            size_bytes + size > config.segment_bytes
            or self._age_ms(segment.first_timestamp_ms(), max_timestamp_ms) > config.max_segment_ms - self._jitter_ms
            or last_offset - segment.base_offset > MAX_RELATIVE_OFFSET
            or segment.offset_index.is_full()
            or segment.time_index.is_full()
        )

    def _age_ms(self, first_timestamp_ms: int, max_timestamp_ms: int) -> int:
        if first_timestamp_ms >= 0:
            return max_timestamp_ms - first_timestamp_ms
        return self._clock.now_ms() - self._created_ms
