"""Open files, the recently used ones kept: a log directory has more files than a process may hold open.

Eviction drops only the pool's own reference. A slice in flight has another, so its descriptor lives until it is sent.
Whoever reads or writes holds the file likewise, by a name: a number taken from `open(path).fd` may be another file's by
the time it is used.
"""

from __future__ import annotations

import os
import resource
import threading
from collections import OrderedDict
from typing import Final

from kfast.file_slice import OpenFile

_MIN_LIMIT: Final = 16
_MAX_LIMIT: Final = 16384


def default_limit() -> int:
    """A quarter of the descriptors the process may have; connections, pipes and slices in flight need the rest."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MAX_LIMIT if soft == resource.RLIM_INFINITY else max(_MIN_LIMIT, min(soft // 4, _MAX_LIMIT))


class FilePool:
    """Files opened for reading and writing, by path. Thread-safe."""

    def __init__(self, limit: int | None = None, *, is_read_only: bool = False) -> None:
        self._flags = os.O_RDONLY if is_read_only else os.O_RDWR
        self.limit = default_limit() if limit is None else limit
        self._files: OrderedDict[str, OpenFile] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, path: str) -> OpenFile:
        """The file at `path`, opened unless it is already. Raises FileNotFoundError."""
        file = self._files.get(path)
        if file is not None:
            file.was_used = True
            return file
        with self._lock:
            return self._files.get(path) or self._open(path, self._flags)

    def create(self, path: str) -> OpenFile:
        """The file at `path`, made first, empty, unless it is there."""
        with self._lock:
            return self._files.get(path) or self._open(path, self._flags | os.O_CREAT)

    def discard(self, path: str) -> None:
        """Forget the file at `path`: it has been renamed or unlinked."""
        with self._lock:
            self._files.pop(path, None)

    def discard_directory(self, path: str) -> None:
        """Forget the files in the directory at `path`: it has been renamed."""
        with self._lock:
            for name in [name for name in self._files if os.path.dirname(name) == path]:
                del self._files[name]

    def clear(self) -> None:
        with self._lock:
            self._files.clear()

    def _open(self, path: str, flags: int) -> OpenFile:
        file = OpenFile(path, flags)
        if len(self._files) >= self.limit:
            self._evict()
        self._files[path] = file
        return file

    def _evict(self) -> None:
        """Drop the first file that was not used since it was last looked at: an LRU whose users take no lock."""
        while True:
            path, file = self._files.popitem(last=False)
            if not file.was_used:
                return
            file.was_used = False
            self._files[path] = file

    def __len__(self) -> int:
        return len(self._files)

    def __repr__(self) -> str:
        return f"FilePool({len(self._files)} of at most {self.limit} files)"
