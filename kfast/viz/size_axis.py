"""The axis of sizes: powers of two, with ticks such as 4 Ki, 64 Ki and 1 Mi."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from kfast.lab.sizes import tick_text

MARGIN = 1.45  # a factor, for the dots that stand beside the outermost ticks
MOST_TICKS = 7


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
    axes.set_yticks(factor_ticks(lowest / MARGIN, highest * MARGIN))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number_tick(value)))
    axes.yaxis.set_minor_locator(NullLocator())


def factor_ticks(lowest: float, highest: float, most: int = MOST_TICKS) -> list[float]:
    """Ticks of a logarithmic axis: at 1, 2 and 5; over many powers at 1 alone; evenly within a factor of three."""
    if highest < 3 * lowest:
        even = MaxNLocator(min(most, 5), steps=[1, 2, 5, 10]).tick_values(lowest, highest)
        return [float(tick) for tick in even if lowest <= tick <= highest]
    powers = range(floor(log10(lowest)), ceil(log10(highest)) + 1)
    for steps, every in (((1, 2, 5), 1), ((1,), 1), ((1,), 2), ((1,), 3)):
        ticks = [float(f"{step}e{power}") for power in powers if power % every == 0 for step in steps]
        shown = [tick for tick in ticks if lowest <= tick <= highest]
        if len(shown) <= most:
            break
    return shown


def number_tick(value: float) -> str:
    """1,000, 5, 0.02."""
    return f"{value:,.0f}" if value == round(value) or value >= 100 else f"{value:g}"
