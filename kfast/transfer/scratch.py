"""What a connection keeps between slices: the buffer of read_send, the pipe of splice, the count of system calls.

Made when first asked for, so a connection that only uses sendfile holds neither. Not thread-safe: one a connection.
"""

from __future__ import annotations

import fcntl
import os

F_SETPIPE_SZ = getattr(fcntl, "F_SETPIPE_SZ", None)
F_GETPIPE_SZ = getattr(fcntl, "F_GETPIPE_SZ", None)


class Scratch:
    """Reused by every slice of one connection and closed with it."""

    __slots__ = ("_buffer", "_pipe", "_pipe_asked_size", "syscalls")

    def __init__(self) -> None:
        self.syscalls = 0
        self._buffer = memoryview(b"")
        self._pipe: tuple[int, int] | None = None
        self._pipe_asked_size = 0

    def buffer(self, size: int) -> memoryview:
        """At least `size` writable bytes with whatever was in them: os.pread would allocate anew for each chunk."""
        if len(self._buffer) < size:
            self._buffer = memoryview(bytearray(size))
        return self._buffer

    def pipe(self, size: int) -> tuple[int, int]:
        """The read and the write end of an empty pipe that holds `size` bytes, or as many as the kernel allows."""
        if self._pipe is None:
            self._pipe = os.pipe2(os.O_CLOEXEC)
            self._pipe_asked_size = 0
        if self._pipe_asked_size != size:
            _resize_pipe(self._pipe[1], size)
            self._pipe_asked_size = size
        return self._pipe

    @property
    def pipe_size(self) -> int:
        """How many bytes the pipe holds; 0 while there is none."""
        return 0 if self._pipe is None or F_GETPIPE_SZ is None else fcntl.fcntl(self._pipe[1], F_GETPIPE_SZ)

    def close_pipe(self) -> None:
        """Drop the pipe with whatever is left in it."""
        if self._pipe is not None:
            pipe, self._pipe = self._pipe, None
            for fd in pipe:
                os.close(fd)

    def close(self) -> None:
        self._buffer = memoryview(b"")
        self.close_pipe()

    def __repr__(self) -> str:
        return f"Scratch(buffer={len(self._buffer)}, pipe={self.pipe_size}, syscalls={self.syscalls})"


def _resize_pipe(write_end: int, size: int) -> None:
    """Make the pipe hold `size` bytes: with the 64 KiB it is born with, splice at 1 MiB cost 1.7 times the CPU.

    Without CAP_SYS_RESOURCE the kernel refuses more than /proc/sys/fs/pipe-max-size, and anything large once the user's
    pipes hold pipe-user-pages-soft pages (pipe(7)): then half of it, and half of that, down to what the pipe has.
    """
    if F_SETPIPE_SZ is None or F_GETPIPE_SZ is None:
        return
    present = fcntl.fcntl(write_end, F_GETPIPE_SZ)
    while size != present:
        try:
            fcntl.fcntl(write_end, F_SETPIPE_SZ, size)
            return
        except PermissionError:
            size = max(size // 2, present)
