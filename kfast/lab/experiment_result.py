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
        """Unavailable where arms of this kind have no such measure."""
        return self.measurement.values.get(measure, Unavailable(f"{self.arm} has no {measure}"))


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
        found = self._by_block(arm, measure)
        return found if isinstance(found, Unavailable) else list(found.values())

    def _by_block(self, arm: Arm, measure: str) -> dict[int, float] | Unavailable:
        values = [(run.block, run.value(measure)) for run in self.runs_of(arm)]
        counted = {block: value for block, value in values if not isinstance(value, Unavailable)}
        missing = [value for _, value in values if isinstance(value, Unavailable)]
        if missing:
            return missing[0]
        return counted or dict(self.skipped).get(arm, Unavailable("no block counts"))

    def summary(self, arm: Arm, measure: str) -> Interval | Unavailable:
        """The median of one arm with its bootstrap interval."""
        values = self.values(arm, measure)
        return values if isinstance(values, Unavailable) else interval(values)

    def ratio(self, comparison: Comparison) -> Interval | Unavailable:
        """How many times larger the measure is in `over` than in `under`, block by block."""
        pairs = self._pairs(comparison.over, comparison.under, comparison.measure)
        return pairs if isinstance(pairs, Unavailable) else paired_ratio(*pairs)

    def aa_resolution(self, measure: str, comparison: Comparison | None = None) -> float | Unavailable:
        """The factor that the arms run twice differ from themselves by, the largest of them: less cannot be seen.

        For a `comparison` those of its own two arms that were run twice, where there are such. Arms that lack the
        measure, or could not be run, are left out.
        """
        twice = [replace(arm, replicate=0) for arm in self.arms if arm.replicate]
        own = [arm for arm in twice if comparison is not None and arm in (comparison.over, comparison.under)]
        found = [self._pairs(arm, arm.again(), measure) for arm in (*own, *twice)]
        factors = [resolution(*pairs) for pairs in found[: len(own)] if not isinstance(pairs, Unavailable)]
        factors = factors or [resolution(*pairs) for pairs in found if not isinstance(pairs, Unavailable)]
        missing = [pairs for pairs in found if isinstance(pairs, Unavailable)] or [Unavailable("no arm was run twice")]
        return max(factors) if factors else missing[0]

    def _pairs(self, over: Arm, under: Arm, measure: str) -> tuple[list[float], list[float]] | Unavailable:
        """The values of two arms in the blocks that have both."""
        first, second = self._by_block(over, measure), self._by_block(under, measure)
        if isinstance(first, Unavailable):
            return first
        if isinstance(second, Unavailable):
            return second
        blocks = [block for block in first if block in second]
        if not blocks:
            return Unavailable("no block has both arms")
        return [first[block] for block in blocks], [second[block] for block in blocks]

    def limited_by(self, arm: Arm) -> str:
        """The resource that limited most runs of an arm, or "none"."""
        limits = [run.measurement.limited_by for run in self.runs_of(arm)]
        return max(sorted(set(limits)), key=limits.count) if limits else "none"
