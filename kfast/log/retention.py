"""Which segments are too old, or too many: decided here, deleted elsewhere.

Whole segments only, from the oldest on: a record stays at least as long as the config says, and longer by what its
segment takes to fill. Source: Kafka's UnifiedLog.deleteOldSegments.
"""

from __future__ import annotations

from collections.abc import Sequence

from kfast.log.config import LogConfig
from kfast.log.segment import LogSegment


def deletable_segments(
    segments: Sequence[LogSegment], config: LogConfig, now_ms: int, log_start_offset: int
) -> list[tuple[LogSegment, str]]:
    """Return the oldest segments that may go, each with the reason.

    An empty active segment never goes. Where all go, the caller begins a new one first. A compacted topic that is not
    deleted from loses only what lies below its log start offset.
    """
    doomed: list[tuple[LogSegment, str]] = []
    excess_bytes = sum(segment.size_bytes for segment in segments) - config.retention_bytes
    next_offsets = [segment.base_offset for segment in segments[1:]]
    for number, segment in enumerate(segments):
        is_active = number == len(next_offsets)
        if is_active and segment.size_bytes == 0:
            break
        reason = None
        if not is_active and next_offsets[number] <= log_start_offset:
            reason = f"it ends below the log start offset {log_start_offset}"
        elif config.is_deleted:
            reason = _size_reason(segment, config, excess_bytes) or _time_reason(segment, config, now_ms)
        if reason is None:
            break
        doomed.append((segment, reason))
        excess_bytes -= segment.size_bytes
    return doomed


def _size_reason(segment: LogSegment, config: LogConfig, excess_bytes: int) -> str | None:
    if config.retention_bytes < 0 or excess_bytes < segment.size_bytes:
        return None
    return f"the log is {excess_bytes} bytes over retention.bytes={config.retention_bytes}"


def _time_reason(segment: LogSegment, config: LogConfig, now_ms: int) -> str | None:
    if config.retention_ms < 0:
        return None
    age_ms = now_ms - segment.largest_timestamp_ms()
    return f"it is {age_ms} ms old, over retention.ms={config.retention_ms}" if age_ms > config.retention_ms else None
