"""The server behind an SSL listener: what a peer there may do, and that it costs nobody else."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import kfast
from kfast.broker.self_signed import make_certificate
from kfast.record.builder import RecordBatchBuilder
from kfast.wire.api_versions import ApiKey, ApiVersionsRequest, write_api_versions_request
from kfast.wire.framing import frame_request
from kfast.wire.produce import ProducePartition, ProduceRequest, ProduceTopic, write_produce_request

LIMIT_S = 20.0

Connect = Callable[..., ssl.SSLSocket]


@pytest.fixture(scope="module")
def broker() -> Iterator[kfast.Broker]:
    with kfast.Broker(listen="SSL://127.0.0.1:0") as broker:
        yield broker


@pytest.fixture
def connect() -> Iterator[Connect]:
    """`connect(broker, trusting=broker.ssl_ca_location)` is a client's end."""
    connected: list[ssl.SSLSocket] = []

    def connect(broker: kfast.Broker, trusting: str | None = None) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=trusting or broker.ssl_ca_location)
        plain = socket.create_connection((broker.host, broker.port), timeout=LIMIT_S)
        connected.append(context.wrap_socket(plain, server_hostname=broker.host))
        return connected[-1]

    yield connect
    for peer in connected:
        peer.close()


def api_versions(correlation_id: int) -> bytes:
    body = write_api_versions_request(3, ApiVersionsRequest("test", "1"))
    return frame_request(ApiKey.API_VERSIONS, 3, correlation_id, "test", body)


def produce_frames(topic: str, count: int, value: bytes = b"x" * 100, acks: int = -1) -> bytes:
    builder = RecordBatchBuilder()
    builder.append(None, value, 1)
    data = ProduceTopic(topic, None, [ProducePartition(0, memoryview(builder.build()))])
    request = ProduceRequest(None, acks, 1000, [data])
    frames = (write_produce_request(9, number, "test", request) for number in range(count))
    return b"".join(bytes(chunk) for chunks in frames for chunk in chunks)


def receive_exactly(peer: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = peer.recv(size - len(data))
        assert more, "the broker closed the connection"
        data += more
    return data


def receive_correlation_id(peer: socket.socket) -> int:
    size = struct.unpack(">i", receive_exactly(peer, 4))[0]
    return int.from_bytes(receive_exactly(peer, size)[:4])


def assert_closed(peer: socket.socket) -> None:
    with contextlib.suppress(ConnectionResetError):
        assert peer.recv(1) == b""


def assert_alive(broker: kfast.Broker, connect: Connect) -> None:
    peer = connect(broker)
    peer.sendall(api_versions(7))
    assert receive_correlation_id(peer) == 7


def test_frames_in_one_record_and_in_many_are_answered_in_order(broker: kfast.Broker, connect: Connect) -> None:
    peer = connect(broker)
    peer.sendall(b"".join(api_versions(number) for number in range(50)))
    for byte in api_versions(50):
        peer.sendall(bytes([byte]))
    assert [receive_correlation_id(peer) for _ in range(51)] == list(range(51))


def test_small_and_large_produce_requests_are_answered(broker: kfast.Broker, connect: Connect) -> None:
    broker.metadata.create_topic("produced", 1)
    peer = connect(broker)
    peer.sendall(produce_frames("produced", 300))
    assert [receive_correlation_id(peer) for _ in range(300)] == list(range(300))
    peer.sendall(produce_frames("produced", 3, value=bytes(1_000_000)))
    assert [receive_correlation_id(peer) for _ in range(3)] == list(range(3))
    assert broker.log("produced", 0).log_end_offset == 303


def test_a_producer_that_reads_no_answers_does_not_hold_up_another(broker: kfast.Broker, connect: Connect) -> None:
    broker.metadata.create_topic("unread", 1)
    stuck = connect(broker)
    stuck.setblocking(False)
    frames = memoryview(produce_frames("unread", 100))
    filled = 0
    with contextlib.suppress(ssl.SSLWantWriteError):  # raised once the broker waits for us and both buffers are full
        while filled < 100 << 20:
            filled += stuck.send(frames)
    peer = connect(broker)
    peer.sendall(produce_frames("unread", 1))
    assert receive_correlation_id(peer) == 0


@pytest.mark.parametrize("data", [api_versions(1), b"GET / HTTP/1.1\r\n\r\n"], ids=["Kafka in plain text", "HTTP"])
def test_who_speaks_no_tls_loses_its_connection_and_the_log_says_why(
    broker: kfast.Broker, connect: Connect, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection((broker.host, broker.port), timeout=LIMIT_S) as peer:
        peer.sendall(data)
        assert_closed(peer)
    (line,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert line.startswith("closing the connection of 127.0.0.1: it does not speak TLS")
    assert_alive(broker, connect)


def test_who_does_not_trust_the_certificate_is_named_in_the_log(
    connect: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "other.pem").write_text(make_certificate([])[0])
    with kfast.Broker(listen="SSL://127.0.0.1:0") as broker:
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(broker, trusting=str(tmp_path / "other.pem"))
        assert_alive(broker, connect)
    assert "closing the connection of 127.0.0.1: the TLS handshake failed: " in caplog.text


def test_who_speaks_tls_to_a_plain_listener_is_told_apart(
    broker: kfast.Broker, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    with kfast.Broker() as plain, pytest.raises(OSError, match=r"."):
        connect(plain, trusting=broker.ssl_ca_location)
    assert "closing the connection of 127.0.0.1: it speaks TLS, and this listener is PLAINTEXT" in caplog.text


def test_peers_that_do_not_begin_the_handshake_hold_up_nobody(broker: kfast.Broker, connect: Connect) -> None:
    with contextlib.ExitStack() as stack:
        for data in (b"", b"\x16", b"\x16\x03\x01\x02\x00") * 10:
            peer = stack.enter_context(socket.create_connection((broker.host, broker.port), timeout=LIMIT_S))
            peer.sendall(data)
        assert_alive(broker, connect)


def test_a_client_that_vanishes_leaves_nothing_behind(connect: Connect) -> None:
    with kfast.Broker(listen="SSL://127.0.0.1:0") as broker:
        for data in (b"", b"\x16\x03\x01", api_versions(1)):
            with socket.create_connection((broker.host, broker.port), timeout=LIMIT_S) as peer:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # leave by a reset
                peer.sendall(data)
        for _ in range(3):
            peer = connect(broker)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.sendall(api_versions(1) * 10)
            peer.close()
        assert_alive(broker, connect)
    assert broker.metrics.total()[1] == 0


def test_stop_ends_connections_and_their_threads_and_peers_are_told(connect: Connect) -> None:
    with kfast.Broker(listen="SSL://127.0.0.1:0") as broker:
        peer = connect(broker)
        peer.suppress_ragged_eofs = False  # or an end without a word would look the same
        peer.sendall(api_versions(1))
        receive_correlation_id(peer)
        broker.stop()
        assert peer.recv(1) == b""
    assert broker.metrics.total()[1] == 0


@pytest.mark.parametrize("data", [b"", b"\x16\x03\x01\x02\x00"], ids=["silent", "in the middle"])
def test_a_handshake_that_stalls_costs_nobody_else_and_stop_does_not_wait_for_it(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    monkeypatch.setattr("kfast.transfer.tls_connection.HANDSHAKE_TIMEOUT_S", 3600.0)
    with (
        kfast.Broker(listen="SSL://127.0.0.1:0") as broker,
        socket.create_connection((broker.host, broker.port), timeout=LIMIT_S) as peer,
    ):
        peer.sendall(data)
        assert_alive(broker, connect)
        broker.stop()
        assert_closed(peer)
    assert broker.metrics.total()[1] == 0


def test_a_client_that_leaves_without_reading_has_said_what_it_wanted(connect: Connect) -> None:
    """With acks=0; under TLS 1.3 tickets that nobody reads would make its leaving a reset, and what it sent be lost."""
    with kfast.Broker(listen="SSL://127.0.0.1:0") as broker:
        broker.metadata.create_topic("unasked", 1)
        peer = connect(broker)
        peer.sendall(produce_frames("unasked", 3000, acks=0))
        peer.close()
        while broker.metrics.total()[1]:  # until the broker has seen that it left
            os.sched_yield()
        assert broker.log("unasked", 0).log_end_offset == 3000


def test_a_silent_connection_is_closed_after_its_time(connect: Connect) -> None:
    with kfast.Broker(listen="SSL://127.0.0.1:0", config={"connections.max.idle.ms": "500"}) as broker:
        peer = connect(broker)
        peer.suppress_ragged_eofs = False
        assert_closed(peer)
        with socket.create_connection((broker.host, broker.port), timeout=LIMIT_S) as peer:
            assert_closed(peer)


def test_a_certificate_of_ones_own_is_shown(connect: Connect, tmp_path: Path) -> None:
    certificate, key = make_certificate([])
    (tmp_path / "server.pem").write_text(key + certificate)
    (tmp_path / "ca.pem").write_text(certificate)
    for config in (
        {"ssl.keystore.location": str(tmp_path / "server.pem")},
        {"ssl.keystore.certificate.chain": certificate, "ssl.keystore.key": key},
    ):
        with kfast.Broker(listen="SSL://127.0.0.1:0", config=config) as broker:
            assert broker.ssl_ca_location is None
            peer = connect(broker, trusting=str(tmp_path / "ca.pem"))
            assert peer.getpeercert(binary_form=True) == ssl.PEM_cert_to_DER_cert(certificate)


def test_the_advertised_host_is_in_the_certificate(connect: Connect) -> None:
    config = {"advertised.listeners": "SSL://kafka.example.org:9093"}
    with kfast.Broker(listen="SSL://127.0.0.1:0", config=config) as broker:
        certificate = connect(broker).getpeercert()
    assert certificate is not None
    assert ("DNS", "kafka.example.org") in certificate["subjectAltName"]


def test_the_certificate_lies_in_the_data_directory_and_does_no_harm_there(tmp_path: Path, connect: Connect) -> None:
    made = set()
    for _ in range(2):
        with kfast.Broker(tmp_path, listen="SSL://127.0.0.1:0") as broker:
            assert broker.ssl_ca_location == str(tmp_path / "kfast-ca.pem")
            assert_alive(broker, connect)
            made.add((tmp_path / "kfast-ca.pem").read_text())
    assert len(made) == 2
