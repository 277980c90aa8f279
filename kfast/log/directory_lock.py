"""The `.lock` file of a log directory: one broker at a time, kfast or Apache Kafka.

Java locks by POSIX record locks, so this does too: flock(2) would not be noticed by it. Those belong to the process and
go with the first descriptor of the file that it closes, so a set of locked paths guards against a second broker here.
"""

from __future__ import annotations

import fcntl
import os
import threading
from typing import Final

from kfast.errors import LogDirectoryError
from kfast.file_slice import OpenFile

LOCK_FILE: Final = ".lock"

_locked: set[str] = set()
_locked_lock = threading.Lock()


class DirectoryLock:
    """Held from construction until `release`, or until the process ends, however it ends."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        """Raises LogDirectoryError where somebody else holds it."""
        self._path = os.path.realpath(directory)
        self._file: OpenFile | None = None
        with _locked_lock:
            if self._path in _locked:
                raise LogDirectoryError(f"{directory} is in use by another broker in this process")
            file = OpenFile(os.path.join(self._path, LOCK_FILE), os.O_RDWR | os.O_CREAT)
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise LogDirectoryError(f"{directory} is in use by another process, which holds {LOCK_FILE}") from None
            self._file = file
            _locked.add(self._path)

    def release(self) -> None:
        """Let others have the directory. Twice does no harm."""
        with _locked_lock:
            if self._file is not None:
                self._file = None  # closes it, which unlocks
                _locked.discard(self._path)

    def __repr__(self) -> str:
        return f"DirectoryLock({self._path!r}, {'held' if self._file else 'released'})"
