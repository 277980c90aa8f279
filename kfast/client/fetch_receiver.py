"""Takes the records of a fetch response off the socket, in one of two ways, and says where the next fetch begins.

    receive   into one buffer, reused: one copy by the CPU, from the socket buffer, as every consumer has
    discard   by recv with MSG_TRUNC, which on a TCP socket of Linux drops bytes in the kernel: no copy, so that what is
              left to measure is the sender (on other systems and sockets the flag means something else)

Both find the next offset exactly, without a look at a record. `receive` walks the headers of all batches. `discard`
sees only the first and one more: where the last of a row of batches of the first one's size would begin. If a header
stands there, with the offset that such a row leads to, it is that of a batch; if not, only the first batch counts as
consumed, and the rest is fetched again and received.
"""

from __future__ import annotations

import mmap
import socket
import sys
from dataclasses import dataclass

from kfast.client.batch_run import whole_batches
from kfast.client.connection import MAX_RESPONSE_SIZE, receive_exactly
from kfast.client.fetch_head import HEAD_SIZE, FetchHead, read_fetch_head
from kfast.errors import CorruptRecordError, MalformedFrameError
from kfast.record.batch import RecordBatch
from kfast.record.layout import HEADER_SIZE
from kfast.wire.framing import SIZE_PREFIX, announced_size

FIRST_BUFFER_SIZE = 64 << 10
DROP_SIZE = 16 << 20
"""Bytes dropped by one call at most. They are address space, not memory: the kernel never writes to them."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """`records` are the whole batches, a view that the next response overwrites; empty where they were discarded."""

    head: FetchHead
    base_offset: int
    next_offset: int
    size_bytes: int
    records: memoryview


class FetchReceiver:
    """Receives the responses to fetches of one partition, one after the other. Not thread-safe."""

    def __init__(self, connection: socket.socket, address: str, version: int, *, discards: bool = False) -> None:
        if discards and not sys.platform.startswith("linux"):
            raise ValueError(f"only Linux drops TCP bytes by MSG_TRUNC, this is {sys.platform}: use receive=recv_into")
        self._socket = connection
        self._address = address
        self._version = version
        self._view = memoryview(bytearray(FIRST_BUFFER_SIZE))
        self._discards = discards
        self._is_mixed = False
        self._dropped = memoryview(mmap.mmap(-1, DROP_SIZE)) if discards else memoryview(b"")

    def receive(self) -> Fetched:
        """Receive one response. Raises MalformedFrameError, CorruptRecordError or OSError."""
        head, received = self._receive_head()
        if self._discards and not self._is_mixed:
            fetched = self._discard(head, received)
            if fetched is not None:
                return fetched
        self._is_mixed = False
        return self._receive(head, received)

    def _receive_head(self) -> tuple[FetchHead, int]:
        """Receive at least HEAD_SIZE bytes, or all of a smaller response; return how many there are."""
        limit = HEAD_SIZE if self._discards else len(self._view)
        received, wanted = 0, SIZE_PREFIX
        while received < wanted:
            count = self._socket.recv_into(self._view[received:limit])
            if not count:
                raise ConnectionError(f"{self._address} closed the connection {received} bytes into a response")
            received += count
            size = announced_size(self._view, 0, received, MAX_RESPONSE_SIZE)
            if size is not None:
                wanted = min(HEAD_SIZE, SIZE_PREFIX + size)
        head = read_fetch_head(self._version, self._view[:wanted])
        records_end = head.records_position + head.records_size
        if max(received, records_end) > head.frame_size:
            raise MalformedFrameError(
                f"{self._address} announced {head.frame_size} bytes with records up to {records_end}, sent {received}"
            )
        return head, received

    def _receive(self, head: FetchHead, received: int) -> Fetched:
        view = self._buffer_for(head.frame_size, received)
        receive_exactly(self._socket, view[received : head.frame_size], self._address)
        if not head.records_size:
            return Fetched(head, -1, -1, 0, view[:0])
        start = head.records_position
        run = whole_batches(view, start, start + head.records_size)
        if not run.count:
            raise CorruptRecordError(f"no whole batch in the {head.records_size} bytes that {self._address} sent")
        return Fetched(
            head,
            base_offset=RecordBatch(view, start).base_offset,
            next_offset=RecordBatch(view, run.last_position).next_offset,
            size_bytes=run.end_position - start,
            records=view[start : run.end_position],
        )

    def _discard(self, head: FetchHead, received: int) -> Fetched | None:
        """Drop all but two headers; None, with nothing dropped yet, where there is too little to drop."""
        start = head.records_position
        if received - start < HEADER_SIZE:
            return None
        first = RecordBatch(self._view, start)
        count = head.records_size // first.size_bytes
        last_position = start + (count - 1) * first.size_bytes
        if count == 1:
            self._drop(head.frame_size - received)
            last: RecordBatch | None = first
        elif last_position >= received:
            self._drop(last_position - received)
            last = self._expected_batch(first, count)
            self._drop(head.frame_size - last_position - HEADER_SIZE)
        else:
            return None
        self._is_mixed = last is None
        whole = count if last else 1
        return Fetched(
            head,
            base_offset=first.base_offset,
            next_offset=(last or first).next_offset,
            size_bytes=whole * first.size_bytes,
            records=self._view[:0],
        )

    def _expected_batch(self, first: RecordBatch, count: int) -> RecordBatch | None:
        """Receive a header; None if it is not that of the last of `count` batches like `first`."""
        header = memoryview(bytearray(HEADER_SIZE))
        receive_exactly(self._socket, header, self._address)
        try:
            batch = RecordBatch(header)
        except CorruptRecordError:
            return None
        records_each = first.last_offset_delta + 1
        is_expected = (batch.size_bytes, batch.magic, batch.base_offset, batch.last_offset_delta) == (
            first.size_bytes,
            first.magic,
            first.base_offset + (count - 1) * records_each,
            first.last_offset_delta,
        )
        return batch if is_expected else None

    def _drop(self, size: int) -> None:
        while size:
            wanted = min(size, DROP_SIZE)
            count = self._socket.recv_into(self._dropped, wanted, socket.MSG_TRUNC | socket.MSG_WAITALL)
            if not count:
                raise ConnectionError(f"{self._address} closed the connection, {size} bytes before a response's end")
            size -= count

    def _buffer_for(self, size: int, received: int) -> memoryview:
        """The buffer, grown to `size` bytes where it is smaller, with its first `received` bytes kept."""
        if size > len(self._view):
            grown = memoryview(bytearray(size))
            grown[:received] = self._view[:received]
            self._view = grown
        return self._view
