"""Which record a look-up by time ends at: a scan of headers from where the indexes lead to, then of one batch.

Source: Kafka's FileRecords.searchForTimestamp, and UnifiedLog.fetchOffsetByTimestamp for the largest timestamp.
"""

from __future__ import annotations

from collections.abc import Callable

from kfast.log.file_records import FileRecords
from kfast.log.results import BatchPosition, TimestampAndOffset
from kfast.record.record import Record


def first_not_earlier(
    records: FileRecords, timestamp_ms: int, position: int, start_offset: int
) -> TimestampAndOffset | None:
    """The first record from `position` and `start_offset` on that is not earlier than `timestamp_ms`; None without."""

    def is_wanted(record: Record) -> bool:
        return record.timestamp_ms >= timestamp_ms and record.offset >= start_offset

    for header in records.headers(position):
        if header.max_timestamp_ms >= timestamp_ms and header.last_offset >= start_offset:
            found = _first_record(records, header, is_wanted)
            if found is not None:
                return found
    return None


def first_latest(records: FileRecords, max_timestamp_ms: int, position: int) -> TimestampAndOffset | None:
    """The first record of time `max_timestamp_ms` in the first batch from `position` on that has no later one."""
    for header in records.headers(position):
        if header.max_timestamp_ms == max_timestamp_ms:
            return _first_record(records, header, lambda record: record.timestamp_ms == max_timestamp_ms)
    return None


def _first_record(
    records: FileRecords, header: BatchPosition, is_wanted: Callable[[Record], bool]
) -> TimestampAndOffset | None:
    for _, batch in records.batches(header.position, header.position + header.size_bytes):
        for record in batch.records():
            if is_wanted(record):
                return TimestampAndOffset(record.timestamp_ms, record.offset, batch.partition_leader_epoch)
    return None
