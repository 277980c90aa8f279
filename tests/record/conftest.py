"""Batches of this package's own tests, and those Apache Kafka wrote."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from kfast.record.batch import RecordBatch
from kfast.record.batches import iter_batches
from kfast.record.builder import RecordBatchBuilder
from kfast.record.record import Record


@pytest.fixture(scope="session")
def build() -> Callable[..., bytearray]:
    """`build(count, **builder_arguments)` is a batch of `count` small records."""

    def build(count: int = 3, **arguments: object) -> bytearray:
        builder = RecordBatchBuilder(**arguments)  # type: ignore[arg-type]
        for number in range(count):
            builder.append(b"key-%d" % number, b"value " * number, 1_760_000_000_000 + number, [("n", b"%d" % number)])
        return builder.build()

    return build


@pytest.fixture(scope="session")
def read_segments() -> Callable[[Path], Iterator[RecordBatch]]:
    """The whole batches of a partition directory, segment by segment."""

    def read(directory: Path) -> Iterator[RecordBatch]:
        for path in sorted(directory.glob("*.log")):
            yield from iter_batches(path.read_bytes())

    return read


@pytest.fixture(scope="session")
def digest() -> Callable[[Iterable[Record]], list[object]]:
    """[count, sha256] as data/golden/README.md defines it."""

    def blob(data: bytes | memoryview | None) -> bytes:
        return struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + bytes(data)

    def digest(records: Iterable[Record]) -> list[object]:
        count, sha = 0, hashlib.sha256()
        for record in records:
            count += 1
            sha.update(struct.pack(">qq", record.offset, record.timestamp_ms) + blob(record.key) + blob(record.value))
            sha.update(struct.pack(">i", len(record.headers)))
            for name, value in record.headers:
                sha.update(blob(name.encode()) + blob(value))
        return [count, sha.hexdigest()]

    return digest
