"""Builds a record batch out of keys and values: what a producer does, and the broker for its own internal logs.

Records are packed as they come; `build` compresses them, puts the header before them and the CRC over them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kfast.record.checksum import crc32c
from kfast.record.compression import CompressionType, compress
from kfast.record.layout import (
    ATTRIBUTES_POSITION,
    CONTROL_MASK,
    CRC_POSITION,
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
    ) -> None:
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
        )
        self._last_offset = base_offset - 1
        self._base_timestamp_ms = NO_TIMESTAMP
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
        if not self.count:
            self._base_timestamp_ms = timestamp_ms
        write_record(
            self._records, offset - self.base_offset, timestamp_ms - self._base_timestamp_ms, key, value, headers
        )
        self._last_offset = offset
        # From -1 on, as Kafka's MemoryRecordsBuilder: a batch of negative timestamps has none as its largest.
        self._max_timestamp_ms = max(self._max_timestamp_ms, timestamp_ms)
        self.count += 1

    def build(self) -> bytearray:
        """The batch, complete with its CRC, in a buffer of its own. The builder may go on collecting."""
        if not self.count:
            raise ValueError("a batch needs at least one record")
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
            self._last_offset - self.base_offset,
            self._base_timestamp_ms,
            self._max_timestamp_ms,
            *self._producer,
            self.count,
        )
        batch += records
        crc = crc32c(memoryview(batch)[ATTRIBUTES_POSITION:])
        batch[CRC_POSITION:ATTRIBUTES_POSITION] = crc.to_bytes(_CRC_SIZE, "big")
        return batch
