"""A connection that sends what its socket takes now and never waits for its peer; only for the disk."""

from __future__ import annotations

import os
import socket as sockets
from collections import deque
from collections.abc import Iterable

from kfast.errors import KafkaStorageError
from kfast.file_slice import FileSlice
from kfast.transfer.connection import Connection
from kfast.transfer.counters import TransferCounters
from kfast.transfer.sender import DEFAULT_CHUNK_SIZE, MSG_MORE, Chunk


class NonBlockingConnection(Connection):
    """One peer, in a selector: `put` an answer, and `send_on` whenever the socket is writable until it has left."""

    __slots__ = ("_counts", "_left")

    def __init__(self, socket: sockets.socket) -> None:
        super().__init__(socket, idle_timeout_s=0)
        socket.setblocking(False)
        self._left: deque[Chunk] = deque()
        self._counts = TransferCounters()

    @property
    def counters(self) -> TransferCounters:
        return self._counts

    @property
    def is_sending(self) -> bool:
        return bool(self._left)

    @property
    def slices(self) -> list[FileSlice]:
        """What is to be sent of files."""
        return [chunk for chunk in self._left if isinstance(chunk, FileSlice)]

    def fileno(self) -> int:
        return self._socket.fileno()

    def put(self, chunks: Iterable[Chunk]) -> None:
        """Send these after what is to be sent already."""
        self._left += [chunk for chunk in chunks if len(chunk)]

    def send_on(self) -> None:
        """One call a chunk, until the socket takes one in part only, or all have left."""
        while self._left:
            chunk = self._left.popleft()
            sent = self._send_slice(chunk) if isinstance(chunk, FileSlice) else self._send_bytes(chunk)
            if sent < len(chunk):
                self._left.appendleft(_after(chunk, sent))
                return

    def _send_slice(self, chunk: FileSlice) -> int:
        count = min(chunk.size, DEFAULT_CHUNK_SIZE)
        try:
            sent = os.sendfile(self._socket.fileno(), chunk.file.fd, chunk.position, count)
        except BlockingIOError:
            return 0
        if not sent:
            raise KafkaStorageError(f"{chunk.file.path} ends before position {chunk.position}")
        self._counts += TransferCounters(sent_bytes={"sendfile": sent}, syscalls=1)
        return sent

    def _send_bytes(self, chunk: bytes | bytearray | memoryview) -> int:
        try:
            sent = self._socket.send(chunk, MSG_MORE if self._left else 0)
        except BlockingIOError:
            return 0
        self._counts += TransferCounters(inline_bytes=sent, syscalls=1)
        return sent


def _after(chunk: Chunk, sent: int) -> Chunk:
    if isinstance(chunk, FileSlice):
        return FileSlice(chunk.file, chunk.position + sent, chunk.size - sent)
    return memoryview(chunk)[sent:]
