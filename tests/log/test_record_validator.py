"""What each record must be, where a topic or the broker wants it looked at, and batches that are packed anew."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from kfast.clock import ManualClock
from kfast.errors import InvalidRecordError, InvalidTimestampError, RecordTooLargeError
from kfast.log.config import LogConfig
from kfast.log.file_pool import FilePool
from kfast.log.file_records import FileRecords
from kfast.log.validator import validate
from kfast.record.batch import RecordBatch, set_max_timestamp
from kfast.record.builder import RecordBatchBuilder
from kfast.record.compression import CompressionType
from kfast.record.control_records import CommitMarker, encode_control
from kfast.record.layout import TimestampType

COMPACTED = LogConfig(cleanup_policy=frozenset({"compact", "delete"}))
STRICT = LogConfig(validates_records=True, message_timestamp_before_max_ms=1000, message_timestamp_after_max_ms=50)
NOW_MS = 10_000


def batch(*keys: bytes | None, timestamps: Any = None, **named: Any) -> bytearray:
    builder = RecordBatchBuilder(**named)
    for number, key in enumerate(keys):
        builder.append(key, b"value", timestamps[number] if timestamps else NOW_MS)
    return builder.build()


def check(records: bytearray, config: LogConfig) -> RecordBatch:
    _, (validated,), _ = validate(records, config, ManualClock(NOW_MS))
    assert validated.is_valid()
    return validated


def test_a_compacted_topic_wants_keys() -> None:
    assert check(batch(b"", b"k"), COMPACTED)
    with pytest.raises(InvalidRecordError, match="2 record errors") as error:
        check(batch(b"k", None, b"k", None), COMPACTED)
    assert [number for number, _ in error.value.record_errors] == [1, 3]
    assert check(batch(None), LogConfig())


def test_a_compacted_topic_still_bounds_timestamps() -> None:
    config = dataclasses.replace(COMPACTED, message_timestamp_after_max_ms=50)
    with pytest.raises(InvalidTimestampError):
        check(batch(b"k", timestamps=[NOW_MS + 51]), config)


def test_each_timestamp_is_held_against_the_clock() -> None:
    assert check(batch(b"a", b"b", b"c", timestamps=[9000, -1, 10_050]), STRICT)
    with pytest.raises(InvalidTimestampError) as error:
        check(batch(b"a", b"b", b"c", timestamps=[10_000, 8999, 10_051]), STRICT)
    assert [number for number, _ in error.value.record_errors] == [1, 2]


def test_a_producer_that_says_log_append_time_is_refused_where_it_is_the_topics() -> None:
    config = LogConfig(validates_records=True, message_timestamp_type=TimestampType.LOG_APPEND_TIME)
    with pytest.raises(InvalidTimestampError) as error:
        check(batch(b"a", timestamp_type=TimestampType.LOG_APPEND_TIME), config)
    assert error.value.record_errors[0][0] == 0


def gap(compression: CompressionType = CompressionType.NONE) -> bytearray:
    """Two records, of which the second says that it is the third."""
    builder = RecordBatchBuilder(0, compression)
    builder.append(b"a", b"v", NOW_MS)
    builder.append(b"b", b"v", NOW_MS, offset=2)
    return builder.build(last_offset=1)


def test_records_of_a_compressed_batch_have_to_count_on() -> None:
    """As Apache Kafka 4.1 does, which takes the same records where they are not compressed."""
    with pytest.raises(InvalidRecordError, match="offset 2 in its batch, expected 1"):
        check(gap(CompressionType.GZIP), STRICT)
    assert check(gap(), STRICT)
    assert check(gap(CompressionType.GZIP), LogConfig())  # unless the records are looked at nobody knows


def test_records_that_do_not_add_up_are_refused() -> None:
    torn = batch(b"a", b"b")
    torn[62] = 0x7F  # the first record's attributes: harmless
    torn[61] += 2  # its length
    torn[17:21] = RecordBatch(torn).compute_crc().to_bytes(4, "big")
    with pytest.raises(InvalidRecordError, match="record at position"):
        check(torn, STRICT)


def test_a_wrong_largest_timestamp_is_put_right() -> None:
    records = batch(b"a", b"b", timestamps=[9500, 9400])
    set_max_timestamp(records, 0, TimestampType.CREATE_TIME, 12)
    stored = check(records, STRICT)
    assert stored.max_timestamp_ms == 9500
    assert [record.timestamp_ms for record in stored.records()] == [9500, 9400]


@pytest.mark.parametrize("source", CompressionType)
@pytest.mark.parametrize("target", CompressionType)
def test_batches_are_packed_as_the_topic_wants(source: CompressionType, target: CompressionType) -> None:
    sent = batch(
        b"a", None, b"c", compression=source, producer_id=7, producer_epoch=1, base_sequence=5, is_transactional=True
    )
    kept = bytes(sent)
    stored = check(sent, LogConfig(compression_type=target))
    assert stored.compression is target
    before = RecordBatch(kept)
    for field in (
        "base_offset",
        "last_offset",
        "producer_id",
        "producer_epoch",
        "base_sequence",
        "is_transactional",
        "count",
        "base_timestamp_ms",
        "max_timestamp_ms",
    ):
        assert getattr(stored, field) == getattr(before, field)
    assert list(stored.records()) == list(before.records())
    if source is target:
        assert stored.buffer == kept


def test_packed_anew_it_may_have_the_time_of_the_append() -> None:
    config = LogConfig(compression_type=CompressionType.ZSTD, message_timestamp_type=TimestampType.LOG_APPEND_TIME)
    stored = check(batch(b"a", b"b", timestamps=[1, 2]), config)
    assert {record.timestamp_ms for record in stored.records()} == {NOW_MS}
    assert stored.compression is CompressionType.ZSTD


def test_packed_anew_it_may_be_too_large() -> None:
    sent = batch(*[b"key"] * 100, compression=CompressionType.ZSTD)
    config = LogConfig(compression_type=CompressionType.NONE, max_message_bytes=len(sent) + 10)
    with pytest.raises(RecordTooLargeError):
        check(sent, config)


def test_markers_are_left_alone() -> None:
    builder = RecordBatchBuilder(producer_id=1, producer_epoch=0, is_transactional=True, is_control=True)
    builder.append(*encode_control(CommitMarker(0)), NOW_MS)
    config = dataclasses.replace(STRICT, compression_type=CompressionType.GZIP)
    assert check(builder.build(), config).compression is CompressionType.NONE


def test_what_kafka_packed_anew_was_packed_alike(golden: Any) -> None:
    """Its encoders give other bytes; without compression they are the same."""
    (path,) = sorted(Path(golden("02-codecs"), "log", "broker-uncompressed-0").glob("*.log"))
    records = FileRecords(str(path), FilePool(is_read_only=True), path.stat().st_size)
    for _, theirs in records.batches():
        assert theirs.compression is CompressionType.NONE
        builder = RecordBatchBuilder(compression=CompressionType.LZ4)
        for record in theirs.records():
            builder.append(record.key, record.value, record.timestamp_ms, record.headers)
        ours = check(builder.build(), LogConfig(compression_type=CompressionType.NONE))
        assert ours.buffer[21:] == theirs.buffer[21:]
