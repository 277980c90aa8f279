"""A workload whose counters follow from its settings, a quarter of a second a sample: what is shown is then known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from kfast.errors import KfastError
from kfast.lab.counters import MachineCpu
from kfast.lab.data_way import Traffic
from kfast.lab.experiment import Arm, Comparison, Measurement, Value
from kfast.lab.experiment_findings import FINDING_BLOCK_COUNT
from kfast.lab.experiment_result import ExperimentResult, Run
from kfast.lab.provenance import Provenance, provenance
from kfast.lab.reading import Reading

CPU_S_PER_GB = {"read_send": 0.9, "mmap_send": 0.8, "sendfile": 0.3, "splice": 0.35}
CONSUME_BYTES_PER_S = 1_000_000_000
STEP_S = 0.25


@dataclass(frozen=True)
class FakeSample:
    elapsed_s: float
    produced_bytes: int
    consumed_bytes: int
    cpu_s: float
    copy_mode: str


class FakeWorkload:
    """Counts up by a quarter of a second with every sample."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = dict(settings)
        self.directory = Path("/lab/here")
        self.changes: list[dict[str, Any]] = []
        self.is_stopped = False
        self.failure: Exception | None = None
        self._elapsed_s = self._produced = self._consumed = self._cpu_s = 0.0

    def set(self, **settings: Any) -> None:
        if settings.get("copy_mode") == "splice" and self.settings["client"] == "confluent":
            raise KfastError("no splice today")
        self.changes.append(settings)
        self.settings.update(settings)

    def sample(self) -> FakeSample:
        if self.failure is not None:
            raise self.failure
        mode, workload = self.settings["copy_mode"], self.settings["workload"]
        self._elapsed_s += STEP_S
        if workload != "produce":
            self._consumed += CONSUME_BYTES_PER_S * STEP_S
            self._cpu_s += CPU_S_PER_GB[mode] * CONSUME_BYTES_PER_S * STEP_S / 1e9
        if workload != "reread":
            self._produced += self.settings["batch_records"] * 1000 * STEP_S
        return FakeSample(self._elapsed_s, int(self._produced), int(self._consumed), self._cpu_s, mode)

    def stop(self) -> None:
        self.is_stopped = True


def fake_reading(before: FakeSample, after: FakeSample) -> Reading:
    elapsed_s = after.elapsed_s - before.elapsed_s
    produced = after.produced_bytes - before.produced_bytes
    consumed = after.consumed_bytes - before.consumed_bytes
    traffic = Traffic(
        after.copy_mode,
        received_bytes_per_s=produced / elapsed_s,
        appended_bytes_per_s=produced / elapsed_s,
        sent_bytes_per_s={after.copy_mode: consumed / elapsed_s},
        consumed_bytes_per_s=consumed / elapsed_s,
        unflushed_bytes=after.produced_bytes,
        dirty_bytes=2 * after.produced_bytes,
    )
    cpu_s = after.cpu_s - before.cpu_s
    cores = {"broker": cpu_s / elapsed_s, "producer": 0.5, "consumer": 0.95}
    return Reading(elapsed_s, produced, consumed, produced + consumed, cpu_s, cores, 2, "consumer CPU", traffic)


@pytest.fixture
def open_workload():
    """Opens fake workloads, and keeps them in `.opened`."""

    def opener(settings: Mapping[str, Any]) -> FakeWorkload:
        opener.opened.append(FakeWorkload(settings))
        return opener.opened[-1]

    opener.opened = []
    return opener


@pytest.fixture
def read():
    return fake_reading


@pytest.fixture(scope="session")
def here(tmp_path_factory) -> Provenance:
    return provenance(tmp_path_factory.mktemp("here"))


@pytest.fixture
def make_result(here):
    """Makes results whose runs follow from `medians`: by arm the values of its measures; blocks differ by a percent."""

    def make(
        medians: Mapping[Arm, Mapping[str, Value]],
        comparisons: Sequence[Comparison],
        *,
        block_count: int = FINDING_BLOCK_COUNT,
        is_smoke: bool = False,
        limited_by: str = "broker CPU",
        steal_s: float = 0.0,
        **changes: Any,
    ) -> ExperimentResult:
        machine = MachineCpu(1.0, 1.0, 0.0, 1.0, 0.0, steal_s)
        runs = [
            Run(block, arm, Measurement(1.0, {"broker": 1.0}, _varied(values, block + place), limited_by), machine)
            for block in range(block_count)
            for place, (arm, values) in enumerate(medians.items())
        ]
        found = replace(here, **changes)
        return ExperimentResult("E0", tuple(medians), tuple(comparisons), runs, (), found, {}, 1, is_smoke)

    return make


def _varied(values: Mapping[str, Value], number: int) -> dict[str, Value]:
    factor = 1 + 0.01 * (number % 5)
    return {name: value * factor if isinstance(value, float) else value for name, value in values.items()}
