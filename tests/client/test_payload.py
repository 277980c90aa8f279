from __future__ import annotations

import pytest

from kfast.client.payload import TEXT_SIZE, build_batch, text, value
from kfast.record.batch import RecordBatch
from kfast.record.compression import CompressionType


def test_values_follow_each_other_in_the_text() -> None:
    assert b"".join(value(number, 100) for number in range(10)) == text()[:1000]


def test_a_value_may_be_longer_than_the_text_and_wrap() -> None:
    assert value(0, 2 * TEXT_SIZE + 7) == text() * 2 + text()[:7]
    assert value(TEXT_SIZE - 1, 1) == text()[-1:]
    assert len(value(1, TEXT_SIZE - 1)) == TEXT_SIZE - 1


@pytest.mark.parametrize("compression", list(CompressionType))
def test_a_batch_holds_the_values_in_order(compression: CompressionType) -> None:
    batch = RecordBatch(build_batch(50, 300, compression, timestamp_ms=1_700_000_000_000))
    batch.ensure_valid()
    assert batch.compression is compression
    assert [bytes(record.value) for record in batch.records()] == [value(number, 300) for number in range(50)]


def test_the_text_compresses_as_text_does() -> None:
    plain = build_batch(1000, 100, timestamp_ms=0)
    packed = build_batch(1000, 100, CompressionType.ZSTD, timestamp_ms=0)
    assert 0.2 < len(packed) / len(plain) < 0.6


def test_the_same_batch_every_time() -> None:
    assert build_batch(3, 10, timestamp_ms=5) == build_batch(3, 10, timestamp_ms=5)


@pytest.mark.parametrize(("batch_records", "record_size"), [(0, 1), (-1, 1), (1, -1)])
def test_a_batch_of_nothing_is_refused(batch_records: int, record_size: int) -> None:
    with pytest.raises(ValueError, match=f"{batch_records} records of {record_size} bytes"):
        build_batch(batch_records, record_size, timestamp_ms=0)
