"""Walks the chunks of a response: gathers the small ones into one call, hands each slice to the copy mode, counts.

The sender never looks into a slice. A frame that did not leave whole leaves the peer in the middle of one, so after any
exception the connection is of no more use; `Connection` shuts it down.
"""

from __future__ import annotations

import socket as sockets
from collections.abc import Iterable
from dataclasses import dataclass

from kfast.file_slice import FileSlice
from kfast.transfer.counters import TransferCounters
from kfast.transfer.modes import COPY_MODES, CPU_COPIES
from kfast.transfer.scratch import Scratch

Bytes = bytes | bytearray | memoryview
Chunk = Bytes | FileSlice

DEFAULT_CHUNK_SIZE = 1 << 20
IOV_MAX = 1024  # the most buffers one sendmsg takes: <limits.h> of Linux and macOS
MSG_MORE = getattr(sockets, "MSG_MORE", 0)  # "a slice follows": head and data share a packet; Linux only


@dataclass(slots=True)
class TransferSettings:
    """How slices leave. The sender looks at the start of each slice, so a change takes effect in mid-stream."""

    copy_mode: str = "sendfile"
    chunk_size: int = DEFAULT_CHUNK_SIZE


class Sender:
    """Sends chunks over one blocking socket. Not thread-safe; `counters` may be read from any thread."""

    __slots__ = ("_cpu_copied_bytes", "_inline_bytes", "_scratch", "_sent_bytes", "_socket")

    def __init__(self, socket: sockets.socket) -> None:
        self._socket = socket
        self._scratch = Scratch()
        self._sent_bytes = dict.fromkeys(COPY_MODES, 0)
        self._inline_bytes = 0
        self._cpu_copied_bytes = 0

    @property
    def counters(self) -> TransferCounters:
        return TransferCounters(
            dict(self._sent_bytes), self._inline_bytes, self._cpu_copied_bytes, self._scratch.syscalls
        )

    def send_chunks(self, chunks: Iterable[Chunk], settings: TransferSettings) -> int:
        """Send all chunks in order and return their bytes.

        Raises TimeoutError when the peer took nothing for as long as SO_SNDTIMEO says, ConnectionError when it is gone,
        KafkaStorageError when a file ended before its slice did.
        """
        sent = 0
        gathered: list[Bytes] = []
        try:
            for chunk in chunks:
                if not isinstance(chunk, FileSlice):
                    gathered.append(chunk)
                elif chunk.size:
                    sent += self._send_gathered(gathered, MSG_MORE) + self._send_slice(chunk, settings)
                    gathered = []
            return sent + self._send_gathered(gathered, 0)
        except BlockingIOError as error:
            raise TimeoutError(f"the peer took no byte until the send timed out, after {sent} bytes or more") from error

    def send_now(self, data: Bytes) -> int:
        """Send as much of `data` as the socket takes without waiting; return how many bytes that were."""
        self._scratch.syscalls += 1
        try:
            sent = self._socket.send(data, sockets.MSG_DONTWAIT)
        except BlockingIOError:
            return 0
        self._inline_bytes += sent
        return sent

    def _send_slice(self, chunk: FileSlice, settings: TransferSettings) -> int:
        mode = settings.copy_mode
        moved = COPY_MODES[mode](self._socket, chunk, settings.chunk_size, self._scratch)
        assert moved == len(chunk), f"{mode} moved {moved} of {chunk}"
        self._sent_bytes[mode] += moved
        self._cpu_copied_bytes += CPU_COPIES[mode] * moved
        return moved

    def _send_gathered(self, chunks: list[Bytes], flags: int) -> int:
        sent = 0
        while len(chunks) > IOV_MAX:
            sent += self._send_vector(chunks[:IOV_MAX], MSG_MORE)
            chunks = chunks[IOV_MAX:]
        if chunks:
            sent += self._send_vector(chunks, flags)
        self._inline_bytes += sent
        return sent

    def _send_vector(self, chunks: list[Bytes], flags: int) -> int:
        size = remaining = sum(map(len, chunks))
        while remaining:
            sent = self._socket.sendmsg(chunks, (), flags)
            self._scratch.syscalls += 1
            remaining -= sent
            if remaining:
                chunks = _after(chunks, sent)
        return size

    def close(self) -> None:
        self._scratch.close()


def _after(chunks: list[Bytes], size: int) -> list[Bytes]:
    """What is left of `chunks` behind their first `size` bytes."""
    for index, chunk in enumerate(chunks):
        if size < len(chunk):
            return [memoryview(chunk)[size:], *chunks[index + 1 :]]
        size -= len(chunk)
    return []
