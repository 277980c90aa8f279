"""What a batch must be before it is appended."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from kfast.clock import ManualClock
from kfast.errors import (
    CorruptRecordError,
    InvalidRecordError,
    InvalidTimestampError,
    RecordBatchTooLargeError,
    RecordTooLargeError,
)
from kfast.log.config import LogConfig
from kfast.log.validator import validate, validate_headers, validate_timestamps
from kfast.record.checksum import crc32c
from kfast.record.layout import ATTRIBUTES_POSITION, COUNT_POSITION, CRC_POSITION, MAGIC_POSITION, TimestampType


def changed(batch: bytearray, position: int, code: str, value: int) -> bytearray:
    """Return the batch with one header field set, its checksum right again."""
    struct.pack_into(code, batch, position, value)
    struct.pack_into(">I", batch, CRC_POSITION, crc32c(memoryview(batch)[ATTRIBUTES_POSITION:]))
    return batch


def test_whole_batches_are_returned_in_order(make_batch: Any) -> None:
    batches = validate_headers(make_batch(2) + make_batch(1) + make_batch(3), LogConfig())
    assert [batch.count for batch in batches] == [2, 1, 3]


def test_sizes_are_limited_at_their_limits(make_batch: Any) -> None:
    batch = make_batch(1)
    size = len(batch)
    assert validate_headers(batch, LogConfig(max_message_bytes=size, segment_bytes=size))
    with pytest.raises(RecordTooLargeError, match=rf"{size} bytes; this topic takes {size - 1}"):
        validate_headers(batch, LogConfig(max_message_bytes=size - 1))
    with pytest.raises(RecordBatchTooLargeError, match=rf"{size} bytes are more than a segment's {size - 1}"):
        validate_headers(batch, LogConfig(segment_bytes=size - 1))


def test_damage_is_found(make_batch: Any) -> None:
    for position in (ATTRIBUTES_POSITION, 70, len(make_batch(1)) - 1):
        batch = make_batch(1)
        batch[position] ^= 0x40
        with pytest.raises(CorruptRecordError, match="CRC"):
            validate_headers(batch, LogConfig())
    for magic in (-1, 3):
        with pytest.raises(CorruptRecordError, match=f"magic {magic}"):
            validate_headers(changed(make_batch(1), MAGIC_POSITION, ">b", magic), LogConfig())


def test_versions_that_are_read_only_are_not_written(make_batch: Any) -> None:
    """INVALID_RECORD, as Kafka answers to Produce from version 3 on."""
    for magic in (0, 1):
        with pytest.raises(InvalidRecordError, match=f"magic {magic}"):
            validate_headers(changed(make_batch(1), MAGIC_POSITION, ">b", magic), LogConfig())


def test_a_batch_must_hold_what_its_header_counts(make_batch: Any) -> None:
    for count in (0, -1, 2, 4):
        with pytest.raises(InvalidRecordError, match=f"{count} records"):
            validate_headers(changed(make_batch(3), COUNT_POSITION, ">i", count), LogConfig())


def test_timestamps_are_held_against_the_clock(make_batch: Any) -> None:
    config = LogConfig(message_timestamp_before_max_ms=1000, message_timestamp_after_max_ms=50)
    for timestamp_ms in (9000, 10_050):
        validate_timestamps(validate_headers(make_batch(1, timestamp_ms=timestamp_ms), config), config, 10_000)
    for timestamp_ms, words in ((8999, "1001 ms before now"), (10_051, "51 ms after now")):
        with pytest.raises(InvalidTimestampError, match=words):
            validate_timestamps(validate_headers(make_batch(1, timestamp_ms=timestamp_ms), config), config, 10_000)
    validate_timestamps(validate_headers(make_batch(1, timestamp_ms=-1), config), config, 10_000)


def test_the_time_of_the_append_replaces_the_producers(make_batch: Any, clock: ManualClock) -> None:
    config = LogConfig(message_timestamp_type=TimestampType.LOG_APPEND_TIME, message_timestamp_after_max_ms=1)
    batch = make_batch(2, timestamp_ms=10**15)
    buffer, (validated,), append_time_ms = validate(batch, config, clock)
    assert append_time_ms == clock.now_ms()
    assert buffer is batch
    assert [record.timestamp_ms for record in validated.records()] == [clock.now_ms()] * 2
    assert validated.is_valid()
