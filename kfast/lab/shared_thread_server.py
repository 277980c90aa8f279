"""A server with one thread for all its connections, which is what each network thread of Apache Kafka is.

    Broker(server=SharedThreadServer("127.0.0.1", 0))

Sockets are non-blocking, and one that is full is written to again when it is writable: no peer makes others wait. What
is left to wait for is the disk. Whatever the socket's flags say, sendfile(2) returns when the pages are in the page
cache, and until then no other connection is served (KAFKA-7504). With `warms_up` another thread sends the pages to
/dev/null first, which is the cure that was proposed there.

It is made for an experiment. A request that may wait stops everybody, such as a fetch at the end of a log: clients ask
with max_wait_ms 0. Slices leave by sendfile whatever kfast.copy.mode says, as the functions of `transfer.modes` go on
until a slice has left whole, for which they need a blocking socket. There is no TLS and no idle time-out.
"""

from __future__ import annotations

import logging
import os
import selectors
import socket as sockets
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from kfast.broker import dispatch
from kfast.broker.context import RequestContext
from kfast.broker.server import Server
from kfast.errors import KfastError
from kfast.lab.non_blocking_connection import NonBlockingConnection
from kfast.wire.framing import SIZE_PREFIX, next_frame_end, parse_request_header

if TYPE_CHECKING:
    from kfast.broker.broker import Broker

logger = logging.getLogger(__name__)

RECEIVE_SIZE = 256 << 10


class SharedThreadServer(Server):
    """Listens at once; `start` begins to serve. `warms_up` holds from the next fetch on."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.warms_up = False
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._wake_end, self._waker = sockets.socketpair()
        self._buffer = memoryview(bytearray(RECEIVE_SIZE))
        self._open: set[SharedSession] = set()
        self._warmed: deque[SharedSession] = deque()
        self._warmer = ThreadPoolExecutor(1, "kfast-warmer")
        self._thread: threading.Thread | None = None

    def start(self, broker: Broker) -> None:
        """Serve from now on, in a thread of its own."""
        self._selector.register(self._listener, selectors.EVENT_READ, partial(self._accept, broker))
        self._selector.register(self._wake_end, selectors.EVENT_READ, self._take_warmed)
        self._thread = threading.Thread(target=self._loop, name="kfast-shared", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the loop, then every connection. The request under way is finished, what has not left yet is not sent."""
        self._stopping.set()
        self._wake()
        if self._thread is not None:
            self._thread.join()
        self._warmer.shutdown()
        for session in list(self._open):
            self._end(session)
        self._selector.close()
        for socket in (self._listener, self._wake_end, self._waker):
            socket.close()

    def _loop(self) -> None:
        while not self._stopping.is_set():
            for key, _ in self._selector.select():
                key.data()

    def _accept(self, broker: Broker) -> None:
        try:
            peer, _ = self._listener.accept()
            session = SharedSession(broker, peer)
        except OSError as error:  # the peer has left already
            logger.debug("a connection ended before it began: %s", error)
            return
        self._open.add(session)
        self._watch(session, selectors.EVENT_READ)

    def _ready(self, session: SharedSession) -> None:
        """Do what the session's socket is ready for; a connection that fails ends, the others go on."""
        try:
            self._serve(session)
        except (KfastError, OSError) as error:
            logger.debug("a connection ended: %s", error)
            self._end(session)
        except Exception:
            logger.exception("closing a connection after an unexpected error")
            self._end(session)

    def _serve(self, session: SharedSession) -> None:
        connection = session.connection
        if connection.is_sending:
            connection.send_on()
        elif not session.receive(self._buffer):
            self._end(session)
            return
        while not connection.is_sending and session.answer_frame():
            if self.warms_up and connection.slices:
                self._watch(session, 0)
                self._warmer.submit(self._warm_up, session)
                return
            connection.send_on()
        self._watch(session, selectors.EVENT_WRITE if connection.is_sending else selectors.EVENT_READ)

    def _watch(self, session: SharedSession, events: int) -> None:
        """Call `_ready` when the socket is ready for `events`; 0 is never."""
        if events != session.watched_events:
            if session.watched_events:
                self._selector.unregister(session.connection)
            if events:
                self._selector.register(session.connection, events, partial(self._ready, session))
            session.watched_events = events

    def _end(self, session: SharedSession) -> None:
        self._watch(session, 0)
        self._open.discard(session)
        session.close()

    def _warm_up(self, session: SharedSession) -> None:
        """In the warmer's thread: have the pages brought into the page cache, as far as that goes."""
        try:
            with open(os.devnull, "wb") as nowhere:
                for found in session.connection.slices:
                    os.sendfile(nowhere.fileno(), found.file.fd, found.position, found.size)
        except OSError as error:
            logger.warning("warming up failed: %s", error)  # sending will say why
        finally:
            self._warmed.append(session)
            self._wake()

    def _take_warmed(self) -> None:
        self._wake_end.recv(4096)
        while self._warmed:
            self._watch(self._warmed.popleft(), selectors.EVENT_WRITE)

    def _wake(self) -> None:
        self._waker.send(b"\0")


class SharedSession:
    """One connection of the loop: what came of it and is not answered yet, and what is to be sent."""

    def __init__(self, broker: Broker, peer: sockets.socket) -> None:
        client_host, local_host = peer.getpeername()[0], peer.getsockname()[0]
        self.connection = NonBlockingConnection(peer)
        self.watched_events = 0
        self._broker = broker
        self._metrics = broker.metrics.open(self.connection)
        self._context = RequestContext(client_host, local_host, before_wait=_nothing, metrics=self._metrics)
        self._unread = bytearray()
        self._position = 0

    def receive(self, buffer: memoryview) -> int:
        """Take what has come, by way of `buffer`; 0 when the peer has left."""
        received = self.connection.recv_into(buffer)
        self._metrics.received_bytes += received
        # a new buffer each time: an answer under way may still look into the old one
        self._unread = self._unread[self._position :] + buffer[:received]
        self._position = 0
        return received

    def answer_frame(self) -> bool:
        """Answer the next request, if all of it has come; return whether it had."""
        view, start = memoryview(self._unread), self._position
        end = next_frame_end(view, start, len(view), self._broker.config.socket_request_max_bytes)
        if end is None:
            return False
        frame = view[start + SIZE_PREFIX : end]
        self._position = end
        self._context.header = parse_request_header(frame)
        self.connection.put(dispatch.answer(self._broker, frame, self._context))
        return True

    def close(self) -> None:
        self.connection.close()
        self._broker.metrics.close(self._metrics)


def _nothing() -> None:
    """Answers leave one by one: none is held back that a request which waits for the disk should send first."""
