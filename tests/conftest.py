"""What tests of every layer share: the log directories that Apache Kafka wrote, Apache Kafka itself, and crashes."""

from __future__ import annotations

import builtins
import hashlib
import io
import json
import os
import shutil
import signal
import struct
import tarfile
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pytest

import kfast
from kfast.lab.apache_kafka import free_ports
from kfast.record.record import Record

from .kafka_node import Java, Kafka


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


@pytest.fixture(scope="session")
def java(kafka_libs: Path, tmp_path_factory: pytest.TempPathFactory) -> Java:
    return Java(kafka_libs, tmp_path_factory.mktemp("java"))


@pytest.fixture(name="free_ports")
def free_ports_fixture() -> Callable[[int], list[int]]:
    """`free_ports(2)` are two ports nobody listens on."""
    return free_ports


StartKafka = Callable[..., Kafka]


def _starting(java: Java) -> Iterator[StartKafka]:
    started: list[Kafka] = []

    def start(directory: Path, **settings: str) -> Kafka:
        texts = {name.replace("_", "."): value for name, value in settings.items()}
        started.append(Kafka.formatted(java, directory, texts))
        return started[-1]

    yield start
    for kafka in started:
        kafka.kill()


@pytest.fixture
def start_kafka(java: Java) -> Iterator[StartKafka]:
    """`start_kafka(directory, log_cleaner_threads="1")`: dots in the names of settings are written as underscores."""
    yield from _starting(java)


@pytest.fixture
def start_kafka_by(java: Java) -> Iterator[StartKafka]:
    """`start_kafka_by(directory, bootstrap_servers, properties)`: by a file of settings, as it is."""
    started: list[Kafka] = []

    def start(directory: Path, bootstrap_servers: str, properties: Path) -> Kafka:
        started.append(Kafka(java, directory, bootstrap_servers, properties))
        return started[-1]

    yield start
    for kafka in started:
        kafka.kill()


@pytest.fixture(scope="module")
def start_shared_kafka(java: Java) -> Iterator[StartKafka]:
    """The same, for a module's fixtures."""
    yield from _starting(java)


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


RunUntil = Callable[..., tuple[bool, int]]


@pytest.fixture
def run_until() -> RunUntil:
    """`run_until(work, directory, last, at_the_end)`: do `work` in a child that ends before its step `last`.

    A step changes the disk; a write is two, the second in its midst. `at_the_end` is given the `Disk`, and may have it
    leave what a loss of power would: of a file, what was there at its last fsync; of a directory, its names now, or
    those at its last fsync. The page cache itself outlives a kill.
    """
    return _run_until


def _run_until(
    work: Callable[[], Iterator[None]],
    directory: Path,
    last: int,
    at_the_end: Callable[[Disk], None] = lambda disk: None,
) -> tuple[bool, int]:
    """Do `work` in a child that ends before step `last`; return whether it got that far, and how many pieces it did."""
    directory.mkdir(exist_ok=True)
    output, words = os.pipe()
    child = os.fork()
    if not child:
        try:
            say = partial(os.write, words, b".")
            Disk(directory, last, at_the_end)
            for _ in work():
                say()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(words)
    with open(output, "rb") as file:
        done = len(file.read())
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), status
    return status != 0, done


@dataclass
class Node:
    """A file or directory, and what of it is on the disk."""

    is_directory: bool = False
    synced: bytes = b""
    names: dict[str, Node] = field(default_factory=dict)
    synced_names: dict[str, Node] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path) -> Node:
        """What lies there, all of it on the disk."""
        if not path.is_dir():
            return cls(synced=path.read_bytes())
        names = {child.name: cls.of(child) for child in path.iterdir()}
        return cls(is_directory=True, names=names, synced_names=dict(names))


class Disk:
    """Comes between this process and its files, and ends it by SIGKILL before the step with the number `last`."""

    def __init__(self, root: Path, last: int, at_the_end: Callable[[Disk], None]) -> None:
        self.root = root
        self.count = 0
        self._last = last
        self._at_the_end = at_the_end
        self._top = Node.of(root)
        self._real = {name: getattr(os, name) for name in dir(os) if callable(getattr(os, name))} | {"io.open": io.open}
        for name in ("open", "pwrite", "ftruncate", "replace", "rename", "unlink", "rmdir", "mkdir", "fsync"):
            setattr(os, name, partial(getattr(self, f"_{name}"), self._real[name]))
        builtins.open = io.open = self._open_file  # type: ignore[assignment]

    def _step(self, half: Callable[[], object] = lambda: None) -> None:
        if self.count == self._last:
            half()
            self._at_the_end(self)
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1

    def _node(self, path: str | os.PathLike[str]) -> Node:
        node = self._top
        for name in Path(path).relative_to(self.root).parts:
            node = node.names[name]
        return node

    def _names(self, path: str | os.PathLike[str]) -> dict[str, Node]:
        return self._node(Path(path).parent).names

    def _path(self, fd: int) -> str:
        return os.readlink(f"/proc/self/fd/{fd}")

    def _make(self, path: str | os.PathLike[str], is_directory: bool = False) -> None:
        self._names(path).setdefault(Path(path).name, Node(is_directory))

    def _open(self, real: Any, path: Any, flags: int, *arguments: Any, **named: Any) -> int:
        if flags & os.O_CREAT and not os.path.exists(path):
            self._step()
            self._make(path)
        fd: int = real(path, flags, *arguments, **named)
        return fd

    def _open_file(self, path: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        if "w" not in mode:
            return self._real["io.open"](path, mode, *arguments, **named)
        self._step()
        self._make(path)
        return WrittenFile(self._real["io.open"](path, mode, *arguments, **named), self._step)

    def _pwrite(self, real: Any, fd: int, data: Any, position: int) -> int:
        self._step()
        self._step(lambda: real(fd, bytes(data)[: len(data) // 2], position))
        written: int = real(fd, data, position)
        return written

    def _ftruncate(self, real: Any, fd: int, size: int) -> None:
        if os.fstat(fd).st_size != size:
            self._step()
        real(fd, size)

    def _rename(self, real: Any, source: Any, target: Any) -> None:
        self._step()
        real(source, target)
        self._names(target)[Path(target).name] = self._names(source).pop(Path(source).name)

    _replace = _rename

    def _unlink(self, real: Any, path: Any, *, dir_fd: int | None = None) -> None:
        place = path if dir_fd is None else os.path.join(self._path(dir_fd), path)
        if os.path.exists(place):
            self._step()
            del self._names(place)[Path(place).name]
        real(path, dir_fd=dir_fd)

    _rmdir = _unlink

    def _mkdir(self, real: Any, path: Any, mode: int = 0o777) -> None:
        if not os.path.exists(path):
            self._step()
            self._make(path, is_directory=True)
        real(path, mode)

    def _fsync(self, real: Any, fd: int) -> None:
        self._step()
        path = self._path(fd)
        node = self._node(path)
        if node.is_directory:
            node.synced_names = dict(node.names)
        else:
            node.synced = self._read(path)

    def _read(self, path: str | os.PathLike[str]) -> bytes:
        with self._real["io.open"](path, "rb") as file:
            return bytes(file.read())

    def leave(self, directory: Path, is_named: bool, is_sized: bool) -> None:
        """Make what is there once the power is back: with the names of now, or synced; with the sizes of now, or not.

        What has a size and was not synced is zeros.
        """
        self._leave(self._top, self.root, directory, is_named, is_sized)

    def _leave(self, node: Node, now: Path, path: Path, is_named: bool, is_sized: bool) -> None:
        if node.is_directory:
            self._real["mkdir"](path)
            for name, child in (node.names if is_named else node.synced_names).items():
                self._leave(child, now / name, path / name, is_named, is_sized)
        else:
            with self._real["io.open"](path, "wb") as file:
                file.write(node.synced.ljust(now.stat().st_size if is_sized else 0, b"\0"))


class WrittenFile:
    """A file that is written by Python's own means: in two halves, each of which may be the last."""

    def __init__(self, file: Any, step: Callable[[], None]) -> None:
        self._file = file
        self._step = step

    def write(self, data: Any) -> None:
        self._step()
        self._file.write(data[: len(data) // 2])
        self._file.flush()
        self._step()
        self._file.write(data[len(data) // 2 :])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> WrittenFile:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
