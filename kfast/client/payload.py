"""What the load generators write: the same bytes on every run, and compressible as text is.

The values are pieces of one megabyte of words drawn with a fixed seed. A batch is built once and sent many times, so
what a record costs its producer is left out of every figure that the raw load gives.
"""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass, fields, replace
from typing import Any

from kfast.record.builder import RecordBatchBuilder
from kfast.record.compression import CompressionType

TEXT_SIZE = 1 << 20
"""Longer than the window of every codec but zstd's, so that batches of up to a megabyte do not repeat themselves."""

_COMPRESSION_TYPES = {kind.name.lower(): kind for kind in CompressionType}

_WORDS = (
    b"order customer payment invoice shipment warehouse basket product price discount currency account transfer "
    b"balance sensor temperature pressure humidity voltage position speed heading altitude signal battery session "
    b"page click search result impression campaign referrer browser country region city language device version "
    b"accepted rejected pending cancelled delivered returned refunded created updated deleted started finished the "
    b"of to and in is that for it on with as was at by an be this from or are not 0 1 2 3 5 7 11 13 17 19 23 2024"
).split()


@functools.cache
def text() -> bytes:
    """One megabyte of words, the same on every machine and in every run."""
    words = random.Random("kfast").choices(_WORDS, k=TEXT_SIZE // 4)
    return b" ".join(words)[:TEXT_SIZE]


def value(number: int, size_bytes: int) -> bytes:
    """The value of record `number`: `size_bytes` of the text, each from where the one before ended."""
    source = text()
    start = number * size_bytes % len(source)
    piece = source[start : start + size_bytes]
    while len(piece) < size_bytes:
        piece += source[: size_bytes - len(piece)]
    return piece


@dataclass(frozen=True, slots=True)
class BatchShape:
    """What a produce load may change while it runs. Raises ValueError for a shape no batch has."""

    batch_records: int
    record_size: int
    compression: str = "none"

    def __post_init__(self) -> None:
        if self.batch_records < 1 or self.record_size < 0:
            raise ValueError(f"no batch has {self.batch_records} records of {self.record_size} bytes")
        if self.compression not in _COMPRESSION_TYPES:
            raise ValueError(f"compression is one of {', '.join(_COMPRESSION_TYPES)}, not {self.compression!r}")

    def changed(self, name: str, new_value: Any) -> BatchShape:
        """The shape with one field changed."""
        known = [field.name for field in fields(self)]
        if name not in known:
            raise ValueError(f"a running produce load can change {', '.join(known)}, not {name}")
        return replace(self, **{name: new_value})


def build_batch(shape: BatchShape, *, timestamp_ms: int) -> bytearray:
    """One batch of records without keys."""
    builder = RecordBatchBuilder(compression=_COMPRESSION_TYPES[shape.compression])
    for number in range(shape.batch_records):
        builder.append(None, value(number, shape.record_size), timestamp_ms)
    return builder.build()
