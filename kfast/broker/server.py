"""The sockets of the broker: one listener, one thread a connection, blocking.

A thread a connection means that a sendfile on cold pages stalls its own consumer and nobody else (KAFKA-7504 is what
happens otherwise). Every complete frame that one recv brought is answered before the next recv; answers to small
produce requests leave together, all others at once, and none waits for a request that may wait.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from kfast.broker import dispatch
from kfast.broker.context import RequestContext
from kfast.errors import KfastError, MalformedFrameError
from kfast.transfer.connection import Connection
from kfast.wire.api_versions import ApiKey
from kfast.wire.framing import SIZE_PREFIX, next_frame_end, parse_request_header

if TYPE_CHECKING:
    from kfast.broker.broker import Broker
    from kfast.transfer.sender import Bytes
    from kfast.transfer.tls_connection import TlsConnection

logger = logging.getLogger(__name__)

FIRST_BUFFER_SIZE = 4 * 1024
KEPT_BUFFER_SIZE = 64 * 1024
MAX_GATHERED_SIZE = 64 * 1024
SMALL_FRAME_SIZE = 64 * 1024
LISTEN_BACKLOG = 1024
ACCEPT_RETRY_S = 0.1
PRODUCE = int(ApiKey.PRODUCE)
_ACCEPTING = "accepting connections"
TLS_HANDSHAKE = b"\x16\x03"  # with which TLS begins; as the size of a request it would be 352 MiB


class Server:
    """Listens at once; `start` begins to accept. Each connection is a `Session` in a thread of its own."""

    def __init__(self, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=LISTEN_BACKLOG)
        _spare_pacing_on_loopback(self._listener)
        self.host: str = host
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._sessions: set[Session] = set()
        self._stopping = threading.Event()
        self._accept_thread: threading.Thread | None = None

    def start(self, broker: Broker) -> None:
        """Accept connections from now on. Those that came since the constructor have been waiting in the backlog."""
        self._accept_thread = threading.Thread(
            target=self._accept_loop, args=(broker,), name="kfast-acceptor", daemon=True
        )
        self._accept_thread.start()

    def stop(self) -> None:
        """Close the listener and every connection, and wait for their threads. Requests under way are finished."""
        self._stopping.set()
        _shutdown(self._listener)
        if self._accept_thread is not None:
            self._accept_thread.join()
        self._listener.close()
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.stop()
        for session in sessions:
            session.join()

    def _accept_loop(self, broker: Broker) -> None:
        while not self._stopping.is_set():
            try:
                peer, _ = self._listener.accept()
            except OSError as error:
                if self._stopping.is_set():
                    return
                # out of descriptors, or the peer left already: those that are connected go on, the next may succeed
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    broker.faults.note(_ACCEPTING, error)
                    self._stopping.wait(ACCEPT_RETRY_S)
                continue
            if broker.faults.failing:
                broker.faults.end(_ACCEPTING)
            self._begin_session(broker, peer)

    def _begin_session(self, broker: Broker, peer: socket.socket) -> None:
        try:
            session = Session(broker, peer, self._forget)
        except OSError as error:
            logger.debug("a connection ended before it began: %s", error)
            peer.close()
            return
        with self._lock:
            self._sessions.add(session)
        try:
            session.start()
        except RuntimeError as error:  # no more threads: those that are connected go on
            logger.warning("a connection was refused: %s", error)
            session.end()

    def _forget(self, session: Session) -> None:
        with self._lock:
            self._sessions.discard(session)


class Session:
    """One connection: frames in, chunks out, until the peer leaves, is silent for too long, or sends nonsense."""

    def __init__(self, broker: Broker, peer: socket.socket, on_end: Callable[[Session], None]) -> None:
        client_host, local_host = peer.getpeername()[0], peer.getsockname()[0]  # fails where the peer has left already
        self._broker = broker
        self._on_end = on_end
        self._connection = _connection(broker, peer)
        self.metrics = broker.metrics.open(self._connection)
        self._context = RequestContext(
            client_host=client_host,
            local_host=local_host,
            before_wait=self._send_answers,
            metrics=self.metrics,
        )
        self._turn = Turn(broker.turns)
        self._buffer = bytearray(FIRST_BUFFER_SIZE)
        self._answers = bytearray()  # to small produce requests, not sent yet
        self._thread = threading.Thread(target=self._run, name=f"kfast-{self._context.client_host}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Make a blocked recv return; the thread then ends by itself."""
        self._connection.shutdown()

    def join(self) -> None:
        self._thread.join()

    def end(self) -> None:
        """Let go of everything; by the session's own thread, or where that could not be started."""
        self._turn.give()
        self._connection.close()
        self._broker.metrics.close(self.metrics)
        self._on_end(self)

    def _run(self) -> None:
        try:
            self._serve()
        except (MalformedFrameError, KfastError) as error:
            reason = "it speaks TLS, and this listener is PLAINTEXT" if self._speaks_tls else error
            logger.warning("closing the connection of %s: %s", self._context.client_host, reason)
        except (OSError, TimeoutError) as error:
            logger.debug("connection of %s ended: %s", self._context.client_host, error)  # as clients do all the time
        except Exception:
            logger.exception("closing the connection of %s after an unexpected error", self._context.client_host)
        finally:
            self.end()

    def _serve(self) -> None:
        """Receive into the buffer, answer each complete frame in it, keep the rest for the next receive."""
        start = end = 0
        while received := self._connection.recv_into(memoryview(self._buffer)[end:]):
            self.metrics.received_bytes += received
            end += received
            start = self._answer_frames(start, end)
            start, end = self._make_room(start, end)

    def _answer_frames(self, start: int, end: int) -> int:
        max_size = self._broker.config.socket_request_max_bytes
        with memoryview(self._buffer) as view:
            try:
                while (frame_end := next_frame_end(view, start, end, max_size)) is not None:
                    self._answer(view[start + SIZE_PREFIX : frame_end])
                    start = frame_end
            finally:
                self._send_answers()  # also before a bad frame closes the connection: those before it were good
        return start

    def _answer(self, frame: memoryview) -> None:
        header = self._context.header = parse_request_header(frame)
        if header.api_key == PRODUCE and len(frame) <= SMALL_FRAME_SIZE:
            if not self._turn.is_mine:
                self._turn.take()
            for answer in dispatch.answer(self._broker, frame, self._context):
                self._answers += cast("Bytes", answer)
            if len(self._answers) > MAX_GATHERED_SIZE:
                self._send_answers()
        else:
            self._send_answers()
            chunks = dispatch.answer(self._broker, frame, self._context)
            self._connection.send_chunks(chunks, self._broker.config.transfer_settings)

    def _send_answers(self) -> None:
        """Send the answers gathered so far, and give the turn up."""
        answers, sent = self._answers, 0
        if self._turn.is_mine:
            try:
                if answers:
                    sent = self._connection.send_now(answers)
            finally:
                self._turn.give()
        if sent < len(answers):
            self._connection.send_chunks([memoryview(answers)[sent:]], self._broker.config.transfer_settings)
        if answers:
            self._answers = bytearray()

    @property
    def _speaks_tls(self) -> bool:
        return isinstance(self._connection, Connection) and self._buffer.startswith(TLS_HANDSHAKE)

    def _make_room(self, start: int, end: int) -> tuple[int, int]:
        """Move an unfinished frame to the front; double a full buffer; let go of one that large frames left behind."""
        rest = end - start
        size = wanted = len(self._buffer)
        if end == size and (rest == size or size < KEPT_BUFFER_SIZE):
            wanted = 2 * size
        elif size > KEPT_BUFFER_SIZE and end < size // 4:
            wanted = KEPT_BUFFER_SIZE
        if wanted != size:
            smaller_or_larger = bytearray(max(wanted, rest + 1))
            smaller_or_larger[:rest] = self._buffer[start:end]
            self._buffer = smaller_or_larger
        elif start and rest:
            self._buffer[:rest] = self._buffer[start:end]
        return 0, rest


def _connection(broker: Broker, peer: socket.socket) -> Connection | TlsConnection:
    idle_timeout_s = broker.config.connections_max_idle_ms / 1000
    if broker.ssl_context is None:
        return Connection(peer, idle_timeout_s)
    from kfast.transfer.tls_connection import TlsConnection

    return TlsConnection(peer, broker.ssl_context, idle_timeout_s)


class Turn:
    """Lets one session at a time answer a run of small produce requests.

    Each append lets go of the interpreter's lock for a write of a microsecond, and where other sessions wait for it,
    one of them gets it: two switches of threads a request, which cost more than the request. Whoever may wait, for a
    socket, a disk or another client, gives its turn up first. Without the interpreter's lock there are no turns.
    """

    def __init__(self, lock: threading.Lock | None) -> None:
        self._lock = lock
        self.is_mine = False

    def take(self) -> None:
        if not self.is_mine and self._lock is not None:
            self._lock.acquire()
            self.is_mine = True

    def give(self) -> None:
        if self.is_mine and self._lock is not None:
            self.is_mine = False
            self._lock.release()


def _spare_pacing_on_loopback(listener: socket.socket) -> None:
    """Let connections that come over loopback use reno instead of BBR, where that is the system's default.

    BBR paces by timers, and on loopback they cost more CPU than the copies that a copy mode saves: sendfile at 1 MiB
    took 0.19 s/GB under BBR and 0.03 under reno. Accepted sockets inherit it; one that BBR began with stays paced.
    """
    host: str = listener.getsockname()[0]
    if hasattr(socket, "TCP_CONGESTION") and (host.startswith("127.") or host == "::1"):
        with contextlib.suppress(OSError):  # a kernel without reno keeps its own
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")


def _shutdown(listener: socket.socket) -> None:
    try:
        listener.shutdown(socket.SHUT_RDWR)  # wakes accept() on Linux; closing alone does not
    except OSError as error:
        if error.errno != errno.ENOTCONN:  # what macOS answers, where the shutdown wakes it all the same
            raise
