"""Whatever the copy mode: the same bytes, and the same words when something is wrong."""

import os
import socket
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfast.errors import KafkaStorageError
from kfast.file_slice import FileSlice
from kfast.transfer import modes
from kfast.transfer.loopback import loopback_pair
from kfast.transfer.modes import COPY_MODES, CPU_COPIES
from kfast.transfer.scratch import Scratch

all_modes = pytest.mark.parametrize("mode", list(COPY_MODES))


@pytest.fixture
def scratch():
    scratch = Scratch()
    yield scratch
    scratch.close()


def set_send_timeout(sock: socket.socket, milliseconds: int) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", 0, milliseconds * 1000))


@all_modes
def test_the_bytes_of_the_slice_arrive(mode, pair, open_file, content, scratch, make_peer):
    sender, receiver = pair
    peer = make_peer(receiver)
    moved = COPY_MODES[mode](sender, FileSlice(open_file, 4097, 2_500_000), 1 << 20, scratch)
    sender.shutdown(socket.SHUT_WR)
    assert moved == 2_500_000
    assert peer.received() == content[4097 : 4097 + 2_500_000]


@settings(max_examples=25, deadline=None)
@given(
    slices=st.lists(
        st.tuples(
            st.integers(0, 2_900_000),
            st.one_of(st.just(0), st.sampled_from([1, 4095, 4096, 4097, 65536]), st.integers(0, 100_000)),
            st.one_of(st.sampled_from([4096, 65536, 1 << 20]), st.integers(3_000, 70_000)),
            st.sampled_from(sorted(COPY_MODES)),
        ),
        max_size=5,
    ),
    is_tcp=st.booleans(),
)
def test_slices_of_any_size_at_any_position_in_chunks_of_any_size(slices, is_tcp, open_file, content, make_peer):
    sender, receiver = loopback_pair() if is_tcp else socket.socketpair()
    scratch = Scratch()
    with sender, receiver:
        peer = make_peer(receiver)
        for position, size, chunk_size, mode in slices:
            assert COPY_MODES[mode](sender, FileSlice(open_file, position, size), chunk_size, scratch) == size
        sender.shutdown(socket.SHUT_WR)
        assert peer.received() == b"".join(content[position : position + size] for position, size, _, _ in slices)
        scratch.close()


@all_modes
def test_a_chunk_of_one_byte(mode, tcp_pair, small_file, scratch, make_peer):
    sender, receiver = tcp_pair
    peer = make_peer(receiver)
    assert COPY_MODES[mode](sender, small_file(b"abcdefg"), 1, scratch) == 7
    sender.shutdown(socket.SHUT_WR)
    assert peer.received() == b"abcdefg"


@all_modes
def test_a_receiver_with_a_tiny_buffer_gets_everything(mode, open_file, content, scratch, make_peer):
    sender, receiver = socket.socketpair()
    with sender, receiver:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer = make_peer(receiver)
        assert COPY_MODES[mode](sender, FileSlice(open_file, 5, 700_001), 1 << 20, scratch) == 700_001
        sender.shutdown(socket.SHUT_WR)
        assert peer.received() == content[5:700_006]


@all_modes
def test_an_empty_slice_moves_nothing(mode, tcp_pair, open_file, scratch):
    assert COPY_MODES[mode](tcp_pair[0], FileSlice(open_file, 12, 0), 4096, scratch) == 0
    tcp_pair[1].setblocking(False)
    with pytest.raises(BlockingIOError):
        tcp_pair[1].recv(1)


@all_modes
def test_a_file_that_shrank_is_an_error_with_the_numbers(mode, tcp_pair, small_file, scratch):
    file_slice = small_file(bytes(10_000))
    os.truncate(file_slice.file.path, 6_000)
    with pytest.raises(KafkaStorageError, match=r"asked for 10000 bytes from position 0, moved \d+.* ends at 6000"):
        COPY_MODES[mode](tcp_pair[0], file_slice, 4096, scratch)


def test_a_file_that_shrinks_under_its_mapping_is_an_error_and_no_signal(tcp_pair, small_file, monkeypatch, scratch):
    file_slice = small_file(bytes(40_000))
    send = modes._send

    def send_and_truncate(*arguments):
        sent = send(*arguments)
        os.truncate(file_slice.file.path, 0)
        return sent

    monkeypatch.setattr(modes, "_send", send_and_truncate)
    with pytest.raises(KafkaStorageError, match="moved 8192, and the file ends at 0"):
        modes.mmap_send(tcp_pair[0], file_slice, 8192, scratch)


@all_modes
def test_a_peer_that_is_gone_is_a_connection_error(mode, tcp_pair, open_file, scratch):
    sender, receiver = tcp_pair
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close sends RST
    receiver.close()
    with pytest.raises(ConnectionError):
        COPY_MODES[mode](sender, FileSlice(open_file, 0, 3_000_000), 65536, scratch)


@all_modes
def test_a_peer_that_takes_nothing_runs_into_the_send_timeout(mode, open_file, scratch):
    sender, receiver = socket.socketpair()
    with sender, receiver:
        set_send_timeout(sender, 10)
        with pytest.raises(BlockingIOError):
            COPY_MODES[mode](sender, FileSlice(open_file, 0, 3_000_000), 65536, scratch)


def test_splice_leaves_nothing_of_a_dead_transfer_in_the_pipe(open_file, content, scratch, make_peer):
    blocked, idle = socket.socketpair()
    with blocked, idle:
        set_send_timeout(blocked, 10)
        with pytest.raises(BlockingIOError):
            modes.splice(blocked, FileSlice(open_file, 0, 3_000_000), 65536, scratch)
    assert scratch.pipe_size == 0
    sender, receiver = socket.socketpair()
    with sender, receiver:
        peer = make_peer(receiver)
        modes.splice(sender, FileSlice(open_file, 1_000_000, 5_000), 65536, scratch)
        sender.shutdown(socket.SHUT_WR)
        assert peer.received() == content[1_000_000:1_005_000]


@all_modes
def test_only_the_zero_copy_modes_deliver_what_the_file_became(mode, tcp_pair, small_file, scratch):
    """The canary: overwritten between send and receive, a range arrives new where only references were queued."""
    old, new = b"o" * 16384, b"n" * 16384
    file_slice = small_file(old)
    COPY_MODES[mode](tcp_pair[0], file_slice, 4096, scratch)
    with open(file_slice.file.path, "r+b") as file:
        file.write(new)
    tcp_pair[0].shutdown(socket.SHUT_WR)
    with tcp_pair[1].makefile("rb") as stream:
        received = stream.read()
    assert received == (new if CPU_COPIES[mode] == 0 else old)


@pytest.mark.parametrize(("mode", "syscalls"), [("read_send", 8), ("mmap_send", 2 + 4), ("sendfile", 4), ("splice", 8)])
def test_the_calls_of_four_chunks_are_counted(mode, syscalls, tcp_pair, open_file, scratch):
    COPY_MODES[mode](tcp_pair[0], FileSlice(open_file, 0, 4 * 4096), 4096, scratch)
    assert scratch.syscalls == syscalls
