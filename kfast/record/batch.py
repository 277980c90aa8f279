"""A record batch: a view of bytes in memory, its header parsed, its records read only when asked for.

One struct unpack makes a RecordBatch, whatever the number of records; a broker appends, checks and serves batches by
their headers alone. It copies nothing: the buffer stays the caller's, and reusing the buffer changes the batch.

The two functions at the end write into a batch: `stamp` gives it its place in the log, `set_max_timestamp` its time.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from kfast.errors import CorruptRecordError
from kfast.record.checksum import crc32c
from kfast.record.compression import MAX_DECOMPRESSED_SIZE, CompressionType, decompress
from kfast.record.layout import (
    ATTRIBUTES_POSITION,
    BASE_OFFSET_POSITION,
    COMPRESSION_MASK,
    CONTROL_MASK,
    CRC_POSITION,
    DELETE_HORIZON_MASK,
    HEADER,
    HEADER_SIZE,
    LEADER_EPOCH_POSITION,
    LENGTH_POSITION,
    LOG_OVERHEAD,
    MAGIC,
    MAX_SEQUENCE,
    MAX_TIMESTAMP_POSITION,
    NO_PRODUCER_ID,
    NO_SEQUENCE,
    TIMESTAMP_TYPE_MASK,
    TRANSACTIONAL_MASK,
    TimestampType,
)
from kfast.record.record import Record, read_record
from kfast.varint import Buffer

_INT16: Final = struct.Struct(">h")
_INT32: Final = struct.Struct(">i")
_INT64: Final = struct.Struct(">q")
_UINT32: Final = struct.Struct(">I")

_MIN_LENGTH: Final = HEADER_SIZE - LOG_OVERHEAD

_unpack_header = HEADER.unpack_from
_pack_int64, _pack_int32 = _INT64.pack_into, _INT32.pack_into


class RecordBatch:
    """The batch at `position` of `buffer`; the header's fields are attributes, `records()` iterates.

    Only the 61 bytes of the header must be there. Raises CorruptRecordError where they are not, or where the size they
    say is smaller than themselves; everything else is checked by `ensure_valid`.
    """

    __slots__ = (
        "_position",
        "_source",
        "attributes",
        "base_offset",
        "base_sequence",
        "base_timestamp_ms",
        "count",
        "crc",
        "last_offset_delta",
        "magic",
        "max_timestamp_ms",
        "partition_leader_epoch",
        "producer_epoch",
        "producer_id",
        "size_bytes",
    )

    base_offset: int
    size_bytes: int
    """Of the whole batch: the length its header says, and the 12 bytes before those it counts."""
    partition_leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp_ms: int
    max_timestamp_ms: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    count: int

    def __init__(self, buffer: Buffer, position: int = 0) -> None:
        self._source = buffer
        self._position = position
        try:
            (
                self.base_offset,
                length,
                self.partition_leader_epoch,
                self.magic,
                self.crc,
                self.attributes,
                self.last_offset_delta,
                self.base_timestamp_ms,
                self.max_timestamp_ms,
                self.producer_id,
                self.producer_epoch,
                self.base_sequence,
                self.count,
            ) = _unpack_header(buffer, position)
        except struct.error:
            raise CorruptRecordError(
                f"batch header at position {position} needs {HEADER_SIZE} bytes; {len(buffer) - position} are there"
            ) from None
        if length < _MIN_LENGTH:
            raise CorruptRecordError(
                f"batch at position {position} says {length} bytes follow its size; the header alone is {_MIN_LENGTH}"
            )
        self.size_bytes = length + LOG_OVERHEAD

    def __repr__(self) -> str:
        kind = "control " if self.is_control else ""
        return (
            f"RecordBatch({kind}offsets {self.base_offset}..{self.last_offset}, {self.count} records, "
            f"{self.size_bytes} bytes, codec {self.attributes & COMPRESSION_MASK})"
        )

    @property
    def buffer(self) -> memoryview:
        """The batch's own bytes, header included; fewer than `size_bytes` where the buffer ends early."""
        return memoryview(self._source)[self._position : self._position + self.size_bytes]

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_offset_delta + 1

    @property
    def last_sequence(self) -> int:
        """Sequence number of the last record; they wrap from 2**31 - 1 to 0."""
        if self.base_sequence == NO_SEQUENCE:
            return NO_SEQUENCE
        return (self.base_sequence + self.last_offset_delta) & MAX_SEQUENCE

    @property
    def compression(self) -> CompressionType:
        """Raises CorruptRecordError for the codecs 5 to 7, which do not exist."""
        try:
            return CompressionType(self.attributes & COMPRESSION_MASK)
        except ValueError:
            codec = self.attributes & COMPRESSION_MASK
            raise CorruptRecordError(f"batch at offset {self.base_offset} names codec {codec}; 0 to 4 exist") from None

    @property
    def is_compressed(self) -> bool:
        return bool(self.attributes & COMPRESSION_MASK)

    @property
    def timestamp_type(self) -> TimestampType:
        return TimestampType.LOG_APPEND_TIME if self.attributes & TIMESTAMP_TYPE_MASK else TimestampType.CREATE_TIME

    @property
    def is_transactional(self) -> bool:
        return bool(self.attributes & TRANSACTIONAL_MASK)

    @property
    def is_control(self) -> bool:
        return bool(self.attributes & CONTROL_MASK)

    @property
    def delete_horizon_ms(self) -> int | None:
        """From when on the cleaner may drop the batch's tombstones; it then lies where the base timestamp was."""
        return self.base_timestamp_ms if self.attributes & DELETE_HORIZON_MASK else None

    @property
    def has_producer_id(self) -> bool:
        return self.producer_id > NO_PRODUCER_ID

    def compute_crc(self) -> int:
        """The CRC-32C of the bytes as they are now, read in place."""
        start = self._position
        return crc32c(memoryview(self._source)[start + ATTRIBUTES_POSITION : start + self.size_bytes])

    def ensure_valid(self) -> None:
        """Raise CorruptRecordError, with numbers, unless the batch is whole, of version 2, and matches its CRC."""
        if self.magic != MAGIC:
            raise CorruptRecordError(f"batch at offset {self.base_offset} has magic {self.magic}; {MAGIC} is supported")
        self.ensure_undamaged()

    def ensure_undamaged(self) -> None:
        """As `ensure_valid`, of what was appended once: its magic, which no checksum covers, is passed over.

        Kafka passes over it too.
        """
        source, start, size = self._source, self._position, self.size_bytes
        if start + size > len(source):
            raise CorruptRecordError(
                f"batch at offset {self.base_offset} says {size} bytes; {len(source) - start} are there"
            )
        computed = crc32c(memoryview(source)[start + ATTRIBUTES_POSITION : start + size])
        if computed != self.crc:
            raise CorruptRecordError(
                f"batch at offset {self.base_offset} of {self.size_bytes} bytes has CRC {self.crc:#010x} "
                f"but its bytes give {computed:#010x}"
            )

    def is_valid(self) -> bool:
        """Whether `ensure_valid` has nothing to say."""
        try:
            self.ensure_valid()
        except CorruptRecordError:
            return False
        return True

    def records(self, max_size_bytes: int = MAX_DECOMPRESSED_SIZE) -> Iterator[Record]:
        """Read the records one at a time, in order; a compressed batch is unpacked whole at the first.

        Raises CorruptRecordError where they do not add up to the header's count and size, RecordTooLargeError where
        they decompress to more than `max_size_bytes`. The CRC is not checked here.
        """
        packed = self.buffer[HEADER_SIZE:]
        if len(packed) != self.size_bytes - HEADER_SIZE:
            raise CorruptRecordError(
                f"batch at offset {self.base_offset} says {self.size_bytes} bytes; {len(self.buffer)} are there"
            )
        if self.count < 0:
            raise CorruptRecordError(f"batch at offset {self.base_offset} says {self.count} records")
        view = decompress(self.compression, packed, max_size_bytes)
        log_append_time_ms = self.max_timestamp_ms if self.attributes & TIMESTAMP_TYPE_MASK else None
        position = 0
        for _ in range(self.count):
            record, position = read_record(view, position, self.base_offset, self.base_timestamp_ms, log_append_time_ms)
            yield record
        if position != len(view):
            raise CorruptRecordError(
                f"batch at offset {self.base_offset} says {self.count} records; "
                f"{len(view) - position} bytes are left after them"
            )


def stamp(buffer: bytearray | memoryview, position: int, base_offset: int, leader_epoch: int) -> None:
    """Give the batch at `position` its place in the log, in 12 bytes the CRC does not cover."""
    _pack_int64(buffer, position + BASE_OFFSET_POSITION, base_offset)
    _pack_int32(buffer, position + LEADER_EPOCH_POSITION, leader_epoch)


def set_max_timestamp(
    buffer: bytearray | memoryview, position: int, timestamp_type: TimestampType, max_timestamp_ms: int
) -> None:
    """Say whose clock the batch follows and its latest time, and renew its CRC; the records stay as they are."""
    attributes_position = position + ATTRIBUTES_POSITION
    attributes = _INT16.unpack_from(buffer, attributes_position)[0] & ~TIMESTAMP_TYPE_MASK
    _INT16.pack_into(buffer, attributes_position, attributes | timestamp_type * TIMESTAMP_TYPE_MASK)
    _INT64.pack_into(buffer, position + MAX_TIMESTAMP_POSITION, max_timestamp_ms)
    end = position + LOG_OVERHEAD + _INT32.unpack_from(buffer, position + LENGTH_POSITION)[0]
    _UINT32.pack_into(buffer, position + CRC_POSITION, crc32c(memoryview(buffer)[attributes_position:end]))
