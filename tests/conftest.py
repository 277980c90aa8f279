"""What tests of every layer share: the log directories that Apache Kafka wrote, and Apache Kafka itself."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import tarfile
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

import kfast
from kfast.record.record import Record


class Golden:
    """The archives of data/golden, unpacked when a test asks for them."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self._archives = kfast.data_path("data", "golden")

    def __call__(self, case: str) -> Path:
        """The directory `case` is unpacked to, shared by all tests of the run: for reading only."""
        directory = self._workspace / case
        return directory if directory.exists() else self.extract(case, directory)

    def extract(self, case: str, directory: Path) -> Path:
        """Unpack `case` into `directory`, for a test that changes it."""
        with tarfile.open(self._archives / f"{case}.tar.gz") as archive:
            # The first releases of Python 3.11 know no extractall(filter=...); the attribute does no harm there.
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(directory)
        return directory

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What is true of the archives; `["cases"][case]` of one of them."""
        loaded: dict[str, Any] = json.loads((self._archives / "manifest.json").read_text())
        return loaded


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Golden:
    """`golden("01-plain") / "log" / "dense-0"` is a partition directory; `golden.manifest` says what holds of it."""
    return Golden(tmp_path_factory.mktemp("golden"))


@pytest.fixture(scope="session")
def kafka_libs() -> Path:
    """The jars of Apache Kafka 4.1, in $KFAST_KAFKA_LIBS or where .ci/run puts them; without, the test is skipped."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kfast" / "kafka-libs"
    libs = Path(os.environ.get("KFAST_KAFKA_LIBS") or cache)
    if shutil.which("java") is None:
        pytest.skip("there is no java; Apache Kafka needs Java 17")
    if not list(libs.glob("kafka_*.jar")):
        pytest.skip(f"{libs} holds no jars of Apache Kafka 4.1; .ci/run fetches them, KFAST_KAFKA_LIBS names others")
    return libs


@pytest.fixture
def digest() -> Callable[[Iterable[Record]], list[Any]]:
    """`digest(records)` is [count, sha256], as data/golden/README.md says."""

    def blob(data: Any) -> bytes:
        return struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + bytes(data)

    def digest_of(records: Iterable[Record]) -> list[Any]:
        sha, count = hashlib.sha256(), 0
        for record in records:
            sha.update(struct.pack(">qq", record.offset, record.timestamp_ms) + blob(record.key) + blob(record.value))
            sha.update(struct.pack(">i", len(record.headers)))
            for name, value in record.headers:
                sha.update(blob(name.encode()) + blob(value))
            count += 1
        return [count, sha.hexdigest()]

    return digest_of
