"""Messages of versions 0 and 1, as Kafka wrote them before 0.11: still read, and never written (KIP-724).

    0 offset q | 8 size i | 12 crc I | 16 magic b | 17 attributes b | version 1: timestamp q | key | value
    key, value = size i (-1 is null), bytes        crc: CRC-32 (not CRC-32C) from the magic to the end

A message that is compressed, a wrapper, has a message set as its value, and the offset of the last message in it. Those
within one of version 0 have their own offsets, those within one of version 1 count from the first. Offset, size and
magic lie where they do in a batch of version 2, so that a segment may hold all three.
Source: Kafka's LegacyRecord and AbstractLegacyRecordBatch.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from kfast.errors import CorruptRecordError
from kfast.record.batch import RecordBatch
from kfast.record.compression import MAX_DECOMPRESSED_SIZE, CompressionType, decompress
from kfast.record.layout import (
    COMPRESSION_MASK,
    LOG_OVERHEAD,
    MAGIC,
    MAGIC_POSITION,
    NO_LEADER_EPOCH,
    NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID,
    NO_SEQUENCE,
    NO_TIMESTAMP,
    TIMESTAMP_TYPE_MASK,
    TimestampType,
)
from kfast.record.lz4_header import with_right_checksum
from kfast.record.record import Record
from kfast.varint import Buffer

_HEAD: Final = struct.Struct(">qiIbb")
_SIZE: Final = struct.Struct(">i")
_TIMESTAMP: Final = struct.Struct(">q")

_MIN_LENGTH: Final = 14
"""Of a message of version 0 without key and value: the smallest that may follow the size field."""

MIN_ENTRY_SIZE: Final = LOG_OVERHEAD + _MIN_LENGTH

UNKNOWN_COUNT: Final = -1
"""Of the messages in a wrapper: only `records` tells."""


@dataclass(frozen=True, slots=True)
class LegacyRecord(Record):
    """A message of version 0 or 1. It has no headers, and a checksum of its own."""

    crc: int = 0
    is_valid: bool = True


class LegacyRecordBatch(RecordBatch):
    """The message at `position` of `buffer`, seen as a batch: of itself, or if it is a wrapper of those within it.

    A wrapper's header has one offset, that of the last record: `base_offset` says it too. Only the 26 bytes of the
    smallest message must be there; raises CorruptRecordError where they are not.
    """

    __slots__ = ()

    def __init__(self, buffer: Buffer, position: int = 0) -> None:
        self._source = buffer
        self._position = position
        if len(buffer) - position < MIN_ENTRY_SIZE:
            raise CorruptRecordError(
                f"message at position {position} needs {MIN_ENTRY_SIZE} bytes; {len(buffer) - position} are there"
            )
        self.base_offset, length, self.crc, self.magic, attributes = _HEAD.unpack_from(buffer, position)
        if length < _MIN_LENGTH:
            raise CorruptRecordError(
                f"message at position {position} says {length} bytes follow its size; the smallest has {_MIN_LENGTH}"
            )
        self.size_bytes = length + LOG_OVERHEAD
        self.attributes = attributes & (COMPRESSION_MASK | TIMESTAMP_TYPE_MASK if self.magic else COMPRESSION_MASK)
        self.last_offset_delta = 0
        self.count = UNKNOWN_COUNT if self.is_compressed else 1
        self.base_timestamp_ms = self.max_timestamp_ms = legacy_timestamp(self.magic, buffer, position)
        self.producer_id, self.producer_epoch, self.base_sequence = NO_PRODUCER_ID, NO_PRODUCER_EPOCH, NO_SEQUENCE
        self.partition_leader_epoch = NO_LEADER_EPOCH

    def compute_crc(self) -> int:
        """The CRC-32 that the bytes should have."""
        return crc32(self.buffer[MAGIC_POSITION:])

    def ensure_valid(self) -> None:
        """Raise CorruptRecordError, with numbers, unless the message is whole, of version 0 or 1, and matches its CRC.

        Those within a wrapper are not looked at: its CRC covers them.
        """
        if self.magic < 0:
            raise CorruptRecordError(f"message at offset {self.base_offset} has magic {self.magic}; 0 to {MAGIC} exist")
        self.ensure_undamaged()

    def ensure_undamaged(self) -> None:
        """As `ensure_valid`, but that a negative magic is passed over, as Kafka does."""
        computed = crc32(self._message()[MAGIC_POSITION:])
        if computed != self.crc:
            raise CorruptRecordError(
                f"message at offset {self.base_offset} of {self.size_bytes} bytes has CRC {self.crc:#010x} "
                f"but its bytes give {computed:#010x}"
            )

    def records(self, max_size_bytes: int = MAX_DECOMPRESSED_SIZE) -> Iterator[Record]:
        """Read the message, or unpack those within it; a wrapper is unpacked whole at the first.

        Raises CorruptRecordError where they cannot be read or do not fit to the wrapper's offset, RecordTooLargeError
        where they decompress to more than `max_size_bytes`. No CRC is checked; each record says if its own is right.
        """
        if not self.is_compressed:
            yield self._record(self.base_offset)
            return
        messages = self._messages(max_size_bytes)
        first_offset = self._first_offset(messages)
        append_time_ms = self.max_timestamp_ms if self.timestamp_type is TimestampType.LOG_APPEND_TIME else None
        for message in messages:
            if message.is_compressed:
                raise CorruptRecordError(f"in the wrapper at offset {self.base_offset} lies a compressed message")
            yield message._record(first_offset + message.base_offset, append_time_ms if message.magic == 1 else None)

    def _messages(self, max_size_bytes: int) -> list[LegacyRecordBatch]:
        """Those within a wrapper, their offsets as they are written there. One that is cut off ends them."""
        compression = self.compression
        packed: Buffer | None = self._key_and_value()[1]
        if packed is None or self.magic < 0 or compression is CompressionType.ZSTD:
            raise CorruptRecordError(
                f"the wrapper at offset {self.base_offset} of magic {self.magic} and codec {compression.text} "
                f"has {'no value' if packed is None else 'what it cannot have'}"
            )
        if self.magic == 0 and compression is CompressionType.LZ4:
            packed = with_right_checksum(packed)
        messages = list(iter_messages(decompress(compression, packed, max_size_bytes)))
        if not messages:
            raise CorruptRecordError(f"no message is in the wrapper at offset {self.base_offset}")
        return messages

    def _first_offset(self, messages: list[LegacyRecordBatch]) -> int:
        """What to add to the messages' offsets. 0 as a wrapper's offset is what some clients leave there."""
        last = messages[-1].base_offset
        if self.magic == 0 or self.base_offset == 0:
            return 0
        if self.base_offset < last:
            raise CorruptRecordError(
                f"the last message of the wrapper at offset {self.base_offset} has offset {last} in it"
            )
        return self.base_offset - last

    def _record(self, offset: int, append_time_ms: int | None = None) -> LegacyRecord:
        key, value = self._key_and_value()
        timestamp_ms = self.max_timestamp_ms if append_time_ms is None else append_time_ms
        return LegacyRecord(offset, timestamp_ms, key, value, (), self.crc, self.compute_crc() == self.crc)

    def _key_and_value(self) -> tuple[memoryview | None, memoryview | None]:
        message = self._message()
        key, position = self._sized(message, _HEAD.size + (_TIMESTAMP.size if self.magic else 0))
        return key, self._sized(message, position)[0]

    def _message(self) -> memoryview:
        message = self.buffer
        if len(message) < self.size_bytes:
            raise CorruptRecordError(
                f"message at offset {self.base_offset} says {self.size_bytes} bytes; {len(message)} are there"
            )
        return message

    def _sized(self, message: memoryview, position: int) -> tuple[memoryview | None, int]:
        start = position + _SIZE.size
        if start <= len(message):
            size = _SIZE.unpack_from(message, position)[0]
            if size < 0:
                return None, start
            if start + size <= len(message):
                return message[start : start + size], start + size
        raise CorruptRecordError(
            f"message at offset {self.base_offset} ends at {len(message)}, within the field at {position}"
        )

    def __repr__(self) -> str:
        return (
            f"LegacyRecordBatch(magic {self.magic}, offset {self.base_offset}, {self.size_bytes} bytes, "
            f"codec {self.attributes & COMPRESSION_MASK})"
        )


def legacy_timestamp(magic: int, buffer: Buffer, position: int) -> int:
    """That of the message at `position`; -1 in version 0, which has none."""
    return int(_TIMESTAMP.unpack_from(buffer, position + _HEAD.size)[0]) if magic else NO_TIMESTAMP


def iter_messages(buffer: Buffer) -> Iterator[LegacyRecordBatch]:
    """Yield the messages of a message set, up to one that is cut off. Their CRCs are not checked.

    Raises CorruptRecordError at a size smaller than any message's.
    """
    position, end = 0, len(buffer)
    while end - position >= MIN_ENTRY_SIZE:
        message = LegacyRecordBatch(buffer, position)
        position += message.size_bytes
        if position > end:
            return
        yield message


BATCH_TYPES: Final[Sequence[type[RecordBatch]]] = [
    RecordBatch if MAGIC <= magic_byte < 128 else LegacyRecordBatch for magic_byte in range(256)
]
"""What an entry of a segment is, by its magic: below 2, negatives too, an old message (as in Kafka)."""


def read_batch(buffer: Buffer, position: int = 0) -> RecordBatch:
    """The batch of whichever version at `position`.

    Raises CorruptRecordError where the header is not all there, or says a size smaller than itself.
    """
    if len(buffer) - position < MIN_ENTRY_SIZE:
        return LegacyRecordBatch(buffer, position)  # which says so
    return BATCH_TYPES[buffer[position + MAGIC_POSITION]](buffer, position)
