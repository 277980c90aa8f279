"""Takes a workload through the turns of a mode comparison; only says what to do next, without threads or clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from kfast.lab.mode_comparison import ComparisonPlan, ModeComparison, TurnResult
from kfast.lab.reading import Reading

Sample = TypeVar("Sample")


class ComparisonRun(Generic[Sample]):
    """Call `step` with every sample, until `is_done`; it returns the copy mode to switch to when a turn begins."""

    def __init__(
        self,
        plan: ComparisonPlan,
        copy_modes: Sequence[str],
        read: Callable[[Sample, Sample], Reading],
        seed: int,
    ) -> None:
        self._plan = plan
        self._read = read
        self.comparison = ModeComparison(plan.turns(copy_modes, seed))
        self._turn_began_s: float | None = None
        self._first: Sample | None = None

    @property
    def is_done(self) -> bool:
        return self.comparison.is_complete

    @property
    def is_measuring(self) -> bool:
        """Whether a turn is being measured, so that nothing else should use the processors."""
        return self._first is not None

    def step(self, elapsed_s: float, sample: Sample) -> str | None:
        if self._turn_began_s is None:
            return self._begin(elapsed_s)
        if self._first is None:
            if elapsed_s - self._turn_began_s >= self._plan.settle_s:
                self._first = sample
            return None
        reading = self._read(self._first, sample)
        if reading.elapsed_s < self._plan.measure_s:
            return None
        self._keep(reading)
        return None if self.is_done else self._begin(elapsed_s)

    def _begin(self, elapsed_s: float) -> str | None:
        self._turn_began_s = elapsed_s
        turn = self.comparison.next_turn()
        return turn.copy_mode if turn is not None else None

    def _keep(self, reading: Reading) -> None:
        turn = self.comparison.next_turn()
        assert turn is not None
        self._first = None
        self.comparison.results.append(
            TurnResult(
                turn,
                reading.elapsed_s,
                reading.broker_cpu_s,
                reading.moved_bytes,
                reading.consumed_bytes,
                reading.limited_by,
            )
        )
