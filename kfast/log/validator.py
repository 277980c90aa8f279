"""What a batch must be before it is appended: headers and checksums always, records only where a topic needs them.

Looking at the header costs the same whatever the number of records; that is most of why appending is cheap. What the
records must be is in record_validator.py. Source: Kafka's LogValidator and UnifiedLog.analyzeAndValidateRecords.
"""

from __future__ import annotations

from typing import TypeAlias

from kfast.clock import Clock
from kfast.errors import (
    CorruptRecordError,
    InvalidRecordError,
    InvalidTimestampError,
    RecordBatchTooLargeError,
    RecordTooLargeError,
)
from kfast.log.config import LogConfig
from kfast.log.record_validator import correct_max_timestamp, pack_anew, validate_records
from kfast.record.batch import RecordBatch, set_max_timestamp, stamp
from kfast.record.batches import iter_batches
from kfast.record.layout import HEADER_SIZE, MAGIC, NO_PRODUCER_ID, NO_TIMESTAMP, TimestampType

Validated: TypeAlias = tuple[bytearray | memoryview, list[RecordBatch], int]
"""Batches that may be appended: the buffer in which they lie one after the other, which is the caller's or a new one,
the batches, and the time of the append if it is that of their records; -1 where these keep their producer's."""


def validate(buffer: bytearray | memoryview, config: LogConfig, clock: Clock) -> Validated:
    """Make sure that `buffer` is made of batches, each whole and undamaged and as the topic wants it.

    Where times or codec are the topic's business they are set. Raises what `validate_headers`, `validate_timestamps`
    and `validate_records` raise.
    """
    batches = validate_headers(buffer, config)
    if not (config.needs_records or config.limits_timestamps or config.message_timestamp_type):
        return buffer, batches, NO_TIMESTAMP
    now_ms = clock.now_ms()
    if config.needs_records:
        buffer, batches = _validate_deep(buffer, batches, config, now_ms)
    if config.message_timestamp_type:
        return buffer, _stamp_times(buffer, batches, now_ms), now_ms
    if config.limits_timestamps:
        validate_timestamps(batches, config, now_ms)
    return buffer, batches, NO_TIMESTAMP


def _validate_deep(
    buffer: bytearray | memoryview, batches: list[RecordBatch], config: LogConfig, now_ms: int
) -> tuple[bytearray | memoryview, list[RecordBatch]]:
    """Look at the records, and return the batches as they are to be stored, but for the time of the append."""
    position, stored, is_packed_anew = 0, list[memoryview | bytearray](), False
    for batch in batches:
        stored.append(batch.buffer)
        if not batch.is_control:
            records = validate_records(batch, config, now_ms)
            if config.compression_type not in (None, batch.compression):
                stored[-1], is_packed_anew = pack_anew(batch, records, config, now_ms), True
            elif config.validates_records and not config.message_timestamp_type:
                correct_max_timestamp(buffer, position, batch, records)
        position += batch.size_bytes
    if not is_packed_anew:
        return buffer, list(iter_batches(buffer))
    buffer = bytearray().join(stored)
    return buffer, validate_headers(buffer, config)  # they may be too large by now


def validate_headers(buffer: bytearray | memoryview, config: LogConfig) -> list[RecordBatch]:
    """Return the batches `buffer` is made of, their checksums right.

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


def of_producers(batches: list[RecordBatch]) -> list[RecordBatch]:
    """Those whose producer numbers its batches."""
    return [batch for batch in batches if batch.producer_id != NO_PRODUCER_ID]


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


def _stamp_times(buffer: bytearray | memoryview, batches: list[RecordBatch], append_time_ms: int) -> list[RecordBatch]:
    """Make the time of the append that of every record; the batches are read again as they now are."""
    position = 0
    for batch in batches:
        set_max_timestamp(buffer, position, TimestampType.LOG_APPEND_TIME, append_time_ms)
        position += batch.size_bytes
    return list(iter_batches(buffer))


def _validate_batch(batch: RecordBatch, config: LogConfig) -> None:
    if batch.size_bytes > config.max_message_bytes:
        raise RecordTooLargeError(
            f"a batch of {batch.size_bytes} bytes; this topic takes {config.max_message_bytes} (max.message.bytes)"
        )
    if batch.magic != MAGIC:
        error = InvalidRecordError if batch.magic in (0, 1) else CorruptRecordError
        raise error(f"a batch of magic {batch.magic}; only {MAGIC} is written")
    batch.ensure_undamaged()
    if batch.count <= 0 or batch.count != batch.last_offset_delta + 1:
        raise InvalidRecordError(
            f"a batch of {batch.count} records whose last has offset delta {batch.last_offset_delta}"
        )
