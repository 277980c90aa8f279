"""Single runs as dots, their median as a line, the middle half of them as a band: never a bar without its spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import TypeVar

from matplotlib.axes import Axes

X = TypeVar("X", int, float)

JITTER = 0.06  # of a factor of two, to each side


@dataclass(frozen=True, slots=True)
class Look:
    """How one line of a figure is drawn."""

    label: str
    color: str
    marker: str
    linestyle: str
    is_hollow: bool = False


def draw_spread(axes: Axes, values: Mapping[X, Sequence[float]], look: Look) -> None:
    """Draw `values`, which are the runs at each x of a logarithmic axis."""
    sizes = sorted(values)
    lows, highs = zip(*(middle_half(values[size]) for size in sizes), strict=True)
    axes.fill_between(sizes, lows, highs, color=look.color, alpha=0.22, lw=0)
    axes.plot(
        sizes,
        [median(values[size]) for size in sizes],
        color=look.color,
        ls=look.linestyle,
        marker=look.marker,
        ms=6.5,
        mfc="white" if look.is_hollow else look.color,
        label=look.label,
        zorder=3,
    )
    for size in sizes:
        draw_dots(axes, [size * 2 ** (JITTER * shift) for shift in jitter(len(values[size]))], values[size], look)


def draw_dots(axes: Axes, places: Sequence[float], values: Sequence[float], look: Look) -> None:
    """Single runs, each a small dot."""
    axes.plot(places, values, ls="", marker=look.marker, ms=2.6, color=look.color, alpha=0.55, mew=0, zorder=2)


def middle_half(values: Sequence[float]) -> tuple[float, float]:
    """The quartiles; of fewer than four values the lowest and the highest."""
    if len(values) < 4:
        return min(values), max(values)
    low, _, high = quantiles(values, n=4, method="inclusive")
    return low, high


def jitter(count: int) -> list[float]:
    """Places from -1 to 1, the same for the same count, so that dots of equal height do not cover each other."""
    return [0.0] if count == 1 else [2 * number / (count - 1) - 1 for number in range(count)]
