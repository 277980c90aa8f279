from __future__ import annotations

import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from kfast.client.fetch_receiver import FetchReceiver
from kfast.client.payload import BatchShape, build_batch
from kfast.errors import CorruptRecordError, MalformedFrameError
from kfast.record.batch import RecordBatch, stamp
from kfast.wire.fetch import FetchPartitionResponse, FetchResponse, FetchTopicResponse, write_fetch_response

VERSION = 12
Pair = tuple[socket.socket, socket.socket]
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="MSG_TRUNC drops TCP bytes on Linux only")
WAYS = [False, pytest.param(True, marks=linux)]


def row(count: int, records: int, size: int, offset: int) -> bytes:
    """`count` batches of equal size, from `offset` on."""
    out = bytearray()
    for number in range(count):
        batch = build_batch(BatchShape(records, size), timestamp_ms=1)
        stamp(batch, 0, offset + number * records, 0)
        out += batch
    return bytes(out)


def frame_of(records: bytes, error_code: int = 0) -> bytes:
    partition = FetchPartitionResponse(0, error_code, 1000, 1000, 0, None, records)
    response = FetchResponse([FetchTopicResponse("topic", None, [partition])])
    return b"".join(bytes(chunk) for chunk in write_fetch_response(VERSION, 7, response))  # type: ignore[call-overload]


@pytest.fixture
def send(tcp_pair: Pair) -> Iterator[Callable[[bytes], None]]:
    """Sends in a thread: a response may be larger than the socket's buffers."""
    threads = []

    def start(data: bytes) -> None:
        threads.append(threading.Thread(target=tcp_pair[1].sendall, args=(data,)))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join()


Send = Callable[[bytes], None]


@pytest.mark.parametrize("discards", WAYS)
@pytest.mark.parametrize(
    ("count", "records", "size"), [(1, 1, 10), (1, 5000, 100), (2, 1, 1), (40, 1, 100), (3000, 1, 100), (8, 1000, 100)]
)
def test_both_ways_find_the_same_end(
    tcp_pair: Pair, send: Send, discards: bool, count: int, records: int, size: int
) -> None:
    data = row(count, records, size, offset=100)
    receiver = FetchReceiver(tcp_pair[0], "peer", VERSION, discards=discards)
    for cut in (0, 1, 70):  # a broker cuts the last batch at max_bytes
        whole = data + row(1, records, size, offset=100 + count * records)[: -cut or None] if cut else data
        send(frame_of(whole))
        fetched = receiver.receive()
        assert (fetched.base_offset, fetched.next_offset) == (100, 100 + count * records)
        assert fetched.size_bytes == len(data)
        assert fetched.head.correlation_id == 7


def test_received_records_are_the_bytes_sent(tcp_pair: Pair, send: Send) -> None:
    data = row(5, 3, 100, offset=0) + row(4, 2, 50, offset=15)
    receiver = FetchReceiver(tcp_pair[0], "peer", VERSION)
    send(frame_of(data + b"rest of a batch"))
    fetched = receiver.receive()
    assert bytes(fetched.records) == data
    assert fetched.next_offset == 23


@linux
def test_a_change_of_batch_size_is_never_skipped_over(tcp_pair: Pair, send: Send) -> None:
    first, second = row(5, 3, 100, offset=0), row(40, 2, 50, offset=15)
    receiver = FetchReceiver(tcp_pair[0], "peer", VERSION, discards=True)
    send(frame_of(first + second))
    discarded = receiver.receive()
    assert (discarded.next_offset, discarded.size_bytes) == (3, len(first) // 5)
    send(frame_of(first[discarded.size_bytes :] + second))
    received = receiver.receive()
    assert (received.next_offset, received.size_bytes) == (95, len(first) * 4 // 5 + len(second))
    send(frame_of(row(40, 2, 50, offset=95)))
    again = receiver.receive()
    assert (again.next_offset, len(again.records)) == (175, 0)


@pytest.mark.parametrize("discards", WAYS)
def test_an_empty_response_and_an_error_have_no_records(tcp_pair: Pair, send: Send, discards: bool) -> None:
    receiver = FetchReceiver(tcp_pair[0], "peer", VERSION, discards=discards)
    send(frame_of(b""))
    empty = receiver.receive()
    send(frame_of(b"", error_code=1))
    refused = receiver.receive()
    assert (empty.size_bytes, empty.head.error_code) == (0, 0)
    assert (refused.size_bytes, refused.head.error_code) == (0, 1)


@pytest.mark.parametrize("discards", WAYS)
def test_bytes_that_arrive_one_by_one(tcp_pair: Pair, discards: bool) -> None:
    tcp_pair[1].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    frame = frame_of(row(3, 1, 400, offset=0))

    def trickle() -> None:
        for position in range(len(frame)):
            tcp_pair[1].send(frame[position : position + 1])

    thread = threading.Thread(target=trickle)
    thread.start()
    assert FetchReceiver(tcp_pair[0], "peer", VERSION, discards=discards).receive().next_offset == 3
    thread.join()


@pytest.mark.parametrize("discards", WAYS)
def test_a_stream_that_ends_early_says_so(tcp_pair: Pair, discards: bool) -> None:
    frame = frame_of(row(10, 10, 100, offset=0))
    tcp_pair[1].sendall(frame[:-1])
    tcp_pair[1].close()
    with pytest.raises(ConnectionError, match="closed the connection"):
        FetchReceiver(tcp_pair[0], "peer", VERSION, discards=discards).receive()


def test_records_without_a_whole_batch_are_refused(tcp_pair: Pair, send: Send) -> None:
    send(frame_of(row(1, 1, 100, offset=0)[:-1]))
    with pytest.raises(CorruptRecordError, match="no whole batch"):
        FetchReceiver(tcp_pair[0], "peer", VERSION).receive()


@pytest.mark.parametrize("size", [-1, 2**31 - 1, 60])
def test_an_announced_size_that_cannot_be_is_refused(tcp_pair: Pair, size: int) -> None:
    frame = bytearray(frame_of(row(10, 1, 100, offset=0)))
    struct.pack_into(">i", frame, 0, size)
    tcp_pair[1].sendall(frame)
    with pytest.raises(MalformedFrameError):
        FetchReceiver(tcp_pair[0], "peer", VERSION).receive()


def test_the_whole_of_a_batch_larger_than_the_buffer_comes(tcp_pair: Pair, send: Send) -> None:
    data = row(1, 1, 3 << 20, offset=9)
    send(frame_of(data))
    fetched = FetchReceiver(tcp_pair[0], "peer", VERSION).receive()
    RecordBatch(fetched.records).ensure_valid()
    assert fetched.next_offset == 10
