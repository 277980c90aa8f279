"""A broker killed under load, again and again, and its acknowledged records counted afterwards.

    for kill in kills(count=3, records=20_000):
        print(kill)

The broker is a process of its own and gets SIGKILL, which it cannot see coming, while several producers have requests
under way. The next one opens what it left, and every batch in it is read and counted.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kfast.broker.broker import Broker
from kfast.broker.process import BrokerProcess
from kfast.child_process import ChildError
from kfast.client.produce_load import REQUESTS_IN_FLIGHT, ProduceLoad
from kfast.errors import KfastError
from kfast.lab.lab_directory import LabDirectory
from kfast.log.log import Log

TOPIC: Final = "orders"
PRODUCERS: Final = 4
"""Each with a partition of its own: what is found there tells of its requests alone, in the order it sent them."""

BATCH_RECORDS: Final = 10
RECORD_SIZE: Final = 100
WINDOW: Final = REQUESTS_IN_FLIGHT * BATCH_RECORDS
"""Records that a producer has sent when it waits for an answer."""

_POLL_S: Final = 0.002
_QUIET_LOOKS: Final = 25
"""So often nothing must change: on a busy machine an answer that has arrived waits for its thread's turn."""


@dataclass(frozen=True, slots=True)
class Partition:
    """Records of one partition when the broker was killed, since its start; `batches` are the counts of those found.

    `sent`: their request had left, and no answer had come.
    """

    acknowledged: int
    sent: int
    batches: Sequence[int]

    @property
    def found(self) -> int:
        """Records in the batches that recovery left. The log's end offset would hide a gap between them."""
        return sum(self.batches)


@dataclass(frozen=True, slots=True)
class Kill:
    """What was promised until then, and what the next broker found."""

    partitions: Sequence[Partition]

    @property
    def acknowledged(self) -> int:
        return sum(partition.acknowledged for partition in self.partitions)

    @property
    def missing(self) -> int:
        """Acknowledged records that are not there."""
        return sum(max(0, partition.acknowledged - partition.found) for partition in self.partitions)

    @property
    def under_way(self) -> int:
        """Records that had been sent, and whose acknowledgement had not arrived."""
        return sum(partition.sent for partition in self.partitions)

    @property
    def kept(self) -> int:
        """Those under way that are in the log all the same."""
        return sum(max(0, partition.found - partition.acknowledged) for partition in self.partitions)

    @property
    def is_whole_batches(self) -> bool:
        """Whether each batch that is there has as many records as each that was sent."""
        return all(count == BATCH_RECORDS for partition in self.partitions for count in partition.batches)

    def __str__(self) -> str:
        return (
            f"{self.acknowledged:,} records acknowledged, {self.missing} of them missing; "
            f"{self.under_way} sent and not acknowledged, {self.kept} of them in the log"
        )


def kills(count: int, records: int) -> Iterator[Kill]:
    """Kill `count` brokers on the same data, each after it has acknowledged so many more records."""
    with LabDirectory() as directory:
        found = [0] * PRODUCERS
        for _ in range(count):
            kill = kill_under_load(directory.path / "data", records, found)
            found = [partition.found for partition in kill.partitions]
            yield kill


def kill_under_load(data_dir: Path, records: int, found_before: Sequence[int] = (0,) * PRODUCERS) -> Kill:
    """Start a broker, kill it once it has acknowledged `records`, and count what another one finds.

    `found_before`, one number for each partition, is what was there already. Raises ChildError where a load came to an
    end before.
    """
    with BrokerProcess(data_dir, config={"num.partitions": str(PRODUCERS)}) as broker:
        loads = [_load(broker, partition) for partition in range(PRODUCERS)]
        threads = [threading.Thread(target=_run_until_it_dies, args=[one], name="load-to-be-cut-off") for one in loads]
        for thread in threads:
            thread.start()
        try:
            while _acknowledged(loads) < records:
                _pause(threads)
            _halt(broker.pid)
            _wait_until_full(loads, threads)
        finally:
            for load in loads:
                load.stop()
            os.kill(broker.pid, signal.SIGKILL)
            for load, thread in zip(loads, threads, strict=True):
                thread.join()
                load.close()
    return Kill(_partitions(data_dir, loads, found_before))


def _load(broker: BrokerProcess, partition: int) -> ProduceLoad:
    servers = broker.bootstrap_servers
    return ProduceLoad(servers, TOPIC, partition, batch_records=BATCH_RECORDS, record_size=RECORD_SIZE)


def _run_until_it_dies(load: ProduceLoad) -> None:
    with contextlib.suppress(KfastError, OSError):
        load.run()


def _acknowledged(loads: Sequence[ProduceLoad]) -> int:
    return sum(load.counters.records for load in loads)


def _pause(threads: Sequence[threading.Thread]) -> None:
    time.sleep(_POLL_S)
    if not all(thread.is_alive() for thread in threads):
        raise ChildError("a load ended before the broker was killed")


def _halt(pid: int) -> None:
    """Stop a process where it is. What is killed then has done what it had done here, and will do no more."""
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)


def _wait_until_full(loads: Sequence[ProduceLoad], threads: Sequence[threading.Thread]) -> None:
    """Until each producer has the last answers that were on their way, and has sent all that may be unanswered."""
    before, looks = -1, 0
    while looks < _QUIET_LOOKS:
        _pause(threads)
        acknowledged = _acknowledged(loads)
        is_full = all(load.unanswered_records >= WINDOW for load in loads)
        looks = looks + 1 if is_full and acknowledged == before else 0
        before = acknowledged


def _partitions(data_dir: Path, loads: Sequence[ProduceLoad], found_before: Sequence[int]) -> list[Partition]:
    with Broker(data_dir) as again:
        return [
            Partition(before + load.counters.records, load.unanswered_records, _batch_counts(again.log(TOPIC, number)))
            for number, (load, before) in enumerate(zip(loads, found_before, strict=True))
        ]


def _batch_counts(log: Log) -> list[int]:
    """The records of every batch, each checked."""
    counts = []
    for segment in log.segments:
        for _, batch in segment.records.batches():
            batch.ensure_valid()
            counts.append(batch.count)
    return counts
