"""A log directory that Apache Kafka wrote, unpacked for as long as somebody looks at it, and what Kafka says of it.

    golden = GoldenDirectory("01-plain")
    golden.path / "sparse-0"            a partition as the broker left it
    golden.facts("sparse-0")            offsets, index entries, look-ups and digests, according to Kafka

    crash = GoldenDirectory("10-crash-torn-header", logdir="damaged")
    crash.partition                     the one that was damaged
    crash.after_recovery                what Kafka made of it

`digest` sums up records as the facts do, so that one line says whether all of them are the same. data/golden/README.md
describes archives and facts.
"""

from __future__ import annotations

import hashlib
import json
import struct
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import kfast
from kfast.record.record import Record
from kfast.varint import Buffer

LOG_DIRECTORY: Final = "log"

_INT32: Final = struct.Struct(">i")
_OFFSET_AND_TIMESTAMP: Final = struct.Struct(">qq")


class GoldenDirectory:
    """One case of data/golden in a temporary directory of its own, which goes with this object.

    What is changed there is changed for this object alone.
    """

    def __init__(self, case: str, logdir: str = LOG_DIRECTORY) -> None:
        archives = kfast.data_path("data", "golden")
        manifest = json.loads((archives / "manifest.json").read_text())
        self.case = case
        self.kafka_version: str = manifest["kafka_version"]
        self._facts: dict[str, Any] = manifest["cases"][case]
        self._partitions: dict[str, Any] = self._facts["logdirs"][logdir]["partitions"]
        self._directory = tempfile.TemporaryDirectory(prefix="kfast-golden-")
        self.path = Path(self._directory.name) / logdir
        with tarfile.open(archives / f"{case}.tar.gz") as archive:
            # The first releases of Python 3.11 know no extractall(filter=...); the attribute does no harm there.
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(self._directory.name)

    def facts(self, partition: str) -> dict[str, Any]:
        """What the manifest says of a partition's directory, such as "sparse-0"."""
        facts: dict[str, Any] = self._partitions[partition]
        return facts

    @property
    def partition(self) -> Path:
        """The directory that was damaged; KeyError where none was."""
        return self.path / str(self._facts["partition"])

    @property
    def after_recovery(self) -> dict[str, Any]:
        """What Kafka made of the damage when it was started on it; data/golden/README.md names the fields."""
        facts: dict[str, Any] = self._facts["after_recovery"]
        return facts

    def __repr__(self) -> str:
        return f"GoldenDirectory({self.case!r}, written by Apache Kafka {self.kafka_version})"


def digest(records: Iterable[Record]) -> list[int | str]:
    """Return [count, SHA-256] over offset, timestamp, key, value and headers of each record, in their order."""
    total = hashlib.sha256()
    count = 0
    for record in records:
        count += 1
        total.update(_OFFSET_AND_TIMESTAMP.pack(record.offset, record.timestamp_ms))
        _add(total, record.key)
        _add(total, record.value)
        total.update(_INT32.pack(len(record.headers)))
        for name, value in record.headers:
            _add(total, name.encode())
            _add(total, value)
    return [count, total.hexdigest()]


def _add(total: Any, data: Buffer | None) -> None:
    total.update(_INT32.pack(-1 if data is None else len(data)))
    if data is not None:
        total.update(data)
