"""Fetch: find where the records lie, say how many bytes they are, and let somebody else move them.

A fetch that finds too little waits for the logs it named, in its own thread, as long as its client allows.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self, cast

from kfast.errors import FetchSessionIdNotFoundError, KafkaStorageError, KfastError, UnknownTopicIdError
from kfast.log.file_pool import default_limit
from kfast.wire.fetch import (
    AbortedTransaction,
    FetchPartition,
    FetchPartitionResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
    read_fetch_request,
    write_fetch_response,
)

if TYPE_CHECKING:
    from kfast.broker.broker import Broker
    from kfast.broker.context import RequestContext
    from kfast.log import transaction_index
    from kfast.log.log import Log
    from kfast.log.results import FetchDataInfo
    from kfast.transfer.sender import Chunk

MAX_WAIT_MS = 30_000
READ_COMMITTED = 1

MAX_SLICES = default_limit() // 2
"""In one response, an eighth of the descriptors there are: each keeps a file open until it is sent. Partitions beyond
are answered with nothing, as when max_bytes is used up; clients ask for those first the next time."""

_NOTHING = b""


def answer(broker: Broker, frame: memoryview, context: RequestContext) -> list[Chunk]:
    """Return the response frame to the fetch in `frame`: heads, and between them slices of segment files."""
    header = context.header
    request = read_fetch_request(header.api_version, frame, header.size_bytes)
    if request.session_id:
        # sessions are declined (0 in every response), so nobody can have been given this one
        response = FetchResponse([], FetchSessionIdNotFoundError.error_code)
    else:
        response = _fetch(broker, request)
    chunks = write_fetch_response(header.api_version, header.correlation_id, response)
    return cast("list[Chunk]", chunks)  # wire calls them Sized: it does not know what a FileSlice is


def _fetch(broker: Broker, request: FetchRequest) -> FetchResponse:
    reading = _Reading(broker, request)
    if reading.is_enough:
        return reading.response
    end_ns = broker.clock.monotonic_ns() + min(request.max_wait_ms, MAX_WAIT_MS) * 1_000_000
    with DelayedFetch(broker, reading.logs) as delayed:
        while True:
            reading = _Reading(broker, request)  # again: an append may have come before there was anyone to wake
            left_ns = end_ns - broker.clock.monotonic_ns()
            if reading.is_enough or left_ns <= 0 or not delayed.wait(left_ns / 1e9):
                return reading.response


class DelayedFetch:
    """A fetch waiting for more bytes in `logs`. Woken by every append to one of them, and by the broker's stop."""

    def __init__(self, broker: Broker, logs: Iterable[Log]) -> None:
        self._broker = broker
        self._logs = frozenset(logs)  # a hostile request names one partition 100,000 times
        self._changed = threading.Condition()
        self._has_news = False

    def wake(self) -> None:
        with self._changed:
            self._has_news = True
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Return True when there is something new to read; False when the time is up or the broker stops."""
        with self._changed:
            if not self._has_news:
                self._broker.clock.wait(self._changed, timeout_s)
            has_news, self._has_news = self._has_news, False
        return has_news and not self._broker.is_stopping

    def __enter__(self) -> Self:
        for log in self._logs:
            log.add_listener(self.wake)
        self._broker.delayed_fetches.add(self)
        if self._broker.is_stopping:
            self.wake()
        return self

    def __exit__(self, *error: object) -> None:
        self._broker.delayed_fetches.discard(self)
        for log in self._logs:
            log.remove_listener(self.wake)


class _Reading:
    """One pass over the partitions of a request, in their order; the first with data gives a whole batch (KIP-74)."""

    def __init__(self, broker: Broker, request: FetchRequest) -> None:
        self._broker = broker
        self._is_committed = request.isolation_level == READ_COMMITTED
        self._left_bytes = min(request.max_bytes, broker.config.fetch_max_bytes)
        self._found_bytes = 0
        self._slices_left = MAX_SLICES
        self._has_error = False
        self.logs: list[Log] = []
        topics = []
        for name, topic_id, partitions in request.topics:
            known_name = broker.metadata.topic_name(topic_id) if topic_id is not None else name
            topics.append((name, topic_id, self._partitions(known_name, partitions)))
        self.response = FetchResponse(topics)
        self.is_enough = (
            self._found_bytes >= request.min_bytes or self._has_error or request.max_wait_ms <= 0 or not topics
        )
        """Whether the client gets this answer now: enough bytes, an error, or no time to wait."""

    def _partitions(self, topic: str | None, partitions: Iterable[FetchPartition]) -> list[PartitionData]:
        results = []
        for wanted in partitions:
            results.append(self._partition(topic, *wanted))
        return results

    def _partition(
        self, topic: str | None, partition: int, offset: int, max_bytes: int, leader_epoch: int, *of_followers: int
    ) -> PartitionData:
        try:
            if topic is None:
                raise UnknownTopicIdError("there is no topic of this id")
            log = self._broker.log(topic, partition)
            self._broker.metadata.check_leader_epoch(topic, partition, leader_epoch)
            self.logs.append(log)
            records, _, log_start_offset, high_watermark, last_stable_offset, found = self._read(log, offset, max_bytes)
            aborted = _aborted(found) if self._is_committed else None
        except KfastError as error:
            if isinstance(error, KafkaStorageError):
                self._broker.faults.note(f"reading {topic}-{partition}", error, offset)
            self._has_error = True
            return FetchPartitionResponse(partition, error.error_code)
        if self._broker.faults.failing:
            self._broker.faults.end(f"reading {topic}-{partition}", offset)
        size = records.size
        if size:
            self._found_bytes += size
            self._left_bytes = max(0, self._left_bytes - size)
            self._slices_left -= 1
        data = records if size else _NOTHING  # which keeps no file open while the fetch waits for more
        return partition, 0, high_watermark, last_stable_offset, log_start_offset, aborted, data

    def _read(self, log: Log, offset: int, max_bytes: int) -> FetchDataInfo:
        up_to = log.last_stable_offset if self._is_committed else None
        if not self._slices_left:
            return log.read(offset, 0, up_to=up_to, min_one_batch=False)
        max_bytes, is_first = min(max_bytes, self._left_bytes), self._found_bytes == 0
        return log.read(offset, max_bytes, up_to=up_to, min_one_batch=is_first, with_aborted=self._is_committed)


def _aborted(found: Iterable[transaction_index.AbortedTransaction]) -> list[AbortedTransaction]:
    """Whose records the consumer is to pass over."""
    return [AbortedTransaction(entry.producer_id, entry.first_offset) for entry in found]
