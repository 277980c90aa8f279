from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfast.errors import CorruptRecordError, KfastError, RecordTooLargeError
from kfast.record.batch import RecordBatch, set_max_timestamp, stamp
from kfast.record.builder import RecordBatchBuilder
from kfast.record.compression import CompressionType
from kfast.record.layout import (
    ATTRIBUTES_POSITION,
    BASE_SEQUENCE_POSITION,
    COUNT_POSITION,
    HEADER_SIZE,
    LENGTH_POSITION,
    MAGIC_POSITION,
    TimestampType,
)

CASES = [
    "01-plain",
    "02-codecs",
    "03-edge-records",
    "04-log-append-time",
    "05-idempotent",
    "06-transactions",
    "08-deleted",
    "09-groups",
    "10-crash",
    "11-time-index",
    "12-kraft",
]

Build = Callable[..., bytearray]


def rewrite(batch: bytearray, position: int, form: str, value: int) -> bytearray:
    changed = bytearray(batch)
    struct.pack_into(form, changed, position, value)
    return changed


# Batches written by Apache Kafka


@pytest.mark.parametrize("case", CASES)
def test_records_of_kafkas_batches_have_the_digests_kafkas_consumer_had(
    case: str, golden: Any, read_segments: Any, digest: Any
) -> None:
    partitions = 0
    for logdir, entry in golden.manifest["cases"][case]["logdirs"].items():
        for name, facts in entry["partitions"].items():
            batches = list(read_segments(golden(case) / logdir / name))
            assert [batch for batch in batches if not batch.is_valid()] == []
            records = [record for batch in batches if not batch.is_control for record in batch.records()]
            assert digest(records) == facts["digest_on_disk"], name
            log_start_offset = facts.get("log_start_offset", 0)  # the broker was not asked for that of internal topics
            served = [record for record in records if record.offset >= log_start_offset]
            assert digest(served) == facts["digest"], name
            assert sum(batch.is_control for batch in batches) == facts["control_batches"], name
            partitions += 1
    assert partitions >= 3


@pytest.mark.parametrize("case", CASES)
def test_header_fields_are_those_kafka_shows(case: str, golden: Any, read_segments: Any) -> None:
    fields = golden.manifest["batch_header_fields"]
    for logdir, entry in golden.manifest["cases"][case]["logdirs"].items():
        for name, facts in entry["partitions"].items():
            for stem, segment in facts["segments"].items():
                data = (golden(case) / logdir / name / f"{stem}.log").read_bytes()
                for values in segment["first_batches"] + segment["last_batches"]:
                    expected = dict(zip(fields, values, strict=True))
                    assert shown(RecordBatch(data, expected["position"])) == expected


def shown(batch: RecordBatch) -> dict[str, object]:
    return {
        "position": batch._position,
        "base_offset": batch.base_offset,
        "last_offset": batch.last_offset,
        "size": batch.size_bytes,
        "count": batch.count,
        "magic": batch.magic,
        "crc": batch.crc,
        "valid": batch.is_valid(),
        "attributes": batch.attributes,
        "codec": batch.compression.text,
        "log_append_time": batch.timestamp_type is TimestampType.LOG_APPEND_TIME,
        "transactional": batch.is_transactional,
        "control": batch.is_control,
        "delete_horizon": batch.delete_horizon_ms is not None,
        "base_timestamp": batch.base_timestamp_ms,
        "max_timestamp": batch.max_timestamp_ms,
        "producer_id": batch.producer_id,
        "producer_epoch": batch.producer_epoch,
        "base_sequence": batch.base_sequence,
        "leader_epoch": batch.partition_leader_epoch,
    }


def test_log_append_time_is_what_a_consumer_sees(golden: Any, read_segments: Any) -> None:
    batch = next(read_segments(golden("04-log-append-time") / "log" / "append-time-0"))
    assert batch.timestamp_type is TimestampType.LOG_APPEND_TIME
    assert {record.timestamp_ms for record in batch.records()} == {batch.max_timestamp_ms}


# The view


def test_a_batch_is_read_at_its_position_without_a_copy(build: Build) -> None:
    buffer = build(2) + build(5, base_offset=2)
    batch = RecordBatch(buffer, RecordBatch(buffer).size_bytes)
    assert (batch.base_offset, batch.last_offset, batch.next_offset, batch.count) == (2, 6, 7, 5)
    assert batch.buffer.obj is buffer
    record = next(batch.records())
    assert isinstance(record.value, memoryview)
    assert record.value.obj is buffer


def test_only_the_header_must_be_there(build: Build) -> None:
    whole = build(3)
    batch = RecordBatch(whole[:HEADER_SIZE])
    assert (batch.size_bytes, batch.count) == (len(whole), 3)
    assert not batch.is_valid()
    with pytest.raises(CorruptRecordError, match=f"{len(whole)} bytes; {HEADER_SIZE} are there"):
        next(batch.records())


@pytest.mark.parametrize("size", [0, 1, 11, 12, 60])
def test_less_than_a_header_is_refused(build: Build, size: int) -> None:
    with pytest.raises(CorruptRecordError, match=f"needs 61 bytes; {size} are there"):
        RecordBatch(build(1)[:size])


@pytest.mark.parametrize("length", [-(2**31), -1, 0, 48])
def test_a_size_smaller_than_the_header_is_refused(build: Build, length: int) -> None:
    with pytest.raises(CorruptRecordError, match=str(length)):
        RecordBatch(rewrite(build(1), LENGTH_POSITION, ">i", length))


def test_bytes_after_the_batch_do_not_matter(build: Build) -> None:
    batch = RecordBatch(build(3) + b"\xa5" * 100)
    batch.ensure_valid()
    assert len(list(batch.records())) == 3


@pytest.mark.parametrize(
    ("base_sequence", "last_sequence"), [(-1, -1), (0, 2), (2**31 - 3, 2**31 - 1), (2**31 - 2, 0), (2**31 - 1, 1)]
)
def test_sequences_wrap_after_the_largest(build: Build, base_sequence: int, last_sequence: int) -> None:
    batch = RecordBatch(rewrite(build(3), BASE_SEQUENCE_POSITION, ">i", base_sequence))
    assert batch.last_sequence == last_sequence


def test_a_delete_horizon_lies_where_the_base_timestamp_was(build: Build) -> None:
    plain = build(1)
    assert RecordBatch(plain).delete_horizon_ms is None
    assert RecordBatch(rewrite(plain, ATTRIBUTES_POSITION, ">h", 0x40)).delete_horizon_ms == 1_760_000_000_000


def test_repr_says_what_it_is(build: Build) -> None:
    batch = build(3, base_offset=7, is_control=True)
    assert repr(RecordBatch(batch)) == f"RecordBatch(control offsets 7..9, 3 records, {len(batch)} bytes, codec 0)"


# Damage


def test_every_flipped_byte_is_noticed(build: Build) -> None:
    whole = build(2)
    unnoticed = []
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= 0x40
        try:
            RecordBatch(changed).ensure_valid()
            unnoticed.append(position)
        except CorruptRecordError:
            pass
    # a batch may be moved: its base offset and leader epoch are outside the checksum
    assert unnoticed == [*range(8), *range(12, 16)]


def test_damage_is_reported_with_its_numbers(build: Build) -> None:
    changed = rewrite(build(1, base_offset=42), COUNT_POSITION, ">i", 2)
    with pytest.raises(CorruptRecordError, match=r"offset 42 of \d+ bytes has CRC 0x[0-9a-f]{8} but its bytes give 0x"):
        RecordBatch(changed).ensure_valid()
    with pytest.raises(CorruptRecordError, match="magic 1; 2 is supported"):
        RecordBatch(rewrite(build(1), MAGIC_POSITION, ">b", 1)).ensure_valid()


@pytest.mark.parametrize("count", [-1, 0, 2, 4, 2**31 - 1])
def test_a_count_other_than_the_records_there_is_corrupt(build: Build, count: int) -> None:
    batch = RecordBatch(rewrite(build(3), COUNT_POSITION, ">i", count))
    with pytest.raises(CorruptRecordError):
        list(batch.records())


@pytest.mark.parametrize("codec", [5, 6, 7])
def test_a_codec_that_does_not_exist_is_corrupt(build: Build, codec: int) -> None:
    batch = RecordBatch(rewrite(build(3), ATTRIBUTES_POSITION, ">h", codec))
    with pytest.raises(CorruptRecordError, match=f"codec {codec}"):
        list(batch.records())


def test_records_are_unpacked_within_a_limit() -> None:
    builder = RecordBatchBuilder(compression=CompressionType.ZSTD)
    builder.append(None, bytes(100_000), 0)
    batch = RecordBatch(builder.build())
    assert batch.size_bytes < 1000
    with pytest.raises(RecordTooLargeError, match="limit of 50000 bytes"):
        next(batch.records(max_size_bytes=50_000))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 4), st.integers(0, 5))
def test_any_bytes_give_records_or_a_kfast_error(body: bytes, codec: int, count: int) -> None:
    builder = RecordBatchBuilder()
    builder.append(None, None, 0)
    batch = builder.build()[:HEADER_SIZE] + body
    struct.pack_into(">i", batch, LENGTH_POSITION, len(batch) - 12)
    struct.pack_into(">h", batch, ATTRIBUTES_POSITION, codec)
    struct.pack_into(">i", batch, COUNT_POSITION, count)
    try:
        records = list(RecordBatch(batch).records(max_size_bytes=1 << 20))
    except KfastError:
        return
    assert len(records) == count


# Writing into a batch


def test_stamping_gives_a_place_and_keeps_the_checksum(build: Build) -> None:
    buffer = build(2) + build(3)
    position = RecordBatch(buffer).size_bytes
    before = bytes(buffer)
    stamp(memoryview(buffer), position, 2**62, 7)
    batch = RecordBatch(buffer, position)
    batch.ensure_valid()
    assert (batch.base_offset, batch.last_offset, batch.partition_leader_epoch) == (2**62, 2**62 + 2, 7)
    changed = [index for index, (old, new) in enumerate(zip(before, buffer, strict=True)) if old != new]
    assert set(changed) <= {*range(position, position + 8), *range(position + 12, position + 16)}


@pytest.mark.parametrize("start", list(TimestampType))
@pytest.mark.parametrize("end", list(TimestampType))
def test_the_time_of_a_batch_is_rewritten_with_its_checksum(
    build: Build, start: TimestampType, end: TimestampType
) -> None:
    buffer = build(2) + build(3, timestamp_type=start, compression=CompressionType.ZSTD, is_transactional=True)
    position = RecordBatch(buffer).size_bytes
    set_max_timestamp(buffer, position, end, 1_800_000_000_000)
    batch = RecordBatch(buffer, position)
    batch.ensure_valid()
    assert (batch.timestamp_type, batch.max_timestamp_ms) == (end, 1_800_000_000_000)
    assert (batch.compression, batch.is_transactional) == (CompressionType.ZSTD, True)
    assert RecordBatch(buffer).is_valid()


def test_a_read_only_buffer_cannot_be_stamped(build: Build) -> None:
    with pytest.raises((TypeError, BufferError)):
        stamp(memoryview(bytes(build(1))), 0, 1, 0)  # type: ignore[arg-type]
