"""From single runs to one sentence: medians, the interval of a paired ratio, and what an effect must be larger than.

Arms are compared block by block, since neighbours in time shared the machine's mood: the ratio is taken within each
block, its median is the result, and a bootstrap over the blocks says how far to trust it. An A/A pair, the same arm run
twice a block, gives the resolution: what differs by less does not differ as far as this run can tell.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

RESAMPLES = 2000
CONFIDENCE = 0.95
BUSY_SHARE = 0.9  # of one processor: what uses more is what the others wait for


@dataclass(frozen=True, slots=True)
class Interval:
    """A median with the interval that holds it in 95 of 100 resamplings of the blocks."""

    median: float
    low: float
    high: float
    count: int

    def spans(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.median:.3g} [{self.low:.3g}, {self.high:.3g}]"


def interval(values: Sequence[float], seed: int = 0) -> Interval:
    """The median of `values` with its bootstrap interval. The seed makes the same values give the same answer."""
    if not values:
        raise ValueError("no values to summarize")
    generator = random.Random(seed)
    medians = sorted(median(generator.choices(values, k=len(values))) for _ in range(RESAMPLES))
    tail = int(RESAMPLES * (1 - CONFIDENCE) / 2)
    return Interval(median(values), medians[tail], medians[-1 - tail], len(values))


def paired_ratio(numerators: Sequence[float], denominators: Sequence[float], seed: int = 0) -> Interval:
    """How many times larger the first is than the second, block by block. Both have one value a block, in order."""
    if len(numerators) != len(denominators):
        raise ValueError(f"{len(numerators)} values cannot be paired with {len(denominators)}")
    return interval([over / under for over, under in zip(numerators, denominators, strict=True)], seed)


def paired_share(bases: Sequence[float], parts: Sequence[float], wholes: Sequence[float], seed: int = 0) -> Interval:
    """Which share of what `wholes` add to `bases` `parts` add already, block by block: (part - base) / (whole - base).

    All have one value a block, in order. Raises ValueError where a whole adds nothing: nothing has no shares.
    """
    if not len(bases) == len(parts) == len(wholes):
        raise ValueError(f"{len(bases)}, {len(parts)} and {len(wholes)} values do not belong to the same blocks")
    blocks = list(zip(bases, parts, wholes, strict=True))
    if any(whole <= base for base, _, whole in blocks):
        raise ValueError("in some block the whole was no more than what it is added to")
    return interval([(part - base) / (whole - base) for base, part, whole in blocks], seed)


def resolution(first: Sequence[float], second: Sequence[float]) -> float:
    """From an A/A pair: the factor, 1.0 or more, that two runs of the same arm differ by at the end of the interval."""
    ratio = paired_ratio(first, second)
    return max(ratio.high, 1 / ratio.low)


def limiting_resource(cpu_s: Mapping[str, float], elapsed_s: float) -> str:
    """Which of the named processes kept a processor busy for at least BUSY_SHARE of the time, or "none".

    For processes with one thread; "none" leaves the disk and waiting for each other.
    """
    busiest = max(cpu_s, key=lambda name: cpu_s[name])
    return f"{busiest} CPU" if cpu_s[busiest] >= BUSY_SHARE * elapsed_s else "none"
