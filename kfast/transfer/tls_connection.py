"""A TLS connection, with the interface of `Connection`: what is sent has to be encrypted, so nothing goes by reference.

    disk -> page cache -> buffer -> OpenSSL's record -> socket buffer      the CPU copies each byte three times

Whatever copy mode is set, a slice leaves as `modes.read_send` moves it, through a socket that encrypts, and is counted
under "tls". The time-outs are Python's, with poll: OpenSSL repeats a call that the kernel's (SO_RCVTIMEO) ended, and
would wait for ever.
"""

from __future__ import annotations

import contextlib
import socket as sockets
import ssl
import time
from collections.abc import Iterable

from kfast.errors import TlsHandshakeError
from kfast.file_slice import FileSlice
from kfast.transfer.connection import IDLE_TIMEOUT_S
from kfast.transfer.counters import TransferCounters
from kfast.transfer.modes import read_send
from kfast.transfer.scratch import Scratch
from kfast.transfer.sender import Bytes, Chunk, TransferSettings

HANDSHAKE_TIMEOUT_S = 10.0
_LEAST_TIMEOUT_S = 0.001  # of Python's, 0 means another thing: never to wait
SENT_AS = "tls"
CPU_COPIES = 3
"""Into our buffer, into OpenSSL's record, where it is encrypted in place, and into the socket buffer."""

_HANDSHAKE_RECORD = b"\x16"  # with which TLS begins (RFC 8446, ContentType); a Kafka request begins with a size, so 0


class TlsConnection:
    """The server's side of one peer. The first `recv_into` shakes hands, in HANDSHAKE_TIMEOUT_S and in its own thread.

    Threads and `idle_timeout_s` are as in `Connection`, but that the peer has to take a whole chunk of a slice in that
    time. The counters are those of the plain bytes; `syscalls` counts the calls made here, and OpenSSL makes one for
    every 16 KiB of each.
    """

    __slots__ = (
        "_cpu_copied_bytes",
        "_inline_bytes",
        "_is_established",
        "_is_sending",
        "_is_shut_down",
        "_scratch",
        "_sent_bytes",
        "_socket",
    )

    def __init__(self, socket: sockets.socket, context: ssl.SSLContext, idle_timeout_s: float = IDLE_TIMEOUT_S) -> None:
        if socket.family in (sockets.AF_INET, sockets.AF_INET6):
            socket.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(socket, server_side=True, do_handshake_on_connect=False)
        self._socket.settimeout(idle_timeout_s if idle_timeout_s > 0 else None)
        self._is_established = False
        self._is_sending = False
        self._is_shut_down = False
        self._scratch = Scratch()
        self._sent_bytes = 0
        self._inline_bytes = 0
        self._cpu_copied_bytes = 0

    @property
    def counters(self) -> TransferCounters:
        """What left so far. May be read from any thread, and after `close`."""
        return TransferCounters(
            {SENT_AS: self._sent_bytes}, self._inline_bytes, self._cpu_copied_bytes, self._scratch.syscalls
        )

    def recv_into(self, buffer: bytearray | memoryview) -> int:
        """Wait for bytes and put what there is, 16 KiB at most, into `buffer`; 0 when the peer has ended its side.

        Raises TlsHandshakeError for a peer with which TLS cannot begin, TimeoutError, and OSError when it is gone.
        """
        if self._is_shut_down or (not self._is_established and not self._shake_hands()):
            return 0
        return self._socket.recv_into(buffer)

    def send_chunks(self, chunks: Iterable[Chunk], settings: TransferSettings) -> int:
        """Send bytes and slices in order, `settings.chunk_size` of a slice at a time; return how many bytes that were.

        Raises TimeoutError, OSError or KafkaStorageError; part of a frame may have left by then, so the connection is
        shut down.
        """
        self._is_sending = True
        try:
            if self._is_shut_down:
                raise BrokenPipeError("the connection was shut down")
            return self._send_chunks(chunks, settings)
        except BaseException:
            self.shutdown()
            raise
        finally:
            self._is_sending = False

    def send_now(self, data: Bytes) -> int:
        """Send nothing: a TLS record that has begun to leave has to leave whole, and that may take waiting."""
        return 0

    def shutdown(self) -> None:
        """End both directions: a thread waiting in recv_into gets 0, one waiting in send_chunks an OSError.

        Where nobody is sending the peer learns of it from `close`, which has a last word for it.
        """
        self._is_shut_down = True  # before looking who sends: who begins to send looks here after saying so
        is_open = self._is_established and not self._is_sending
        with contextlib.suppress(OSError):  # not connected any more
            # SSLSocket's own would let go of TLS first, and what another thread then sends would leave in the clear.
            sockets.socket.shutdown(self._socket, sockets.SHUT_RD if is_open else sockets.SHUT_RDWR)

    def close(self) -> None:
        """Tell the peer that nothing was cut off, and let go of the socket. For the thread that receives and sends.

        A peer that takes nothing, or had part of a frame, is not told (close_notify; RFC 8446, 6.1).
        """
        if self._is_established:
            self._is_established = False
            with contextlib.suppress(OSError):
                self._socket.settimeout(0)  # its answer is not waited for
                self._socket.unwrap()
        self._scratch.close()
        self._socket.close()

    def _shake_hands(self) -> bool:
        """False for a peer that leaves without a word, as one does that only looks whether somebody listens."""
        idle_timeout_s = self._socket.gettimeout()
        limit_s = min(idle_timeout_s or HANDSHAKE_TIMEOUT_S, HANDSHAKE_TIMEOUT_S)
        deadline = time.monotonic() + limit_s
        self._socket.settimeout(limit_s)
        try:
            first = sockets.socket.recv(self._socket, 1, sockets.MSG_PEEK)
            if not first:
                return False
            if first != _HANDSHAKE_RECORD:
                raise TlsHandshakeError("it does not speak TLS, and this listener is SSL: set security.protocol=SSL")
            self._socket.settimeout(max(_LEAST_TIMEOUT_S, deadline - time.monotonic()))
            self._socket.do_handshake()
        except TimeoutError:
            raise TimeoutError(f"no TLS handshake in {limit_s} s") from None
        except ssl.SSLError as error:
            raise TlsHandshakeError(f"the TLS handshake failed: {error}") from error
        self._socket.settimeout(idle_timeout_s)
        self._is_established = True
        return True

    def _send_chunks(self, chunks: Iterable[Chunk], settings: TransferSettings) -> int:
        sent = 0
        gathered: list[Bytes] = []
        for chunk in chunks:
            if not isinstance(chunk, FileSlice):
                gathered.append(chunk)
            elif chunk.size:
                sent += self._send_gathered(gathered) + self._send_slice(chunk, settings.chunk_size)
                gathered = []
        return sent + self._send_gathered(gathered)

    def _send_slice(self, chunk: FileSlice, chunk_size: int) -> int:
        moved = read_send(self._socket, chunk, chunk_size, self._scratch)
        self._sent_bytes += moved
        self._cpu_copied_bytes += CPU_COPIES * moved
        return moved

    def _send_gathered(self, chunks: list[Bytes]) -> int:
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)  # heads, small: a record each would cost more
        if data:
            self._socket.sendall(data)
            self._scratch.syscalls += 1
            self._inline_bytes += len(data)
        return len(data)

    def __repr__(self) -> str:
        state = "closed" if self._socket.fileno() < 0 else "open"
        return f"TlsConnection({state})"
