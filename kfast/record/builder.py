"""Builds a record batch out of keys and values: what a producer does, and the broker for its own internal logs.

Records are packed as they come; `build` compresses them, puts the header before them and the CRC over them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kfast.record.batch import RecordBatch
from kfast.record.checksum import crc32c
from kfast.record.compression import CompressionType, compress
from kfast.record.layout import (
    ATTRIBUTES_POSITION,
    CONTROL_MASK,
    CRC_POSITION,
    DELETE_HORIZON_MASK,
    HEADER,
    HEADER_SIZE,
    LEADER_EPOCH_POSITION,
    MAGIC,
    NO_LEADER_EPOCH,
    NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID,
    NO_SEQUENCE,
    NO_TIMESTAMP,
    TIMESTAMP_TYPE_MASK,
    TRANSACTIONAL_MASK,
    TimestampType,
)
from kfast.record.record import write_record
from kfast.varint import Buffer

_CRC_SIZE: Final = ATTRIBUTES_POSITION - CRC_POSITION


class RecordBatchBuilder:
    """Collects records by `append`, returns their batch by `build`. Not thread-safe."""

    def __init__(
        self,
        base_offset: int = 0,
        compression: CompressionType = CompressionType.NONE,
        timestamp_type: TimestampType = TimestampType.CREATE_TIME,
        producer_id: int = NO_PRODUCER_ID,
        producer_epoch: int = NO_PRODUCER_EPOCH,
        base_sequence: int = NO_SEQUENCE,
        is_transactional: bool = False,
        is_control: bool = False,
        leader_epoch: int = NO_LEADER_EPOCH,
        compression_level: int | None = None,
        delete_horizon_ms: int | None = None,
    ) -> None:
        """With `delete_horizon_ms` the batch says from when on its tombstones may go, as compaction leaves it."""
        self.base_offset = base_offset
        self.count = 0
        self._compression = compression
        self._compression_level = compression_level
        self._producer = (producer_id, producer_epoch, base_sequence)
        self._leader_epoch = leader_epoch
        self._attributes = (
            compression
            | timestamp_type * TIMESTAMP_TYPE_MASK
            | is_transactional * TRANSACTIONAL_MASK
            | is_control * CONTROL_MASK
            | (delete_horizon_ms is not None) * DELETE_HORIZON_MASK
        )
        self._last_offset = base_offset - 1
        self._base_timestamp_ms: int | None = delete_horizon_ms
        self._max_timestamp_ms = NO_TIMESTAMP
        self._records = bytearray()

    @property
    def size_bytes(self) -> int:
        """Size of the batch so far, uncompressed."""
        return HEADER_SIZE + len(self._records)

    def append(
        self,
        key: Buffer | None,
        value: Buffer | None,
        timestamp_ms: int,
        headers: Iterable[tuple[str, Buffer | None]] = (),
        offset: int | None = None,
    ) -> None:
        """Add a record. Its offset is the next one, or one given that lies further on (as compaction leaves them)."""
        if offset is None:
            offset = self._last_offset + 1
        elif offset <= self._last_offset:
            raise ValueError(f"offset {offset} is not above {self._last_offset}, the last one in the batch")
        if self._base_timestamp_ms is None:
            self._base_timestamp_ms = timestamp_ms
        write_record(
            self._records, offset - self.base_offset, timestamp_ms - self._base_timestamp_ms, key, value, headers
        )
        self._last_offset = offset
        # From -1 on, as Kafka's MemoryRecordsBuilder: a batch of negative timestamps has none as its largest.
        self._max_timestamp_ms = max(self._max_timestamp_ms, timestamp_ms)
        self.count += 1

    def build(self, last_offset: int | None = None) -> bytearray:
        """The batch, complete with its CRC, in a buffer of its own. The builder may go on collecting.

        `last_offset` may lie beyond that of the last record: compaction keeps the range of offsets a batch had.
        """
        if not self.count:
            raise ValueError("a batch needs at least one record")
        last_offset = self._last_offset if last_offset is None else last_offset
        records = self._records
        if self._compression:
            records = bytearray(compress(self._compression, self._records, self._compression_level))
        batch = bytearray(HEADER_SIZE)
        HEADER.pack_into(
            batch,
            0,
            self.base_offset,
            HEADER_SIZE + len(records) - LEADER_EPOCH_POSITION,
            self._leader_epoch,
            MAGIC,
            0,
            self._attributes,
            last_offset - self.base_offset,
            self._base_timestamp_ms,
            self._max_timestamp_ms,
            *self._producer,
            self.count,
        )
        batch += records
        return _seal(batch)


def build_empty_batch(batch: RecordBatch) -> bytearray:
    """The head of `batch` with no record after it: what compaction keeps for the offsets and sequence numbers in it."""
    empty = bytearray(HEADER_SIZE)
    kept = TIMESTAMP_TYPE_MASK | TRANSACTIONAL_MASK | CONTROL_MASK
    HEADER.pack_into(
        empty,
        0,
        batch.base_offset,
        HEADER_SIZE - LEADER_EPOCH_POSITION,
        batch.partition_leader_epoch,
        MAGIC,
        0,
        batch.attributes & kept,
        batch.last_offset_delta,
        NO_TIMESTAMP,
        batch.max_timestamp_ms,
        batch.producer_id,
        batch.producer_epoch,
        batch.base_sequence,
        0,
    )
    return _seal(empty)


def _seal(batch: bytearray) -> bytearray:
    crc = crc32c(memoryview(batch)[ATTRIBUTES_POSITION:])
    batch[CRC_POSITION:ATTRIBUTES_POSITION] = crc.to_bytes(_CRC_SIZE, "big")
    return batch
