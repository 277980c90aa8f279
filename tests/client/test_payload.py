from __future__ import annotations

import sys
from typing import Any

import pytest

from kfast.client.counters import LoadError
from kfast.client.payload import TEXT_SIZE, BatchShape, build_batch, text, value
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
    batch = RecordBatch(build_batch(BatchShape(50, 300, compression.name.lower()), timestamp_ms=1_700_000_000_000))
    batch.ensure_valid()
    assert batch.compression is compression
    assert [bytes(record.value) for record in batch.records()] == [value(number, 300) for number in range(50)]


def test_the_text_compresses_as_text_does() -> None:
    plain = build_batch(BatchShape(1000, 100), timestamp_ms=0)
    packed = build_batch(BatchShape(1000, 100, "zstd"), timestamp_ms=0)
    assert 0.2 < len(packed) / len(plain) < 0.6


def test_the_same_batch_every_time() -> None:
    assert build_batch(BatchShape(3, 10), timestamp_ms=5) == build_batch(BatchShape(3, 10), timestamp_ms=5)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((0, 1), "0 records of 1 bytes"),
        ((1, -1), "1 records of -1 bytes"),
        ((1, 1, "brotli"), "none, gzip, .*'brotli'"),
    ],
)
def test_a_shape_no_batch_has_is_refused(shape: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        BatchShape(*shape)


def test_a_shape_changes_field_by_field() -> None:
    shape = BatchShape(10, 100).changed("compression", "lz4").changed("batch_records", 20)
    assert shape == BatchShape(20, 100, "lz4")
    with pytest.raises(ValueError, match="batch_records, record_size, compression, not acks"):
        shape.changed("acks", 1)


def test_the_text_is_english_that_comes_with_python() -> None:
    assert len(text()) == TEXT_SIZE
    assert text().startswith(b'The "assert" statement')


def test_a_python_without_the_text_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(LoadError, match="a part of Python and missing here"):
        text.__wrapped__()
