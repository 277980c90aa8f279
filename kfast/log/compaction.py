"""Which records compaction keeps, batch by batch: decided and rewritten here, read and put into place elsewhere.

Of each key the last record stays, up to where the offset map has come; what follows stays whole. Records of aborted
transactions go, and their markers once nothing of the transaction is left. A record without a value, a tombstone, stays
until the delete horizon of its batch, which its first pass sets: long enough for every consumer to see that the key is
gone. A batch keeps its offsets and sequence numbers whatever it loses, and stays without any record where it carries
the last sequence number of a producer, or the end of what was cleaned.
Source: Kafka's Cleaner, CleanedTransactionMetadata and MemoryRecords.filterTo.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from kfast.log.producer_state import ProducerState
from kfast.log.transaction_index import AbortedTransaction
from kfast.record.batch import RecordBatch
from kfast.record.builder import RecordBatchBuilder, build_empty_batch
from kfast.record.control_records import ControlRecordType, read_control_type
from kfast.record.layout import MAGIC
from kfast.record.record import Record

ENTRY_BYTES: Final = 160
"""Of one key in the map, about: a Python dict's share, the digest and the number (sys.getsizeof, CPython 3.11)."""

DIGEST_SIZE: Final = 16


class OffsetMap:
    """The last offset of each key, for as many keys as `size_bytes` hold. Keys are kept as digests of 16 bytes."""

    def __init__(self, size_bytes: int, latest_offset: int = -1) -> None:
        self.max_count = max(1, size_bytes // ENTRY_BYTES)
        self.latest_offset = latest_offset
        """Up to which the map knows the log: what lies beyond is kept whatever its key."""
        self._offsets: dict[bytes, int] = {}

    def has_room_for(self, count: int) -> bool:
        """Whether a batch of `count` records fits. One does always, or a log of large ones would never be cleaned."""
        return not self._offsets or len(self._offsets) + count <= self.max_count

    def put(self, key: memoryview | bytes, offset: int) -> None:
        self._offsets[_digest(key)] = offset

    def last_offset_of(self, key: memoryview | bytes) -> int:
        """-1 of a key that is not there."""
        return self._offsets.get(_digest(key), -1)

    def __len__(self) -> int:
        return len(self._offsets)

    def __repr__(self) -> str:
        return f"OffsetMap({len(self)} of {self.max_count} keys, up to offset {self.latest_offset})"


def _digest(key: memoryview | bytes) -> bytes:
    return bytes(key) if len(key) < DIGEST_SIZE else hashlib.blake2b(key, digest_size=DIGEST_SIZE).digest()


class CleanedTransactions:
    """Follows transactions through batches that are read in order: which of them are aborted, which markers may go."""

    def __init__(self) -> None:
        self._waiting: list[AbortedTransaction] = []
        self._ongoing: dict[int, AbortedTransaction] = {}
        self._seen_aborted: set[int] = set()
        self._seen_committed: set[int] = set()
        self._kept: list[AbortedTransaction] = []

    def add(self, aborted: Iterable[AbortedTransaction]) -> None:
        """Tell of those that reach into the segment that comes next."""
        known = {*self._waiting, *self._ongoing.values()}
        self._waiting += (entry for entry in aborted if entry not in known)
        self._waiting.sort(key=lambda entry: entry.first_offset, reverse=True)

    def take_kept(self) -> list[AbortedTransaction]:
        """Those whose markers stayed since the last call: what a cleaned segment's transaction index holds."""
        kept, self._kept = self._kept, []
        return kept

    def is_void(self, batch: RecordBatch) -> bool:
        """Whether nothing of the batch counts: data of an aborted transaction, or a marker that nobody needs."""
        while self._waiting and self._waiting[-1].first_offset <= batch.last_offset:
            entry = self._waiting.pop()
            self._ongoing[entry.producer_id] = entry
        if batch.is_control:
            return self._is_marker_void(batch)
        if not batch.is_transactional:
            return False
        if batch.producer_id in self._ongoing:
            self._seen_aborted.add(batch.producer_id)
            return True
        self._seen_committed.add(batch.producer_id)
        return False

    def _is_marker_void(self, batch: RecordBatch) -> bool:
        marker = next(batch.records(), None)
        if marker is None or marker.key is None:
            return True  # an earlier pass has emptied it
        kind = read_control_type(marker.key)
        producer_id = batch.producer_id
        if kind is ControlRecordType.COMMIT:
            return not _take(self._seen_committed, producer_id)
        if kind is not ControlRecordType.ABORT:
            return False
        aborted = self._ongoing.pop(producer_id, None)
        was_seen = _take(self._seen_aborted, producer_id)
        if aborted is None or not was_seen:
            return True
        self._kept.append(aborted)
        return False


def _take(numbers: set[int], number: int) -> bool:
    """Whether `number` was in there; it no longer is."""
    was_there = number in numbers
    numbers.discard(number)
    return was_there


class RecordFilter:
    """Takes the batches of a group of segments in their order and returns what is left of each."""

    def __init__(
        self,
        offset_map: OffsetMap,
        transactions: CleanedTransactions,
        producers: Iterable[ProducerState],
        upper_bound_offset: int,
        now_ms: int,
        delete_retention_ms: int,
    ) -> None:
        self._map = offset_map
        self._transactions = transactions
        self._producers = {state.producer_id: state for state in producers}
        self._upper_bound_offset = upper_bound_offset
        self._now_ms = now_ms
        self._delete_retention_ms = delete_retention_ms

    def filter(self, batch: RecordBatch) -> memoryview | bytearray | None:
        """The batch as it was, or rewritten with the records that stay, or emptied; None where it goes."""
        is_void = self._transactions.is_void(batch)
        horizon_ms = batch.delete_horizon_ms
        is_past_horizon = horizon_ms is not None and horizon_ms <= self._now_ms
        is_emptied = is_void and (is_past_horizon or not batch.is_control)  # markers are tombstones of a kind
        records = [] if is_emptied else list(batch.records())
        kept = [record for record in records if batch.is_control or self._stays(batch, record)]
        if not kept:
            return build_empty_batch(batch) if self._stays_empty(batch) else None
        has_tombstone = any(record.value is None for record in kept)
        sets_horizon = horizon_ms is None and (has_tombstone or (is_void and batch.is_control))
        if len(kept) == len(records) and not sets_horizon and batch.magic >= MAGIC:
            return batch.buffer
        if sets_horizon:
            horizon_ms = self._now_ms + self._delete_retention_ms
        return rebuild(batch, kept, horizon_ms)

    def _stays_empty(self, batch: RecordBatch) -> bool:
        """Where it is a producer's last one, or ends what is cleaned: offsets and sequences go on from it."""
        return self._is_last_of_producer(batch) or batch.next_offset == self._upper_bound_offset

    def _is_last_of_producer(self, batch: RecordBatch) -> bool:
        state = self._producers.get(batch.producer_id) if batch.has_producer_id else None
        if state is None:
            return False
        if state.last_offset >= 0:
            return batch.last_offset == state.last_offset
        return batch.is_control and batch.producer_epoch == state.producer_epoch

    def _stays(self, batch: RecordBatch, record: Record) -> bool:
        if record.offset > self._map.latest_offset:
            return True
        if record.key is None:
            return False
        if record.offset < self._map.last_offset_of(record.key):
            return False
        horizon_ms = batch.delete_horizon_ms
        return record.value is not None or horizon_ms is None or self._now_ms < horizon_ms


def rebuild(batch: RecordBatch, records: list[Record], delete_horizon_ms: int | None) -> bytearray:
    """The same batch with `records` alone: its offsets, sequence numbers, codec and kind of timestamps stay.

    Messages of old versions become a batch of the one that is written, from the first to the last of them.
    """
    is_legacy = batch.magic < MAGIC
    builder = RecordBatchBuilder(
        records[0].offset if is_legacy else batch.base_offset,
        batch.compression,
        batch.timestamp_type,
        batch.producer_id,
        batch.producer_epoch,
        batch.base_sequence,
        batch.is_transactional,
        batch.is_control,
        batch.partition_leader_epoch,
        delete_horizon_ms=delete_horizon_ms,
    )
    for record in records:
        builder.append(record.key, record.value, record.timestamp_ms, record.headers, record.offset)
    return builder.build(None if is_legacy else batch.last_offset)
