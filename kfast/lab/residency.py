"""How much of a file the page cache holds, by cachestat(2) (Linux 6.5), and how to take it out of there.

Not mincore, which reports everything as present for files one may not write, and not RWF_NOWAIT, which starts reads.
"Cold" is guest-cold on a virtual machine: what the host keeps in its own cache cannot be seen from inside.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections.abc import Iterable
from dataclasses import astuple, dataclass

from kfast.lab.unavailable import Unavailable

PAGE_SIZE = mmap.PAGESIZE
SYS_CACHESTAT = 451  # the same number on all architectures but alpha
EVICTION_ATTEMPTS = 3  # pages that were just being written, or looked at, stay at the first


@dataclass(frozen=True, slots=True)
class Residency:
    """Pages of a file in the page cache, of `page_count` that the file has."""

    page_count: int
    cached_pages: int
    dirty_pages: int
    writeback_pages: int

    @property
    def is_cold(self) -> bool:
        return self.cached_pages == 0

    @property
    def is_warm(self) -> bool:
        return self.cached_pages >= self.page_count

    def __str__(self) -> str:
        return f"{self.cached_pages} of {self.page_count} pages cached, {self.dirty_pages} dirty"


def together(files: Iterable[Residency | Unavailable]) -> Residency | Unavailable:
    """The pages of all files as if they were one; or why nobody can say."""
    counts = [0, 0, 0, 0]
    for found in files:
        if isinstance(found, Unavailable):
            return found
        for place, count in enumerate(astuple(found)):
            counts[place] += count
    return Residency(*counts)


def cached_share(files: Iterable[Residency | Unavailable]) -> float | Unavailable:
    """Of all pages of the files, the share that is in the page cache; or why nobody can say."""
    found = together(files)
    return found if isinstance(found, Unavailable) else found.cached_pages / found.page_count


class _CachestatRange(ctypes.Structure):
    _fields_ = (("off", ctypes.c_uint64), ("len", ctypes.c_uint64))  # len 0: to the end of the file


class _Cachestat(ctypes.Structure):
    _fields_ = (
        ("nr_cache", ctypes.c_uint64),
        ("nr_dirty", ctypes.c_uint64),
        ("nr_writeback", ctypes.c_uint64),
        ("nr_evicted", ctypes.c_uint64),
        ("nr_recently_evicted", ctypes.c_uint64),
    )


def residency(fd: int, position: int = 0, size: int = 0) -> Residency | Unavailable:
    """What the page cache holds now of `size` bytes from `position` on, both whole pages; 0: to the end of the file."""
    if sys.platform != "linux":
        return Unavailable(f"cachestat(2) is a Linux system call, this is {sys.platform}")
    libc = ctypes.CDLL(None, use_errno=True)
    counts = _Cachestat()
    status = libc.syscall(SYS_CACHESTAT, fd, ctypes.byref(_CachestatRange(position, size)), ctypes.byref(counts), 0)
    if status != 0:
        return Unavailable(f"cachestat(2), Linux 6.5 or newer: {os.strerror(ctypes.get_errno())}")
    rest = max(0, os.fstat(fd).st_size - position)
    return Residency(
        page_count=-(-min(size or rest, rest) // PAGE_SIZE),
        cached_pages=counts.nr_cache,
        dirty_pages=counts.nr_dirty,
        writeback_pages=counts.nr_writeback,
    )


def residency_map(path: str | os.PathLike[str], part_count: int = 96) -> list[Residency] | Unavailable:
    """The same of a file's parts in their order, all of the same size but the last one."""
    with open(path, "rb") as file:
        fd = file.fileno()
        page_count = -(-os.fstat(fd).st_size // PAGE_SIZE)
        part_size = max(1, -(-page_count // part_count)) * PAGE_SIZE
        found = []
        for position in range(0, page_count * PAGE_SIZE, part_size):
            part = residency(fd, position, part_size)
            if isinstance(part, Unavailable):
                return part
            found.append(part)
        return found


def make_cold(fd: int) -> Residency | Unavailable:
    """Write back what is dirty, drop all of the file from the page cache, and return what cachestat then says.

    Look at `is_cold`: the kernel takes POSIX_FADV_DONTNEED as advice, and keeps pages that somebody has mapped.
    """
    if not hasattr(os, "posix_fadvise"):
        return Unavailable(f"posix_fadvise(2) is not offered on {sys.platform}")
    found: Residency | Unavailable = residency(fd)
    for _ in range(EVICTION_ATTEMPTS):
        os.fdatasync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        found = residency(fd)
        if isinstance(found, Unavailable) or found.is_cold:
            break
    return found


def make_warm(fd: int) -> Residency | Unavailable:
    """Read the file once from its beginning, and return what cachestat then says."""
    buffer, position = bytearray(1 << 20), 0
    while count := os.preadv(fd, [buffer], position):
        position += count
    return residency(fd)
