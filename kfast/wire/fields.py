"""The field types of Kafka's messages, for the messages read and written by hand (cold ones go through kio).

    legacy     string: int16 size, bytes    bytes: int32 size, bytes    array: int32 count, items    null: -1
    compact    all: unsigned varint of size or count plus one, then the bytes or items                null: 0
    tags       unsigned varint count, then (tag, size, bytes) each; flexible messages and structs end with them

Readers take (buffer, position) and return (value, position after it). They check every announced size against the
bytes that are there before anything is made from it. What they raise is in `DECODE_ERRORS`; the public function of each
message turns that into one MalformedFrameError that names the message. Writers append to a bytearray.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from uuid import UUID

from kfast.errors import CorruptRecordError, MalformedFrameError
from kfast.varint import read_unsigned, write_unsigned

DECODE_ERRORS = (MalformedFrameError, CorruptRecordError, IndexError, struct.error, UnicodeDecodeError)
"""What a reader raises at bytes that are cut off, announce more than is there, or are no text."""

INT16 = struct.Struct(">h")
INT32 = struct.Struct(">i")

MAX_ITEMS = 1 << 18
"""Array items in one message: at about 200 bytes an item, a hostile 100 MB request costs 50 MB of memory, not 10 GB."""

MAX_TAGS = 1000
"""Tagged fields in one place of a message; no schema of Kafka's has ten."""

UUID_SIZE = 16
ZERO_UUID = bytes(UUID_SIZE)

StringReader = Callable[[memoryview, int], tuple[str, int]]
NullableStringReader = Callable[[memoryview, int], tuple[str | None, int]]
BytesReader = Callable[[memoryview, int], tuple[memoryview | None, int]]
CountReader = Callable[[memoryview, int, int], tuple[int, int]]


def _slice(buffer: memoryview, position: int, size: int) -> tuple[memoryview, int]:
    end = position + size
    if size < 0 or end > len(buffer):
        raise _beyond_the_end(buffer, position, size)
    return buffer[position:end], end


def _beyond_the_end(buffer: memoryview, position: int, size: int) -> MalformedFrameError:
    return MalformedFrameError(f"{size} bytes announced at position {position}, {len(buffer) - position} are left")


def read_string(buffer: memoryview, position: int) -> tuple[str, int]:
    (size,) = INT16.unpack_from(buffer, position)
    data, position = _slice(buffer, position + 2, size)
    return str(data, "utf-8"), position


def read_nullable_string(buffer: memoryview, position: int) -> tuple[str | None, int]:
    (size,) = INT16.unpack_from(buffer, position)
    if size == -1:
        return None, position + 2
    data, position = _slice(buffer, position + 2, size)
    return str(data, "utf-8"), position


def read_compact_string(buffer: memoryview, position: int) -> tuple[str, int]:
    size_plus_one, position = read_unsigned(buffer, position)
    end = position + size_plus_one - 1
    if not size_plus_one or end > len(buffer):
        raise _beyond_the_end(buffer, position, size_plus_one - 1)
    return str(buffer[position:end], "utf-8"), end


def read_compact_nullable_string(buffer: memoryview, position: int) -> tuple[str | None, int]:
    data, position = read_compact_bytes(buffer, position)
    return data if data is None else str(data, "utf-8"), position


def read_bytes(buffer: memoryview, position: int) -> tuple[memoryview | None, int]:
    """A view of the buffer, not a copy; None for null."""
    (size,) = INT32.unpack_from(buffer, position)
    if size == -1:
        return None, position + 4
    return _slice(buffer, position + 4, size)


def read_compact_bytes(buffer: memoryview, position: int) -> tuple[memoryview | None, int]:
    """A view of the buffer, not a copy; None for null."""
    size_plus_one, position = read_unsigned(buffer, position)
    if not size_plus_one:
        return None, position
    end = position + size_plus_one - 1
    if end > len(buffer):
        raise _beyond_the_end(buffer, position, size_plus_one - 1)
    return buffer[position:end], end


def read_count(buffer: memoryview, position: int, item_size: int) -> tuple[int, int]:
    """Items of an array that is not nullable. `item_size` is the least an item takes: more than fit are malformed."""
    (count,) = INT32.unpack_from(buffer, position)
    return _checked_count(count, buffer, position + 4, item_size), position + 4


def read_compact_count(buffer: memoryview, position: int, item_size: int) -> tuple[int, int]:
    count_plus_one, position = read_unsigned(buffer, position)
    return _checked_count(count_plus_one - 1, buffer, position, item_size), position


def read_nullable_count(buffer: memoryview, position: int, item_size: int) -> tuple[int, int]:
    """Items of an array, -1 for null."""
    if INT32.unpack_from(buffer, position)[0] == -1:
        return -1, position + 4
    return read_count(buffer, position, item_size)


def read_compact_nullable_count(buffer: memoryview, position: int, item_size: int) -> tuple[int, int]:
    """Items of an array, -1 for null."""
    if not buffer[position]:
        return -1, position + 1
    return read_compact_count(buffer, position, item_size)


def _checked_count(count: int, buffer: memoryview, position: int, item_size: int) -> int:
    left = len(buffer) - position
    if count < 0 or count * item_size > left:
        raise MalformedFrameError(
            f"{count} items of at least {item_size} bytes announced at position {position}, {left} bytes are left"
        )
    return count


def ensure_few(count: int, position: int) -> None:
    """Raise MalformedFrameError where a message has come to more than MAX_ITEMS items in its arrays."""
    if count > MAX_ITEMS:
        raise MalformedFrameError(f"more than {MAX_ITEMS} array items in one message, {count} at {position}")


def skip_tags(buffer: memoryview, position: int) -> int:
    if not buffer[position]:
        return position + 1
    return read_tags(buffer, position)[1]


def read_tags(buffer: memoryview, position: int) -> tuple[dict[int, memoryview], int]:
    tags: dict[int, memoryview] = {}
    count, position = read_unsigned(buffer, position)
    if count > MAX_TAGS:
        raise MalformedFrameError(f"{count} tagged fields at position {position}, {MAX_TAGS} are allowed")
    for _ in range(_checked_count(count, buffer, position, 2)):
        tag, position = read_unsigned(buffer, position)
        size, position = read_unsigned(buffer, position)
        tags[tag], position = _slice(buffer, position, size)
    return tags, position


@lru_cache(maxsize=1024)
def _uuid(data: bytes) -> UUID:
    return UUID(bytes=data)


def read_uuid(buffer: memoryview, position: int) -> tuple[UUID | None, int]:
    """None for the zero id. A client names the same few topics over and over: their ids are made once (1.5 µs each)."""
    data, position = _slice(buffer, position, UUID_SIZE)
    key = bytes(data)  # 16 bytes, to look it up
    return (None if key == ZERO_UUID else _uuid(key)), position


def write_string(value: str, out: bytearray) -> None:
    data = value.encode()
    out += INT16.pack(len(data))
    out += data


def write_nullable_string(value: str | None, out: bytearray) -> None:
    if value is None:
        out += b"\xff\xff"
    else:
        write_string(value, out)


def write_compact_string(value: str, out: bytearray) -> None:
    data = value.encode()
    write_compact_count(len(data), out)
    out += data


def write_compact_nullable_string(value: str | None, out: bytearray) -> None:
    if value is None:
        out.append(0)
    else:
        write_compact_string(value, out)


def write_count(count: int, out: bytearray) -> None:
    """The head of an array; -1 is null."""
    out += INT32.pack(count)


def write_compact_count(count: int, out: bytearray) -> None:
    """The head of an array, or of bytes; -1 is null."""
    if count < 0x7F:
        out.append(count + 1)
    else:
        write_unsigned(count + 1, out)


def write_uuid(value: UUID | None, out: bytearray) -> None:
    out += ZERO_UUID if value is None else value.bytes
