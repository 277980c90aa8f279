"""One workload, live: a broker and its clients, each in a process of its own, changed while they run.

    with Workload(WorkloadSettings(batch_records=64)) as workload:
        before = workload.sample()
        workload.set(copy_mode="read_send")
        ...
        reading(before, workload.sample())

The log lies in a `LabDirectory` on a real file system. Retention holds it to a quarter of what may be put there and is
checked four times a second, so that two minutes at full speed cannot fill the disk. Segments that go that early may
never have been written to the device at all: their pages were dropped while dirty. Device figures show what was.
A full segment is flushed, so with large ones (`segment_bytes`) the device rests.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Self

from kfast.broker.process import BrokerProcess
from kfast.child_process import ChildError, ChildProcess, Json
from kfast.client.cluster import TOPIC_RESOURCE, alter_config, create_topic, delete_topic
from kfast.lab.counters import device_io, machine_cpu, memory_state
from kfast.lab.lab_directory import LabDirectory
from kfast.lab.sample import BROKER, Sample
from kfast.lab.scattered_broker import SCATTERED_BROKER
from kfast.lab.unavailable import Unavailable
from kfast.lab.workload_settings import (
    FLUSH_POLICIES,
    MAX_BATCH_SIZE,
    PRODUCER,
    ClientPlan,
    WorkloadError,
    WorkloadSettings,
    client_plans,
)

logger = logging.getLogger(__name__)

TOPIC: Final = "workload"
BROKER_MODULES: Final = {"log": "kfast.broker.process", "scattered": SCATTERED_BROKER}
SEGMENT_BYTES: Final = 64 << 20
RETENTION_CHECK_MS: Final = 250
PREFILL_BYTES: Final = 128 << 20
PREFILL_S: Final = 1.0
"""Consumers need something to read, but small batches may take their time: the first of the two ends the filling."""

_POLL_S: Final = 0.02


class Client:
    """One running client process and the plan it follows."""

    def __init__(self, bootstrap_servers: str, topic: str, plan: ClientPlan) -> None:
        self.plan = plan
        where = {"bootstrap_servers": bootstrap_servers, "topic": topic}
        settings = {"kind": plan.kind, **where, **plan.fixed, **plan.changeable}
        self._child = ChildProcess("kfast.client.load", settings)

    @property
    def pid(self) -> int:
        return self._child.pid

    def follow(self, plan: ClientPlan) -> None:
        """Take over what changed in the plan, in mid-stream."""
        for name, value in plan.changeable.items():
            if self.plan.changeable[name] != value:
                self._child.ask("set", name=name, value=value)
        self.plan = plan

    def metrics(self) -> Json:
        """What it counted so far; raises ChildError with the client's words if it failed."""
        return self._child.ask("metrics")

    def stop(self) -> Json:
        """End the process; return what it had counted."""
        try:
            return self._child.ask("stop")
        finally:
            self._child.stop()


class Workload:
    """Starts everything when made, and ends everything with `stop` or a `with` block: no process, no file is left.

    Thread-safe. Raises ChildError, in the words of the process, when broker or clients cannot start or have failed.
    """

    def __init__(
        self,
        settings: WorkloadSettings | None = None,
        *,
        parent: str | os.PathLike[str] | None = None,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self._lock = threading.Lock()
        self._settings = settings or WorkloadSettings()
        self._clients: dict[str, Client] = {}
        self._segment_bytes = segment_bytes
        self._topic, self._topic_count = TOPIC, 1
        self._ended: Counter[str] = Counter()
        self._ended_cpu_s: dict[str, float] = {}
        self._broker: BrokerProcess | None = None
        self._directory = LabDirectory(parent)
        try:
            self._broker = self._start_broker()
            if self._settings.workload not in ("follow", "idle"):
                self._prefill()
            self._follow(client_plans(self._settings))
        except BaseException:
            self.stop()
            raise

    @property
    def settings(self) -> WorkloadSettings:
        return self._settings

    @property
    def directory(self) -> Path:
        """Where the log lies while the workload runs."""
        return self._directory.path

    @property
    def bootstrap_servers(self) -> str:
        """The broker's address, for any other client that wants to join."""
        return self._running_broker.bootstrap_servers

    @property
    def pids(self) -> dict[str, int]:
        """The processes that run now, by name, for whoever reads their counters: `broker`, `producer`, ..."""
        with self._lock:
            return {BROKER: self._running_broker.pid} | {name: client.pid for name, client in self._clients.items()}

    def set(self, **changes: Any) -> None:
        """Change settings in mid-stream; they hold when this returns. Raises WorkloadError for what cannot be.

        Clients that can follow while they run do; another kind or number of them means another process.
        """
        with self._lock:
            settings = self._settings.changed(changes)
            if settings.layout != self._settings.layout:
                raise WorkloadError(f"a running broker's layout stays {self._settings.layout}")
            broker = self._running_broker
            if settings.copy_mode != self._settings.copy_mode:
                broker.set("kfast.copy.mode", settings.copy_mode)
            if settings.flush != self._settings.flush:
                messages = str(FLUSH_POLICIES[settings.flush])
                alter_config(broker.bootstrap_servers, TOPIC_RESOURCE, self._topic, "flush.messages", messages)
            self._follow(client_plans(settings))
            self._settings = settings

    def renew_topic(self) -> None:
        """Go on with an empty topic: what the one before holds is dropped, also what would still be written back.

        Raises WorkloadError while clients run.
        """
        with self._lock:
            if self._clients:
                raise WorkloadError(f"{', '.join(self._clients)} use the topic: stop them first (workload=idle)")
            delete_topic(self.bootstrap_servers, self._topic)
            self._topic, self._topic_count = f"{TOPIC}-{self._topic_count}", self._topic_count + 1
            self._create_topic(self._running_broker)

    def sample(self) -> Sample:
        """What was counted since the start. Raises ChildError if a process failed."""
        with self._lock:
            broker = self._running_broker
            counts = Counter(self._ended)
            cpu_s = dict(self._ended_cpu_s)
            for name, client in self._clients.items():
                metrics = client.metrics()
                counts.update(_counts(name, metrics))
                cpu_s[name] = cpu_s.get(name, 0.0) + _cpu_s(metrics)
            return self._sample(broker.metrics(), counts, cpu_s)  # last: it has sent all that clients counted

    def stop(self) -> None:
        """End all processes and remove the data. Calling it twice does no harm.

        A client that failed since the last sample is logged, not raised: what is to be ended, ends.
        """
        with self._lock:
            for name in list(self._clients):
                try:
                    self._end(name)
                except ChildError as error:
                    logger.warning("%s failed before it was stopped: %s", name, error)
            if self._broker is not None:
                self._broker.stop()
                self._broker = None
            self._directory.close()

    @property
    def _running_broker(self) -> BrokerProcess:
        if self._broker is None:
            raise RuntimeError("the workload was stopped")
        return self._broker

    def _start_broker(self) -> BrokerProcess:
        broker = BrokerProcess(
            self._directory.path,
            copy_mode=self._settings.copy_mode,
            config={"log.retention.check.interval.ms": str(RETENTION_CHECK_MS)},
            module=BROKER_MODULES[self._settings.layout],
        )
        try:
            self._create_topic(broker)
        except BaseException:
            broker.stop()
            raise
        return broker

    def _create_topic(self, broker: BrokerProcess) -> None:
        limits = {
            "retention.bytes": str(self._directory.limit_bytes // 4),
            "segment.bytes": str(self._segment_bytes),
            "file.delete.delay.ms": "0",
            "max.message.bytes": str(MAX_BATCH_SIZE),
            "flush.messages": str(FLUSH_POLICIES[self._settings.flush]),
        }
        create_topic(broker.bootstrap_servers, self._topic, configs=limits)

    def _prefill(self) -> None:
        """Produce something to read, with a raw client: it is fast, and its batches are those of the settings."""
        plans = client_plans(self._settings.changed({"workload": "produce", "client": "raw"}))
        producer = Client(self.bootstrap_servers, self._topic, plans[PRODUCER])
        try:
            deadline = time.monotonic() + PREFILL_S
            while producer.metrics()["bytes"] < PREFILL_BYTES and time.monotonic() < deadline:
                time.sleep(_POLL_S)
        finally:
            producer.stop()

    def _follow(self, plans: Mapping[str, ClientPlan]) -> None:
        """Make the clients those of the plans; one that only changes goes on running."""
        for name, client in list(self._clients.items()):
            plan = plans.get(name)
            if plan is None or (plan.kind, plan.fixed) != (client.plan.kind, client.plan.fixed):
                self._end(name)
            else:
                client.follow(plan)
        self._start({name: plan for name, plan in plans.items() if name not in self._clients})

    def _start(self, plans: Mapping[str, ClientPlan]) -> None:
        """Start clients, all at once: each takes a third of a second to come up, most of it alone with its imports."""
        if not plans:
            return
        with ThreadPoolExecutor(len(plans)) as pool:
            starts = {
                name: pool.submit(Client, self.bootstrap_servers, self._topic, plan) for name, plan in plans.items()
            }
        failures = [start.exception() for start in starts.values()]
        self._clients |= {name: start.result() for name, start in starts.items() if start.exception() is None}
        for failure in filter(None, failures):
            raise failure

    def _end(self, name: str) -> None:
        """End a client and keep what it counted."""
        metrics = self._clients.pop(name).stop()
        self._ended.update(_counts(name, metrics))
        self._ended_cpu_s[name] = self._ended_cpu_s.get(name, 0.0) + _cpu_s(metrics)

    def _sample(self, broker: Json, counts: Mapping[str, int], cpu_s: Mapping[str, float]) -> Sample:
        memory = memory_state()
        return Sample(
            monotonic_ns=broker["monotonic_ns"],
            processor_count=os.cpu_count() or 1,
            copy_mode=broker["copy_mode"],
            receiver_discards=self._settings.client == "raw" and self._settings.receive == "discard",
            waits_for_disk=self._settings.flush == "batch",
            produced_bytes=counts["produced_bytes"],
            produced_records=counts["produced_records"],
            consumed_bytes=counts["consumed_bytes"],
            consumed_records=counts["consumed_records"],
            broker_cpu_s=_cpu_s(broker),
            client_cpu_s=cpu_s,
            received_bytes=broker["received_bytes"],
            appended_bytes=broker["appended_bytes"],
            sent_bytes=broker["sent_bytes"],
            cpu_copied_bytes=broker["cpu_copied_bytes"],
            unflushed_bytes=broker["unflushed_bytes"],
            dirty_bytes=memory if isinstance(memory, Unavailable) else memory.dirty_bytes,
            device=device_io(self._directory.path),
            machine_cpu=machine_cpu(),
            errors=counts["errors"],
            resident_bytes=broker["resident_bytes"],
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "stopped" if self._broker is None else self._broker.bootstrap_servers
        return f"Workload({state}, {self._settings.workload}, {', '.join(self._clients) or 'no clients'})"


def _counts(name: str, metrics: Json) -> dict[str, int]:
    verb = "produced" if name == PRODUCER else "consumed"
    return {
        f"{verb}_bytes": metrics["bytes"],
        f"{verb}_records": metrics["records"],
        "errors": metrics["errors"],
    }


def _cpu_s(metrics: Json) -> float:
    return float(metrics["cpu_user_s"] + metrics["cpu_system_s"])
