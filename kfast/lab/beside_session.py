"""The session of E11: brokers that run side by side, and one load at a time on one of them.

Every run has clients of its own, processes that begin with it, and what is produced goes to a topic of its own, deleted
afterwards: no run waits for the disk to take what another has written. What is read was written before the first run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from kfast.broker.process import BrokerProcess
from kfast.client.cluster import create_topic, delete_topic
from kfast.lab.apache_kafka import HEAP, ApacheKafka, KafkaMissingError
from kfast.lab.beside_loads import (
    BATCH_RECORDS,
    LOADS,
    RECORD_SIZE,
    Load,
    RunningBroker,
    clients_of,
    load_measurement,
)
from kfast.lab.copy_session import CACHED_SHARE
from kfast.lab.experiment import Arm, ArmUnavailableError, Measurement, Value
from kfast.lab.lab_directory import LabDirectory
from kfast.lab.prepared_log import PreparedLog
from kfast.lab.residency import cached_share
from kfast.lab.sizes import size_text
from kfast.lab.unavailable import Unavailable

NOTHING_READ: Final = Unavailable("nothing is read")

KFAST, CHECKING_KFAST, KAFKA, OPEN_KAFKA, CLUSTER = (
    "kfast",
    "kfast that looks at records",
    "Apache Kafka",
    "Apache Kafka, system's buffers",
    "the named cluster",
)
BUFFERS: Final = {"socket.send.buffer.bytes": "-1", "socket.receive.buffer.bytes": "-1"}
"""The system's own, which grow, as kfast has them; Kafka's default is 102,400 bytes for each."""

CLEANING: Final = {"log.retention.check.interval.ms": "250"}
"""So that what goes, goes at once; Kafka needs two more for that."""

KFAST_SETTINGS: Final = {KFAST: CLEANING, CHECKING_KFAST: {**CLEANING, "kfast.validate.records": "true"}}
_KAFKA_CLEANING: Final = {**CLEANING, "log.initial.task.delay.ms": "100", "log.segment.delete.delay.ms": "0"}
KAFKA_SETTINGS: Final = {KAFKA: _KAFKA_CLEANING, OPEN_KAFKA: {**_KAFKA_CLEANING, **BUFFERS}}


@dataclass(frozen=True, slots=True)
class Extent:
    """How long a run settles and is measured, how long each load warms a broker up, and how much there is to read."""

    settle_s: float
    measure_s: float
    warm_up_s: float
    read_bytes: int


class BesideSession:
    """Starts the brokers of `arms`, where they can be had; `cluster` is the address of one that runs already.

    Leaves nothing behind, nor on the cluster.
    """

    def __init__(self, directory: Path, arms: Sequence[Arm], extent: Extent, cluster: str | None = None) -> None:
        self._extent = extent
        self._brokers: dict[str, RunningBroker] = {}
        self._missing: dict[str, str] = {}
        self._kafkas: dict[str, ApacheKafka] = {}
        self._logs: dict[str, PreparedLog] = {}
        self._topic, self._topic_count = f"kfast-beside-{os.getpid()}", 0
        with ExitStack() as stack:
            self._lab = stack.enter_context(LabDirectory(directory))
            for name in dict.fromkeys(arm["broker"] for arm in arms):
                self._start(stack, name, cluster)
            read_from = {arm["broker"] for arm in arms if LOADS[arm["load"]].reads}
            for name in [name for name in self._brokers if name in read_from]:
                self._fill(stack, name, self._brokers[name])
            self._warm_up([arm for arm in arms if arm["broker"] not in KFAST_SETTINGS and not arm.replicate])
            self._stack = stack.pop_all()

    @property
    def conditions(self) -> Mapping[str, str]:
        extent = self._extent
        found = {
            "clients and brokers": "processes of their own on one machine, but for a named cluster; over loopback, "
            "congestion control reno; all brokers run all the time, one of them under load",
            "broker CPU": "of the whole process, by the CPU clock the kernel keeps for it, for each broker alike",
            "raw clients": "send batches that were built beforehand, 5 requests in flight unless an arm says one; "
            "fetch one after the other into one buffer, as consumers do, and do not look at it",
            "sync policy": f"none until a segment of {size_text(self._segment_bytes)} is full",
            "each run": f"clients of its own and, to produce, a topic; {extent.settle_s:g} s to settle after the first "
            f"record, then {extent.measure_s:g} s measured",
        }
        if self._logs:
            found["to read"] = (
                f"{size_text(extent.read_bytes)} in batches of 100 KiB, written and fdatasync'ed beforehand: "
                + ", ".join(f"{name} {log.pages()}" for name, log in self._logs.items())
            )
        warm = (
            f"warmed up by {extent.warm_up_s:g} s of each load before the first block, as Java compiles what runs often"
        )
        if CHECKING_KFAST in self._brokers:
            found[CHECKING_KFAST] = "kfast.validate.records=true: it opens each batch that is produced, as Kafka does"
        for name, kafka in self._kafkas.items():
            buffers = "its own defaults" if name == KAFKA else "its own defaults but for the sizes of socket buffers"
            found[name] = (
                f"{kafka.version}, {buffers}, heap {HEAP}, G1; {warm}; {pacing_words(kafka.congestion_control)}"
            )
        if CLUSTER in self._brokers:
            found[CLUSTER] = f"{warm}; {pacing_words('unknown')}; topics of 1 replica"
        return found

    def run(self, arm: Arm) -> Measurement:
        """Raises ArmUnavailableError for a broker or a library that is not here, ChildError where a client failed."""
        load = LOADS[arm["load"]]
        if arm["broker"] in self._missing:
            raise ArmUnavailableError(self._missing[arm["broker"]])
        if not load.is_possible:
            raise ArmUnavailableError("confluent-kafka is not installed; it comes with the extra kfast[lab]")
        return self._measure(arm["broker"], load, self._extent.settle_s, self._extent.measure_s)

    @property
    def _segment_bytes(self) -> int:
        """Retention keeps one full segment beside the one that fills: with what is read that fits the lab's limit."""
        return self._lab.limit_bytes // 4

    def _start(self, stack: ExitStack, name: str, cluster: str | None) -> None:
        if name in KFAST_SETTINGS:
            data_dir = self._lab.path / f"kfast-{len(self._brokers)}"
            broker = stack.enter_context(BrokerProcess(data_dir, config=KFAST_SETTINGS[name]))
            self._brokers[name] = RunningBroker(broker.bootstrap_servers, broker.pid, data_dir)
        elif name in KAFKA_SETTINGS:
            self._start_kafka(stack, name)
        else:
            assert cluster is not None
            self._brokers[name] = RunningBroker(cluster)

    def _start_kafka(self, stack: ExitStack, name: str) -> None:
        directory = self._lab.path / f"kafka-{len(self._brokers)}"
        try:
            kafka = stack.enter_context(ApacheKafka(directory, KAFKA_SETTINGS[name]))
        except KafkaMissingError as error:
            self._missing[name] = str(error)
        else:
            self._brokers[name] = RunningBroker(kafka.bootstrap_servers, kafka.pid, kafka.data_dir)
            self._kafkas[name] = kafka

    def _fill(self, stack: ExitStack, name: str, broker: RunningBroker) -> None:
        """Write what will be read. Another cluster's topic is deleted at the end; here it goes with the directory."""
        self._lab.ensure_fits((len(self._logs) + 1) * self._extent.read_bytes)
        if broker.data_dir is None:
            stack.callback(delete_topic, broker.bootstrap_servers, self._topic)
        self._logs[name] = PreparedLog(
            broker.bootstrap_servers,
            self._topic,
            broker.data_dir,
            batch_records=BATCH_RECORDS,
            record_size=RECORD_SIZE,
            record_count=self._extent.read_bytes // RECORD_SIZE,
        )

    def _warm_up(self, arms: Sequence[Arm]) -> None:
        for arm in arms:
            if arm["broker"] in self._brokers and LOADS[arm["load"]].is_possible:
                self._measure(arm["broker"], LOADS[arm["load"]], 0.0, self._extent.warm_up_s)

    def _measure(self, name: str, load: Load, settle_s: float, measure_s: float) -> Measurement:
        broker = self._brokers[name]
        with self._topic_for(name, load) as topic, clients_of(broker, topic, load) as clients:
            clients.wait_for_records()
            time.sleep(settle_s)
            before = clients.counts()
            time.sleep(measure_s)
            found = load_measurement(load, before, clients.counts())
        return replace(found, values={**found.values, CACHED_SHARE: self._cached_share(name, load)})

    def _cached_share(self, name: str, load: Load) -> Value:
        """Of what a load has read; less than 1 would mean that it read from the disk."""
        return cached_share([self._logs[name].pages()]) if load.reads else NOTHING_READ

    @contextmanager
    def _topic_for(self, name: str, load: Load) -> Iterator[str]:
        """The topic that was filled, or a new one while the block lasts."""
        if load.reads:
            yield self._topic
            return
        where = self._brokers[name].bootstrap_servers
        self._topic_count += 1
        topic, size = f"{self._topic}-{self._topic_count}", str(self._segment_bytes)
        limits = {"segment.bytes": size, "retention.bytes": size, "file.delete.delay.ms": "0"}
        create_topic(where, topic, configs=limits)
        try:
            yield topic
        finally:
            delete_topic(where, topic)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def pacing_words(congestion_control: str) -> str:
    """What the congestion control of a broker's own sockets does to its figures, if the lab could not set it."""
    if congestion_control == "reno":
        return "reno on its ends set from outside"
    return (
        f"congestion control of its own ends {congestion_control}: where that paces, as BBR does, its figures for "
        "fetching and consuming include the pacing"
    )
