"""Which records stay, one batch at a time."""

from __future__ import annotations

from typing import Any

import pytest

from kfast.log.compaction import ENTRY_BYTES, CleanedTransactions, OffsetMap, RecordFilter
from kfast.log.producer_state import BatchMetadata, ProducerState
from kfast.log.transaction_index import AbortedTransaction
from kfast.record.batch import RecordBatch
from kfast.record.builder import RecordBatchBuilder
from kfast.record.compression import CompressionType
from kfast.record.control_records import AbortMarker, CommitMarker, encode_control
from kfast.record.layout import TimestampType

NOW_MS = 1_700_000_000_000


def batch(base_offset: int, *records: tuple[bytes | None, bytes | None], **named: Any) -> RecordBatch:
    builder = RecordBatchBuilder(base_offset, **named)
    for key, value in records:
        builder.append(key, value, NOW_MS - 10 + builder.count)
    return RecordBatch(builder.build())


def data(offset: int, producer_id: int = 1) -> RecordBatch:
    return batch(
        offset, (b"k", b"v"), producer_id=producer_id, producer_epoch=0, base_sequence=0, is_transactional=True
    )


def marker(offset: int, *, is_abort: bool, producer_id: int = 1, **named: Any) -> RecordBatch:
    record = encode_control(AbortMarker(0) if is_abort else CommitMarker(0))
    settings = {"producer_epoch": 0, "is_transactional": True, "is_control": True, **named}
    return batch(offset, record, producer_id=producer_id, **settings)


def offset_map(latest_offset: int, **last: int) -> OffsetMap:
    known = OffsetMap(1 << 20, latest_offset)
    for key, offset in last.items():
        known.put(key.encode(), offset)
    return known


def a_filter(
    known: OffsetMap, *, transactions: Any = None, producers: Any = (), end: int = 1000, **named: Any
) -> RecordFilter:
    return RecordFilter(
        known,
        transactions or CleanedTransactions(),
        producers,
        end,
        named.get("now_ms", NOW_MS),
        named.get("retention_ms", 50),
    )


def left(found: Any) -> list[int] | None:
    return None if found is None else [record.offset for record in RecordBatch(found).records()]


# The map


def test_the_map_holds_as_many_keys_as_its_memory() -> None:
    known = OffsetMap(10 * ENTRY_BYTES)
    assert known.has_room_for(1000)  # a batch alone always fits, or it would never be cleaned
    for number in range(8):
        known.put(b"%d" % number, number)
    assert known.has_room_for(2)
    assert not known.has_room_for(3)
    assert (len(known), repr(known)) == (8, "OffsetMap(8 of 10 keys, up to offset -1)")


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1000])
def test_the_map_knows_the_last_offset_of_keys_of_any_size(size: int) -> None:
    known = OffsetMap(1 << 20)
    for offset in (3, 7):
        known.put(memoryview(b"x" * size), offset)
    assert known.last_offset_of(b"x" * size) == 7
    assert known.last_offset_of(b"y" + b"x" * size) == -1


# Transactions


def test_what_was_aborted_is_void_and_its_marker_stays_as_long_as_data_was_seen() -> None:
    transactions = CleanedTransactions()
    aborted = [AbortedTransaction(1, 5, 9, 10), AbortedTransaction(2, 20, 22, 23)]
    transactions.add(aborted)
    seen = [data(0), data(5), data(6, producer_id=2), data(7), marker(9, is_abort=True), data(12)]
    assert [transactions.is_void(one) for one in seen] == [False, True, False, True, False, False]
    assert transactions.take_kept() == aborted[:1]
    assert transactions.is_void(marker(22, is_abort=True, producer_id=2))  # its data has gone in an earlier pass
    assert transactions.take_kept() == []


def test_a_commit_stays_as_long_as_data_was_seen() -> None:
    transactions = CleanedTransactions()
    transactions.is_void(data(0))
    assert not transactions.is_void(marker(1, is_abort=False))
    assert transactions.is_void(marker(2, is_abort=False))


def test_a_transaction_told_of_twice_counts_once() -> None:
    """One that reaches over two segments is told of with each."""
    transactions = CleanedTransactions()
    entry = AbortedTransaction(1, 0, 9, 10)
    transactions.add([entry])
    assert transactions.is_void(data(0))
    transactions.add([entry])
    assert transactions.is_void(data(5))
    assert not transactions.is_void(marker(9, is_abort=True))
    assert not transactions.is_void(data(10))
    assert transactions.take_kept() == [entry]


# Records


def test_of_each_key_the_last_stays_and_nothing_beyond_the_map_goes() -> None:
    known = offset_map(4, a=3, b=1)
    kept = a_filter(known).filter(
        batch(0, (b"a", b"1"), (b"b", b"2"), (None, b"3"), (b"a", b"4"), (b"c", b"5"), (b"a", b"6"))
    )
    assert left(kept) == [1, 3, 4, 5]
    assert RecordBatch(kept).last_offset == 5  # type: ignore[arg-type]
    untouched = batch(5, (b"a", b"1"))
    assert a_filter(known).filter(untouched) == untouched.buffer


def test_a_batch_that_loses_all_goes_unless_somebody_needs_its_end() -> None:
    known = offset_map(9, k=9)
    sent = batch(3, (b"k", b"v"), (b"k", b"w"), producer_id=7, producer_epoch=2, base_sequence=5)
    assert a_filter(known).filter(sent) is None
    last = ProducerState(7, 2, batches=(BatchMetadata(6, 4, 1, NOW_MS),))
    for named in ({"producers": [last]}, {"end": 5}):
        empty = RecordBatch(a_filter(known, **named).filter(sent))  # type: ignore[arg-type]
        assert empty.is_valid()
        assert (empty.count, empty.size_bytes) == (0, 61)
        assert (empty.base_offset, empty.last_offset, empty.last_sequence) == (3, 4, 6)
        assert (empty.producer_id, empty.producer_epoch) == (7, 2)
        assert a_filter(known, **named).filter(empty) == empty.buffer
    assert a_filter(known).filter(empty) is None


def test_a_tombstone_gets_a_horizon_and_goes_after_it() -> None:
    known = offset_map(9, k=1, a=0)
    first = RecordBatch(a_filter(known).filter(batch(0, (b"a", b"v"), (b"k", None))))  # type: ignore[arg-type]
    assert (first.delete_horizon_ms, left(first.buffer)) == (NOW_MS + 50, [0, 1])
    assert [record.timestamp_ms for record in first.records()] == [NOW_MS - 10, NOW_MS - 9]
    assert a_filter(known, now_ms=NOW_MS + 49).filter(first) == first.buffer
    later = RecordBatch(a_filter(known, now_ms=NOW_MS + 50).filter(first))  # type: ignore[arg-type]
    assert left(later.buffer) == [0]
    assert later.delete_horizon_ms == NOW_MS + 50


def test_a_marker_nobody_needs_gets_a_horizon_and_goes_after_it() -> None:
    known = offset_map(99)
    first = RecordBatch(a_filter(known).filter(marker(5, is_abort=False)))  # type: ignore[arg-type]
    assert (first.is_control, first.delete_horizon_ms, first.count) == (True, NOW_MS + 50, 1)
    assert a_filter(known, now_ms=NOW_MS + 50).filter(first) is None
    sole = ProducerState(1, 0)  # its last word: without it an old epoch could write again
    kept = RecordBatch(a_filter(known, now_ms=NOW_MS + 50, producers=[sole]).filter(first))  # type: ignore[arg-type]
    assert (kept.count, kept.is_control, kept.last_offset) == (0, True, 5)


@pytest.mark.parametrize("compression", CompressionType)
@pytest.mark.parametrize("timestamp_type", TimestampType)
def test_what_is_left_is_packed_as_it_was(compression: CompressionType, timestamp_type: TimestampType) -> None:
    sent = batch(10, (b"a", b"1"), (b"b", b"2"), (b"a", b"3"), compression=compression, timestamp_type=timestamp_type,
                 leader_epoch=4)  # fmt: skip
    kept = RecordBatch(a_filter(offset_map(99, a=12, b=11)).filter(sent))  # type: ignore[arg-type]
    assert kept.is_valid()
    assert (kept.compression, kept.timestamp_type, kept.partition_leader_epoch) == (compression, timestamp_type, 4)
    assert list(kept.records()) == list(sent.records())[1:]
