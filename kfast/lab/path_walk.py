"""Both read paths of "Why is Kafka fast?" on one small file, one hop at a time, with what was seen of each.

The numbers are the article's. A hop is seen by what the kernel says: cachestat for pages, return values for bytes,
FIONREAD for what lies in the receiver's queue. On loopback there is no NIC, so its hop is named and not walked. The
range is small enough for a socket that nobody reads from.
"""

from __future__ import annotations

import array
import fcntl
import os
import socket as sockets
import tempfile
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass

from kfast.lab.data_way import Mover
from kfast.lab.lab_directory import lab_parent
from kfast.lab.residency import Residency, make_cold, residency
from kfast.lab.sizes import size_text
from kfast.lab.unavailable import Unavailable
from kfast.transfer.loopback import loopback_pair

SIZE = 65_536
READ_AHEAD_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Step:
    """One hop. `moved_bytes` is None where the hop does not exist here."""

    number: str
    source: str
    target: str
    mover: Mover
    call: str
    moved_bytes: int | None
    seen: str

    def __str__(self) -> str:
        moved = "-" if self.moved_bytes is None else size_text(self.moved_bytes)
        return f"{self.number}  {self.source + ' -> ' + self.target:<32}{self.mover.value:<14}{moved:>7}  {self.seen}"


@dataclass(frozen=True, slots=True)
class PathWalk:
    """The steps of both paths. `arrived` says whether each path delivered the file's bytes."""

    copying: Sequence[Step]
    zero_copy: Sequence[Step]
    arrived: tuple[bool, bool]

    @property
    def size_bytes(self) -> int:
        return SIZE

    def __str__(self) -> str:
        return "\n".join(
            [
                f"Copying, pread() and send(): {_count(self.copying)}",
                *map(str, self.copying),
                f"Zero copy, sendfile(): {_count(self.zero_copy)}",
                *map(str, self.zero_copy),
            ]
        )


def walk_paths(directory: str | os.PathLike[str] | None = None) -> PathWalk:
    """Take one file through both paths; it lies in `directory` while it lasts."""
    with tempfile.NamedTemporaryFile(prefix="kfast-walk-", dir=directory or lab_parent()) as file:
        file.write(os.urandom(SIZE))
        file.flush()
        os.fsync(file.fileno())
        copying, first = _walk_copying(file.fileno())
        zero_copy, second = _walk_zero_copy(file.fileno())
        expected = os.pread(file.fileno(), SIZE, 0)
    return PathWalk(copying, zero_copy, (first == expected, second == expected))


def cpu_copies(steps: Sequence[Step]) -> int:
    """Copies by the broker's CPU: without the receiver's own, which both paths have."""
    return sum(step.mover is Mover.CPU and step.target != "receiver" for step in steps)


def dma_copies(steps: Sequence[Step]) -> int:
    """Transfers without the CPU, the one to the NIC included, which loopback does not have."""
    return sum(step.mover is Mover.DMA for step in steps)


def _walk_copying(fd: int) -> tuple[list[Step], bytes]:
    steps = [_read_ahead(fd, "2.1")]
    buffer, sender, receiver = bytearray(SIZE), *loopback_pair()
    with sender, receiver:
        count = os.preadv(fd, [buffer], 0)
        seen = f"pread() returned {size_text(count)}, now in a buffer of ours"
        steps.append(Step("2.2", "page cache", "application", Mover.CPU, "pread()", count, seen))
        count = sender.send(buffer)
        seen = f"send() returned {size_text(count)}; {_queued(receiver, count)}"
        steps.append(Step("2.3", "application", "socket buffer", Mover.CPU, "send()", count, seen))
        steps.append(_to_nic("2.4"))
        received, step = _receive(receiver, "2.5", count)
    return [*steps, step], received


def _walk_zero_copy(fd: int) -> tuple[list[Step], bytes]:
    steps = [_read_ahead(fd, "3.1")]
    sender, receiver = loopback_pair()
    with sender, receiver:
        count = os.sendfile(sender.fileno(), fd, 0, SIZE)
        seen = f"sendfile() returned {size_text(count)}; {_queued(receiver, count)}"
        steps.append(Step("3.2", "page cache", "socket buffer", Mover.REFERENCE, "sendfile()", count, seen))
        steps.append(_to_nic("3.2"))
        received, step = _receive(receiver, "3.3", count)
    return [*steps, step], received


def _read_ahead(fd: int, number: str) -> Step:
    """From a cold cache: ask the kernel for the range without taking it, so that this hop is seen alone."""
    cold = make_cold(fd)
    if isinstance(cold, Unavailable):
        return Step(number, "disk", "page cache", Mover.DMA, "readahead", SIZE, f"not seen: {cold.reason}")
    os.posix_fadvise(fd, 0, SIZE, os.POSIX_FADV_WILLNEED)
    warm = _wait_until_cached(fd)
    seen = f"cachestat: {cold.cached_pages} of {cold.page_count} pages before, {warm.cached_pages} after"
    pages = warm.cached_pages - cold.cached_pages
    return Step(number, "disk", "page cache", Mover.DMA, "readahead", pages * SIZE // warm.page_count, seen)


def _wait_until_cached(fd: int) -> Residency:
    """The kernel reads ahead when it likes, if it likes: give it a moment."""
    deadline_s = time.monotonic() + READ_AHEAD_TIMEOUT_S
    while True:
        found = residency(fd)
        assert isinstance(found, Residency), "it was available a moment ago"
        if found.is_warm or time.monotonic() > deadline_s:
            return found


def _to_nic(number: str) -> Step:
    return Step(number, "socket buffer", "NIC", Mover.DMA, "", None, "not here: loopback has no NIC")


def _receive(receiver: sockets.socket, number: str, size: int) -> tuple[bytes, Step]:
    received = bytearray(size)
    count = receiver.recv_into(received, size, sockets.MSG_WAITALL)
    seen = f"recv() returned {size_text(count)}"
    step = Step(number, "socket buffer", "receiver", Mover.CPU, "recv()", count, seen)
    return bytes(received), step  # a copy for the comparison, off any measured path


def _queued(receiver: sockets.socket, expected: int) -> str:
    deadline_s = time.monotonic() + READ_AHEAD_TIMEOUT_S
    queued = array.array("i", [0])
    while queued[0] < expected and time.monotonic() < deadline_s:
        fcntl.ioctl(receiver, termios.FIONREAD, queued)
    return f"FIONREAD: {size_text(queued[0])} wait at the receiver"


def _count(steps: Sequence[Step]) -> str:
    return f"{cpu_copies(steps)} copies by the sending CPU, {dma_copies(steps)} by DMA where there is a NIC"
