"""The axis of sizes: powers of two, with ticks such as 4 Ki, 64 Ki and 1 Mi."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from kfast.lab.prediction import number
from kfast.lab.sizes import tick_text

MARGIN = 1.45  # a factor, for the dots that stand beside the outermost ticks


def set_size_axis(axes: Axes, sizes: Sequence[int], label: str) -> None:
    """Make x a log2 axis with a tick at each of `sizes`."""
    axes.set_xscale("log", base=2)
    axes.set_xlim(min(sizes) / MARGIN, max(sizes) * MARGIN)
    axes.set_xticks(sizes, [tick_text(size) for size in sizes])
    axes.tick_params(axis="x", which="minor", bottom=False)
    axes.set_xlabel(label)


def set_factor_axis(axes: Axes, lowest: float, highest: float) -> None:
    """Make y a logarithmic axis, on which equal factors are equal distances, with ticks at 1, 2 and 5."""
    axes.set_yscale("log")
    axes.set_ylim(lowest / MARGIN, highest * MARGIN)
    ticks = [step * 10.0**power for power in range(-4, 7) for step in (1, 2, 5)]
    shown = [tick for tick in ticks if lowest / MARGIN <= tick <= highest * MARGIN]
    if len(shown) > 7:
        shown = [tick for tick in shown if number(tick).strip("0.,")[:1] == "1"]
    axes.set_yticks(shown)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number_tick(value)))
    axes.tick_params(axis="y", which="minor", left=False)


def number_tick(value: float) -> str:
    """1,000, 5, 0.02."""
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"
