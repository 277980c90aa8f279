"""The checksum in the header of an LZ4 frame, which Kafka's clients before 0.10 computed over bytes too many.

    magic 4 | flags | block size | content size 8, if a flag says so | checksum | blocks

Messages of version 0 have it wrong and are read regardless; those of version 1 have it right, and are checked.
Source: Kafka's Lz4BlockOutputStream (`useBrokenFlagDescriptorChecksum`, KAFKA-3160).
"""

from __future__ import annotations

from typing import Final

from kfast.varint import Buffer

_DESCRIPTOR_POSITION: Final = 4
_CONTENT_SIZE_MASK: Final = 0x08
_UINT32: Final = 0xFFFFFFFF
_PRIMES: Final = (2654435761, 2246822519, 3266489917, 668265263, 374761393)


def with_right_checksum(frame: Buffer) -> Buffer:
    """A copy of an LZ4 frame whose header has the checksum that a strict reader asks for."""
    view = memoryview(frame)
    if len(view) <= _DESCRIPTOR_POSITION:
        return frame  # no frame, as decompressing will say
    end = _DESCRIPTOR_POSITION + (10 if view[_DESCRIPTOR_POSITION] & _CONTENT_SIZE_MASK else 2)
    checksum = xxh32(view[_DESCRIPTOR_POSITION:end]) >> 8 & 0xFF
    return b"".join((view[:end], bytes([checksum]), view[end + 1 :]))


def xxh32(data: Buffer) -> int:
    """The xxHash of fewer than 16 bytes, which is what a header has, with seed 0."""
    first, second, third, fourth, fifth = _PRIMES
    assert len(data) < 16
    words = len(data) - len(data) % 4
    state = fifth + len(data)
    for position in range(0, words, 4):
        word = int.from_bytes(data[position : position + 4], "little")
        state = _rotate(state + word * third, 17) * fourth
    for byte in memoryview(data)[words:]:
        state = _rotate(state + byte * fifth, 11) * first
    state &= _UINT32
    state = (state ^ state >> 15) * second & _UINT32
    state = (state ^ state >> 13) * third & _UINT32
    return state ^ state >> 16


def _rotate(number: int, bits: int) -> int:
    number &= _UINT32
    return (number << bits | number >> (32 - bits)) & _UINT32
