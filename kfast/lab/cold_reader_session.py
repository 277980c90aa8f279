"""A session of E7: a broker of each kind with an old log in it, and for each run a producer and maybe a consumer."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from kfast.broker.process import BrokerProcess
from kfast.child_process import ChildProcess, Json
from kfast.client.cluster import create_topic
from kfast.client.latency import LatencySummary
from kfast.lab.counters import DeviceIo, MachineCpu, device_io, difference, machine_cpu
from kfast.lab.experiment import Arm, ArmUnavailableError, Measurement, Value
from kfast.lab.lab_directory import LabDirectory
from kfast.lab.load_clients import load_clients
from kfast.lab.prepared_log import PreparedLog
from kfast.lab.residency import cached_share, make_cold, make_warm
from kfast.lab.sample import BROKER
from kfast.lab.sampler import limiting_resource
from kfast.lab.shared_thread_broker import SHARED_THREAD_BROKER, WARM_UP
from kfast.lab.sizes import size_text
from kfast.lab.unavailable import Unavailable

PER_CONNECTION, SHARED = "a thread per connection", "one shared thread"
BROKER_MODULES: Final = {PER_CONNECTION: "kfast.broker.process", SHARED: SHARED_THREAD_BROKER}
NOBODY, WARM, COLD = "none", "warm", "cold"

P99, P50, LONGEST, CONSUMED, REQUESTS, DEVICE_BYTES, BROKER_CORES, CACHED = (
    "produce_p99_ms",
    "produce_p50_ms",
    "produce_longest_ms",
    "consumed_bytes_per_s",
    "device_reads_per_s",
    "device_bytes_per_consumed_byte",
    "broker_cores",
    "cached_share_before",
)
HOT, OLD = "hot", "old"
PRODUCER, CONSUMER = "producer", "consumer"

FETCH_BYTES: Final = 1 << 20
SEGMENT_BYTES: Final = 1 << 20
REQUESTS_PER_S: Final = 1_000
RECORDS_PER_REQUEST: Final = 10
RECORDS_PER_BATCH, RECORD_SIZE = 100, 1024  # of the old log: ten batches fill a segment nearly
LEAST_LOG_BYTES: Final = 64 << 20
"""Of a smoke run: twice what it reads would last half a second, which a busy machine takes to start a process."""

NO_CONSUMER: Final = Unavailable("there is no consumer")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How long a run is, and what the consumer reads in it."""

    settle_s: float
    measure_s: float
    consumer_bytes_per_s: float

    @property
    def log_bytes(self) -> int:
        """Twice what a run reads, so that none comes to the end of the log, also where the producer starts late."""
        return max(LEAST_LOG_BYTES, int(2 * (self.settle_s + self.measure_s) * self.consumer_bytes_per_s))


@dataclass(frozen=True, slots=True)
class RunSample:
    processes: Mapping[str, Json]
    device: DeviceIo | Unavailable
    machine: MachineCpu | Unavailable


class ColdReaderSession:
    """Both brokers run all the time; the one that an arm does not use has no clients meanwhile."""

    def __init__(self, directory: Path, sizes: Sizes) -> None:
        self._sizes = sizes
        with ExitStack() as stack:
            home = stack.enter_context(LabDirectory(directory))
            home.ensure_fits(len(BROKER_MODULES) * sizes.log_bytes)
            self._directory = home.path
            self._brokers = {
                server: stack.enter_context(BrokerProcess(self._data_dir(server), module=module))
                for server, module in BROKER_MODULES.items()
            }
            self._old_logs = {server: self._fill(server) for server in self._brokers}
            self._stack = stack.pop_all()

    @property
    def conditions(self) -> Mapping[str, str]:
        sizes = self._sizes
        return {
            "clients and broker": "processes of their own on one machine, over loopback, congestion control reno",
            "producer": f"{REQUESTS_PER_S:,} requests a second of {RECORDS_PER_REQUEST} x 100 B; latency counts from "
            "when each should have left",
            "consumer": f"fetches of {size_text(FETCH_BYTES)}, one under way, at most "
            f"{sizes.consumer_bytes_per_s / 1e6:.0f} MB/s",
            "old log": f"{size_text(sizes.log_bytes)} in segments of {size_text(SEGMENT_BYTES)}, so that the kernel "
            "cannot read ahead of the consumer",
            "sync policy": "none: the producer does not wait for the disk",
            "cold": "fdatasync, POSIX_FADV_DONTNEED, then cachestat finds no page; guest-cold on a virtual machine",
            "each run": f"clients of its own, {sizes.settle_s:g} s to settle, then {sizes.measure_s:g} s measured",
        }

    def run(self, arm: Arm) -> Measurement:
        """Raises ArmUnavailableError where the log cannot be made cold, ChildError where a process failed."""
        broker = self._brokers[arm["server"]]
        if arm["server"] == SHARED:
            broker.set(WARM_UP, "true" if arm["warms_up"] else "false")
        cached_share = self._prepare(arm["server"], arm["consumer"])
        with load_clients(_loads(broker, self._sizes, has_consumer=arm["consumer"] != NOBODY)) as clients:
            time.sleep(self._sizes.settle_s)
            before = self._sample(broker, clients)
            time.sleep(self._sizes.measure_s)
            return measurement(before, self._sample(broker, clients), cached_share)

    def _data_dir(self, server: str) -> Path:
        return self._directory / server.replace(" ", "-")

    def _fill(self, server: str) -> PreparedLog:
        """Make both topics, the old one with its log."""
        where = self._brokers[server].bootstrap_servers
        create_topic(where, HOT)
        return PreparedLog(
            where,
            OLD,
            self._data_dir(server),
            batch_records=RECORDS_PER_BATCH,
            record_size=RECORD_SIZE,
            record_count=self._sizes.log_bytes // RECORD_SIZE,
            configs={"segment.bytes": str(SEGMENT_BYTES)},
        )

    def _prepare(self, server: str, consumer: str) -> Value:
        """Take the old log out of the page cache, or read it into it; return how much of it is there."""
        if consumer == NOBODY:
            return NO_CONSUMER
        prepare = make_cold if consumer == COLD else make_warm
        share = cached_share(self._old_logs[server].with_files(prepare))
        if consumer == COLD and isinstance(share, Unavailable):
            raise ArmUnavailableError(f"nothing can say that the log is out of the page cache: {share.reason}")
        if consumer == COLD and share:
            raise ArmUnavailableError(f"{share:.1%} of the log stay in the page cache")
        return share

    def _sample(self, broker: BrokerProcess, clients: Mapping[str, ChildProcess]) -> RunSample:
        return RunSample(
            {BROKER: broker.metrics(), **{name: client.ask("metrics") for name, client in clients.items()}},
            device_io(self._directory),
            machine_cpu(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def _loads(broker: BrokerProcess, sizes: Sizes, has_consumer: bool) -> dict[str, Json]:
    loads = {PRODUCER: _producer()}
    if has_consumer:
        loads[CONSUMER] = _consumer(sizes.consumer_bytes_per_s)
    return {name: {"bootstrap_servers": broker.bootstrap_servers, **load} for name, load in loads.items()}


def _producer() -> Json:
    rate = REQUESTS_PER_S * RECORDS_PER_REQUEST
    return {"kind": "produce", "topic": HOT, "batch_records": RECORDS_PER_REQUEST, "records_per_s": rate}


def _consumer(bytes_per_s: float) -> Json:
    """max_wait_ms 0: one shared thread must not wait at the end of a log."""
    how = {"fetch_bytes": FETCH_BYTES, "bytes_per_s": bytes_per_s, "at_end": "stop", "max_wait_ms": 0}
    return {"kind": "consume", "topic": OLD, **how}


def measurement(before: RunSample, after: RunSample, cached: Value) -> Measurement:
    """What two samples of a run say; `cached` is the share of the old log that was in the page cache before it."""
    elapsed_s = (after.processes[PRODUCER]["monotonic_ns"] - before.processes[PRODUCER]["monotonic_ns"]) / 1e9
    latency = _latency(after).since(_latency(before))
    cpu_s = {name: _cpu_s(now) - _cpu_s(before.processes[name]) for name, now in after.processes.items()}
    device = difference(after.device, before.device)
    consumed = _consumed(before, after)
    values: dict[str, Value] = {
        P99: latency.quantile_ns(0.99) / 1e6,
        P50: latency.quantile_ns(0.5) / 1e6,
        LONGEST: latency.max_ns / 1e6,
        CONSUMED: consumed and consumed / elapsed_s,
        REQUESTS: device if isinstance(device, Unavailable) else device.read_requests / elapsed_s,
        DEVICE_BYTES: consumed and (device if isinstance(device, Unavailable) else device.read_bytes / consumed),
        BROKER_CORES: cpu_s[BROKER] / elapsed_s,
        CACHED: cached,
    }
    machine = difference(after.machine, before.machine)
    limit = limiting_resource(cpu_s, machine, elapsed_s, os.cpu_count() or 1)
    return Measurement(elapsed_s, cpu_s, values, limit)


def _consumed(before: RunSample, after: RunSample) -> Value:
    """Bytes, more than none; or why there are none."""
    if CONSUMER not in after.processes:
        return NO_CONSUMER
    if after.processes[CONSUMER]["is_done"]:
        return Unavailable("the consumer came to the end of its log")
    count = after.processes[CONSUMER]["bytes"] - before.processes[CONSUMER]["bytes"]
    return float(count) or Unavailable("nothing was consumed in this run")


def _latency(sample: RunSample) -> LatencySummary:
    return LatencySummary.from_counts(sample.processes[PRODUCER]["latency_counts"])


def _cpu_s(metrics: Json) -> float:
    return float(metrics["cpu_user_s"] + metrics["cpu_system_s"])
