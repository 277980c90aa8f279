"""A plain TCP connection as the broker uses one: receive into a buffer of the caller's, send chunks, be shut down.

It is the only way of sending that knows sendmsg, MSG_MORE and the copy modes. The socket stays blocking: a time-out set
by `socket.settimeout` would make the descriptor non-blocking, and sendfile on it would fail with EAGAIN.
"""

from __future__ import annotations

import contextlib
import socket as sockets
import struct
from collections.abc import Iterable

from kfast.transfer.counters import TransferCounters
from kfast.transfer.sender import Bytes, Chunk, Sender, TransferSettings

IDLE_TIMEOUT_S = 600.0  # Kafka's connections.max.idle.ms: a peer that sends or takes nothing for so long is gone


class Connection:
    """One peer. `recv_into` and `send_chunks` belong to one thread; `shutdown` may come from any and ends both.

    `idle_timeout_s` of 0 or below is no time-out.
    """

    __slots__ = ("_sender", "_socket")

    def __init__(self, socket: sockets.socket, idle_timeout_s: float = IDLE_TIMEOUT_S) -> None:
        socket.setblocking(True)
        seconds, fraction = divmod(max(0.0, idle_timeout_s), 1)  # 0 is no time-out, below 0 would be an immediate one
        timeout = struct.pack("@ll", int(seconds), int(fraction * 1e6))
        for option in (sockets.SO_RCVTIMEO, sockets.SO_SNDTIMEO):
            socket.setsockopt(sockets.SOL_SOCKET, option, timeout)
        if socket.family in (sockets.AF_INET, sockets.AF_INET6):
            socket.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
        self._socket = socket
        self._sender = Sender(socket)

    @property
    def counters(self) -> TransferCounters:
        """What left so far. May be read from any thread, and after `close`."""
        return self._sender.counters

    def recv_into(self, buffer: bytearray | memoryview) -> int:
        """Wait for bytes and put what there is into `buffer`; 0 when the peer has ended its side.

        Raises TimeoutError when the peer was silent for as long as the time-out says, ConnectionError when it is gone.
        """
        try:
            return self._socket.recv_into(buffer)
        except BlockingIOError as error:
            raise TimeoutError("the peer sent no byte until the connection's time-out") from error

    def send_chunks(self, chunks: Iterable[Chunk], settings: TransferSettings) -> int:
        """Send bytes and slices in order; return how many bytes that were.

        `settings.copy_mode` and `settings.chunk_size` are read at the start of each slice. Raises TimeoutError,
        ConnectionError or KafkaStorageError; part of a frame may have left by then, so the connection is shut down.
        """
        try:
            return self._sender.send_chunks(chunks, settings)
        except BaseException:
            self.shutdown()
            raise

    def send_now(self, data: Bytes) -> int:
        """Send as much of `data` as the socket takes without waiting; return how many bytes. Raises ConnectionError."""
        return self._sender.send_now(data)

    def shutdown(self) -> None:
        """End both directions: a thread waiting in recv_into gets 0, one waiting in send_chunks BrokenPipeError."""
        with contextlib.suppress(OSError):  # not connected any more
            self._socket.shutdown(sockets.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the socket, the buffer and the pipe. For the thread that receives and sends."""
        self._sender.close()
        self._socket.close()

    def __repr__(self) -> str:
        state = "closed" if self._socket.fileno() < 0 else "open"
        return f"Connection({state})"
