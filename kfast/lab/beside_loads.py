"""The loads of E11: what clients do to a broker, the processes that do it, and what two counts of them say.

The raw clients send batches that were built beforehand and do not look at what they fetch, so their figures are the
broker's. librdkafka makes every record and looks at every record, so there the client's own work is in.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kfast.child_process import ChildError, ChildProcess, Json
from kfast.client.latency import LatencySummary
from kfast.lab.counters import MachineCpu, difference, machine_cpu
from kfast.lab.experiment import Measurement, Value
from kfast.lab.load_clients import load_clients
from kfast.lab.prepared_log import ELSEWHERE
from kfast.lab.process_clock import cpu_s_of
from kfast.lab.sample import BROKER
from kfast.lab.sampler import limiting_resource
from kfast.lab.unavailable import Unavailable
from kfast.lab.workload_session import NOTHING_MOVED

RECORD_SIZE: Final = 1024
BATCH_RECORDS: Final = 100  # 100 KiB, and a header
BYTES, RECORDS, CPU_PER_GB, CPU_PER_REQUEST, P50, P99 = (
    "bytes_per_s",
    "records_per_s",
    "broker_cpu_s_per_gb",
    "broker_cpu_us_per_request",
    "p50_us",
    "p99_us",
)
OWN_REQUESTS: Final = Unavailable("librdkafka keeps its requests to itself")
START_S: Final = 10.0
_POLL_S: Final = 0.02
_COUNTED: Final = ("bytes", "records", "requests")


@dataclass(frozen=True, slots=True)
class Load:
    """What clients do to a broker: `count` processes of a kind of load, each with these settings."""

    words: str
    kind: str
    settings: Mapping[str, Any]
    count: int = 1

    @property
    def is_raw(self) -> bool:
        return not self.kind.startswith("confluent")

    @property
    def reads(self) -> bool:
        return self.kind.endswith("consume")

    @property
    def is_possible(self) -> bool:
        """Whether the library it takes is installed."""
        return self.is_raw or importlib.util.find_spec("confluent_kafka") is not None


_SMALL: Final = {"batch_records": 1, "record_size": 100}
_LARGE: Final = {"batch_records": BATCH_RECORDS, "record_size": RECORD_SIZE}
_LIBRARY: Final = {"batch_records": 1000, "record_size": RECORD_SIZE}  # 1 MB, librdkafka's own batch.size
_LIBRARY_READS: Final = {"fetch_bytes": 1 << 20, "max_wait_ms": 10}
"""At the end of the log a fetch is under way already, and librdkafka begins again only when that one is answered."""

FETCH, PRODUCE, SMALL, ALONE, LIBRARY_PRODUCE, LIBRARY_CONSUME = (
    "fetch",
    "produce",
    "small",
    "alone",
    "librdkafka produce",
    "librdkafka consume",
)
LOADS: Final[Mapping[str, Load]] = {
    FETCH: Load("raw fetches of 1 MiB", "consume", {"fetch_bytes": 1 << 20}),
    PRODUCE: Load("raw batches of 100 KiB", "produce", _LARGE),
    SMALL: Load("100 B a request, 4 connections", "produce", _SMALL, 4),
    ALONE: Load("100 B a request, one in flight", "produce", {**_SMALL, "requests_in_flight": 1}),
    LIBRARY_PRODUCE: Load("produce 1 KiB records, librdkafka", "confluent-produce", _LIBRARY),
    LIBRARY_CONSUME: Load("consume 1 KiB records, librdkafka", "confluent-consume", _LIBRARY_READS),
}


@dataclass(frozen=True, slots=True)
class RunningBroker:
    """A broker that answers, its process and its data: None where these are not on this machine."""

    bootstrap_servers: str
    pid: int | None = None
    data_dir: Path | None = None

    @property
    def cpu_s(self) -> float | Unavailable:
        return ELSEWHERE if self.pid is None else cpu_s_of(self.pid)


@dataclass(frozen=True, slots=True)
class Counts:
    """What clients and broker had counted at one moment; `totals` are bytes, records and requests of all clients."""

    monotonic_ns: int
    totals: Mapping[str, int]
    client_cpu_s: Mapping[str, float]
    broker_cpu_s: float | Unavailable
    latency: LatencySummary
    machine: MachineCpu | Unavailable


@contextmanager
def clients_of(broker: RunningBroker, topic: str, load: Load) -> Iterator[LoadClients]:
    """The client processes of one load while the block lasts. Raises ChildError, as `load_clients` does."""
    settings = {"kind": load.kind, "bootstrap_servers": broker.bootstrap_servers, "topic": topic, **load.settings}
    with load_clients({f"client {number}": settings for number in range(1, load.count + 1)}) as children:
        yield LoadClients(broker, children)


class LoadClients:
    """The clients of one load and the broker they put it on, asked together."""

    def __init__(self, broker: RunningBroker, children: Mapping[str, ChildProcess]) -> None:
        self._broker = broker
        self._children = children

    def wait_for_records(self) -> None:
        """Return when each client has one. Raises ChildError where one has none after START_S, or has failed."""
        deadline = time.monotonic() + START_S
        while not all(records := [found["records"] for found in self._metrics().values()]):
            if time.monotonic() > deadline:
                raise ChildError(f"after {START_S:g} s the clients have {records} records, and each should have some")
            time.sleep(_POLL_S)

    def counts(self) -> Counts:
        metrics = self._metrics()
        found = metrics.values()
        return Counts(
            monotonic_ns=time.monotonic_ns(),
            totals={name: sum(one[name] for one in found) for name in _COUNTED},
            client_cpu_s={name: one["cpu_user_s"] + one["cpu_system_s"] for name, one in metrics.items()},
            broker_cpu_s=self._broker.cpu_s,
            latency=together([LatencySummary.from_counts(one["latency_counts"]) for one in found]),
            machine=machine_cpu(),
        )

    def _metrics(self) -> dict[str, Json]:
        return {name: child.ask("metrics") for name, child in self._children.items()}


def together(summaries: Sequence[LatencySummary]) -> LatencySummary:
    """The latencies of several clients as if one had counted them."""
    return LatencySummary(
        count=sum(one.count for one in summaries),
        sum_ns=sum(one.sum_ns for one in summaries),
        max_ns=max(one.max_ns for one in summaries),
        buckets=tuple(map(sum, zip(*(one.buckets for one in summaries), strict=True))),
    )


def load_measurement(load: Load, before: Counts, after: Counts) -> Measurement:
    """What the counts at two moments say about one load."""
    elapsed_s = (after.monotonic_ns - before.monotonic_ns) / 1e9
    moved = {name: after.totals[name] - before.totals[name] for name in _COUNTED}
    broker_s = _difference(after.broker_cpu_s, before.broker_cpu_s)
    cpu_s = {name: total - before.client_cpu_s[name] for name, total in after.client_cpu_s.items()}
    values: dict[str, Value] = {
        BYTES: moved["bytes"] / elapsed_s,
        RECORDS: moved["records"] / elapsed_s,
        CPU_PER_GB: _each(broker_s, 1e9, moved["bytes"]),
    }
    if load.is_raw:
        latency = after.latency.since(before.latency)
        values[CPU_PER_REQUEST] = _each(broker_s, 1e6, moved["requests"])
        values |= {P50: _quantile_us(latency, 0.5), P99: _quantile_us(latency, 0.99)}
    else:
        values |= dict.fromkeys((CPU_PER_REQUEST, P50, P99), OWN_REQUESTS)
    known = cpu_s if isinstance(broker_s, Unavailable) else {BROKER: broker_s, **cpu_s}
    machine = difference(after.machine, before.machine)
    limit = limiting_resource({BROKER: 0.0, **known}, machine, elapsed_s, os.cpu_count() or 1)
    return Measurement(elapsed_s, known, values, limit)


def _difference(after: float | Unavailable, before: float | Unavailable) -> float | Unavailable:
    if isinstance(after, Unavailable):
        return after
    return before if isinstance(before, Unavailable) else after - before


def _each(total: float | Unavailable, scale: float, count: int) -> Value:
    if isinstance(total, Unavailable):
        return total
    return total * scale / count if count else NOTHING_MOVED


def _quantile_us(latency: LatencySummary, quantile: float) -> Value:
    return latency.quantile_ns(quantile) / 1e3 if latency.count else NOTHING_MOVED
