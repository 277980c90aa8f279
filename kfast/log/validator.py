"""What a batch must be before it is appended: headers and checksums always, records only where a topic needs them.

Looking at the header costs the same whatever the number of records; that is most of why appending is cheap.
Source: Kafka's LogValidator and UnifiedLog.analyzeAndValidateRecords.
"""

from __future__ import annotations

from kfast.errors import (
    CorruptRecordError,
    InvalidRecordError,
    InvalidTimestampError,
    RecordBatchTooLargeError,
    RecordTooLargeError,
)
from kfast.log.config import LogConfig
from kfast.record.batch import RecordBatch, set_max_timestamp, stamp
from kfast.record.layout import HEADER_SIZE, NO_PRODUCER_ID, NO_TIMESTAMP, TimestampType


def validate(buffer: bytearray | memoryview, config: LogConfig) -> list[RecordBatch]:
    """Return the batches `buffer` is made of, each whole and undamaged and as the topic wants it.

    Raises CorruptRecordError, RecordTooLargeError, RecordBatchTooLargeError, InvalidRecordError.
    """
    size = len(buffer)
    if size > config.segment_bytes:
        raise RecordBatchTooLargeError(f"{size} bytes are more than a segment's {config.segment_bytes} (segment.bytes)")
    batches = []
    position = 0
    while position < size:
        batch = RecordBatch(buffer, position)
        _validate_batch(batch, config)
        batches.append(batch)
        position += batch.size_bytes
    if not batches:
        raise CorruptRecordError(f"there is no batch in 0 bytes; a header alone is {HEADER_SIZE}")
    return batches


def validate_timestamps(batches: list[RecordBatch], config: LogConfig, now_ms: int) -> None:
    """Hold the headers' first and largest timestamps against the clock. Raises InvalidTimestampError."""
    for batch in batches:
        early_ms, late_ms = now_ms - batch.base_timestamp_ms, batch.max_timestamp_ms - now_ms
        if batch.max_timestamp_ms >= 0 and early_ms > config.message_timestamp_before_max_ms:
            raise InvalidTimestampError(
                f"timestamp {batch.base_timestamp_ms} is {early_ms} ms before now; "
                f"{config.message_timestamp_before_max_ms} is allowed (message.timestamp.before.max.ms)"
            )
        if late_ms > config.message_timestamp_after_max_ms:
            raise InvalidTimestampError(
                f"timestamp {batch.max_timestamp_ms} is {late_ms} ms after now; "
                f"{config.message_timestamp_after_max_ms} is allowed (message.timestamp.after.max.ms)"
            )


def have_producers(batches: list[RecordBatch]) -> bool:
    """Whether any of them is of a producer that numbers its batches."""
    return any(batch.producer_id != NO_PRODUCER_ID for batch in batches)


def stamp_offsets(
    buffer: bytearray | memoryview, batches: list[RecordBatch], first_offset: int, leader_epoch: int
) -> tuple[int, int]:
    """Give `batches`, which make up `buffer`, their places; return the offset after them and the largest timestamp."""
    position, max_timestamp_ms = 0, NO_TIMESTAMP
    for batch in batches:
        stamp(buffer, position, first_offset, leader_epoch)
        position += batch.size_bytes
        first_offset += batch.last_offset_delta + 1
        if batch.max_timestamp_ms > max_timestamp_ms:
            max_timestamp_ms = batch.max_timestamp_ms
    return first_offset, max_timestamp_ms


def stamp_time(buffer: bytearray | memoryview, batches: list[RecordBatch], append_time_ms: int) -> list[RecordBatch]:
    """Make the time of the append that of every record; the batches are read again as they now are."""
    position, stamped = 0, []
    for batch in batches:
        set_max_timestamp(buffer, position, TimestampType.LOG_APPEND_TIME, append_time_ms)
        stamped.append(RecordBatch(buffer, position))
        position += batch.size_bytes
    return stamped


def _validate_batch(batch: RecordBatch, config: LogConfig) -> None:
    if batch.size_bytes > config.max_message_bytes:
        raise RecordTooLargeError(
            f"a batch of {batch.size_bytes} bytes; this topic takes {config.max_message_bytes} (max.message.bytes)"
        )
    batch.ensure_valid()
    if batch.count <= 0 or batch.count != batch.last_offset_delta + 1:
        raise InvalidRecordError(
            f"a batch of {batch.count} records whose last has offset delta {batch.last_offset_delta}"
        )
    if config.is_compacted and not batch.is_control:
        _ensure_keys(batch)


def _ensure_keys(batch: RecordBatch) -> None:
    """Compaction keeps the last record of each key, so each record needs one."""
    for record in batch.records():
        if record.key is None:
            raise InvalidRecordError(f"record {record.offset - batch.base_offset} has no key; this topic is compacted")
