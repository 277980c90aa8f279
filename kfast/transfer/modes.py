"""The four copy modes: four ways to put a range of a file on a socket, to be read side by side.

    read_send   disk -> page cache -> buffer -> socket buffer      the CPU copies each byte twice
    mmap_send   disk -> page cache (mapped)  -> socket buffer      once, and page faults besides
    sendfile    disk -> page cache -> socket by reference          never
    splice      disk -> page cache -> pipe -> socket by reference  never

Each moves the whole slice, `chunk_size` bytes at most with each call, over a blocking socket, and returns the bytes
moved. `scratch` belongs to the connection and holds what is reused from slice to slice; `scratch.syscalls` counts the
calls on the data's way. Python repeats a call that a signal interrupted (PEP 475). A socket whose SO_SNDTIMEO runs out
raises BlockingIOError here; `sender` gives that its name.

A file that ends before the slice does raises KafkaStorageError: an append-only log never shrinks while it is read.
"""

from __future__ import annotations

import errno
import mmap
import os
import socket as sockets
from collections.abc import Callable

from kfast.errors import CopyModeUnavailableError, KafkaStorageError
from kfast.file_slice import FileSlice
from kfast.transfer.scratch import Scratch

CopyMode = Callable[[sockets.socket, FileSlice, int, Scratch], int]


def read_send(socket: sockets.socket, file_slice: FileSlice, chunk_size: int, scratch: Scratch) -> int:
    """Read each chunk into a buffer of ours, send it from there: what most programs do."""
    fd, moved = file_slice.file.fd, 0
    buffer = scratch.buffer(min(chunk_size, file_slice.size))
    while moved < file_slice.size:
        chunk = buffer[: min(chunk_size, file_slice.size - moved)]
        count = os.preadv(fd, [chunk], file_slice.position + moved)
        scratch.syscalls += 1
        if count == 0:
            raise _shrunk(file_slice, moved)
        _send(socket, chunk[:count], scratch)
        moved += count
    return moved


def mmap_send(socket: sockets.socket, file_slice: FileSlice, chunk_size: int, scratch: Scratch) -> int:
    """Map the slice once, send each chunk from the mapping: saves the copy into our buffer and pays page faults."""
    margin = file_slice.position % mmap.ALLOCATIONGRANULARITY  # a mapping begins on a page
    if os.fstat(file_slice.file.fd).st_size < file_slice.position + file_slice.size:
        raise _shrunk(file_slice, 0)
    if file_slice.size == 0:
        return 0  # mmap would take a size of 0 for the whole file
    moved, start = 0, file_slice.position - margin
    scratch.syscalls += 2  # mmap and munmap
    with (
        mmap.mmap(file_slice.file.fd, margin + file_slice.size, prot=mmap.PROT_READ, offset=start) as mapped,
        memoryview(mapped)[margin:] as view,
    ):
        while moved < file_slice.size:
            with view[moved : moved + chunk_size] as chunk:
                try:
                    moved += _send(socket, chunk, scratch)
                except OSError as error:  # truncated since: a send finds no page and says EFAULT, without a SIGBUS
                    raise _shrunk(file_slice, moved) if error.errno == errno.EFAULT else error from None
    return moved


def sendfile(socket: sockets.socket, file_slice: FileSlice, chunk_size: int, scratch: Scratch) -> int:
    """Let the kernel hang the file's pages on the socket: zero copy."""
    out, fd, moved = socket.fileno(), file_slice.file.fd, 0
    while moved < file_slice.size:
        count = os.sendfile(out, fd, file_slice.position + moved, min(chunk_size, file_slice.size - moved))
        scratch.syscalls += 1
        if count == 0:
            raise _shrunk(file_slice, moved)
        moved += count
    return moved


def splice(socket: sockets.socket, file_slice: FileSlice, chunk_size: int, scratch: Scratch) -> int:
    """Hang the file's pages on a pipe and the pipe's on the socket: zero copy, in two calls a chunk."""
    if not hasattr(os, "splice"):
        raise CopyModeUnavailableError("splice(2) is a Linux system call: use sendfile on this platform")
    out, fd, moved, in_pipe = socket.fileno(), file_slice.file.fd, 0, 0
    read_end, write_end = scratch.pipe(chunk_size)
    try:
        while moved < file_slice.size:
            in_pipe = os.splice(
                fd, write_end, min(chunk_size, file_slice.size - moved), offset_src=file_slice.position + moved
            )
            scratch.syscalls += 1
            if in_pipe == 0:
                raise _shrunk(file_slice, moved)
            while in_pipe:
                count = os.splice(read_end, out, in_pipe)
                scratch.syscalls += 1
                in_pipe -= count
                moved += count
    except BaseException:
        scratch.close_pipe()  # what is left in it belongs to this slice and must never lead the next one
        raise
    return moved


def _send(socket: sockets.socket, chunk: memoryview, scratch: Scratch) -> int:
    sent = 0
    while sent < len(chunk):
        sent += socket.send(chunk[sent:])
        scratch.syscalls += 1
    return sent


def _shrunk(file_slice: FileSlice, moved: int) -> KafkaStorageError:
    file_size = os.fstat(file_slice.file.fd).st_size
    return KafkaStorageError(
        f"{file_slice.file.path}: asked for {file_slice.size} bytes from position {file_slice.position}, "
        f"moved {moved}, and the file ends at {file_size}"
    )


COPY_MODES: dict[str, CopyMode] = {
    "read_send": read_send,
    "mmap_send": mmap_send,
    "sendfile": sendfile,
    "splice": splice,
}

CPU_COPIES = {"read_send": 2, "mmap_send": 1, "sendfile": 0, "splice": 0}
"""How often the sending CPU copies each byte on its way from the page cache to the socket buffer."""
