"""The same loads through confluent-kafka (librdkafka): what a user's program costs, its records made and looked at.

Where the raw loads leave the client's own work out, these have it in: one call a record to produce, one object a record
consumed. The package is an extra (`kfast[lab]`), so it is imported when a load starts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from kfast.client.counters import LoadCounters, LoadError
from kfast.client.payload import BatchShape, value

POLL_EVERY = 1000
"""Records between two looks for delivery reports."""

PAYLOADS = 1024
PAYLOADS_SIZE = 8 << 20
"""Different values that are sent, and the bytes they may take together."""

QUEUE_BATCHES, QUEUE_RECORDS = 20, (2_000, 100_000)
"""librdkafka's queue holds some batches: one of 100,000 records takes a second to empty where each is a batch."""

QUEUE_KBYTES = 1 << 18
LINGER_MS = 5
"""Kafka's default since 4.0 (KIP-1030), and librdkafka's."""

MAX_BATCH_SIZE = 64 << 20
CONSUME_AT_ONCE = 1000
CONSUME_TIMEOUT_S = {"loop": 0.01, "stop": 0.2, "wait": 0.01}
"""By what happens at the end of the log: who follows a slow producer counts what came soon, not five times a second."""

MAX_WAIT_MS = 500
"""librdkafka's own fetch.wait.max.ms."""

FLUSH_TIMEOUT_S = 10.0


class ConfluentProduceLoad:
    """Produces to one partition through librdkafka until stopped, or until `record_count` records are delivered.

    A record counts when its delivery is reported; `requests` stays 0, for librdkafka keeps them to itself.
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
        records_per_s: float | None = None,
        record_count: int | None = None,
        ssl_ca_location: str | None = None,
    ) -> None:
        self.counters = LoadCounters()
        self._topic = topic
        self._partition = partition
        self._records_per_s = records_per_s
        self._record_count = record_count
        self._records_sent = 0
        self._is_stopping = False
        self._failure: str | None = None
        self._config = {
            **_where(bootstrap_servers, ssl_ca_location),
            "acks": acks,
            "linger.ms": LINGER_MS,
            "batch.size": MAX_BATCH_SIZE,
            "message.max.bytes": MAX_BATCH_SIZE,
            "queue.buffering.max.kbytes": QUEUE_KBYTES,
        }
        self._shape = BatchShape(batch_records, record_size, compression)
        self._take_over(self._shape)

    def run(self) -> None:
        started_ns = time.monotonic_ns()
        shape = self._shape
        while not self._is_stopping and self._failure is None:
            if self._record_count is not None and self._records_sent >= self._record_count:
                break
            if self._shape != shape:
                shape = self._shape
                self._producer.flush(FLUSH_TIMEOUT_S)
                self._take_over(shape)
            self._produce_some(started_ns)
        undelivered = self._producer.flush(FLUSH_TIMEOUT_S)
        if self._failure is not None:
            raise LoadError(f"a record for {self._topic}-{self._partition} was not delivered: {self._failure}")
        if undelivered and not self._is_stopping:
            raise LoadError(f"{undelivered} records for {self._topic}-{self._partition} are not acknowledged")

    def set(self, name: str, value: Any) -> None:
        """Change a field of `BatchShape`. librdkafka takes two of them at its start only, so its queue is emptied and a
        producer with the new ones takes over.
        """
        self._shape = self._shape.changed(name, value)

    def stop(self) -> None:
        self._is_stopping = True

    close = stop

    def _take_over(self, shape: BatchShape) -> None:
        from confluent_kafka import Producer

        fewest, most = QUEUE_RECORDS
        settings = {
            "batch.num.messages": shape.batch_records,
            "compression.type": shape.compression,
            "queue.buffering.max.messages": max(fewest, min(QUEUE_BATCHES * shape.batch_records, most)),
        }
        self._producer = Producer({**self._config, **settings})
        count = max(1, min(PAYLOADS, PAYLOADS_SIZE // max(1, shape.record_size)))
        self._values = [value(number, shape.record_size) for number in range(count)]

    def _produce_some(self, started_ns: int) -> None:
        """Hand over up to POLL_EVERY records, or as many as the rate allows, then look for reports."""
        count = POLL_EVERY
        if self._records_per_s is not None:
            due = int((time.monotonic_ns() - started_ns) / 1e9 * self._records_per_s)
            count = min(count, due - self._records_sent)
        if self._record_count is not None:
            count = min(count, self._record_count - self._records_sent)
        if count <= 0:
            self._producer.poll(0.001)
            return
        for number in range(self._records_sent, self._records_sent + count):
            intended_ns = time.monotonic_ns()
            if self._records_per_s is not None:
                intended_ns = started_ns + int(number / self._records_per_s * 1e9)
            payload = self._values[number % len(self._values)]
            self._produce(payload, self._on_delivery(intended_ns, len(payload)))
        self._records_sent += count
        self._producer.poll(0)

    def _produce(self, payload: bytes, on_delivery: Callable[[Any, Any], None]) -> None:
        while True:
            try:
                self._producer.produce(self._topic, payload, partition=self._partition, on_delivery=on_delivery)
                return
            except BufferError:  # librdkafka's queue is full: that is how it says that the broker is the slower one
                self._producer.poll(0.1)

    def _on_delivery(self, intended_ns: int, size: int) -> Callable[[Any, Any], None]:
        counters = self.counters

        def delivered(error: Any, _: Any) -> None:
            if error is not None:
                self._failure = str(error)
                counters.errors += 1
                return
            counters.bytes += size
            counters.records += 1
            counters.latency.add(time.monotonic_ns() - intended_ns)

        return delivered


class ConfluentConsumeLoad:
    """Consumes one partition from its start through librdkafka, without a group.

    `at_end` and `max_wait_ms` are as for the raw load. `bytes` are those of the values, `requests` the calls that
    returned records.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        partition: int = 0,
        *,
        fetch_bytes: int = 1 << 20,
        at_end: str = "loop",
        record_count: int | None = None,
        max_wait_ms: int = MAX_WAIT_MS,
        ssl_ca_location: str | None = None,
    ) -> None:
        if at_end not in CONSUME_TIMEOUT_S:
            raise ValueError(f"at_end is one of {', '.join(CONSUME_TIMEOUT_S)}, not {at_end!r}")
        self.counters = LoadCounters()
        self._topic = topic
        self._partition = partition
        self._at_end = at_end
        self._record_count = record_count
        self._is_stopping = False
        self._is_at_end = False
        self._fetch_bytes = fetch_bytes
        self._next_offset: int | None = None
        self._config = {
            **_where(bootstrap_servers, ssl_ca_location),
            "group.id": "kfast-load",  # librdkafka wants one even where partitions are assigned by hand
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": at_end != "wait",
            "fetch.wait.max.ms": max_wait_ms,
            "allow.auto.create.topics": True,
            # When its queue is full librdkafka stops fetching for a second by default, and nothing is measured then.
            "fetch.queue.backoff.ms": 1,
        }

    def run(self) -> None:
        fetch_bytes = self._fetch_bytes
        consumer = self._connect(fetch_bytes)
        try:
            while not self._is_finished:
                if self._fetch_bytes != fetch_bytes:
                    fetch_bytes = self._fetch_bytes
                    consumer.close()
                    consumer = self._connect(fetch_bytes)
                self._consume(consumer)
        finally:
            consumer.close()

    def set(self, name: str, value: Any) -> None:
        """`fetch_bytes`: a consumer with the new one takes over where the old one was."""
        if name != "fetch_bytes":
            raise ValueError(f"a running consume load can change fetch_bytes, not {name}")
        self._fetch_bytes = int(value)

    def stop(self) -> None:
        self._is_stopping = True

    close = stop

    @property
    def _is_finished(self) -> bool:
        has_all = self._record_count is not None and self.counters.records >= self._record_count
        return self._is_stopping or has_all or (self._is_at_end and self._at_end == "stop")

    def _connect(self, fetch_bytes: int) -> Any:
        from confluent_kafka import Consumer

        limits = {
            "fetch.message.max.bytes": fetch_bytes,
            "fetch.max.bytes": max(fetch_bytes, 1 << 20),
            "receive.message.max.bytes": (128 << 20) + 512,
            "message.max.bytes": min(MAX_BATCH_SIZE, max(fetch_bytes, 1 << 20)),
            "queued.max.messages.kbytes": max(2 * fetch_bytes >> 10, 1 << 16),
        }
        consumer = Consumer({**self._config, **limits})
        consumer.assign([self._place(self._next_offset)])
        return consumer

    def _place(self, offset: int | None) -> Any:
        from confluent_kafka import OFFSET_BEGINNING, TopicPartition

        return TopicPartition(self._topic, self._partition, OFFSET_BEGINNING if offset is None else offset)

    def _consume(self, consumer: Any) -> None:
        asked_ns = time.monotonic_ns()
        messages = consumer.consume(CONSUME_AT_ONCE, CONSUME_TIMEOUT_S[self._at_end])
        counters = self.counters
        self._is_at_end = False
        for message in messages:
            if message.error() is not None:
                self._end_or_failure(message.error())
                continue
            counters.bytes += len(message)
            counters.records += 1
            self._next_offset = message.offset() + 1
        if messages:
            counters.requests += 1
            counters.latency.add(time.monotonic_ns() - asked_ns)
        if self._is_at_end and self._at_end == "loop" and self._next_offset is not None:
            counters.loops += 1
            self._next_offset = None
            consumer.seek(self._place(None))

    def _end_or_failure(self, error: Any) -> None:
        from confluent_kafka import KafkaError

        if error.code() == KafkaError._PARTITION_EOF:
            self._is_at_end = True
        elif not error.retriable():
            raise LoadError(f"consuming {self._topic}-{self._partition}: {error.str()}")


def _where(bootstrap_servers: str, ssl_ca_location: str | None) -> dict[str, Any]:
    encrypted = {"security.protocol": "SSL", "ssl.ca.location": ssl_ca_location}
    return {"bootstrap.servers": bootstrap_servers, **(encrypted if ssl_ca_location is not None else {})}
