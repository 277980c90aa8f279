"""A session of an experiment on one live `Workload`: each arm changes its settings, settles, and is measured a while.

The broker and the clients are processes of their own and go on running between arms that they can both serve, so that
an arm begins with everything warm. Nothing is displayed meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Self

from kfast.lab.experiment import Arm, Measurement, Value
from kfast.lab.sample import BROKER, Sample
from kfast.lab.sampler import reading
from kfast.lab.unavailable import Unavailable
from kfast.lab.workload import Workload
from kfast.lab.workload_settings import WorkloadSettings

SEGMENT_BYTES = 1 << 30
"""Kafka's default. Of 64 MiB, several a second would be flushed while they are measured."""

NOTHING_MOVED = Unavailable("nothing moved in this run")


class WorkloadSession:
    """`settings` hold for every arm; the factors of an arm are the settings that it changes."""

    def __init__(self, directory: Path, settings: WorkloadSettings, settle_s: float, measure_s: float) -> None:
        self._settings = settings
        self._settle_s = settle_s
        self._measure_s = measure_s
        self._workload = Workload(settings, parent=directory, segment_bytes=SEGMENT_BYTES)

    @property
    def conditions(self) -> Mapping[str, str]:
        return {
            "clients and broker": "processes of their own on one machine, over loopback, congestion control reno",
            "sync policy": "none but that of a finished segment of 1 GiB, which is flushed in the background; what was "
            "produced is deleted after half a GiB more, most of it before the kernel has written it back",
            "each run": f"{self._settle_s:g} s to settle, then {self._measure_s:g} s measured",
        }

    def run(self, arm: Arm) -> Measurement:
        """Raises ChildError, in the words of the process, where the broker or a client failed."""
        self._workload.set(**{**asdict(self._settings), **dict(arm.factors)})
        time.sleep(self._settle_s)
        before = self._workload.sample()
        time.sleep(self._measure_s)
        return measurement(before, self._workload.sample())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._workload.stop()


def measurement(before: Sample, after: Sample) -> Measurement:
    """What two samples of a workload say, by the names that experiments use for it."""
    found = reading(before, after)
    produced, consumed = (
        after.produced_records - before.produced_records,
        after.consumed_records - before.consumed_records,
    )
    client_cpu_s = sum(total - before.client_cpu_s.get(name, 0.0) for name, total in after.client_cpu_s.items())
    stored = after.appended_bytes - before.appended_bytes
    values: dict[str, Value] = {
        "produced_records_per_s": produced / found.elapsed_s,
        "consumed_records_per_s": consumed / found.elapsed_s,
        "produced_bytes_per_s": found.produce_bytes_per_s,
        "consumed_bytes_per_s": found.consume_bytes_per_s,
        "broker_cpu_s_per_gb": NOTHING_MOVED if found.cpu_s_per_gb is None else found.cpu_s_per_gb,
        "broker_cpu_us_per_record": _each(found.broker_cpu_s * 1e6, produced + consumed),
        "client_cpu_us_per_record": _each(client_cpu_s * 1e6, produced + consumed),
        "stored_bytes_per_record": _each(stored, produced),
    }
    cpu_s = {name: cores * found.elapsed_s for name, cores in found.cores.items()}
    assert BROKER in cpu_s
    return Measurement(found.elapsed_s, cpu_s, values, found.limited_by)


def _each(total: float, count: int) -> Value:
    return total / count if count else NOTHING_MOVED
