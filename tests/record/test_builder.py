from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfast.record.batch import RecordBatch
from kfast.record.builder import RecordBatchBuilder
from kfast.record.compression import CompressionType, decompress
from kfast.record.layout import HEADER_SIZE, TimestampType

INT64 = st.integers(-(2**63), 2**63 - 1)
DATA = st.none() | st.binary(max_size=50)
HEADERS = st.lists(st.tuples(st.text(max_size=5), DATA), max_size=3).map(tuple)
RECORDS = st.lists(st.tuples(DATA, DATA, INT64, HEADERS), min_size=1, max_size=20)


def rebuilt(batch: RecordBatch, compression: CompressionType = CompressionType.NONE) -> bytearray:
    builder = RecordBatchBuilder(
        base_offset=batch.base_offset,
        compression=compression,
        producer_id=batch.producer_id,
        producer_epoch=batch.producer_epoch,
        base_sequence=batch.base_sequence,
        is_transactional=batch.is_transactional,
        is_control=batch.is_control,
        leader_epoch=batch.partition_leader_epoch,
    )
    for record in batch.records():
        builder.append(record.key, record.value, record.timestamp_ms, record.headers, record.offset)
    return builder.build()


@pytest.mark.parametrize(
    ("case", "partition"),
    [
        ("01-plain", "dense-0"),
        ("01-plain", "sparse-1"),
        ("02-codecs", "java-none-0"),
        ("02-codecs", "librd-none-0"),
        ("03-edge-records", "edge-0"),
        ("03-edge-records", "edge-large-0"),
        ("03-edge-records", "edge-many-0"),
        ("03-edge-records", "edge-timestamps-0"),
        ("05-idempotent", "idempotent-0"),
        ("06-transactions", "ledger-0"),
        ("12-kraft", "__cluster_metadata-0"),
    ],
)
def test_kafkas_batches_are_rebuilt_byte_for_byte(case: str, partition: str, golden: Any, read_segments: Any) -> None:
    batches = [batch for batch in read_segments(golden(case) / "log" / partition) if not batch.is_compressed]
    assert len(batches) >= 2
    for batch in batches:
        assert rebuilt(batch) == batch.buffer


@pytest.mark.parametrize("partition", ["java-gzip-0", "java-snappy-0", "librd-lz4-0", "librd-zstd-0"])
def test_records_in_kafkas_compressed_batches_are_rebuilt_byte_for_byte(
    partition: str, golden: Any, read_segments: Any
) -> None:
    compressed = [batch for batch in read_segments(golden("02-codecs") / "log" / partition) if batch.is_compressed]
    assert len(compressed) >= 3
    for batch in compressed:
        assert rebuilt(batch)[HEADER_SIZE:] == decompress(batch.compression, batch.buffer[HEADER_SIZE:])


@settings(max_examples=100, deadline=None)
@given(RECORDS, st.sampled_from(CompressionType), st.integers(0, 2**62))
def test_what_is_built_is_read_back(
    records: list[tuple[Any, Any, int, Any]], compression: CompressionType, base_offset: int
) -> None:
    builder = RecordBatchBuilder(base_offset, compression)
    for record in records:
        builder.append(*record)
    batch = RecordBatch(builder.build())
    batch.ensure_valid()
    read = [(record.key, record.value, record.timestamp_ms, record.headers) for record in batch.records()]
    assert read == records
    assert [record.offset for record in batch.records()] == list(range(base_offset, batch.next_offset))
    assert batch.count == len(records)
    assert batch.max_timestamp_ms == max(-1, *(record[2] for record in records))


def test_every_header_field_is_written() -> None:
    builder = RecordBatchBuilder(
        base_offset=9,
        compression=CompressionType.LZ4,
        timestamp_type=TimestampType.LOG_APPEND_TIME,
        producer_id=2**40,
        producer_epoch=3,
        base_sequence=2**31 - 1,
        is_transactional=True,
        is_control=True,
        leader_epoch=5,
    )
    builder.append(None, b"one", 20)
    builder.append(None, b"two", 10)
    batch = RecordBatch(builder.build())
    assert (batch.base_offset, batch.last_offset, batch.count) == (9, 10, 2)
    assert (batch.base_timestamp_ms, batch.max_timestamp_ms) == (20, 20)
    assert (batch.producer_id, batch.producer_epoch, batch.base_sequence) == (2**40, 3, 2**31 - 1)
    assert (batch.has_producer_id, batch.last_sequence, batch.partition_leader_epoch) == (True, 0, 5)
    assert batch.attributes == 0b111011
    assert batch.delete_horizon_ms is None


def test_offsets_may_leave_gaps_but_not_go_back() -> None:
    builder = RecordBatchBuilder(base_offset=100)
    builder.append(b"a", b"", 0, offset=103)
    builder.append(b"b", b"", 0)
    with pytest.raises(ValueError, match="offset 104 is not above 104"):
        builder.append(b"c", b"", 0, offset=104)
    batch = RecordBatch(builder.build())
    assert [record.offset for record in batch.records()] == [103, 104]
    assert (batch.base_offset, batch.last_offset, batch.count) == (100, 104, 2)


def test_the_size_is_known_while_building() -> None:
    builder = RecordBatchBuilder()
    assert builder.size_bytes == HEADER_SIZE
    for number in range(100):
        builder.append(None, bytes(number), number)
    assert builder.count == 100
    assert builder.size_bytes == len(builder.build())


def test_an_empty_batch_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one record"):
        RecordBatchBuilder().build()


def test_a_builder_may_go_on() -> None:
    builder = RecordBatchBuilder(compression=CompressionType.GZIP)
    builder.append(None, b"one", 1)
    first = builder.build()
    builder.append(None, b"two", 2)
    assert RecordBatch(first).count == 1
    assert [record.value for record in RecordBatch(builder.build()).records()] == [b"one", b"two"]
