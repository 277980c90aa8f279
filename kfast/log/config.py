"""What a log is told about itself: Kafka's topic configuration, as far as the log acts on it.

Frozen: a change makes a new one, and the log's is replaced whole, so that no operation sees half a change.
Which value comes from where (topic, broker, default) is the broker's business, in broker/config.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import randrange
from typing import Final

from kfast.record.compression import CompressionType
from kfast.record.layout import TimestampType

NEVER: Final = 2**63 - 1
"""Kafka's way to say "never" of a number of messages or milliseconds."""

DAY_MS: Final = 24 * 60 * 60 * 1000
WEEK_MS: Final = 7 * DAY_MS


@dataclass(frozen=True, slots=True)
class LogConfig:
    """Defaults are Apache Kafka's, but any timestamp is taken (Kafka: up to an hour ahead). Retention -1: no end."""

    segment_bytes: int = 1 << 30
    segment_ms: int = WEEK_MS
    segment_jitter_ms: int = 0
    index_interval_bytes: int = 4096
    segment_index_bytes: int = 10 << 20
    retention_ms: int = WEEK_MS
    retention_bytes: int = -1
    max_message_bytes: int = (1 << 20) + 12
    flush_messages: int = NEVER
    flush_ms: int = NEVER
    message_timestamp_type: TimestampType = TimestampType.CREATE_TIME
    message_timestamp_before_max_ms: int = NEVER
    message_timestamp_after_max_ms: int = NEVER
    cleanup_policy: frozenset[str] = frozenset({"delete"})
    file_delete_delay_ms: int = 60_000
    compression_type: CompressionType | None = None
    """What batches are stored with; None: with what their producer chose."""
    compression_level: int | None = None
    validates_records: bool = False
    """Whether each record is looked at, as Kafka does; headers and checksums always are."""
    min_cleanable_dirty_ratio: float = 0.5
    min_compaction_lag_ms: int = 0
    max_compaction_lag_ms: int = NEVER
    delete_retention_ms: int = DAY_MS
    producer_id_expiration_ms: int = DAY_MS

    limits_timestamps: bool = field(init=False)
    is_compacted: bool = field(init=False)
    max_segment_ms: int = field(init=False)
    """segment.ms, or max.compaction.lag.ms where that is less: the cleaner passes an active segment over."""
    needs_records: bool = field(init=False)
    """Whether an append has to look at each record."""

    def __post_init__(self) -> None:
        limits = (self.message_timestamp_after_max_ms, self.message_timestamp_before_max_ms)
        object.__setattr__(self, "limits_timestamps", limits != (NEVER, NEVER))
        object.__setattr__(self, "is_compacted", "compact" in self.cleanup_policy)
        max_segment_ms = min(self.segment_ms, self.max_compaction_lag_ms) if self.is_compacted else self.segment_ms
        object.__setattr__(self, "max_segment_ms", max_segment_ms)
        needs_records = self.is_compacted or self.validates_records or self.compression_type is not None
        object.__setattr__(self, "needs_records", needs_records)

    @property
    def is_deleted(self) -> bool:
        """Whether retention by time and size applies."""
        return "delete" in self.cleanup_policy

    def random_segment_jitter(self) -> int:
        """By how many milliseconds a segment is to roll earlier than segment.ms says; drawn anew at each call."""
        return randrange(min(self.segment_jitter_ms, self.segment_ms)) if self.segment_jitter_ms else 0
