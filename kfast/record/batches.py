"""Batches one after the other in a buffer: what a produce request carries, a fetch returns and a segment holds.

"There is more to come" is no error: an incomplete batch at the end ends the iteration. Damage is one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kfast.errors import CorruptRecordError
from kfast.record.batch import RecordBatch
from kfast.record.layout import LENGTH_POSITION, LOG_OVERHEAD
from kfast.record.legacy_batch import MIN_ENTRY_SIZE, read_batch
from kfast.varint import Buffer

_LENGTH: Final = struct.Struct(">i")


@dataclass(frozen=True, slots=True)
class ValidPrefix:
    """How far a buffer holds whole, undamaged batches."""

    size_bytes: int
    next_offset: int | None
    """Offset after the last valid record; None where there is no valid batch."""
    count: int
    """Number of valid batches."""
    reason: str | None
    """Why the rest is not valid; None where there is no rest."""


def iter_batches(buffer: Buffer, position: int = 0) -> Iterator[RecordBatch]:
    """Yield the batches from `position` on, of whichever version, up to an incomplete one. CRCs are not checked.

    Raises CorruptRecordError at a size smaller than a header, after which nothing can be found.
    """
    end = len(buffer)
    while (size := _whole_batch_size(buffer, position, end)) is not None:
        yield read_batch(buffer, position)
        position += size


def valid_prefix(buffer: Buffer) -> ValidPrefix:
    """Find where the first damaged or incomplete batch begins, if any: each batch's size, magic and CRC are checked."""
    size_bytes = count = 0
    next_offset = reason = None
    try:
        for batch in iter_batches(buffer):
            batch.ensure_valid()
            size_bytes += batch.size_bytes
            next_offset = batch.next_offset
            count += 1
        if size_bytes < len(buffer):
            reason = f"the batch at position {size_bytes} is cut off after {len(buffer) - size_bytes} bytes"
    except CorruptRecordError as error:
        reason = str(error)
    return ValidPrefix(size_bytes, next_offset, count, reason)


def _whole_batch_size(buffer: Buffer, position: int, end: int) -> int | None:
    """Size of the batch at `position`; None where it is not all there."""
    if end - position < LOG_OVERHEAD:
        return None
    size: int = _LENGTH.unpack_from(buffer, position + LENGTH_POSITION)[0] + LOG_OVERHEAD
    if size < MIN_ENTRY_SIZE:
        raise CorruptRecordError(f"batch at position {position} says {size} bytes; the smallest is {MIN_ENTRY_SIZE}")
    return size if position + size <= end else None
