"""Variable-length integers as Kafka writes them: seven bits a byte, low bits first, the top bit set while more follow.

Signed numbers are folded first (0, -1, 1, -2 become 0, 1, 2, 3: zig-zag), so that small negatives stay short.
Lengths in records are signed (-1 is null); lengths in compact protocol fields are unsigned (0 is null).
"""

from __future__ import annotations

from kfast.errors import CorruptRecordError

Buffer = bytes | bytearray | memoryview

MAX_VARINT_SIZE = 10
"""Bytes of the longest varint, one of 64 bits."""


def read_unsigned(buffer: Buffer, position: int) -> tuple[int, int]:
    """Return (value, position after it).

    Raises CorruptRecordError where the buffer ends inside it, and where ten bytes do not end it.
    """
    try:
        value = buffer[position]
        position += 1
        if value < 0x80:
            return value, position
        value &= 0x7F
        shift = 7
        while True:
            byte = buffer[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, position
            shift += 7
            if shift >= 7 * MAX_VARINT_SIZE:
                raise CorruptRecordError(f"varint before position {position} is longer than {MAX_VARINT_SIZE} bytes")
    except IndexError:
        raise CorruptRecordError(f"varint is cut off at position {position}, the end of the buffer") from None


def read_signed(buffer: Buffer, position: int) -> tuple[int, int]:
    """Return (value, position after it) of a zig-zag varint."""
    folded, position = read_unsigned(buffer, position)
    return (folded >> 1) ^ -(folded & 1), position


def write_unsigned(value: int, out: bytearray) -> None:
    """Append `value`, 0 or more, to `out`."""
    if value < 0:
        raise ValueError(f"an unsigned varint cannot hold {value}")
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def write_signed(value: int, out: bytearray) -> None:
    """Append `value`, of at most 64 bits, to `out` as a zig-zag varint."""
    write_unsigned((value << 1) ^ (value >> 63), out)
