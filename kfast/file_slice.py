"""A range of a file, found but not read: what makes zero copy a type instead of a flag.

The log finds slices, the protocol frames them by their size, the transfer moves them. Nobody in between sees a record.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

WRITE_SIZE: Final = 1 << 20
"""Bytes written by one call at most; a batch of a usual size leaves whole.

The page cache takes memory for a call in blocks of up to 2 MiB. On a virtual machine those are often ones that were not
touched for long, which are slow at first: batches of 10 MB took 0.8-1.9 s of system CPU a GB in one call each, and 0.4
in calls of this size (Linux 6.18, ext4).
"""


class OpenFile:
    """A file descriptor that closes when its last reference goes.

    A slice in flight holds one, so a segment may be unlinked, or dropped from the pool of open files, while its bytes
    still leave for a consumer (POSIX keeps an unlinked file until its last descriptor is closed).
    """

    __slots__ = ("__weakref__", "fd", "path", "was_used")

    def __init__(self, path: str | os.PathLike[str], flags: int = os.O_RDONLY) -> None:
        self.fd = -1
        self.was_used = False
        """For the pool of open files that may hold this one."""
        self.path = os.fspath(path)
        self.fd = os.open(self.path, flags | os.O_CLOEXEC, 0o644)

    def fileno(self) -> int:
        return self.fd

    def write(self, data: bytes | bytearray | memoryview, position: int) -> None:
        """Write all of `data`. Raises OSError, with the path, where the disk does not take it; a part may be there."""
        size = len(data)
        try:
            written = os.pwrite(self.fd, data if size <= WRITE_SIZE else memoryview(data)[:WRITE_SIZE], position)
            while written < size:
                written += os.pwrite(self.fd, memoryview(data)[written : written + WRITE_SIZE], position + written)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.path) from error

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)

    def __repr__(self) -> str:
        return f"OpenFile({os.path.basename(self.path)!r})"


@dataclass(slots=True)
class FileSlice:
    """`size` bytes of `file` from `position` on. Its len() is what a frame needs to know of it."""

    file: OpenFile
    position: int
    size: int

    def __len__(self) -> int:
        return self.size

    def read(self) -> bytes:
        """Copy the slice out of the file: for tests, dumps and handlers, never for the fetch path."""
        return os.pread(self.file.fd, self.size, self.position)

    def __repr__(self) -> str:
        return f"FileSlice({os.path.basename(self.file.path)!r}, position={self.position}, size={self.size})"
