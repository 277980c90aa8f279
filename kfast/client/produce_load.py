"""Raw produce load: one batch, built once, sent again and again with several requests under way.

What a producer costs is left out on purpose: no record is made while the load runs, the broker gets the same bytes
from a buffer that was ready. Requests that are small go out several in one send, so that Python is not the limit.
"""

from __future__ import annotations

import select
import struct
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from kfast.client.cluster import connect_to_leader, error_name
from kfast.client.counters import LoadCounters, LoadError
from kfast.client.payload import BatchShape, build_batch
from kfast.errors import MalformedFrameError
from kfast.wire import framing
from kfast.wire.api_versions import ApiKey
from kfast.wire.produce import (
    ProducePartition,
    ProduceRequest,
    ProduceTopic,
    read_produce_response,
    write_produce_request,
)

REQUESTS_IN_FLIGHT = 5
"""Kafka's max.in.flight.requests.per.connection."""

BURST_SIZE = 64 << 10
"""Bytes of small requests that leave in one send."""

RESPONSE_BUFFER_SIZE = 64 << 10
ACKS_TIMEOUT_MS = 30_000
LONGEST_SLEEP_S = 0.1
"""So that a load that is held to a low rate sees soon that it was stopped."""

_CORRELATION_ID = struct.Struct(">i")
_CORRELATION_ID_POSITION = 8  # after size, api_key and api_version


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """`burst` copies of one framed request in one buffer, of which only the correlation ids will change."""

    buffer: bytearray
    frame_size: int
    burst: int
    batch_size: int
    batch_records: int


class _InFlight(NamedTuple):
    correlation_id: int
    intended_ns: int
    request: PreparedRequest


class ProduceLoad:
    """Produces to one partition until it is stopped, or `record_count` records are acknowledged.

    `records_per_s` holds it to a rate; latency is then counted from when a request should have left, so that a slow
    broker cannot hide its delays by slowing the load (coordinated omission). `ssl_ca_location` is that of
    `ClientConnection`.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        partition: int = 0,
        *,
        batch_records: int = 100,
        record_size: int = 100,
        compression: str = "none",
        acks: int = -1,
        requests_in_flight: int = REQUESTS_IN_FLIGHT,
        records_per_s: float | None = None,
        record_count: int | None = None,
        ssl_ca_location: str | None = None,
    ) -> None:
        self.counters = LoadCounters()
        self._topic = topic
        self._partition = partition
        self._acks = acks
        self._window = requests_in_flight
        self._records_per_s = records_per_s
        self._records_left = record_count
        self._records_sent = 0
        self._is_stopping = False
        leader = connect_to_leader(bootstrap_servers, topic, partition, ssl_ca_location=ssl_ca_location)
        self._connection = leader.connection
        self._version = self._connection.version(ApiKey.PRODUCE)
        self._in_flight: deque[_InFlight] = deque()
        self._responses = memoryview(bytearray(RESPONSE_BUFFER_SIZE))
        self._responses_end = 0
        self._started_ns = 0
        self._shape = BatchShape(batch_records, record_size, compression)
        self._request = self._prepare(self._shape)

    def run(self) -> None:
        self._started_ns = time.monotonic_ns()
        with self._connection.explained(ApiKey.PRODUCE):
            while True:
                self._send_what_may_go()
                if self._in_flight:
                    self._receive_or_wait()
                elif self._is_finished:
                    return
                else:
                    time.sleep(min(self._until_due_ns() / 1e9, LONGEST_SLEEP_S))

    def set(self, name: str, value: Any) -> None:
        """Change the batch (a field of `BatchShape`) of the next request on; the calling thread builds it."""
        shape = self._shape.changed(name, value)
        self._request = self._prepare(shape)
        self._shape = shape

    def stop(self) -> None:
        self._is_stopping = True

    def close(self) -> None:
        self._is_stopping = True
        self._connection.close()

    @property
    def unanswered_records(self) -> int:
        """Records whose request has left, or is about to, and has no answer yet."""
        return sum(waiting.request.batch_records for waiting in tuple(self._in_flight))

    @property
    def _is_finished(self) -> bool:
        return self._is_stopping or self._records_left == 0

    def _prepare(self, shape: BatchShape) -> PreparedRequest:
        batch = build_batch(shape, timestamp_ms=time.time_ns() // 1_000_000)
        topic = ProduceTopic(self._topic, None, [ProducePartition(self._partition, memoryview(batch))])
        request = ProduceRequest(None, self._acks, ACKS_TIMEOUT_MS, [topic])
        frame = b"".join(write_produce_request(self._version, 0, self._connection.client_id, request))
        burst = max(1, min(self._window, BURST_SIZE // len(frame)))
        return PreparedRequest(bytearray(frame * burst), len(frame), burst, len(batch), shape.batch_records)

    def _send_what_may_go(self) -> None:
        """Fill the window, as far as the rate and the number of records allow."""
        while not self._is_finished:
            request = self._request  # once: another thread may put a new one there
            if self._records_left is not None and self._records_left < request.batch_records:
                request = self._prepare(replace(self._shape, batch_records=self._records_left))
            count = min(self._sendable_count(request.batch_records), request.burst)
            if not count:
                return
            self._send(request, count)

    def _sendable_count(self, batch_records: int) -> int:
        """Requests that may leave now."""
        count = self._window - len(self._in_flight)
        if self._records_left is not None:
            count = min(count, self._records_left // batch_records)
        if self._records_per_s is not None:
            elapsed_s = (time.monotonic_ns() - self._started_ns) / 1e9
            count = min(count, int(elapsed_s * self._records_per_s - self._records_sent) // batch_records)
        return max(0, count)

    def _send(self, request: PreparedRequest, count: int) -> None:
        now_ns = time.monotonic_ns()
        for number in range(count):
            correlation_id = self._connection.next_correlation_id()
            position = number * request.frame_size + _CORRELATION_ID_POSITION
            _CORRELATION_ID.pack_into(request.buffer, position, correlation_id)
            self._records_sent += request.batch_records
            intended_ns = now_ns if self._records_per_s is None else self._due_ns(self._records_sent)
            self._in_flight.append(_InFlight(correlation_id, intended_ns, request))
        if self._records_left is not None:
            self._records_left -= count * request.batch_records
        self._connection.socket.sendall(memoryview(request.buffer)[: count * request.frame_size])
        if self._acks == 0:
            for _ in range(count):
                self._count(self._in_flight.popleft(), time.monotonic_ns())

    def _due_ns(self, records: int) -> int:
        """When `records` records should have been sent, at the wanted rate."""
        assert self._records_per_s is not None
        return self._started_ns + int(records / self._records_per_s * 1e9)

    def _until_due_ns(self) -> int:
        """How long until the next request should leave."""
        return max(0, self._due_ns(self._records_sent + self._request.batch_records) - time.monotonic_ns())

    def _receive_or_wait(self) -> None:
        """Take the next answers, but with a rate wait for them no longer than until the next request is due."""
        if self._records_per_s is not None and not self._is_finished and len(self._in_flight) < self._window:
            # The socket says it all, under TLS too: what was received is a record of 16 KiB at most, and read whole.
            readable, _, _ = select.select([self._connection.socket], [], [], self._until_due_ns() / 1e9)
            if not readable:
                return
        self._receive()

    def _receive(self) -> None:
        """Take the answers that are there; at least one read."""
        received = self._connection.socket.recv_into(self._responses[self._responses_end :])
        if not received:
            raise ConnectionError(
                f"{self._connection.address} closed the connection with {len(self._in_flight)} requests unanswered"
            )
        now_ns = time.monotonic_ns()
        start, end = 0, self._responses_end + received
        while frame_end := framing.next_frame_end(self._responses, start, end, RESPONSE_BUFFER_SIZE):
            self._answered(self._responses[start + framing.SIZE_PREFIX : frame_end], now_ns)
            start = frame_end
        self._responses[: end - start] = self._responses[start:end]
        self._responses_end = end - start

    def _answered(self, frame: memoryview, now_ns: int) -> None:
        correlation_id, position = framing.parse_response_header(frame, ApiKey.PRODUCE, self._version)
        if not self._in_flight or self._in_flight[0].correlation_id != correlation_id:
            raise MalformedFrameError(f"an answer to request {correlation_id}, which is not the oldest one waiting")
        result = read_produce_response(self._version, frame, position).topics[0].partitions[0]
        if result.error_code:
            raise LoadError(
                f"Produce to {self._topic}-{self._partition} was answered with {error_name(result.error_code)}"
                + (f": {result.error_message}" if result.error_message else "")
            )
        self._count(self._in_flight.popleft(), now_ns)

    def _count(self, done: _InFlight, now_ns: int) -> None:
        request = done.request
        self.counters.bytes += request.batch_size
        self.counters.records += request.batch_records
        self.counters.requests += 1
        self.counters.latency.add(max(0, now_ns - done.intended_ns), request.batch_records)
