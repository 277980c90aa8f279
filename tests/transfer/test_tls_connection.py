import os
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from kfast.broker.config import BrokerConfig
from kfast.broker.keystore import open_keystore
from kfast.broker.self_signed import make_certificate
from kfast.errors import KafkaStorageError, TlsHandshakeError
from kfast.file_slice import FileSlice
from kfast.transfer import tls_connection
from kfast.transfer.loopback import loopback_pair
from kfast.transfer.modes import COPY_MODES
from kfast.transfer.sender import TransferSettings
from kfast.transfer.tls_connection import TlsConnection

SETTINGS = TransferSettings()
LIMIT_S = 30


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """The path of a file that holds a certificate and its key."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_text("".join(make_certificate([])))
    return path


@pytest.fixture(scope="module")
def server_context(certificate):
    return open_keystore(BrokerConfig({"ssl.keystore.location": str(certificate)}), []).context


@pytest.fixture(scope="module")
def client_context(certificate):
    return ssl.create_default_context(cafile=certificate)


@pytest.fixture
def established(server_context, client_context):
    """`established(idle_timeout_s)` is a connection after its handshake, and the client's end."""
    opened = []

    def established(idle_timeout_s=LIMIT_S, version=ssl.TLSVersion.TLSv1_3):
        accepted, connecting = loopback_pair()
        connection = TlsConnection(accepted, server_context, idle_timeout_s)
        client_context.minimum_version = client_context.maximum_version = version
        with ThreadPoolExecutor(1) as thread:
            received = thread.submit(connection.recv_into, bytearray(1))
            peer = client_context.wrap_socket(connecting, server_hostname="127.0.0.1")
            peer.settimeout(LIMIT_S)
            peer.sendall(b"!")
            assert received.result(LIMIT_S) == 1
        opened.extend((connection, peer))
        return connection, peer

    yield established
    for end in opened:
        end.close()


@pytest.fixture
def beginning(server_context):
    """`beginning(idle_timeout_s)` is a connection before its handshake, and the peer's plain socket."""
    opened = []

    def beginning(idle_timeout_s=LIMIT_S):
        accepted, peer = loopback_pair()
        opened.extend((TlsConnection(accepted, server_context, idle_timeout_s), peer))
        return opened[-2], peer

    yield beginning
    for end in opened:
        end.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_it_receives_into_the_buffer_and_says_when_the_peer_has_ended(established, version):
    connection, peer = established(version=version)
    assert peer.version() == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
    buffer = bytearray(16)
    peer.sendall(b"hello")
    count = connection.recv_into(buffer)
    assert bytes(buffer[:count]) == b"hello"
    socket.socket.shutdown(peer, socket.SHUT_WR)
    assert connection.recv_into(memoryview(buffer)[8:]) == 0


@pytest.mark.parametrize("mode", list(COPY_MODES))
def test_the_peer_gets_the_same_bytes_whatever_the_copy_mode(established, make_peer, open_file, content, mode):
    connection, socket = established()
    peer = make_peer(socket)
    chunks = [b"head", FileSlice(open_file, 7, 2_000_000), b"and", memoryview(b" next"), FileSlice(open_file, 0, 9)]
    chunks += [FileSlice(open_file, 1, 0), b"tail"]
    expected = b"head" + content[7:2_000_007] + b"and next" + content[:9] + b"tail"
    assert connection.send_chunks(chunks, TransferSettings(mode, 300_001)) == len(expected)
    connection.close()
    assert peer.received() == expected


def test_three_copies_are_counted_for_each_byte_of_a_slice(established, make_peer, open_file):
    connection, socket = established()
    peer = make_peer(socket)
    connection.send_chunks([b"head", FileSlice(open_file, 0, 100_000)], TransferSettings("sendfile", 40_000))
    connection.close()
    assert len(peer.received()) == 100_004
    counters = connection.counters
    assert counters.sent_bytes == {"tls": 100_000}
    assert (counters.inline_bytes, counters.cpu_copied_bytes) == (4, 300_000)
    assert counters.syscalls == 7  # one for the head, and three times a read and a write


def test_nothing_is_sent_without_waiting(established):
    connection, _ = established()
    assert connection.send_now(b"answers") == 0
    assert connection.counters.inline_bytes == 0


def test_a_peer_that_takes_nothing_costs_it_its_connection(established, open_file):
    connection, _ = established(idle_timeout_s=0.5)
    with pytest.raises(TimeoutError):
        connection.send_chunks([b"head", *[FileSlice(open_file, 0, 3_000_000)] * 5], SETTINGS)
    with pytest.raises(OSError, match=r"."):
        connection.send_chunks([b"half a frame has left, so nothing may follow"], SETTINGS)


def test_a_shrunk_file_ends_the_connection_in_the_middle_of_the_frame(established, make_peer, small_file):
    connection, socket = established()
    peer = make_peer(socket)
    file_slice = small_file(b"x" * 100)
    os.truncate(file_slice.file.path, 40)
    with pytest.raises(KafkaStorageError):
        connection.send_chunks([b"head", file_slice], SETTINGS)
    assert peer.received() == b"head" + b"x" * 40


def test_who_had_part_of_a_frame_is_not_told_that_nothing_was_cut_off(established, small_file):
    connection, peer = established()
    peer.suppress_ragged_eofs = False  # or both ends would look the same
    file_slice = small_file(b"x" * 100)
    os.truncate(file_slice.file.path, 40)
    with pytest.raises(KafkaStorageError):
        connection.send_chunks([b"head", file_slice], SETTINGS)
    connection.close()
    received = peer.recv(4) + peer.recv(40)
    assert received == b"head" + b"x" * 40
    with pytest.raises(ssl.SSLEOFError):
        peer.recv(1)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("end", ["it closes", "the peer has ended", "it is shut down"])
def test_the_peer_is_told_that_nothing_was_cut_off(established, version, end):
    connection, peer = established(version=version)
    peer.suppress_ragged_eofs = False
    connection.send_chunks([b"all of it"], SETTINGS)
    if end == "the peer has ended":
        socket.socket.shutdown(peer, socket.SHUT_WR)
    elif end == "it is shut down":
        connection.shutdown()
    if end != "it closes":
        assert connection.recv_into(bytearray(1)) == 0
    connection.close()
    assert peer.recv(100) == b"all of it"
    assert peer.recv(1) == b""


def test_closing_does_not_wait_for_the_answer_of_a_peer_that_gives_none(established):
    connection, _ = established(idle_timeout_s=0)  # which is no time-out
    connection.close()


def test_the_first_byte_and_the_handshake_have_one_limit(beginning, monkeypatch):
    connection, peer = beginning(idle_timeout_s=5)
    monkeypatch.setattr(tls_connection, "time", SimpleNamespace(monotonic=iter((0.0, 5.0)).__next__))
    peer.sendall(b"\x16\x03\x01")
    with pytest.raises(TimeoutError, match=r"no TLS handshake in 5\.0 s"):
        connection.recv_into(bytearray(1))
    assert connection._socket.gettimeout() < 1, "what the first byte left of the limit"


def test_a_silent_peer_is_given_up_after_the_time_out(established, beginning):
    connection, _ = established(idle_timeout_s=0.5)
    with pytest.raises(TimeoutError):
        connection.recv_into(bytearray(1))
    connection, _ = beginning(idle_timeout_s=0.05)
    with pytest.raises(TimeoutError, match=r"no TLS handshake in 0\.05 s"):
        connection.recv_into(bytearray(1))


@pytest.mark.parametrize("idle_timeout_s", [-0.001, 0])
def test_a_time_out_below_zero_is_none_as_kafka_has_it(established, idle_timeout_s):
    connection, peer = established(idle_timeout_s)
    assert connection._socket.gettimeout() is None
    peer.sendall(b"x")
    assert connection.recv_into(bytearray(1)) == 1


@pytest.mark.parametrize("idle_timeout_s", [LIMIT_S, 0])
def test_shutdown_ends_a_thread_that_waits_for_bytes(established, idle_timeout_s):
    connection, _ = established(idle_timeout_s)
    with ThreadPoolExecutor(1) as thread:
        waiting = threading.Event()
        count = thread.submit(lambda: (waiting.set(), connection.recv_into(bytearray(1)))[1])
        waiting.wait(LIMIT_S)
        connection.shutdown()
        assert count.result(LIMIT_S) == 0


def test_shutdown_ends_a_thread_that_waits_for_the_handshake(beginning):
    connection, peer = beginning()
    with ThreadPoolExecutor(1) as thread:
        outcome = thread.submit(connection.recv_into, bytearray(1))
        peer.sendall(b"\x16\x03\x01")  # and no more of it
        connection.shutdown()
        assert isinstance(outcome.exception(LIMIT_S), TlsHandshakeError | ConnectionError | None)


def test_shutdown_ends_a_thread_that_waits_to_send(established, open_file):
    connection, peer = established()
    with ThreadPoolExecutor(1) as thread:
        outcome = thread.submit(connection.send_chunks, [FileSlice(open_file, 0, 3_000_000)] * 5, SETTINGS)
        peer.recv(1)  # it has begun, and its 15 MB do not fit the socket
        connection.shutdown()
        assert isinstance(outcome.exception(LIMIT_S), OSError)


def test_what_is_sent_after_a_shutdown_never_leaves_in_the_clear(established, make_peer):
    connection, socket = established()
    plain = make_peer(socket)
    connection.shutdown()
    with pytest.raises(OSError, match=r"."):
        connection.send_chunks([b"secret"], SETTINGS)
    assert plain.received() == b""


@pytest.mark.parametrize("data", [b"\x00\x00\x00\x20" + bytes(32), b"GET / HTTP/1.1\r\n\r\n"])
def test_a_peer_that_does_not_speak_tls_is_told_from_its_first_byte(beginning, data):
    connection, peer = beginning()
    peer.sendall(data)
    with pytest.raises(TlsHandshakeError, match=r"does not speak TLS.*security\.protocol=SSL"):
        connection.recv_into(bytearray(100))


def test_a_handshake_that_fails_says_why(beginning):
    connection, peer = beginning()
    peer.sendall(b"\x16\x03\x01\x00\x05hello")
    with pytest.raises(TlsHandshakeError, match="the TLS handshake failed"):
        connection.recv_into(bytearray(100))


def test_a_peer_that_does_not_trust_the_certificate_says_so(beginning):
    connection, connecting = beginning()
    with ThreadPoolExecutor(1) as thread:
        received = thread.submit(connection.recv_into, bytearray(1))
        with pytest.raises(ssl.SSLCertVerificationError):
            ssl.create_default_context(cadata=make_certificate([])[0]).wrap_socket(
                connecting, server_hostname="localhost"
            )
        assert isinstance(received.exception(LIMIT_S), TlsHandshakeError)


def test_a_peer_that_leaves_before_a_word_has_ended(beginning):
    connection, peer = beginning()
    peer.shutdown(socket.SHUT_WR)
    assert connection.recv_into(bytearray(1)) == 0


def test_close_frees_the_socket_and_keeps_the_counters(established, make_peer, open_file):
    connection, socket = established()
    peer = make_peer(socket)
    connection.send_chunks([b"head", FileSlice(open_file, 0, 10)], SETTINGS)
    assert repr(connection) == "TlsConnection(open)"
    connection.close()
    connection.close()
    connection.shutdown()
    assert len(peer.received()) == 14
    assert connection.counters.sent_bytes == {"tls": 10}
    assert repr(connection) == "TlsConnection(closed)"
