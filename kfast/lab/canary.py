"""The mutation canary: proof of zero copy without root and without counters.

Send a range of a file, then overwrite the file, then let the peer read. Where the socket held references to pages of
the page cache, the new bytes arrive; where it held a copy, the old. It proves a second thing: zero copy is safe because
the log is append-only. Otherwise the reader gets the future.
"""

from __future__ import annotations

import os
import socket as sockets
import ssl
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kfast.errors import KfastError
from kfast.file_slice import FileSlice, OpenFile
from kfast.lab.lab_directory import lab_parent
from kfast.lab.unavailable import Unavailable, reason_of
from kfast.transfer.connection import Connection
from kfast.transfer.loopback import loopback_pair
from kfast.transfer.modes import COPY_MODES
from kfast.transfer.sender import TransferSettings

if TYPE_CHECKING:
    from kfast.transfer.tls_connection import TlsConnection

SIZE = 65_536  # fits a socket nobody reads from
OLD, NEW = b"o", b"n"
TLS = "tls"
SEND_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class CanaryResult:
    """How many of the bytes that were sent arrived as they were then, and how many as they became afterwards."""

    copy_mode: str
    size_bytes: int
    old_bytes: int
    new_bytes: int

    @property
    def is_zero_copy(self) -> bool:
        """Whether every byte arrived as it became: none had been copied."""
        return self.new_bytes == self.size_bytes

    def __str__(self) -> str:
        verdict = "references to the page cache" if self.is_zero_copy else "a copy"
        return (
            f"{self.copy_mode}: {self.new_bytes} of {self.size_bytes} bytes arrived as they became after the send: "
            f"the socket held {verdict}"
        )


def canary(
    copy_mode: str, directory: str | os.PathLike[str] | None = None, chunk_size: int = SIZE
) -> CanaryResult | Unavailable:
    """Ask one copy mode; the file lies in `directory` while it lasts."""
    sender, receiver = loopback_pair()
    with receiver:
        return _ask(Connection(sender, SEND_TIMEOUT_S), receiver, copy_mode, directory, chunk_size)


def tls_canary(directory: str | os.PathLike[str] | None = None) -> CanaryResult | Unavailable:
    """Ask a connection that encrypts: it cannot send by reference, whatever the copy mode."""
    try:
        connection, receiver = _tls_pair()
    except ImportError as error:
        return Unavailable(f"{error}: pip install 'kfast[tls]'")
    with receiver:
        return _ask(connection, receiver, TLS, directory, SIZE)


def _ask(
    connection: Connection | TlsConnection,
    receiver: sockets.socket,
    name: str,
    directory: str | os.PathLike[str] | None,
    chunk_size: int,
) -> CanaryResult | Unavailable:
    """Send through `connection`, overwrite the file, and only then let `receiver` read."""
    settings = TransferSettings(name if name in COPY_MODES else "sendfile", chunk_size)
    with tempfile.NamedTemporaryFile(prefix="kfast-canary-", dir=directory or lab_parent()) as file:
        file.write(OLD * SIZE)
        file.flush()
        try:
            connection.send_chunks([FileSlice(OpenFile(file.name), 0, SIZE)], settings)
        except (KfastError, OSError) as error:
            return Unavailable(reason_of(error))
        else:
            os.pwrite(file.fileno(), NEW * SIZE, 0)
        finally:
            connection.close()
        with receiver.makefile("rb") as stream:
            received = stream.read(SIZE)
    return CanaryResult(name, SIZE, old_bytes=received.count(OLD), new_bytes=received.count(NEW))


def _tls_pair() -> tuple[TlsConnection, sockets.socket]:
    """A connection after its handshake, and the client's end of it."""
    from kfast.broker.self_signed import make_certificate
    from kfast.transfer.tls_connection import TlsConnection

    server_context, client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write("".join(make_certificate([])))
        file.flush()
        server_context.load_cert_chain(file.name)
        client_context.load_verify_locations(file.name)
    accepted, connecting = loopback_pair()
    connection = TlsConnection(accepted, server_context, SEND_TIMEOUT_S)
    with ThreadPoolExecutor(1) as thread:
        greeted = thread.submit(connection.recv_into, bytearray(1))
        receiver = client_context.wrap_socket(connecting, server_hostname="localhost")
        receiver.sendall(b"!")
        greeted.result()
    return connection, receiver


def canaries(directory: str | os.PathLike[str] | None = None) -> dict[str, CanaryResult | Unavailable]:
    """Ask all copy modes."""
    return {copy_mode: canary(copy_mode, directory) for copy_mode in COPY_MODES}
