"""Raw fetch load: fetches as fast as the broker sends, and does not look at records.

One request is under way at a time, as with Kafka's own consumer: where the next fetch begins is known only when the one
before has come. Run several for more.
"""

from __future__ import annotations

import time
from typing import Any, Final

from kfast.client.cluster import EARLIEST_TIMESTAMP, connect_to_leader, error_name, offset_at
from kfast.client.counters import LoadCounters, LoadError
from kfast.client.fetch_receiver import Fetched, FetchReceiver
from kfast.errors import CorruptRecordError, OffsetOutOfRangeError
from kfast.record.batches import iter_batches
from kfast.wire.api_versions import ApiKey
from kfast.wire.fetch import FetchPartition, FetchRequest, FetchTopic, write_fetch_request

RECEIVE_WAYS: Final = ("recv_into", "discard")
AT_END: Final = ("loop", "wait", "stop")
MAX_WAIT_MS: Final = 500
LONGEST_SLEEP_S: Final = 0.1
_NO_SESSION: Final = (0, -1)
_READ_UNCOMMITTED: Final = 0


class ConsumeLoad:
    """Fetches one partition from its log start on.

    At the end of the log it goes back to the start (`loop`, the re-read workload), waits for more (`wait`), or is done
    (`stop`); it is done as well after `record_count` records. Records are counted by their offsets. `verify` checks the
    checksum of every batch, and that each begins where the one before ended: with it, a log that was not compacted and
    recv_into, `bytes` and `records` are proof that nothing was lost or changed on the way. The broker may wait up to
    `max_wait_ms` for the first byte; with 0 the end of the log is answered at once, and asked for again. `bytes_per_s`
    holds it to a rate: a fetch that is early waits. `ssl_ca_location` is that of `ClientConnection`.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        partition: int = 0,
        *,
        fetch_bytes: int = 1 << 20,
        receive: str = "recv_into",
        at_end: str = "loop",
        verify: bool = False,
        record_count: int | None = None,
        max_wait_ms: int = MAX_WAIT_MS,
        bytes_per_s: float | None = None,
        ssl_ca_location: str | None = None,
    ) -> None:
        for name, value, known in (("receive", receive, RECEIVE_WAYS), ("at_end", at_end, AT_END)):
            if value not in known:
                raise ValueError(f"{name} is one of {', '.join(known)}, not {value!r}")
        if verify and receive == "discard":
            raise ValueError("what is discarded cannot be verified: use receive=recv_into")
        if ssl_ca_location is not None and receive == "discard":
            raise ValueError("the kernel cannot discard what TLS has to decrypt: use receive=recv_into")
        self.counters = LoadCounters()
        self.next_offset = 0
        self._topic = topic
        self._partition = partition
        self._fetch_bytes = fetch_bytes
        self._at_end = at_end
        self._verify = verify
        self._record_count = record_count
        self._max_wait_ms = max_wait_ms
        self._bytes_per_s = bytes_per_s
        self._started_ns = 0
        self._is_stopping = False
        self._is_at_end = False
        leader = connect_to_leader(bootstrap_servers, topic, partition, ssl_ca_location=ssl_ca_location)
        self._topic_id = leader.topic_id
        self._connection = leader.connection
        self._version = self._connection.version(ApiKey.FETCH)
        self._receiver = FetchReceiver(
            self._connection.socket, self._connection.address, self._version, discards=receive == "discard"
        )

    def run(self) -> None:
        try:
            with self._connection.explained(ApiKey.FETCH):
                self.next_offset = self._log_start_offset()
                self._started_ns = time.monotonic_ns()
                while not self._is_finished:
                    if not self._is_early():
                        self._fetch()
        except OSError:
            if not self._is_stopping:  # else it is what `stop` did to end a long poll
                raise
        finally:
            self._connection.close()

    def set(self, name: str, value: Any) -> None:
        """`fetch_bytes`: the next request asks for that many."""
        if name != "fetch_bytes":
            raise ValueError(f"a running consume load can change fetch_bytes, not {name}")
        self._fetch_bytes = int(value)

    def stop(self) -> None:
        """End at once; a response under way is neither waited for nor counted."""
        self._is_stopping = True
        self._connection.close()

    close = stop

    @property
    def _is_finished(self) -> bool:
        has_all = self._record_count is not None and self.counters.records >= self._record_count
        return self._is_stopping or has_all or (self._is_at_end and self._at_end == "stop")

    def _log_start_offset(self) -> int:
        return offset_at(self._connection, self._topic, self._partition, EARLIEST_TIMESTAMP)

    def _is_early(self) -> bool:
        """Whether the wanted rate allows no fetch yet, after sleeping for it; in short naps, to see that it stopped."""
        if self._bytes_per_s is None:
            return False
        due_ns = self._started_ns + int(self.counters.bytes / self._bytes_per_s * 1e9)
        early_s = (due_ns - time.monotonic_ns()) / 1e9
        time.sleep(max(0.0, min(early_s, LONGEST_SLEEP_S)))
        return early_s > 0

    def _fetch(self) -> None:
        asked_ns = time.monotonic_ns()
        self._ask()
        fetched = self._receiver.receive()
        head = fetched.head
        self.counters.requests += 1
        self.counters.received_bytes += head.frame_size
        if head.correlation_id != self._asked:
            raise LoadError(f"{self._connection.address} answered {head.correlation_id}, {self._asked} was asked")
        if head.error_code:
            self._recover(head.error_code)
            return
        if fetched.size_bytes:
            self._count(fetched, time.monotonic_ns() - asked_ns)
        self._is_at_end = self.next_offset >= head.high_watermark
        if self._is_at_end and self._at_end == "loop" and head.log_start_offset < head.high_watermark:
            self.next_offset = head.log_start_offset
            self.counters.loops += 1

    def _ask(self) -> None:
        fetch_bytes = self._fetch_bytes
        partition = FetchPartition(self._partition, self.next_offset, fetch_bytes)
        topic = FetchTopic(self._topic, self._topic_id, [partition])
        request = FetchRequest(self._max_wait_ms, 1, fetch_bytes, _READ_UNCOMMITTED, *_NO_SESSION, [topic])
        self._asked = self._connection.next_correlation_id()
        self._connection.socket.sendall(
            write_fetch_request(self._version, self._asked, self._connection.client_id, request)
        )

    def _recover(self, error_code: int) -> None:
        """Retention may delete what a slow consumer is about to read: begin again where the log begins now."""
        if error_code != OffsetOutOfRangeError.error_code:
            raise LoadError(
                f"Fetch of {self._topic}-{self._partition} at offset {self.next_offset} was answered with "
                f"{error_name(error_code)}"
            )
        self.counters.errors += 1
        self.next_offset = self._log_start_offset()

    def _count(self, fetched: Fetched, latency_ns: int) -> None:
        if fetched.base_offset > self.next_offset:
            if self._verify:
                raise CorruptRecordError(f"asked for offset {self.next_offset}, got {fetched.base_offset}: a gap")
        elif fetched.next_offset <= self.next_offset:
            raise CorruptRecordError(f"asked for offset {self.next_offset}, got nothing after {fetched.next_offset}")
        if self._verify:
            self._check(fetched)
        self.counters.bytes += fetched.size_bytes
        self.counters.records += fetched.next_offset - self.next_offset
        self.counters.latency.add(latency_ns)
        self.next_offset = fetched.next_offset

    def _check(self, fetched: Fetched) -> None:
        expected = fetched.base_offset
        for batch in iter_batches(fetched.records):
            batch.ensure_valid()
            if batch.base_offset != expected:
                raise CorruptRecordError(f"a batch begins at offset {batch.base_offset}, {expected} was expected")
            expected = batch.next_offset
