"""A broker killed under load, again and again, and its acknowledged records counted afterwards.

    for kill in kills(count=3, records=20_000):
        print(kill)

The broker is a process of its own and gets SIGKILL, which it cannot see coming, while a producer has several requests
under way. The next one opens what it left and counts.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kfast.broker.broker import Broker
from kfast.broker.process import BrokerProcess
from kfast.child_process import ChildError
from kfast.client.produce_load import ProduceLoad
from kfast.errors import KfastError
from kfast.lab.lab_directory import LabDirectory

TOPIC: Final = "orders"
BATCH_RECORDS: Final = 10
RECORD_SIZE: Final = 100
_POLL_S: Final = 0.002


@dataclass(frozen=True, slots=True)
class Kill:
    """`acknowledged` records had been promised until then, `found` are in the log that recovery left."""

    acknowledged: int
    found: int

    @property
    def missing(self) -> int:
        """Acknowledged records that are not there."""
        return max(0, self.acknowledged - self.found)

    @property
    def under_way(self) -> int:
        """Records that were written, and whose acknowledgement did not arrive."""
        return max(0, self.found - self.acknowledged)

    def __str__(self) -> str:
        return (
            f"{self.acknowledged:,} records acknowledged, {self.found:,} found: {self.missing} missing, "
            f"{self.under_way} more were under way"
        )


def kills(count: int, records: int) -> Iterator[Kill]:
    """Kill `count` brokers on the same data, each after it has acknowledged so many more records."""
    with LabDirectory() as directory:
        found = 0
        for _ in range(count):
            kill = kill_under_load(directory.path / "data", records, found)
            found = kill.found
            yield kill


def kill_under_load(data_dir: Path, records: int, found_before: int = 0) -> Kill:
    """Start a broker, kill it once it has acknowledged `records`, and count what another one finds.

    Raises ChildError where the load came to an end before.
    """
    with BrokerProcess(data_dir) as broker:
        load = ProduceLoad(broker.bootstrap_servers, TOPIC, batch_records=BATCH_RECORDS, record_size=RECORD_SIZE)
        thread = threading.Thread(target=_run_until_it_dies, args=[load], name="load-to-be-cut-off")
        thread.start()
        try:
            while thread.is_alive() and load.counters.records < records:
                thread.join(_POLL_S)
        finally:
            os.kill(broker.pid, signal.SIGKILL)
            thread.join()
            load.close()
    if load.counters.records < records:
        raise ChildError(
            f"the load ended after {load.counters.records} of {records} records, before the broker was killed"
        )
    with Broker(data_dir) as again:
        return Kill(found_before + load.counters.records, again.log(TOPIC, 0).log_end_offset)


def _run_until_it_dies(load: ProduceLoad) -> None:
    with contextlib.suppress(KfastError, OSError):
        load.run()
