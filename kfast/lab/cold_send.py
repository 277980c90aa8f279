"""One sendfile(2) to a non-blocking socket: of pages that are not in the page cache, and of the same once they are.

A socket's flags are about the socket. What has to come from the disk is waited for, in the call and by its thread.
"""

from __future__ import annotations

import os
import resource
import socket
import time
from dataclasses import dataclass

from kfast.lab.lab_directory import LabDirectory
from kfast.lab.residency import Residency, make_cold, residency
from kfast.lab.unavailable import Unavailable

FILE_SIZE = 1 << 20
SENT_SIZE = 64 << 10  # less than an empty socket takes


@dataclass(frozen=True, slots=True)
class SentOnce:
    """What was in the page cache before a call, what it sent, how often its thread slept meanwhile, and how long."""

    cached_before: Residency
    sent_bytes: int
    sleeps: int
    elapsed_ns: int

    @property
    def waited_for_the_disk(self) -> bool:
        """Nothing of the file was in memory, and bytes of it were sent: they were fetched within the call."""
        return self.cached_before.is_cold and self.sent_bytes > 0

    def __str__(self) -> str:
        return (
            f"{self.cached_before}: sent {self.sent_bytes:,} bytes in {self.elapsed_ns / 1e6:.3f} ms, "
            f"the thread slept {'once' if self.sleeps == 1 else f'{self.sleeps} times'}"
        )


def send_cold_and_warm() -> tuple[SentOnce, SentOnce] | Unavailable:
    """The same call twice, with the file out of the page cache before the first."""
    with LabDirectory() as directory, open(directory.data_file(FILE_SIZE), "rb", buffering=0) as file:
        cached = make_cold(file.fileno())
        if isinstance(cached, Unavailable):
            return cached
        if not cached.is_cold:
            return Unavailable(f"the file stays in the page cache: {cached}")
        cold = _send(file.fileno(), cached)
        now = residency(file.fileno())
        return now if isinstance(now, Unavailable) else (cold, _send(file.fileno(), now))


def _send(fd: int, cached: Residency) -> SentOnce:
    sender, receiver = socket.socketpair()
    with sender, receiver:
        sender.setblocking(False)
        slept, start_ns = _sleeps(), time.monotonic_ns()
        sent = os.sendfile(sender.fileno(), fd, 0, SENT_SIZE)
        return SentOnce(cached, sent, _sleeps() - slept, time.monotonic_ns() - start_ns)


def _sleeps() -> int:
    """Voluntary switches of this thread so far: each is a wait for something."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
