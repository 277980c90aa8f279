"""What an experiment found: the runs with their provenance, and the ratios, intervals and limits that follow.

Arms are compared block by block. Blocks that lost too much processor time to other guests count nowhere, but stay in
the result. Nothing here is worded: see `experiment_findings`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kfast.lab.counters import MachineCpu, stolen_blocks
from kfast.lab.experiment import Arm, Comparison, Measurement, Value
from kfast.lab.provenance import Provenance
from kfast.lab.summary import Interval, interval, paired_ratio, resolution
from kfast.lab.unavailable import Unavailable


@dataclass(frozen=True, slots=True)
class Run:
    """One arm in one block. `machine` is the whole machine's processor time meanwhile."""

    block: int
    arm: Arm
    measurement: Measurement
    machine: MachineCpu | Unavailable

    def value(self, measure: str) -> Value:
        return self.measurement.values[measure]


@dataclass(frozen=True, slots=True)
class ExperimentResult:
    """All runs of one time an experiment was run; `skipped` says why an arm could not be run here."""

    name: str
    arms: Sequence[Arm]
    comparisons: Sequence[Comparison]
    runs: Sequence[Run]
    skipped: Sequence[tuple[Arm, Unavailable]]
    provenance: Provenance
    conditions: Mapping[str, str]
    seed: int
    is_smoke: bool

    @property
    def dropped_blocks(self) -> tuple[int, ...]:
        """Blocks that lost too much to other guests; none of a smoke run, which finds nothing out anyway."""
        if self.is_smoke:
            return ()
        return tuple(stolen_blocks([(run.block, run.machine) for run in self.runs]))

    @property
    def block_count(self) -> int:
        """Blocks that count."""
        return len({run.block for run in self.runs} - set(self.dropped_blocks))

    def runs_of(self, arm: Arm) -> list[Run]:
        """The counted runs of one arm, in the order of their blocks."""
        dropped = set(self.dropped_blocks)
        runs = [run for run in self.runs if run.arm == arm and run.block not in dropped]
        return sorted(runs, key=lambda run: run.block)

    def values(self, arm: Arm, measure: str) -> list[float] | Unavailable:
        """One number a block, or why there is none."""
        values = [run.value(measure) for run in self.runs_of(arm)]
        counted = [value for value in values if not isinstance(value, Unavailable)]
        missing = [value for value in values if isinstance(value, Unavailable)]
        if missing:
            return missing[0]
        return counted or dict(self.skipped).get(arm, Unavailable("no block counts"))

    def summary(self, arm: Arm, measure: str) -> Interval | Unavailable:
        """The median of one arm with its bootstrap interval."""
        values = self.values(arm, measure)
        return values if isinstance(values, Unavailable) else interval(values)

    def ratio(self, comparison: Comparison) -> Interval | Unavailable:
        """How many times larger the measure is in `over` than in `under`, block by block."""
        over, under = (
            self.values(comparison.over, comparison.measure),
            self.values(comparison.under, comparison.measure),
        )
        if isinstance(over, Unavailable):
            return over
        return under if isinstance(under, Unavailable) else paired_ratio(over, under)

    def aa_resolution(self, measure: str) -> float | Unavailable:
        """The factor that the arms run twice differ from themselves by, the largest of them: less cannot be seen."""
        factors = []
        for arm in self.arms:
            if arm.replicate:
                first, second = self.values(replace(arm, replicate=0), measure), self.values(arm, measure)
                if isinstance(first, Unavailable):
                    return first
                if isinstance(second, Unavailable):
                    return second
                factors.append(resolution(first, second))
        return max(factors) if factors else Unavailable("no arm was run twice")

    def limited_by(self, arm: Arm) -> str:
        """The resource that limited most runs of an arm, or "none"."""
        limits = [run.measurement.limited_by for run in self.runs_of(arm)]
        return max(sorted(set(limits)), key=limits.count) if limits else "none"
