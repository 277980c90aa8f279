"""Which bytes of a Fetch response are what: the fields that the broker writes, and the slice of a file between them.

    chunks = fetch_response(log, offset)      what a broker hands to the transfer: bytes, a FileSlice, bytes
    response_fields(chunks)                   every byte of the frame that a consumer receives

The layout is that of the newest version served, as `wire.fetch` draws and reads it. Its places are followed here once
more, for nothing but a picture asks where a field begins. Tests hold both against each other.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, TypeAlias
from uuid import UUID

from kfast.file_slice import FileSlice
from kfast.lab.byte_fields import ByteField, Part
from kfast.log.log import Log
from kfast.wire import fields
from kfast.wire.api_versions import API_VERSIONS, ApiKey
from kfast.wire.fetch import FetchPartitionResponse, FetchResponse, FetchTopicResponse, write_fetch_response

VERSION: Final = API_VERSIONS[ApiKey.FETCH].max
TOPIC_ID: Final = UUID("6b666173-7400-4000-8000-000000000001")
FETCH_SIZE: Final = 8 << 10

Numbers: TypeAlias = tuple[tuple[str, str], ...]
"""Names with their codes for `struct`."""

HEAD: Final[Numbers] = (
    ("size", "i"),
    ("correlation_id", "i"),
    ("header tags", "B"),
    ("throttle_time_ms", "i"),
    ("error_code", "h"),
    ("session_id", "i"),
)
PARTITION: Final[Numbers] = (
    ("partition", "i"),
    ("error_code", "h"),
    ("high_watermark", "q"),
    ("last_stable_offset", "q"),
    ("log_start_offset", "q"),
)
ABORTED: Final[Numbers] = (("producer_id", "q"), ("first_offset", "q"), ("tags", "B"))
READ_REPLICA: Final[Numbers] = (("preferred_read_replica", "i"),)
TAGS: Final[Numbers] = (("tags", "B"),)


def fetch_response(log: Log, offset: int, max_bytes: int = FETCH_SIZE) -> list[bytes | FileSlice]:
    """The answer to a fetch of one partition from `offset` on. Raises OffsetOutOfRangeError."""
    records, _, log_start_offset, high_watermark, last_stable_offset, _ = log.read(offset, max_bytes)
    partition = FetchPartitionResponse(0, 0, high_watermark, last_stable_offset, log_start_offset, None, records)
    chunks = write_fetch_response(VERSION, 1, FetchResponse([FetchTopicResponse(None, TOPIC_ID, [partition])]))
    return [chunk if isinstance(chunk, FileSlice) else bytes(chunk) for chunk in chunks]  # type: ignore[call-overload]


def frame_of(chunks: Sequence[bytes | FileSlice]) -> bytes:
    """What the consumer receives. For pictures: a broker never has it in one piece."""
    return b"".join(chunk.read() if isinstance(chunk, FileSlice) else chunk for chunk in chunks)


def response_fields(chunks: Sequence[bytes | FileSlice]) -> list[ByteField]:
    """Of a response of the newest version. Raises one of `wire.fields.DECODE_ERRORS` for anything else."""
    reader = _Reader(chunks)
    reader.numbers(HEAD)
    for _ in range(reader.count("topics")):
        reader.topic_id()
        for _ in range(reader.count("partitions")):
            reader.numbers(PARTITION)
            for _ in range(reader.count("aborted transactions")):
                reader.numbers(ABORTED)
            reader.numbers(READ_REPLICA)
            reader.records()
            reader.numbers(TAGS)
        reader.numbers(TAGS)
    reader.numbers(TAGS)
    return reader.found


class _Reader:
    """Walks over a frame; `found` are the fields it has met."""

    def __init__(self, chunks: Sequence[bytes | FileSlice]) -> None:
        self.found: list[ByteField] = []
        self._frame = memoryview(frame_of(chunks))
        self._position = 0
        self._slices: dict[int, FileSlice] = {}
        start = 0
        for chunk in chunks:
            if isinstance(chunk, FileSlice):
                self._slices[start] = chunk
            start += len(chunk)

    def numbers(self, named: Numbers) -> None:
        for name, code in named:
            (value,) = struct.unpack_from(f">{code}", self._frame, self._position)
            self._add(name, self._position + struct.calcsize(f">{code}"), _text(name, value))

    def count(self, name: str) -> int:
        """How many items follow, none for null."""
        count, end = fields.read_compact_nullable_count(self._frame, self._position, 1)
        self._add(name, end, "null" if count < 0 else str(count))
        return count

    def topic_id(self) -> None:
        value, end = fields.read_uuid(self._frame, self._position)
        self._add("topic_id", end, f"{str(value)[:13]}...")

    def records(self) -> None:
        """Their size, and the slice that they are; nobody has looked into it."""
        data, end = fields.read_compact_bytes(self._frame, self._position)
        size = len(data or b"")
        self._add("records size", end - size, f"{size} bytes follow")
        if file_slice := self._slices.get(self._position):
            first, last = file_slice.position, file_slice.position + file_slice.size - 1
            self._add("slice of the file", end, f"its bytes {first:,} to {last:,}", Part.SLICE)

    def _add(self, name: str, end: int, text: str, part: Part = Part.RESPONSE) -> None:
        self.found.append(ByteField(name, self._position, end - self._position, text, part))
        self._position = end


def _text(name: str, value: int) -> str:
    if name == "size":
        return f"{value} bytes follow"
    if name.endswith("tags"):
        return "none" if value == 0 else str(value)
    return "none" if name == "preferred_read_replica" and value < 0 else str(value)
