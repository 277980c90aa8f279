"""What the two indexes share: a file of fixed-size entries, and their numbers in arrays in memory.

Entries are written one at a time with pwrite, at their place, and the file is always just as long as its entries. Kafka
preallocates and maps its files instead, so a file it left behind may end in zeros: `load` takes those as no entries.
The arrays are read from the file at first use, so opening a log of a thousand segments reads no index but the last.

Readers take no lock: arrays only grow while a log is served, and the one that look-ups search grows last.
"""

from __future__ import annotations

import logging
import os
import threading
from abc import ABC, abstractmethod
from typing import ClassVar

from kfast.errors import KfastError
from kfast.log.file_pool import FilePool

logger = logging.getLogger(__name__)


class CorruptIndexError(KfastError):
    """An index file that cannot be what its segment needs; it is rebuilt from the log."""


class Index(ABC):
    """One index file of a segment. One writer at a time; readers need no lock."""

    ENTRY_SIZE: ClassVar[int]

    __slots__ = ("_file_pool", "_lock", "base_offset", "count", "max_count", "path")

    def __init__(self, path: str, base_offset: int, max_size_bytes: int, file_pool: FilePool) -> None:
        self.path = path
        self.base_offset = base_offset
        self.max_count = max_size_bytes // self.ENTRY_SIZE
        self.count = -1
        """Number of entries; -1 until they are loaded."""
        self._file_pool = file_pool
        self._lock = threading.Lock()

    @abstractmethod
    def _parse(self, data: bytes) -> int:
        """Fill the arrays from a file's bytes and return the number of entries.

        Raises CorruptIndexError where they are not in order.
        """

    @abstractmethod
    def _cut(self, count: int) -> None:
        """Leave the first `count` entries in the arrays."""

    def load(self) -> None:
        """Read the file, unless that has been done. Raises CorruptIndexError, FileNotFoundError."""
        if self.count >= 0:
            return
        with self._lock:
            if self.count < 0:
                self.check_size()
                file = self._file_pool.open(self.path)
                self.count = self._parse(os.pread(file.fd, os.fstat(file.fd).st_size, 0))

    def _ensure_loaded(self) -> None:
        """For looking up: an index that cannot be believed is passed over, and the log is scanned instead."""
        if self.count >= 0:
            return
        try:
            self.load()
        except CorruptIndexError as error:
            logger.warning("%s; look-ups scan its segment from the front", error)
            with self._lock:
                self._cut(0)
                self.count = 0

    def check_size(self) -> None:
        """Raise CorruptIndexError, FileNotFoundError where the file alone says that it is no index."""
        size = os.stat(self.path).st_size
        if size % self.ENTRY_SIZE:
            raise CorruptIndexError(f"{self.path}: {size} bytes are no multiple of {self.ENTRY_SIZE}")

    def reset(self) -> None:
        """Start anew with no entries; the file is made if it is missing."""
        file = self._file_pool.create(self.path)
        os.ftruncate(file.fd, 0)
        self._cut(0)
        self.count = 0

    def truncate(self, count: int) -> None:
        """Keep the first `count` entries, in memory and on disk."""
        self.load()
        if count < self.count:
            self._cut(count)
            self.count = count
        self.trim()

    def trim(self) -> None:
        """Make the file end where its entries do: Kafka leaves zeros after them."""
        self.load()
        file = self._file_pool.open(self.path)
        if os.fstat(file.fd).st_size != self.count * self.ENTRY_SIZE:
            os.ftruncate(file.fd, self.count * self.ENTRY_SIZE)

    def flush(self) -> None:
        file = self._file_pool.open(self.path)
        os.fsync(file.fd)

    @property
    def size_bytes(self) -> int:
        """Of its entries; the file may be longer by zeros."""
        return len(self) * self.ENTRY_SIZE

    def _write(self, entry: bytes) -> None:
        self._file_pool.open(self.path).write(entry, self.count * self.ENTRY_SIZE)
        self.count += 1

    def __len__(self) -> int:
        self._ensure_loaded()
        return self.count

    def __repr__(self) -> str:
        return f"{type(self).__name__}({os.path.basename(self.path)!r}, {len(self)} entries)"


def size_without_zeros(data: bytes, entry_size: int) -> int:
    """Bytes up to and with the last entry that is not all zeros."""
    return -(-len(data.rstrip(b"\0")) // entry_size) * entry_size
