"""One socket to one Kafka broker, any Kafka broker: versions are negotiated, answers are matched by correlation id.

Calls go one at a time through `request`. The load generators take the socket itself and keep several requests under
way; they frame and count for themselves. Blocking throughout, with the kernel's time-outs (SO_RCVTIMEO, SO_SNDTIMEO):
Python's own would make the descriptor non-blocking and cost a poll before each call.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Any, Self

from kfast.client.counters import LoadError
from kfast.errors import UnsupportedVersionError
from kfast.wire import framing
from kfast.wire.api_versions import (
    API_VERSIONS,
    ApiKey,
    ApiVersionsRequest,
    read_api_versions_response,
    write_api_versions_request,
)

CLIENT_ID = "kfast"
MAX_RESPONSE_SIZE = 128 << 20
"""A fetch returns one whole batch however large; a broker takes none above 100 MiB (socket.request.max.bytes)."""


class ClientConnection:
    """Connected, and agreed about versions, when the constructor returns. Not thread-safe, but for `close`.

    Raises OSError when there is no broker, TimeoutError when one stays silent, and UnsupportedVersionError when it
    speaks no version of ApiVersions that we do. `ssl_ca_location` is a PEM file with the certificates to trust, as a
    client's ssl.ca.location, and means TLS; None means none.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        client_id: str = CLIENT_ID,
        timeout_s: float = 30.0,
        ssl_ca_location: str | None = None,
    ) -> None:
        self.client_id = client_id
        self.timeout_s = timeout_s
        self.address = f"{host}:{port}"
        self._correlation_id = 0
        self.socket = connect(host, port, timeout_s, ssl_ca_location)
        try:
            self._advertised = self._ask_for_versions()
        except BaseException:
            self.socket.close()
            raise

    def version(self, api_key: ApiKey) -> int:
        """The newest version of an API that both sides know; raises UnsupportedVersionError."""
        ours = API_VERSIONS[api_key]
        theirs = self._advertised.get(int(api_key))
        if theirs is None or theirs[1] < ours.min or theirs[0] > ours.max:
            raise UnsupportedVersionError(
                f"{self.address} serves {api_key.name} {theirs or 'not at all'}; known here: {ours.min} to {ours.max}"
            )
        return min(ours.max, theirs[1])

    def next_correlation_id(self) -> int:
        self._correlation_id = (self._correlation_id + 1) & 0x7FFFFFFF
        return self._correlation_id

    def request(self, api_key: ApiKey, entity: Any) -> Any:
        """Send a request in the form of `wire.codec` and return its response. Not for Produce and Fetch."""
        from kfast.wire import codec  # brings kio: 190 ms that a load which only produces or fetches can do without

        version = self.version(api_key)
        body = self.call(api_key, version, codec.encode_request(api_key, version, entity))
        return codec.decode_response(api_key, version, body)

    def call(self, api_key: ApiKey, version: int, body: bytes) -> memoryview:
        """Send one request, return the body of its response."""
        correlation_id = self.next_correlation_id()
        with self.explained(api_key):
            self.socket.sendall(framing.frame_request(api_key, version, correlation_id, self.client_id, body))
            frame = self._receive_frame()
        answered, position = framing.parse_response_header(frame, api_key, version)
        if answered != correlation_id:
            raise LoadError(f"{self.address} answered request {answered} where {correlation_id} was asked")
        return frame[position:]

    def explained(self, api_key: ApiKey) -> contextlib.AbstractContextManager[None]:
        """Turns a time-out of the kernel ("Resource temporarily unavailable") or of TLS into one with numbers, once."""
        return _Explained(f"{api_key.name}: {self.address}", self.timeout_s)

    def close(self) -> None:
        """Close the socket; a thread that waits on it wakes up. Calling it twice does no harm."""
        with contextlib.suppress(OSError):  # not connected any more: nothing left to shut down
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)  # an SSLSocket's own takes TLS from a waiting thread
        self.socket.close()

    def _ask_for_versions(self) -> dict[int, tuple[int, int]]:
        """Ask in the newest version, and in the oldest where the broker does not know that one, as librdkafka does.

        The refusal would say which versions it knows, but not all brokers write that part as Kafka does.
        """
        request = ApiVersionsRequest(CLIENT_ID, _software_version())
        for version in (API_VERSIONS[ApiKey.API_VERSIONS].max, 0):
            body = self.call(ApiKey.API_VERSIONS, version, write_api_versions_request(version, request))
            error_code = int.from_bytes(body[:2], signed=True)
            if not error_code:
                response = read_api_versions_response(version, body)
                return {api_key: (lowest, highest) for api_key, lowest, highest in response.api_versions}
            if error_code != UnsupportedVersionError.error_code:
                break
        raise LoadError(f"{self.address} answered ApiVersions {version} with error {error_code}")

    def _receive_frame(self) -> memoryview:
        head = bytearray(framing.SIZE_PREFIX)
        receive_exactly(self.socket, memoryview(head), self.address)
        size = framing.announced_size(head, 0, len(head), MAX_RESPONSE_SIZE)
        assert size is not None
        frame = memoryview(bytearray(size))
        receive_exactly(self.socket, frame, self.address)
        return frame

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"ClientConnection({self.address!r})"


class _SilentPeerError(TimeoutError):
    pass


class _Explained(contextlib.AbstractContextManager[None]):
    def __init__(self, what: str, timeout_s: float) -> None:
        self._what = what
        self._timeout_s = timeout_s

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, BlockingIOError | TimeoutError) and not isinstance(error, _SilentPeerError):
            raise _SilentPeerError(f"{self._what} was silent for {self._timeout_s} s") from None


def connect(host: str, port: int, timeout_s: float, ssl_ca_location: str | None = None) -> socket.socket:
    """A blocking TCP socket with the kernel's time-outs and without Nagle's delay; or an SSLSocket, with Python's.

    Its congestion control is reno where the kernel offers it: BBR, the default of some distributions, paces what it
    sends, and that would be measured instead of the broker. Set before connecting: a socket that BBR has begun to pace
    stays paced.
    """
    connection = _connected(host, port, timeout_s)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if ssl_ca_location is not None:
        return _encrypted(connection, host, ssl_ca_location)
    connection.settimeout(None)
    seconds = int(timeout_s)
    timeval = struct.pack("@ll", seconds, int((timeout_s - seconds) * 1e6))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
    return connection


def _connected(host: str, port: int, timeout_s: float) -> socket.socket:
    """Connect to the first of the host's addresses that answers."""
    failure: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        connection = socket.socket(family, kind, protocol)
        try:
            if hasattr(socket, "TCP_CONGESTION"):
                with contextlib.suppress(OSError):  # a kernel without it keeps its own
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
            connection.settimeout(timeout_s)
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure or OSError(f"{host} has no address")


def _encrypted(connection: socket.socket, host: str, ssl_ca_location: str) -> socket.socket:
    import ssl

    try:
        context = ssl.create_default_context(cafile=ssl_ca_location)
    except OSError as error:
        connection.close()
        raise LoadError(f"ssl_ca_location={ssl_ca_location}: no certificates in PEM: {error.strerror}") from error
    try:
        return context.wrap_socket(connection, server_hostname=host)
    except BaseException:
        connection.close()
        raise


def receive_exactly(connection: socket.socket, view: memoryview, address: str) -> None:
    """Fill `view` from the socket; raises ConnectionError where the stream ends before."""
    received = 0
    flags = socket.MSG_WAITALL if type(connection) is socket.socket else 0  # TLS has no flags
    while received < len(view):
        count = connection.recv_into(view[received:], flags=flags)
        if not count:
            raise ConnectionError(f"{address} closed the connection after {received} of {len(view)} bytes")
        received += count


def parse_bootstrap_servers(bootstrap_servers: str) -> list[tuple[str, int]]:
    """Split `HOST:PORT,HOST:PORT`; IPv6 addresses stand in brackets. Raises ValueError."""
    addresses = []
    for entry in bootstrap_servers.split(","):
        host, colon, port = entry.strip().rpartition(":")
        if not colon or not host or not port.isdigit():
            raise ValueError(f"{entry!r} is not HOST:PORT")
        addresses.append((host.removeprefix("[").removesuffix("]"), int(port)))
    return addresses


def _software_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("kfast")
    except PackageNotFoundError:
        return "0"
