import contextlib
import logging
import os
import random
import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import kfast
from kfast.broker.server import FIRST_BUFFER_SIZE, KEPT_BUFFER_SIZE, Server, Session
from kfast.record.builder import RecordBatchBuilder
from kfast.wire.api_versions import ApiKey, ApiVersionsRequest, read_api_versions_response, write_api_versions_request
from kfast.wire.framing import frame_request
from kfast.wire.produce import ProducePartition, ProduceRequest, ProduceTopic, write_produce_request


@pytest.fixture(scope="module")
def broker() -> Iterator[kfast.Broker]:
    with kfast.Broker(config={"socket.request.max.bytes": "1000000"}) as broker:
        yield broker


@pytest.fixture
def peer(broker: kfast.Broker) -> Iterator[socket.socket]:
    with socket.create_connection((broker.host, broker.port), timeout=20) as peer:
        yield peer


def api_versions(correlation_id: int, version: int = 3) -> bytes:
    body = write_api_versions_request(min(version, 4), ApiVersionsRequest("test", "1"))
    return frame_request(ApiKey.API_VERSIONS, version, correlation_id, "test", body)


def receive_frame(peer: socket.socket) -> bytes:
    with peer.makefile("rb", buffering=0) as stream:
        head = stream.read(4)
        assert head is not None
        assert len(head) == 4, "the broker closed the connection"
        size = struct.unpack(">i", head)[0]
        data = b""
        while len(data) < size:
            more = stream.read(size - len(data))
            assert more
            data += more
        return data


def correlation_id(frame: bytes) -> int:
    return int.from_bytes(frame[:4])


def assert_closed(peer: socket.socket) -> None:
    with contextlib.suppress(ConnectionResetError):  # closed with bytes of ours unread, which is what a reset means
        assert peer.recv(1) == b""


def assert_alive(broker: kfast.Broker) -> None:
    with socket.create_connection((broker.host, broker.port), timeout=20) as peer:
        peer.sendall(api_versions(7))
        assert correlation_id(receive_frame(peer)) == 7


def test_frames_in_one_packet_are_all_answered_in_order(peer: socket.socket) -> None:
    peer.sendall(b"".join(api_versions(number) for number in range(50)))
    assert [correlation_id(receive_frame(peer)) for _ in range(50)] == list(range(50))


def test_a_frame_that_comes_byte_by_byte_is_answered(peer: socket.socket) -> None:
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in api_versions(9):
        peer.sendall(bytes([byte]))
    assert correlation_id(receive_frame(peer)) == 9


def test_half_a_frame_waits_for_the_other_half(peer: socket.socket) -> None:
    whole = api_versions(1) + api_versions(2)
    peer.sendall(whole[:-5])
    assert correlation_id(receive_frame(peer)) == 1
    peer.sendall(whole[-5:])
    assert correlation_id(receive_frame(peer)) == 2


def test_a_version_of_api_versions_from_the_future_gets_error_35_in_version_0(peer: socket.socket) -> None:
    peer.sendall(api_versions(3, version=9))
    frame = receive_frame(peer)
    response = read_api_versions_response(0, memoryview(frame)[4:])
    assert (correlation_id(frame), response.error_code) == (3, 35)
    peer.sendall(api_versions(4))
    assert correlation_id(receive_frame(peer)) == 4


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">i", -1),
        struct.pack(">i", 1_000_001),
        struct.pack(">i", 2**31 - 1),
        struct.pack(">i", 0),
        struct.pack(">i", 7) + bytes(7),
        struct.pack(">ihhih", 10, 18, 3, 1, 30_000),
        frame_request(9999, 0, 1, "x", b""),
        frame_request(ApiKey.PRODUCE, 99, 1, "x", b""),
        frame_request(ApiKey.PRODUCE, 2, 1, "x", b""),
        frame_request(ApiKey.METADATA, 12, 1, "x", b"\xff\xff\xff\xff\x0f"),
        frame_request(ApiKey.FETCH, 11, 1, "x", b"\x00"),
        frame_request(ApiKey.PRODUCE, 9, 1, "x", b"\x00\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\x0f"),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50),
    ],
    ids=[
        "negative size",
        "above socket.request.max.bytes",
        "largest size",
        "empty frame",
        "less than a header",
        "client id beyond the frame",
        "unknown API",
        "unknown version",
        "version that is advertised and refused",
        "metadata with a huge array",
        "fetch cut off",
        "produce with a huge array",
        "HTTP",
        "TLS",
    ],
)
def test_what_is_no_request_costs_one_connection(
    broker: kfast.Broker, peer: socket.socket, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    peer.sendall(data)
    assert_closed(peer)
    assert "closing the connection of 127.0.0.1" in caplog.text
    assert_alive(broker)


def test_what_came_before_a_bad_frame_is_answered(peer: socket.socket) -> None:
    peer.sendall(api_versions(1) + api_versions(2) + struct.pack(">i", -1))
    assert [correlation_id(receive_frame(peer)) for _ in range(2)] == [1, 2]
    assert_closed(peer)


def test_random_bytes_cost_one_connection(broker: kfast.Broker) -> None:
    generator = random.Random(41)
    for _ in range(100):
        with socket.create_connection((broker.host, broker.port), timeout=20) as peer:
            frame = generator.randbytes(generator.randrange(1, 200))
            peer.sendall(struct.pack(">ihh", len(frame) + 4, generator.randrange(70), generator.randrange(14)) + frame)
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(65536):
                pass
    assert_alive(broker)


def test_a_client_that_vanishes_leaves_nothing_behind(broker: kfast.Broker) -> None:
    for data in (b"", b"\x00", api_versions(1)[:-1], api_versions(1)):
        with socket.create_connection((broker.host, broker.port), timeout=20) as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # leave by a reset
            peer.sendall(data)
    assert_alive(broker)


def test_peers_that_left_before_they_were_accepted_are_not_counted() -> None:
    with kfast.Broker() as broker:
        for _ in range(100):
            with socket.create_connection((broker.host, broker.port), timeout=20) as peer:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert_alive(broker)
    assert broker.metrics.total()[1] == 0


def test_where_no_thread_can_be_started_only_that_connection_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Session) -> None:
        monkeypatch.undo()
        raise RuntimeError("can't start new thread")

    with kfast.Broker() as broker:
        monkeypatch.setattr(Session, "start", refuse)
        with socket.create_connection((broker.host, broker.port), timeout=20) as peer:
            assert_closed(peer)
        assert_alive(broker)
    assert broker.metrics.total()[1] == 0


def test_an_oversized_announcement_allocates_nothing(broker: kfast.Broker, peer: socket.socket) -> None:
    """900,000 bytes are announced and 6,000 come: the buffer grows with what came."""
    before = broker.metrics.total()[0].received_bytes
    peer.sendall(struct.pack(">i", 900_000) + bytes(6_000))
    while broker.metrics.total()[0].received_bytes < before + 6_004:
        os.sched_yield()
    with broker._server._lock:
        sizes = [len(session._buffer) for session in broker._server._sessions]
    assert max(sizes) <= KEPT_BUFFER_SIZE


def test_the_buffer_starts_small_grows_with_the_frame_and_shrinks_again(
    peer: socket.socket, broker: kfast.Broker
) -> None:
    big = frame_request(ApiKey.API_VERSIONS, 0, 1, "x" * 30_000, bytes(900_000))
    peer.sendall(big)
    assert correlation_id(receive_frame(peer)) == 1
    for number in range(3):
        peer.sendall(api_versions(number))
        assert correlation_id(receive_frame(peer)) == number
    peer.sendall(api_versions(8) + api_versions(9))
    assert {correlation_id(receive_frame(peer)) for _ in range(2)} == {8, 9}
    with broker._server._lock:
        sizes = [len(session._buffer) for session in broker._server._sessions]
    assert FIRST_BUFFER_SIZE <= max(sizes) <= KEPT_BUFFER_SIZE


def test_many_idle_connections_leave_room_for_one_that_works(broker: kfast.Broker) -> None:
    idle = [socket.create_connection((broker.host, broker.port), timeout=20) for _ in range(200)]
    try:
        assert_alive(broker)
    finally:
        for peer in idle:
            peer.close()


def test_stop_ends_connections_and_their_threads() -> None:
    broker = kfast.Broker()
    before = {thread.name for thread in threading.enumerate()}
    assert "kfast-acceptor" in before
    with socket.create_connection((broker.host, broker.port), timeout=20) as peer:
        peer.sendall(api_versions(1))
        receive_frame(peer)
        broker.stop()
        assert_closed(peer)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((broker.host, broker.port), timeout=20)


def test_a_silent_connection_is_closed_after_its_time(caplog: pytest.LogCaptureFixture) -> None:
    """Which is nothing to log: connections end all the time."""
    caplog.set_level(logging.INFO)
    with (
        kfast.Broker(config={"connections.max.idle.ms": "50"}) as broker,
        socket.create_connection((broker.host, broker.port), timeout=20) as peer,
    ):
        assert_closed(peer)
    assert not caplog.messages


@pytest.mark.skipif(not hasattr(socket, "TCP_CONGESTION"), reason="TCP_CONGESTION is not offered on this platform")
@pytest.mark.parametrize(("host", "is_spared"), [("127.0.0.1", True), ("0.0.0.0", False)])
def test_connections_over_loopback_are_not_paced_by_bbr(host: str, is_spared: bool) -> None:
    def congestion_control(of: socket.socket) -> bytes:
        return of.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0")

    with socket.socket() as untouched, Server(host, 0)._listener as listener:
        assert congestion_control(listener) == (b"reno" if is_spared else congestion_control(untouched))


def produce_frames(topic: str, count: int, correlation: int = 0) -> bytes:
    builder = RecordBatchBuilder()
    builder.append(None, b"x" * 100, 1)
    data = ProduceTopic(topic, None, [ProducePartition(0, memoryview(builder.build()))])
    request = ProduceRequest(None, -1, 1000, [data])
    return b"".join(
        bytes(chunk)
        for number in range(count)
        for chunk in write_produce_request(9, correlation + number, "test", request)
    )


@pytest.fixture
def topic(broker: kfast.Broker, request: pytest.FixtureRequest) -> str:
    """The name of a topic for this test alone."""
    return broker.metadata.create_topic(request.node.name, 1).name


def test_a_producer_that_vanishes_gives_its_turn_up(broker: kfast.Broker, topic: str) -> None:
    for _ in range(20):
        with socket.create_connection((broker.host, broker.port), timeout=20) as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # leave by a reset
            peer.sendall(produce_frames(topic, 200))
    with socket.create_connection((broker.host, broker.port), timeout=20) as peer:
        peer.sendall(produce_frames(topic, 1, correlation=77))
        assert correlation_id(receive_frame(peer)) == 77


def test_a_producer_that_reads_no_answers_does_not_hold_up_another(broker: kfast.Broker, topic: str) -> None:
    with socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.connect((broker.host, broker.port))
        stuck.setblocking(False)
        frames = memoryview(produce_frames(topic, 1000))
        filled = 0
        with contextlib.suppress(BlockingIOError):  # raised once the broker waits for us and both buffers are full
            while filled < 100 << 20:
                filled += stuck.send(frames)
        with socket.create_connection((broker.host, broker.port), timeout=20) as peer:
            peer.sendall(produce_frames(topic, 1, correlation=78))
            assert correlation_id(receive_frame(peer)) == 78


def test_producers_in_turns_get_each_answer_once_and_in_order(broker: kfast.Broker, topic: str) -> None:
    def produce(first: int) -> list[int]:
        with socket.create_connection((broker.host, broker.port), timeout=20) as peer:
            peer.sendall(produce_frames(topic, 300, correlation=first))
            return [correlation_id(receive_frame(peer)) for _ in range(300)]

    with ThreadPoolExecutor(4) as pool:
        answered = list(pool.map(produce, range(0, 4000, 1000)))
    assert answered == [list(range(first, first + 300)) for first in range(0, 4000, 1000)]
    assert broker.log(topic, 0).log_end_offset == 1200
