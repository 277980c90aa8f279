"""What `kfast bench produce` and `kfast bench consume` run, on any cluster: Kafka's perf tools, their lines and units.

The shapes are those of kafka-producer-perf-test and kafka-consumer-perf-test of Kafka 4.1, so that what reads those
reads these; MB are 2**20 bytes there. Latency counts from when a record should have left when the rate is limited.

Two differences. The raw client makes no records while it runs: its figures are the broker's, not a producer's. And the
bytes it consumes are those of record batches, where Kafka's tool adds up keys and values.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kfast.client.latency import LatencySummary
from kfast.client.load import LoadThread, make_load

MEGABYTE = 1 << 20
BATCH_SIZE = 16 << 10
"""Kafka's default batch.size, in bytes; it says how many records a batch has where nobody does."""

REPORTING_INTERVAL_S = 5.0
CONSUME_TIMEOUT_S = 10.0
"""Without a record for so long, a consumer gives up (kafka-consumer-perf-test --timeout)."""

FILL_RECORD_SIZE = 100
_WAKE_S = 0.1

CONSUMER_HEADER = (
    "start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, "
    "rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec"
)
DETAILED_CONSUMER_HEADER = (
    "time, threadId, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, "
    "rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec"
)

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ProducerResult:
    """`size_bytes` are those of the values. `str()` is the last line of kafka-producer-perf-test."""

    record_count: int
    size_bytes: int
    elapsed_s: float
    latency: LatencySummary
    client_cpu_s: float

    @property
    def records_per_s(self) -> float:
        return self.record_count / self.elapsed_s

    @property
    def megabytes_per_s(self) -> float:
        return self.size_bytes / MEGABYTE / self.elapsed_s

    def as_json(self) -> dict[str, Any]:
        return {
            "records": self.record_count,
            "bytes": self.size_bytes,
            "elapsed_s": self.elapsed_s,
            "records_per_s": self.records_per_s,
            "megabytes_per_s": self.megabytes_per_s,
            "client_cpu_s": self.client_cpu_s,
            "latency": self.latency.as_json(),
        }

    def __str__(self) -> str:
        tail = (("50th", 0.5), ("95th", 0.95), ("99th", 0.99), ("99.9th", 0.999))
        quantiles = ", ".join(f"{self.latency.quantile_ns(share) // 1_000_000} ms {name}" for name, share in tail)
        return (
            f"{self.record_count} records sent, {self.records_per_s:.1f} records/sec "
            f"({self.megabytes_per_s:.2f} MB/sec), {self.latency.mean_ns / 1e6:.2f} ms avg latency, "
            f"{self.latency.max_ns / 1e6:.2f} ms max latency, {quantiles}."
        )


@dataclass(frozen=True, slots=True)
class ConsumerResult:
    """`str()` is the line that kafka-consumer-perf-test prints under CONSUMER_HEADER."""

    record_count: int
    size_bytes: int
    started: datetime
    ended: datetime
    elapsed_s: float
    client_cpu_s: float

    def as_json(self) -> dict[str, Any]:
        return {
            "records": self.record_count,
            "bytes": self.size_bytes,
            "elapsed_s": self.elapsed_s,
            "records_per_s": self.record_count / self.elapsed_s,
            "megabytes_per_s": self.size_bytes / MEGABYTE / self.elapsed_s,
            "client_cpu_s": self.client_cpu_s,
        }

    def __str__(self) -> str:
        figures = consumer_figures(self.size_bytes, self.record_count, 0, 0, self.elapsed_s)
        return f"{java_time(self.started)}, {java_time(self.ended)}, {figures}"


def produce(
    bootstrap_servers: str,
    topic: str,
    *,
    record_count: int,
    record_size: int = 100,
    batch_records: int | None = None,
    records_per_s: float | None = None,
    acks: int = -1,
    compression: str = "none",
    client: str = "raw",
    reporting_interval_s: float = REPORTING_INTERVAL_S,
    report: Report,
) -> ProducerResult:
    """Produce `record_count` records to partition 0 of `topic`, a progress line to `report` every few seconds.

    `client` is raw or confluent. `batch_records` is, where nobody says, what Kafka's batch.size of 16 KiB holds.
    """
    if record_count < 1 or (records_per_s is not None and records_per_s <= 0):
        raise ValueError(f"{record_count} records at {records_per_s} a second are nothing to produce")
    load = make_load(
        kind_of(client, "produce"),
        bootstrap_servers=bootstrap_servers,
        topic=topic,
        record_count=record_count,
        record_size=record_size,
        batch_records=min(record_count, batch_records or max(1, BATCH_SIZE // max(1, record_size))),
        records_per_s=records_per_s,
        acks=acks,
        compression=compression,
    )
    counters = load.counters
    earlier, earlier_s = counters.latency.summary(), time.monotonic()
    started_s, started_cpu_s = earlier_s, time.process_time()
    thread = LoadThread(load)
    try:
        while not thread.is_done.wait(reporting_interval_s):
            summary, now_s = counters.latency.summary(), time.monotonic()
            report(producer_progress(summary.since(earlier), record_size, now_s - earlier_s))
            earlier, earlier_s = summary, now_s
        thread.check()
    finally:
        load.close()
    return ProducerResult(
        record_count=counters.records,
        size_bytes=counters.records * record_size,
        elapsed_s=time.monotonic() - started_s,
        latency=counters.latency.summary(),
        client_cpu_s=time.process_time() - started_cpu_s,
    )


def consume(
    bootstrap_servers: str,
    topic: str,
    *,
    record_count: int,
    fetch_bytes: int = MEGABYTE,
    client: str = "raw",
    timeout_s: float = CONSUME_TIMEOUT_S,
    reporting_interval_s: float = REPORTING_INTERVAL_S,
    detailed: Report | None = None,
) -> ConsumerResult:
    """Consume at least `record_count` records of partition 0 of `topic` from its start, or what comes until `timeout_s`
    passes without any. `detailed` gets a line every few seconds, as --show-detailed-stats prints them.
    """
    load = make_load(
        kind_of(client, "consume"),
        bootstrap_servers=bootstrap_servers,
        topic=topic,
        record_count=record_count,
        fetch_bytes=fetch_bytes,
        at_end="wait",
    )
    counters = load.counters
    started, started_s, started_cpu_s = datetime.now(), time.monotonic(), time.process_time()
    last_s = reported_s = started_s
    last_records = reported_records = reported_bytes = 0
    thread = LoadThread(load)
    try:
        while not thread.is_done.wait(_WAKE_S):
            now_s = time.monotonic()
            size_bytes, records = counters.bytes, counters.records
            if records != last_records:
                last_records, last_s = records, now_s
            elif now_s - last_s > timeout_s:
                break
            if detailed is not None and now_s - reported_s >= reporting_interval_s:
                elapsed_s = now_s - reported_s
                figures = consumer_figures(size_bytes, records, reported_bytes, reported_records, elapsed_s)
                detailed(f"{java_time(datetime.now())}, 0, {figures}")
                reported_s, reported_records, reported_bytes = now_s, records, size_bytes
        thread.check()
    finally:
        load.close()
    gave_up_after_some = not thread.is_done.is_set() and counters.records
    elapsed_s = (last_s if gave_up_after_some else time.monotonic()) - started_s
    return ConsumerResult(
        record_count=counters.records,
        size_bytes=counters.bytes,
        started=started,
        ended=started + timedelta(seconds=elapsed_s),
        elapsed_s=elapsed_s,
        client_cpu_s=time.process_time() - started_cpu_s,
    )


def fill(bootstrap_servers: str, topic: str, record_count: int) -> None:
    """Give a consumer something to consume."""
    produce(
        bootstrap_servers,
        topic,
        record_count=record_count,
        record_size=FILL_RECORD_SIZE,
        report=lambda _: None,
    )


def kind_of(client: str, direction: str) -> str:
    """The kind of load (`kfast.client.load`) that `--client raw` or `--client confluent` means."""
    if client not in ("raw", "confluent"):
        raise ValueError(f"a client is raw or confluent, not {client!r}")
    return direction if client == "raw" else f"confluent-{direction}"


def producer_progress(window: LatencySummary, record_size: int, elapsed_s: float) -> str:
    """What kafka-producer-perf-test prints every five seconds about the last five."""
    return (
        f"{window.count} records sent, {window.count / elapsed_s:.1f} records/sec "
        f"({window.count * record_size / MEGABYTE / elapsed_s:.2f} MB/sec), {window.mean_ns / 1e6:.1f} ms avg latency, "
        f"{window.max_ns / 1e6:.1f} ms max latency."
    )


def consumer_figures(size_bytes: int, records: int, earlier_bytes: int, earlier_records: int, elapsed_s: float) -> str:
    """Totals so far and rates since the earlier ones. Without a group nothing is rebalanced, all time is fetch time."""
    megabytes_per_s = (size_bytes - earlier_bytes) / MEGABYTE / elapsed_s
    records_per_s = (records - earlier_records) / elapsed_s
    return (
        f"{size_bytes / MEGABYTE:.4f}, {megabytes_per_s:.4f}, {records}, {records_per_s:.4f}, "
        f"0, {round(elapsed_s * 1000)}, {megabytes_per_s:.4f}, {records_per_s:.4f}"
    )


def java_time(moment: datetime) -> str:
    """Kafka's `yyyy-MM-dd HH:mm:ss:SSS`, in local time."""
    return f"{moment:%Y-%m-%d %H:%M:%S}:{moment.microsecond // 1000:03d}"
