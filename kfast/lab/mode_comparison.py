"""Which copy mode costs the broker how much: turns in random order, and one sentence that says what came out.

A round holds every mode once and the reference mode twice. The two turns of the same mode differ by chance alone, so
they say how small a difference the run can tell. Nothing is produced meanwhile, as that costs CPU whatever the mode.
Pure: whoever runs the load reports each turn's counts here.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from kfast.lab import prediction
from kfast.lab.summary import Interval, paired_ratio, resolution

REFERENCE = "sendfile"
CONTRAST = "read_send"
LABELS = {"read_send": "read+send", "mmap_send": "mmap+send", "sendfile": "sendfile", "splice": "splice"}


@dataclass(frozen=True, slots=True)
class Turn:
    """A copy mode's place in a round; `is_repeat` marks the second turn of the reference mode."""

    round_number: int
    copy_mode: str
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class TurnResult:
    """What was measured in one turn. `limited_by` names the resource that was busy, or "none"."""

    turn: Turn
    elapsed_s: float
    broker_cpu_s: float
    moved_bytes: int
    consumed_bytes: int
    limited_by: str

    @property
    def cpu_s_per_gb(self) -> float:
        return self.broker_cpu_s / (self.moved_bytes / 1e9)

    @property
    def consume_mb_per_s(self) -> float:
        return self.consumed_bytes / 1e6 / self.elapsed_s


@dataclass(frozen=True, slots=True)
class ComparisonPlan:
    """How long and how often: `settle_s` of each turn are not measured, `measure_s` are."""

    rounds: int
    settle_s: float
    measure_s: float

    def turns(self, copy_modes: Sequence[str], seed: int) -> list[Turn]:
        """All turns, each round in an order of its own."""
        generator = random.Random(seed)
        turns = []
        for number in range(self.rounds):
            of_round = [Turn(number, mode) for mode in copy_modes]
            if REFERENCE in copy_modes:
                of_round.append(Turn(number, REFERENCE, is_repeat=True))
            generator.shuffle(of_round)
            turns += of_round
        return turns


class ModeComparison:
    """Collects the results of the turns, and sums up the rounds that are complete."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.turns = list(turns)
        self.results: list[TurnResult] = []

    @property
    def is_complete(self) -> bool:
        return len(self.results) == len(self.turns)

    @property
    def rounds(self) -> int:
        return len({turn.round_number for turn in self.turns})

    @property
    def complete_rounds(self) -> int:
        """Rounds of which every turn was measured and moved bytes."""
        return sum(self._is_whole(number) for number in range(self.rounds))

    def next_turn(self) -> Turn | None:
        return None if self.is_complete else self.turns[len(self.results)]

    def cpu_s_per_gb(self, copy_mode: str, *, is_repeat: bool = False) -> list[float]:
        """One value for each complete round, in order of the rounds."""
        return [
            result.cpu_s_per_gb
            for result in sorted(self.results, key=lambda result: result.turn.round_number)
            if result.turn.copy_mode == copy_mode
            and result.turn.is_repeat == is_repeat
            and self._is_whole(result.turn.round_number)
        ]

    @property
    def copy_modes(self) -> list[str]:
        """In the order of LABELS."""
        modes = {turn.copy_mode for turn in self.turns}
        return [mode for mode in LABELS if mode in modes]

    def limits(self) -> list[str]:
        """The resources that limited at least one turn, the most frequent first."""
        names = [result.limited_by for result in self.results]
        return sorted(set(names), key=names.count, reverse=True)

    def ratio(self) -> Interval:
        """How many times the CPU of REFERENCE the CONTRAST takes, round by round."""
        return paired_ratio(self.cpu_s_per_gb(CONTRAST), self.cpu_s_per_gb(REFERENCE))

    def resolution(self) -> float:
        """The factor that two turns of REFERENCE in one round differ by."""
        return resolution(self.cpu_s_per_gb(REFERENCE), self.cpu_s_per_gb(REFERENCE, is_repeat=True))

    def has_effect(self) -> bool:
        """Whether the contrast is larger than what the same mode measured twice differs by."""
        ratio, smallest = self.ratio(), self.resolution()
        return not ratio.spans(1.0) and not 1 / smallest <= ratio.median <= smallest

    def sentence(self) -> str:
        """What was measured, in words that hold whatever came out."""
        if not self.results:
            return "No copy mode has been measured yet."
        if not any(result.consumed_bytes for result in self.results):
            return "Nothing was consumed, so no copy mode was at work."
        if not self.complete_rounds:
            return f"{len(self.results)} of {len(self.turns)} turns measured; a first round takes all modes."
        return f"{self._values()} {self._finding()} {self._limit_words()}"

    def against(self, predicted: float | None, *, is_smoke: bool = False) -> str:
        """Hold what a reader predicted, the CPU of CONTRAST over REFERENCE, against what was measured."""
        if self.complete_rounds < 2 or not {REFERENCE, CONTRAST} <= set(self.copy_modes):
            return "The comparison has not measured two rounds yet."
        question = f"Broker CPU of {LABELS[CONTRAST]} over {LABELS[REFERENCE]}"
        return prediction.against(question, predicted, self.ratio(), prediction.SMOKE if is_smoke else "")

    def headline(self) -> str:
        """The finding alone, short enough for the title of a figure."""
        if self.complete_rounds < 2 or not {REFERENCE, CONTRAST} <= set(self.copy_modes):
            return f"{len(self.results)} of {len(self.turns)} turns measured"
        if not self.has_effect():
            return f"{LABELS[CONTRAST]} and {LABELS[REFERENCE]}: no difference larger than chance"
        more, less, ratio = self._effect()
        return f"{more} cost the broker {ratio.median:.2f} times the CPU of {less}"

    def _is_whole(self, number: int) -> bool:
        wanted = sum(turn.round_number == number for turn in self.turns)
        got = sum(result.turn.round_number == number and result.moved_bytes > 0 for result in self.results)
        return wanted == got

    def _values(self) -> str:
        rounds = self.complete_rounds
        words = ", ".join(_spread(LABELS[mode], self.cpu_s_per_gb(mode)) for mode in self.copy_modes)
        order = "1 round" if rounds == 1 else f"the median of {rounds} rounds in random order (lowest to highest)"
        return f"Re-reading the log, broker CPU seconds per GB, {order}: {words}."

    def _finding(self) -> str:
        if not {REFERENCE, CONTRAST} <= set(self.copy_modes):
            return ""
        if self.complete_rounds == 1:
            return "One round says nothing about chance yet."
        smallest = self.resolution()
        if not self.has_effect():
            return (
                f"Between {LABELS[CONTRAST]} and {LABELS[REFERENCE]} there is no difference larger than chance: "
                f"{LABELS[REFERENCE]} measured twice differed by up to {smallest:.2f} times."
            )
        more, less, ratio = self._effect()
        return (
            f"{more} cost the broker {ratio.median:.2f} times the CPU of {less} "
            f"({ratio.low:.2f} to {ratio.high:.2f} over the rounds); "
            f"{LABELS[REFERENCE]} measured twice differed by up to {smallest:.2f} times."
        )

    def _effect(self) -> tuple[str, str, Interval]:
        """Which of the two costs more, which less, and how many times."""
        ratio = self.ratio()
        if ratio.median >= 1:
            return LABELS[CONTRAST], LABELS[REFERENCE], ratio
        inverse = Interval(1 / ratio.median, 1 / ratio.high, 1 / ratio.low, ratio.count)
        return LABELS[REFERENCE], LABELS[CONTRAST], inverse

    def _limit_words(self) -> str:
        limits = self.limits()
        names = [name for name in limits if name != "none"]
        if not names:
            return "No resource was the limit."
        tail = "; in some turns nothing was" if "none" in limits else ""
        return f"The limit was {' or '.join(names)}{tail}."


def _spread(label: str, values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{label} {values[0]:.2f}"
    return f"{label} {median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
