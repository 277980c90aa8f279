import socket

import pytest

from kfast.file_slice import FileSlice
from kfast.transfer import sender as sender_module
from kfast.transfer.modes import COPY_MODES, CPU_COPIES
from kfast.transfer.sender import IOV_MAX, MSG_MORE, Sender, TransferSettings


class RecordingSocket:
    """Passes on to a real socket, takes at most `limit` bytes a call, and notes how each call was made."""

    def __init__(self, sock: socket.socket, limit: int = 1 << 30) -> None:
        self._socket, self._limit = sock, limit
        self.calls: list[tuple[int, int]] = []

    def sendmsg(self, buffers, ancillary=(), flags=0):
        self.calls.append((len(buffers), flags))
        return self._socket.send(b"".join(buffers)[: self._limit], flags)

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, data) -> int:
        return self._socket.send(data)


@pytest.mark.parametrize("mode", list(COPY_MODES))
def test_bytes_and_slices_arrive_in_order_and_are_counted(mode, pair, open_file, content, make_peer):
    sock, receiver = pair
    peer, sender = make_peer(receiver), Sender(sock)
    chunks = [
        b"head",
        memoryview(b"more"),
        FileSlice(open_file, 10, 70_000),
        bytearray(b"-"),
        FileSlice(open_file, 0, 9),
    ]
    sent = sender.send_chunks(chunks, TransferSettings(mode, 4096))
    sock.shutdown(socket.SHUT_WR)
    assert peer.received() == b"headmore" + content[10:70_010] + b"-" + content[:9]
    assert sent == 8 + 70_000 + 1 + 9
    counters = sender.counters
    assert counters.sent_bytes == dict.fromkeys(COPY_MODES, 0) | {mode: 70_009}
    assert counters.inline_bytes == 9
    assert counters.cpu_copied_bytes == CPU_COPIES[mode] * 70_009
    sender.close()


def test_small_chunks_leave_in_one_call_with_more_to_come_only_before_a_slice(tcp_pair, open_file):
    recording = RecordingSocket(tcp_pair[0])
    sender = Sender(recording)
    chunks = [b"a", b"b", FileSlice(open_file, 0, 5), b"c", FileSlice(open_file, 3, 0), b"d"]
    sender.send_chunks(chunks, TransferSettings())
    assert recording.calls == [(2, MSG_MORE), (2, 0)]  # an empty slice does not hold the bytes before it back
    assert sender.counters.syscalls == 3


def test_more_chunks_than_one_call_takes(tcp_pair, make_peer):
    recording = RecordingSocket(tcp_pair[0])
    peer = make_peer(tcp_pair[1])
    Sender(recording).send_chunks([b"xy"] * (2 * IOV_MAX + 1), TransferSettings())
    tcp_pair[0].shutdown(socket.SHUT_WR)
    assert peer.received() == b"xy" * (2 * IOV_MAX + 1)
    assert recording.calls == [(IOV_MAX, MSG_MORE), (IOV_MAX, MSG_MORE), (1, 0)]


def test_a_call_that_sent_a_part_is_followed_by_the_rest(tcp_pair, make_peer):
    recording = RecordingSocket(tcp_pair[0], limit=5)
    peer = make_peer(tcp_pair[1])
    Sender(recording).send_chunks([b"abc", b"", bytearray(b"defg"), memoryview(b"hijklmnop")], TransferSettings())
    tcp_pair[0].shutdown(socket.SHUT_WR)
    assert peer.received() == b"abcdefghijklmnop"
    assert [count for count, _ in recording.calls] == [4, 2, 1, 1]


def test_nothing_to_send_makes_no_call(tcp_pair):
    recording = RecordingSocket(tcp_pair[0])
    assert Sender(recording).send_chunks([], TransferSettings()) == 0
    assert recording.calls == []


def test_the_mode_is_read_at_the_start_of_each_slice(tcp_pair, open_file):
    settings, sender = TransferSettings("sendfile"), Sender(tcp_pair[0])

    def chunks():
        yield FileSlice(open_file, 0, 100)
        settings.copy_mode = "read_send"
        yield FileSlice(open_file, 100, 200)

    sender.send_chunks(chunks(), settings)
    assert sender.counters.sent_bytes == {"read_send": 200, "mmap_send": 0, "sendfile": 100, "splice": 0}


def test_a_mode_that_moved_too_little_is_caught(tcp_pair, open_file, monkeypatch):
    monkeypatch.setitem(sender_module.COPY_MODES, "sendfile", lambda *_: 99)
    with pytest.raises(AssertionError, match="sendfile moved 99 of FileSlice"):
        Sender(tcp_pair[0]).send_chunks([FileSlice(open_file, 0, 100)], TransferSettings())


def test_send_now_sends_what_the_socket_takes_without_waiting() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender = Sender(ours)
        assert sender.send_now(b"head") == 4
        assert theirs.recv(100) == b"head"
        data = bytes(range(256)) * 40_000
        sent = sender.send_now(data)
        assert 0 < sent < len(data)
        assert sender.send_now(data[sent:]) == 0
        received = b""
        while len(received) < sent:
            received += theirs.recv(1 << 20)
        assert received == data[:sent]
        assert sender.counters.inline_bytes == 4 + sent
        sender.close()
