"""A file of bytes that repeat nowhere, slices of it, and a peer that receives in a thread of its own."""

import random
import socket
import threading

import pytest

from kfast.file_slice import FileSlice, OpenFile
from kfast.transfer.loopback import loopback_pair

FILE_SIZE = 3_000_000


class Peer:
    """Receives until the sender ends; `received()` waits for that."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._chunks: list[bytes] = []
        self._thread = threading.Thread(target=self._receive)
        self._thread.start()

    def _receive(self) -> None:
        while chunk := self._socket.recv(1 << 16):
            self._chunks.append(chunk)

    def received(self) -> bytes:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return b"".join(self._chunks)


@pytest.fixture(scope="session")
def content() -> bytes:
    return random.Random(1).randbytes(FILE_SIZE)


@pytest.fixture(scope="session")
def open_file(tmp_path_factory, content) -> OpenFile:
    path = tmp_path_factory.mktemp("transfer") / "00000000000000000000.log"
    path.write_bytes(content)
    return OpenFile(path)


@pytest.fixture
def small_file(tmp_path):
    """A function that writes a file of its own and returns a slice of all of it."""

    def make(data: bytes) -> FileSlice:
        path = tmp_path / "small.log"
        path.write_bytes(data)
        return FileSlice(OpenFile(path), 0, len(data))

    return make


@pytest.fixture(params=["tcp", "unix"])
def pair(request):
    """A connected pair of sockets, over loopback TCP and then as a Unix socket pair."""
    sender, receiver = loopback_pair() if request.param == "tcp" else socket.socketpair()
    with sender, receiver:
        yield sender, receiver


@pytest.fixture
def tcp_pair():
    sender, receiver = loopback_pair()
    with sender, receiver:
        yield sender, receiver


@pytest.fixture(scope="session")
def make_peer():
    return Peer
