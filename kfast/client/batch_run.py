"""Where the batches in a fetch response end, found without looking at a record.

A consumer must know the offset after the last batch it received whole, and that stands in the batch's header. Walking
from header to header costs a Python step for each batch; here a run of batches of one size, which is what a load
generator's log holds, is walked by comparing the four bytes of their length fields a whole column at a time, in C. It
is the same walk: if the first batch is S bytes long and so is each batch found S bytes after one, the run is proven.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from kfast.record.layout import HEADER_SIZE, LENGTH_POSITION, LOG_OVERHEAD

_LENGTH = struct.Struct(">i")


@dataclass(frozen=True, slots=True)
class BatchRun:
    """`count` whole batches; the last starts at `last_position`. What follows `end_position` is an incomplete one."""

    count: int
    last_position: int
    end_position: int


def whole_batches(buffer: bytearray | memoryview, position: int, end: int) -> BatchRun:
    """Walk the batches between `position` and `end`. Sizes that cannot be end the walk, as an incomplete batch does."""
    count, last, galloping = 0, position, 1
    while end - position >= HEADER_SIZE:
        size = _LENGTH.unpack_from(buffer, position + LENGTH_POSITION)[0] + LOG_OVERHEAD
        if size < HEADER_SIZE or position + size > end:
            break
        limit = min((end - position) // size, galloping)
        run = equal_lengths(buffer, position, size, limit) if limit > 1 else 1
        galloping = galloping * 2 if run == limit else 1  # mixed sizes must not scan the rest again at each batch
        count += run
        last = position + (run - 1) * size
        position += run * size
    return BatchRun(count, last, position)


def equal_lengths(buffer: bytearray | memoryview, position: int, size: int, limit: int) -> int:
    """How many of `limit` places, `size` apart from `position` on, hold the length field of a batch of that size."""
    field = position + LENGTH_POSITION
    expected = _LENGTH.pack(size - LOG_OVERHEAD)
    for byte in range(4):
        column = bytes(buffer[field + byte : field + byte + (limit - 1) * size + 1 : size])  # one byte a batch
        limit = min(limit, len(column) - len(column.lstrip(expected[byte : byte + 1])))
    return limit
