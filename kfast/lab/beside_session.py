"""The session of E11: two or three brokers that run side by side, and one load at a time on one of them.

Every run has clients of its own, processes that begin with it, and what is produced goes to a topic of its own, deleted
afterwards: no run waits for the disk to take what another has written. What is read was written before the first run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from kfast.broker.process import BrokerProcess
from kfast.client.cluster import create_topic, delete_topic
from kfast.lab.apache_kafka import HEAP, ApacheKafka, KafkaMissingError
from kfast.lab.beside_loads import LOADS, Load, LoadClients, RunningBroker, filling, load_measurement
from kfast.lab.experiment import Arm, ArmUnavailableError, Measurement
from kfast.lab.lab_directory import LabDirectory
from kfast.lab.sizes import size_text

KFAST, KAFKA, OPEN_KAFKA, CLUSTER = "kfast", "Apache Kafka", "Apache Kafka, system's buffers", "the named cluster"
BUFFERS: Final = {"socket.send.buffer.bytes": "-1", "socket.receive.buffer.bytes": "-1"}
"""The system's own, which grow, as kfast has them; Kafka's default is 102,400 bytes for each."""

CLEANING: Final = {"log.retention.check.interval.ms": "250"}
"""So that what goes, goes at once; Kafka needs two more for that."""

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
        self._congestion_control: dict[str, str] = {}
        self._topic, self._topic_count = f"kfast-beside-{os.getpid()}", 0
        with ExitStack() as stack:
            self._lab = stack.enter_context(LabDirectory(directory))
            for name in dict.fromkeys(arm["broker"] for arm in arms):
                self._start(stack, name, cluster)
            for broker in self._brokers.values():
                self._fill(stack, broker)
            self._warm_up([arm for arm in arms if arm["broker"] != KFAST])
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
            "to read": f"{size_text(extent.read_bytes)} in batches of 100 KiB, written before, in the page cache",
        }
        warm = (
            f"warmed up by {extent.warm_up_s:g} s of each load before the first block, as Java compiles what runs often"
        )
        for name, congestion_control in self._congestion_control.items():
            buffers = "its own defaults" if name == KAFKA else "its own defaults but for the sizes of socket buffers"
            found[name] = f"4.1, {buffers}, heap {HEAP}, G1; {warm}; {pacing_words(congestion_control)}"
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
        return self._measure(self._brokers[arm["broker"]], load, self._extent.settle_s, self._extent.measure_s)

    @property
    def _segment_bytes(self) -> int:
        """Retention keeps one full segment beside the one that fills: with what is read that fits the lab's limit."""
        return self._lab.limit_bytes // 4

    def _start(self, stack: ExitStack, name: str, cluster: str | None) -> None:
        if name == KFAST:
            broker = stack.enter_context(BrokerProcess(self._lab.path / "kfast", config=CLEANING))
            self._brokers[name] = RunningBroker(broker.bootstrap_servers, broker.pid)
        elif name in KAFKA_SETTINGS:
            self._start_kafka(stack, name)
        else:
            assert cluster is not None
            self._brokers[name] = RunningBroker(cluster, None)

    def _start_kafka(self, stack: ExitStack, name: str) -> None:
        directory = self._lab.path / f"kafka-{len(self._brokers)}"
        try:
            kafka = stack.enter_context(ApacheKafka(directory, KAFKA_SETTINGS[name]))
        except KafkaMissingError as error:
            self._missing[name] = str(error)
        else:
            self._brokers[name] = RunningBroker(kafka.bootstrap_servers, kafka.pid)
            self._congestion_control[name] = kafka.congestion_control

    def _fill(self, stack: ExitStack, broker: RunningBroker) -> None:
        """Write what will be read. Another cluster's topic is deleted at the end; here it goes with the directory."""
        self._lab.ensure_fits(len(self._brokers) * self._extent.read_bytes)
        if broker.pid is None:
            stack.callback(delete_topic, broker.bootstrap_servers, self._topic)
        create_topic(broker.bootstrap_servers, self._topic)
        load = filling(self._extent.read_bytes)
        with LoadClients(broker, self._topic, load) as clients:
            clients.wait_for(load.settings["record_count"])

    def _warm_up(self, arms: Sequence[Arm]) -> None:
        for arm in arms:
            if arm["broker"] in self._brokers and LOADS[arm["load"]].is_possible:
                self._measure(self._brokers[arm["broker"]], LOADS[arm["load"]], 0.0, self._extent.warm_up_s)

    def _measure(self, broker: RunningBroker, load: Load, settle_s: float, measure_s: float) -> Measurement:
        with self._topic_for(broker, load) as topic, LoadClients(broker, topic, load) as clients:
            clients.wait_for(1)
            time.sleep(settle_s)
            before = clients.counts()
            time.sleep(measure_s)
            return load_measurement(load, before, clients.counts())

    @contextmanager
    def _topic_for(self, broker: RunningBroker, load: Load) -> Iterator[str]:
        """The topic that was filled, or a new one while the block lasts."""
        if load.reads:
            yield self._topic
            return
        self._topic_count += 1
        topic, size = f"{self._topic}-{self._topic_count}", str(self._segment_bytes)
        limits = {"segment.bytes": size, "retention.bytes": size, "file.delete.delay.ms": "0"}
        create_topic(broker.bootstrap_servers, topic, configs=limits)
        try:
            yield topic
        finally:
            delete_topic(broker.bootstrap_servers, topic)

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
