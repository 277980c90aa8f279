"""What each record of a batch must be, and batches packed anew: for topics that need it, as each record costs.

Compacted topics want keys. kfast.validate.records asks for all that Kafka looks at: records that add up to their batch,
in a compressed one offsets that count on, timestamps within message.timestamp.before.max.ms and after.max.ms, and a
header that says the largest of them, which is put right where it does not. compression.type other than the producer's
packs records anew. Source: Kafka's LogValidator.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kfast.errors import CorruptRecordError, InvalidRecordError, InvalidTimestampError
from kfast.log.config import LogConfig
from kfast.record.batch import RecordBatch, set_max_timestamp
from kfast.record.builder import RecordBatchBuilder
from kfast.record.layout import NO_TIMESTAMP, TimestampType
from kfast.record.record import Record

SHOWN_ERRORS: Final = 3


def validate_records(batch: RecordBatch, config: LogConfig, now_ms: int) -> list[Record]:
    """Return the records of a producer's batch. Raises InvalidRecordError, InvalidTimestampError with each bad one."""
    try:
        records = list(batch.records())
    except CorruptRecordError as error:
        raise InvalidRecordError(str(error)) from error
    if config.is_compacted:
        _ensure_keys(records)
    if config.validates_records:
        if batch.compression:  # Kafka takes others as they are
            _ensure_offsets(batch, records)
        _ensure_timestamps(batch, records, config, now_ms)
    return records


def _ensure_keys(records: list[Record]) -> None:
    """Compaction keeps the last record of each key, so each record needs one."""
    words = "Compacted topic cannot accept message without key"
    _raise_if_any(tuple((number, words) for number, record in enumerate(records) if record.key is None))


def _ensure_offsets(batch: RecordBatch, records: list[Record]) -> None:
    _raise_if_any(
        tuple(
            (number, f"Record has offset {record.offset - batch.base_offset} in its batch, expected {number}")
            for number, record in enumerate(records)
            if record.offset - batch.base_offset != number
        )
    )


def _raise_if_any(errors: tuple[tuple[int, str], ...]) -> None:
    if errors:
        shown = ", ".join(f"record {number}: {words}" for number, words in errors[:SHOWN_ERRORS])
        raise InvalidRecordError(f"{len(errors)} record errors in total, the first of them: {shown}", errors)


def _ensure_timestamps(batch: RecordBatch, records: list[Record], config: LogConfig, now_ms: int) -> None:
    errors = tuple(_timestamp_errors(batch, records, config, now_ms))
    if errors:
        raise InvalidTimestampError("One or more records have been rejected due to invalid timestamp", errors)


def _timestamp_errors(
    batch: RecordBatch, records: list[Record], config: LogConfig, now_ms: int
) -> Iterator[tuple[int, str]]:
    earliest = now_ms - config.message_timestamp_before_max_ms
    latest = now_ms + config.message_timestamp_after_max_ms
    is_create_time = config.message_timestamp_type is TimestampType.CREATE_TIME
    for number, record in enumerate(records):
        if is_create_time and record.timestamp_ms != NO_TIMESTAMP:
            if not earliest <= record.timestamp_ms <= latest:
                yield number, f"Timestamp {record.timestamp_ms} is not within [{earliest}, {latest}]"
        elif batch.timestamp_type is TimestampType.LOG_APPEND_TIME:
            yield number, "Producer should not set timestamp type to LogAppendTime"


def correct_max_timestamp(
    buffer: bytearray | memoryview, position: int, batch: RecordBatch, records: list[Record]
) -> None:
    """Have the header of the batch at `position` say the largest timestamp of its records, if it does not."""
    max_timestamp_ms = max([NO_TIMESTAMP, *(record.timestamp_ms for record in records)])
    if max_timestamp_ms != batch.max_timestamp_ms or batch.timestamp_type:
        set_max_timestamp(buffer, position, TimestampType.CREATE_TIME, max_timestamp_ms)


def pack_anew(batch: RecordBatch, records: list[Record], config: LogConfig, append_time_ms: int) -> bytearray:
    """Return the batch with the codec that the topic wants, and its times if they are to be those of the append."""
    assert config.compression_type is not None
    builder = RecordBatchBuilder(
        batch.base_offset,
        config.compression_type,
        config.message_timestamp_type,
        batch.producer_id,
        batch.producer_epoch,
        batch.base_sequence,
        batch.is_transactional,
        leader_epoch=batch.partition_leader_epoch,
        compression_level=config.compression_level,
    )
    for record in records:
        time_ms = append_time_ms if config.message_timestamp_type else record.timestamp_ms
        builder.append(record.key, record.value, time_ms, record.headers)
    return builder.build()
