import os
import socket
import struct
import threading

import pytest

from kfast.errors import KafkaStorageError
from kfast.file_slice import FileSlice
from kfast.transfer.connection import Connection
from kfast.transfer.modes import COPY_MODES
from kfast.transfer.sender import TransferSettings

SETTINGS = TransferSettings()


def test_it_receives_into_the_buffer_and_says_when_the_peer_has_ended(tcp_pair):
    connection, buffer = Connection(tcp_pair[0]), bytearray(16)
    tcp_pair[1].sendall(b"hello")
    tcp_pair[1].shutdown(socket.SHUT_WR)
    count = connection.recv_into(buffer)
    assert bytes(buffer[:count]) == b"hello"
    assert connection.recv_into(memoryview(buffer)[8:]) == 0


def test_small_answers_do_not_wait_for_each_other_and_the_socket_stays_blocking(tcp_pair):
    tcp_pair[0].settimeout(5)
    Connection(tcp_pair[0])
    assert tcp_pair[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    assert os.get_blocking(tcp_pair[0].fileno())


@pytest.mark.parametrize(("idle_timeout_s", "timeval"), [(-0.001, (0, 0)), (0, (0, 0)), (2.5, (2, 500_000))])
def test_a_time_out_below_zero_is_none_as_kafka_has_it(tcp_pair, idle_timeout_s, timeval):
    Connection(tcp_pair[0], idle_timeout_s)
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        data = tcp_pair[0].getsockopt(socket.SOL_SOCKET, option, struct.calcsize("@ll"))
        assert struct.unpack("@ll", data) == timeval


@pytest.mark.parametrize("mode", list(COPY_MODES))
def test_a_peer_that_takes_nothing_costs_it_its_connection(mode, pair, open_file):
    connection = Connection(pair[0], idle_timeout_s=0.05)
    chunks = [b"head", *[FileSlice(open_file, 0, 3_000_000)] * 5]
    with pytest.raises(TimeoutError, match="took no byte"):
        connection.send_chunks(chunks, TransferSettings(mode))
    with pytest.raises(ConnectionError):
        connection.send_chunks([b"half a frame has left, so nothing may follow"], SETTINGS)


def test_a_shrunk_file_ends_the_connection_in_the_middle_of_the_frame(tcp_pair, small_file):
    connection = Connection(tcp_pair[0])
    file_slice = small_file(b"x" * 100)
    os.truncate(file_slice.file.path, 40)
    with pytest.raises(KafkaStorageError):
        connection.send_chunks([b"head", file_slice], SETTINGS)
    with tcp_pair[1].makefile("rb") as stream:
        assert stream.read() == b"head" + b"x" * 40


def test_shutdown_ends_a_thread_that_waits_for_bytes(tcp_pair):
    connection, counts = Connection(tcp_pair[0]), []
    thread = threading.Thread(target=lambda: counts.append(connection.recv_into(bytearray(1))))
    thread.start()
    connection.shutdown()
    thread.join(30)
    assert counts == [0]


def test_shutdown_ends_a_thread_that_waits_to_send(open_file):
    sock, idle = socket.socketpair()
    with sock, idle:
        connection, errors = Connection(sock), []

        def send() -> None:
            try:
                connection.send_chunks([FileSlice(open_file, 0, 3_000_000)], SETTINGS)
            except OSError as error:
                errors.append(type(error))

        thread = threading.Thread(target=send)
        thread.start()
        idle.recv(1, socket.MSG_PEEK)  # it has begun, and its 3 MB do not fit the socket
        connection.shutdown()
        thread.join(30)
        assert errors == [BrokenPipeError]


def test_close_frees_the_socket_and_keeps_the_counters(tcp_pair, open_file):
    connection = Connection(tcp_pair[0])
    connection.send_chunks([b"head", FileSlice(open_file, 0, 10)], TransferSettings("splice"))
    connection.close()
    connection.close()
    connection.shutdown()
    assert tcp_pair[0].fileno() == -1
    assert connection.counters.sent_bytes["splice"] == 10
    assert repr(connection) == "Connection(closed)"
