"""Which bytes of a batch or an index are what: fields with their places and their values in words, for pictures.

The header's places come from `record.layout`, the index's from `log.offset_index`. The places of a record's fields are
those `record.record` draws: they are followed here once more, for nothing but a picture asks where a record's key
begins. Tests hold both against each other.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from kfast.log.offset_index import ENTRY
from kfast.log.segment import LogSegment
from kfast.record.batch import RecordBatch
from kfast.record.layout import ATTRIBUTES_POSITION, FIELDS, HEADER_SIZE, NO_PRODUCER_ID
from kfast.varint import read_signed

STAMPED_FIELDS = ("base_offset", "partition_leader_epoch")


class Part(Enum):
    """Who looks at a field: brokers at headers and indexes, clients at records, and both at what frames a response.

    Of a slice of a file the broker that sends it knows the place and nothing else.
    """

    HEADER = "header"
    RECORDS = "records"
    INDEX = "index"
    RESPONSE = "response"
    SLICE = "slice"


@dataclass(frozen=True, slots=True)
class ByteField:
    """`size` bytes from `position` on, of a batch, an index file or a response; `value` in words."""

    name: str
    position: int
    size: int
    value: str
    part: Part

    @property
    def is_stamped(self) -> bool:
        """Whether the broker writes it into the producer's bytes."""
        return self.part is Part.HEADER and self.name in STAMPED_FIELDS

    @property
    def is_checked(self) -> bool:
        """Whether the batch's checksum covers it."""
        return self.part in (Part.HEADER, Part.RECORDS) and self.position >= ATTRIBUTES_POSITION


def batch_fields(batch: RecordBatch) -> list[ByteField]:
    """Header, first record, and what follows it. A compressed batch has no records to be seen, only bytes."""
    fields = list(_header_fields(batch))
    if not batch.is_compressed and batch.count:
        fields += _record_fields(batch)
    end = fields[-1].position + fields[-1].size
    if end < batch.size_bytes:
        fields.append(_rest(batch, end))
    return fields


def index_fields(segment: LogSegment, entry_count: int) -> list[ByteField]:
    """The first entries of a segment's offset index, two fields each."""
    fields = []
    for number in range(min(entry_count, len(segment.offset_index))):
        entry, place = segment.offset_index.entry(number), number * ENTRY.size
        relative = entry.offset - segment.base_offset
        fields.append(ByteField("offset", place, 4, f"{relative} above the base: {entry.offset}", Part.INDEX))
        fields.append(ByteField("position", place + 4, 4, f"{entry.position:,} in the .log file", Part.INDEX))
    return fields


def _header_fields(batch: RecordBatch) -> Iterator[ByteField]:
    position = 0
    for name, code in FIELDS:
        (value,) = struct.unpack_from(f">{code}", batch.buffer, position)
        size = struct.calcsize(f">{code}")
        yield ByteField(name, position, size, _header_text(batch, name, value), Part.HEADER)
        position += size


def _header_text(batch: RecordBatch, name: str, value: int) -> str:
    match name:
        case "batch_length":
            return f"{value} bytes follow"
        case "crc":
            return f"{value:#010x}, " + ("right" if batch.compute_crc() == value else "WRONG")
        case "attributes":
            return f"{batch.compression.name.lower()}, {batch.timestamp_type.text}"
        case "last_offset_delta":
            return f"{value}: the last offset is {batch.last_offset}"
        case "max_timestamp":
            return f"{value - batch.base_timestamp_ms} ms later"
        case "producer_id" | "producer_epoch" | "base_sequence" if batch.producer_id == NO_PRODUCER_ID:
            return f"{value}: not idempotent"
        case _:
            return str(value)


def _record_fields(batch: RecordBatch) -> Iterator[ByteField]:
    """The first record, up to and with its header count."""
    view = batch.buffer
    reader = _Reader(view, HEADER_SIZE)
    yield reader.number("record length", lambda value: f"{value} bytes follow")
    yield reader.bytes("record attributes", 1, "unused")
    yield reader.number("timestamp delta", lambda value: f"{value} ms")
    yield reader.number("offset delta", str)
    for name in ("key", "value"):
        yield reader.number(f"{name} size", lambda size: "null" if size < 0 else f"{size} bytes")
        if reader.value > 0:
            yield reader.bytes(
                name, reader.value, _shown(bytes(view[reader.position : reader.position + reader.value]))
            )
    yield reader.number("header count", str)


class _Reader:
    """Walks over a record; `value` is the last number it met."""

    def __init__(self, view: memoryview, position: int) -> None:
        self._view = view
        self.position = position
        self.value = 0

    def number(self, name: str, text: Callable[[int], str]) -> ByteField:
        start = self.position
        self.value, self.position = read_signed(self._view, start)
        return ByteField(name, start, self.position - start, text(self.value), Part.RECORDS)

    def bytes(self, name: str, size: int, text: str) -> ByteField:
        start = self.position
        self.position += size
        return ByteField(name, start, size, text, Part.RECORDS)


def _rest(batch: RecordBatch, position: int) -> ByteField:
    name, value = "more records", f"{batch.count - 1}, laid out alike"
    if batch.is_compressed:
        name, value = "records", f"{batch.count}, compressed as one"
    return ByteField(name, position, batch.size_bytes - position, value, Part.RECORDS)


def _shown(data: bytes, limit: int = 18) -> str:
    """The beginning of a key or value as text; a dot for what the pictures' font has no letter for."""
    text = data.decode(errors="replace")
    text = text if len(text) <= limit else f"{text[:limit]}..."
    return "".join(character if character.isprintable() and ord(character) < 0x250 else "·" for character in text)
