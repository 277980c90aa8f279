"""What the input/output experiment found, drawn: MB/s and device requests over the block size, in order and at random.

Every single run is a dot; the line is the median and the band the middle half. Both axes are logarithmic: equal factors
are equal distances. No requests at all stand below the axis' break, at 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from kfast.lab import io_worker
from kfast.lab.experiment import Arm
from kfast.lab.experiment_result import ExperimentResult
from kfast.lab.io_experiment import IO_ORDER, at_random
from kfast.lab.io_findings import (
    conditions,
    in_order_arms,
    read_headline,
    read_sentences,
    write_headline,
    write_sentences,
)
from kfast.lab.io_session import FILE_SIZE, REQUESTS, SPEED
from kfast.lab.io_worker import COLD
from kfast.lab.unavailable import Unavailable
from kfast.viz import style
from kfast.viz.shown_figure import ShownFigure
from kfast.viz.size_axis import number_tick, set_factor_axis, set_size_axis
from kfast.viz.spread import Look, draw_spread

WIDTH_PX = 900
IN_ORDER = Look(io_worker.IN_ORDER, style.BLUE, "o", "-")
AT_RANDOM = Look(io_worker.AT_RANDOM, style.VERMILLION, "s", ":")
BLOCK_LABEL = "block size, bytes"
REQUESTS_LABEL = IO_ORDER.measure(REQUESTS).label
LINEAR_BELOW = 0.1  # requests per MiB: one for ten MiB; the axis is linear from there to 0
MB = 1e6


def draw_reads(result: ExperimentResult, condition: str = COLD) -> ShownFigure:
    """Reads: MB/s and device requests over the block size."""
    arms = in_order_arms(result, condition)
    with style.context():
        figure = style.new_figure(WIDTH_PX, 400)
        speed, requests = figure.subplots(1, 2)
        figure.subplots_adjust(left=0.085, right=0.985, top=0.76, bottom=0.14, wspace=0.22)
        if arms:
            _draw_speed(speed, result, arms)
            _draw_requests(requests, result, arms)
            for axes in (speed, requests):
                axes.set_xlabel(BLOCK_LABEL)
        speed.set_title(f"MB/s, {condition} reads", fontsize=11)
        requests.set_title(REQUESTS_LABEL, fontsize=11)
        figure.text(0.012, 0.935, read_headline(result), fontsize=12, weight="bold")
        figure.text(0.012, 0.87, _conditions(result), fontsize=9.5, color=style.GREY)
        if arms:
            speed.legend(loc="lower right")
    return ShownFigure(figure, " ".join(read_sentences(result)))


def draw_writes(result: ExperimentResult) -> ShownFigure:
    """Writes: a column for each sync policy; MB/s above, device requests below."""
    policies = conditions(result, "write")
    with style.context():
        figure = style.new_figure(WIDTH_PX, 560)
        grid = figure.subplots(2, len(policies), squeeze=False, sharex="col", sharey="row")
        figure.subplots_adjust(left=0.105, right=0.985, top=0.81, bottom=0.1, wspace=0.1, hspace=0.2)
        speeds = [value for policy in policies for arm in in_order_arms(result, policy) for value in _both(result, arm)]
        for column, policy in enumerate(policies):
            arms = in_order_arms(result, policy)
            _draw_speed(grid[0][column], result, arms, speeds)
            _draw_requests(grid[1][column], result, arms)
            grid[0][column].set_title(policy, fontsize=11)
            grid[1][column].set_xlabel(BLOCK_LABEL)
            grid[1][column].tick_params(axis="x", labelsize=9)
        grid[0][0].set_ylabel("MB/s")
        grid[1][0].set_ylabel(REQUESTS_LABEL)
        grid[1][0].legend(*grid[0][0].get_legend_handles_labels(), loc="upper right")
        figure.text(0.012, 0.95, write_headline(result), fontsize=12, weight="bold")
        figure.text(0.012, 0.905, _conditions(result), fontsize=9.5, color=style.GREY)
    return ShownFigure(figure, " ".join(write_sentences(result)))


def _draw_speed(axes: Axes, result: ExperimentResult, arms: Sequence[Arm], scale: Sequence[float] = ()) -> None:
    drawn = _draw_both(axes, result, arms, SPEED, MB)
    set_size_axis(axes, [arm["block_size"] for arm in arms], "")
    set_factor_axis(axes, min(scale or drawn), max(scale or drawn))


def _draw_requests(axes: Axes, result: ExperimentResult, arms: Sequence[Arm]) -> None:
    drawn = _draw_both(axes, result, arms, REQUESTS)
    set_size_axis(axes, [arm["block_size"] for arm in arms], "")
    if not drawn:
        reason = str(result.values(arms[0], REQUESTS))
        axes.text(0.5, 0.5, reason, transform=axes.transAxes, ha="center", wrap=True, fontsize=9.5)
        return
    axes.set_yscale("symlog", linthresh=LINEAR_BELOW, linscale=0.35)
    axes.set_ylim(-LINEAR_BELOW / 3, max(2.0, max(drawn)) * 2)
    axes.set_yticks([0.0, 0.1, 1.0, 10.0, 100.0, 1000.0])
    axes.set_ylim(-LINEAR_BELOW / 3, max(2.0, max(drawn)) * 2)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number_tick(value)))
    axes.tick_params(axis="y", which="minor", left=False)


def _draw_both(
    axes: Axes, result: ExperimentResult, arms: Sequence[Arm], measure: str, scale: float = 1.0
) -> list[float]:
    """Draw in order and at random; return all values."""
    drawn: list[float] = []
    for chosen, look in (([at_random(arm) for arm in arms], AT_RANDOM), (arms, IN_ORDER)):
        values = {arm["block_size"]: found for arm in chosen if (found := _values(result, arm, measure, scale))}
        if values:
            draw_spread(axes, values, look)
            drawn += [one for found in values.values() for one in found]
    return drawn


def _values(result: ExperimentResult, arm: Arm, measure: str, scale: float) -> list[float]:
    found = result.values(arm, measure)
    return [] if isinstance(found, Unavailable) else [value / scale for value in found]


def _both(result: ExperimentResult, in_order: Arm) -> list[float]:
    return _values(result, in_order, SPEED, MB) + _values(result, at_random(in_order), SPEED, MB)


def _conditions(result: ExperimentResult) -> str:
    count = result.block_count
    return (
        f"{count} {'run' if count == 1 else 'runs'} of a {result.conditions[FILE_SIZE]} file, each block once, "
        f"one request at a time. {_capitalized(result.provenance.device)}."
    )


def _capitalized(device: str | Unavailable) -> str:
    words = f"kind of device {device}" if isinstance(device, Unavailable) else device
    return words[0].upper() + words[1:]
