"""The copy modes beside each other: every turn a dot, the median a line, the range of the turns a band."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kfast.lab.mode_comparison import ModeComparison, TurnResult
from kfast.viz import style

WIDTH_PX, HEIGHT_PX = 800, 270
SPREAD = 0.22


def comparison_figure(comparison: ModeComparison) -> Figure:
    """Draw broker CPU per GB and consume MB/s of every measured turn. Its title is the finding."""
    with style.context():
        figure = style.new_figure(WIDTH_PX, HEIGHT_PX)
        left, right = figure.subplots(1, 2)
        figure.subplots_adjust(left=0.085, right=0.985, top=0.79, bottom=0.12, wspace=0.24)
        _draw(left, comparison, lambda result: result.cpu_s_per_gb, "broker CPU seconds per GB")
        _draw(right, comparison, lambda result: result.consume_mb_per_s, "MB/s consumed")
        figure.suptitle(comparison.headline(), x=0.012, ha="left", fontsize=12, weight="bold")
    return figure


def _draw(axes: Axes, comparison: ModeComparison, value: Callable[[TurnResult], float], title: str) -> None:
    modes = comparison.copy_modes
    for place, mode in enumerate(modes):
        values = [
            value(result) for result in comparison.results if result.turn.copy_mode == mode and result.moved_bytes
        ]
        if values:
            _draw_mode(axes, place, mode, values)
    axes.set_xticks(range(len(modes)), [style.mode_label(mode) for mode in modes], fontsize=9.5)
    axes.set(xlim=(-0.5, len(modes) - 0.5), title=title)
    axes.set_ylim(bottom=0)
    axes.grid(False, axis="x")


def _draw_mode(axes: Axes, place: int, mode: str, values: Sequence[float]) -> None:
    look = style.MODE_STYLES[mode]
    half = 2 * SPREAD
    axes.fill_between([place - half, place + half], min(values), max(values), color=look.color, alpha=0.25, lw=0)
    axes.plot([place - half, place + half], [median(values)] * 2, color=style.BLACK, lw=1.6)
    step = 2 * SPREAD / max(1, len(values) - 1)
    places = [place - SPREAD + number * step for number in range(len(values))]
    axes.plot(places, values, ls="", marker=look.marker, color=look.color, mec=style.BLACK, mew=0.6)
