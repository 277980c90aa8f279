"""What the load generators write: English text, the same bytes on every run with one version of Python.

The values are pieces of the reference that Python's own `help()` shows, so that they compress as text does. A batch is
built once and sent many times, so what a record costs its producer is left out of every figure that the raw load gives.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields, replace
from typing import Any

from kfast.client.counters import LoadError
from kfast.record.builder import RecordBatchBuilder
from kfast.record.compression import CompressionType

TEXT_SIZE = 448 << 10
"""What the topics of Python 3.11 fill; those after it have more. It is longer than the window of every codec but
zstd's, which finds the text again in larger batches.
"""

_COMPRESSION_TYPES = {kind.name.lower(): kind for kind in CompressionType}


@functools.cache
def text() -> bytes:
    """Python's documentation topics, in the order of their names. Raises LoadError where Python comes without them."""
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise LoadError(
            f"the values are text of pydoc_data.topics, which is a part of Python and missing here: {error}"
        ) from error
    whole = "\n\n".join(topics[name] for name in sorted(topics)).encode()
    if len(whole) < TEXT_SIZE:
        raise LoadError(f"pydoc_data.topics holds {len(whole)} bytes of text, {TEXT_SIZE} are wanted")
    return whole[:TEXT_SIZE]


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
