from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kfast import Broker
from kfast.client.connection import ClientConnection, parse_bootstrap_servers
from kfast.client.counters import LoadError
from kfast.errors import MalformedFrameError, UnsupportedVersionError
from kfast.wire.api_versions import API_VERSIONS, ApiKey, write_api_versions_response
from kfast.wire.framing import frame_response, parse_request_header


@contextmanager
def scripted_peer(*answers: bytes | None) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """A server that gives these answers in turn, None being silence; yields its port and what it was asked."""
    asked: list[tuple[int, int]] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            for answer in answers:
                prefix = connection.recv(4, socket.MSG_WAITALL)
                if not prefix:
                    return  # the client has seen enough
                size = struct.unpack(">i", prefix)[0]
                header = parse_request_header(memoryview(connection.recv(size, socket.MSG_WAITALL)))
                asked.append((header.api_key, header.api_version))
                if answer is None:
                    connection.recv(1)
                else:
                    connection.sendall(answer[:4] + struct.pack(">i", header.correlation_id) + answer[8:])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.getsockname()[1], asked
    finally:
        server.close()
        thread.join()


VERSIONS = write_api_versions_response(4, 0)


def versions(api_key: int, lowest: int, highest: int) -> bytes:
    body = struct.pack(">hi", 0, 1) + struct.pack(">hhh", api_key, lowest, highest)
    return frame_response(ApiKey.API_VERSIONS, 0, 0, body)


def test_versions_are_agreed_with_a_real_broker(broker: Broker) -> None:
    with ClientConnection(broker.host, broker.port) as connection:
        assert connection.version(ApiKey.PRODUCE) == API_VERSIONS[ApiKey.PRODUCE].max
        assert connection.version(ApiKey.FETCH) == API_VERSIONS[ApiKey.FETCH].max


def test_a_broker_that_does_not_know_the_newest_version_is_asked_in_the_oldest() -> None:
    refusal = struct.pack(">iihB", 7, 0, 35, 0)  # as librdkafka's mock: an error, then not what Kafka would write
    with scripted_peer(refusal, versions(0, 3, 8)) as (port, asked), ClientConnection("127.0.0.1", port) as connection:
        assert connection.version(ApiKey.PRODUCE) == 8
        assert asked == [(18, 4), (18, 0)]
        with pytest.raises(UnsupportedVersionError, match=f"127.0.0.1:{port} serves FETCH not at all"):
            connection.version(ApiKey.FETCH)


@pytest.mark.parametrize(("lowest", "highest"), [(0, 2), (90, 99)])
def test_ranges_that_do_not_meet_are_an_error_with_both(lowest: int, highest: int) -> None:
    refusal = struct.pack(">iih", 6, 0, 35)
    with (
        scripted_peer(refusal, versions(0, lowest, highest)) as (port, _),
        ClientConnection("127.0.0.1", port) as connection,
        pytest.raises(UnsupportedVersionError, match=rf"PRODUCE \({lowest}, {highest}\); known here: 3 to"),
    ):
        connection.version(ApiKey.PRODUCE)


@pytest.mark.parametrize("error_code", [42, 35])
def test_a_broker_that_refuses_to_tell_its_versions(error_code: int) -> None:
    refusal = struct.pack(">iih", 6, 0, error_code)
    with (
        scripted_peer(refusal, refusal) as (port, _),
        pytest.raises(LoadError, match=f"ApiVersions . with error {error_code}"),
    ):
        ClientConnection("127.0.0.1", port)


def test_a_silent_broker_is_a_time_out_with_its_address() -> None:
    with (
        scripted_peer(None) as (port, _),
        pytest.raises(TimeoutError, match=rf"API_VERSIONS: 127.0.0.1:{port} was silent for 0.05 s"),
    ):
        ClientConnection("127.0.0.1", port, timeout_s=0.05)


def test_a_broker_that_hangs_up_is_a_connection_error() -> None:
    with (
        scripted_peer(VERSIONS) as (port, _),
        ClientConnection("127.0.0.1", port) as connection,
        pytest.raises(ConnectionError),
    ):
        connection.call(ApiKey.METADATA, 0, b"\0\0\0\0")


def test_an_answer_to_another_request_is_refused() -> None:
    with scripted_peer(VERSIONS, VERSIONS) as (port, _), ClientConnection("127.0.0.1", port) as connection:
        connection.next_correlation_id()
        frame = struct.pack(">ii", 4, 99)
        with pytest.raises(LoadError, match="answered request"):
            _call_with_answer(connection, frame)


def _call_with_answer(connection: ClientConnection, frame: bytes) -> None:
    ours, theirs = socket.socketpair()
    with connection.socket, ours, theirs:
        theirs.sendall(frame)
        connection.socket = ours
        connection.call(ApiKey.METADATA, 0, b"")


@pytest.mark.parametrize("size", [-1, (128 << 20) + 1])
def test_an_announced_size_that_cannot_be_is_refused(size: int) -> None:
    with (
        scripted_peer(struct.pack(">iih", size, 0, 0)) as (port, _),
        pytest.raises(MalformedFrameError, match=str(size)),
    ):
        ClientConnection("127.0.0.1", port)


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("localhost:9092", [("localhost", 9092)]),
        ("a:1, b:2", [("a", 1), ("b", 2)]),
        ("[::1]:9092", [("::1", 9092)]),
    ],
)
def test_bootstrap_servers(text: str, addresses: list[tuple[str, int]]) -> None:
    assert parse_bootstrap_servers(text) == addresses


@pytest.mark.parametrize("text", ["", "localhost", "localhost:", ":9092", "a:b"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        parse_bootstrap_servers(text)
