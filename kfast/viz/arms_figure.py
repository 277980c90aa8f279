"""The arms of an experiment: every run a dot, the median a line, the middle half a band, and what limited each arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from matplotlib.patches import Rectangle

from kfast.lab.experiment import Arm, Comparison, Experiment, Measure
from kfast.lab.experiment_findings import headline, no_finding, sentence
from kfast.lab.experiment_result import ExperimentResult
from kfast.lab.prediction import number
from kfast.lab.provenance import Provenance
from kfast.lab.results import machine_name
from kfast.lab.unavailable import Unavailable
from kfast.viz import style
from kfast.viz.arm_look import look_of
from kfast.viz.row_chart import Cell, Column, Panel, RowChart, RowWords
from kfast.viz.shown_figure import ShownFigure
from kfast.viz.spread import jitter, middle_half

LOG_ABOVE = 30  # times the smallest value: what spans more is drawn on a logarithmic axis

DOTS_PX, BAND_PX = 6, 10  # above and below the middle of a row

Values = Mapping[Arm, Sequence[float] | Unavailable]


def draw_arms(experiment: Experiment, result: ExperimentResult, measure: str | None = None) -> ShownFigure:
    """A row an arm. `measure` is the name of one of the experiment's measures, by default the first.

    What a smoke run measured is drawn as grey dots, without medians.
    """
    shown = experiment.measure(measure) if measure else experiment.measures[0]
    values = {arm: scaled_values(result, arm, shown) for arm in _beside_their_replicates(result.arms)}
    words = RowWords(
        title=arms_headline(result, shown),
        labels=["again (A/A)" if arm.replicate else arm.name for arm in values],
        subtitle=how_it_was_run(result),
        panels=[Panel(columns=[] if no_finding(result) else _columns(result, values))],
        foot=where([result]),
    )
    chart = RowChart(words)
    for row, (arm, found) in enumerate(values.items()):
        if isinstance(found, Unavailable):
            chart.say(chart.axes, row, str(found))
        else:
            _draw_arm(chart, row, arm, found, bool(no_finding(result)))
    every = [value for found in values.values() if not isinstance(found, Unavailable) for value in found]
    lowest, highest = min(every, default=0.0), max(every, default=1.0)
    chart.set_value_axis(lowest, highest, shown.label, is_log=highest > LOG_ABOVE * lowest > 0)
    return ShownFigure(chart.figure, arms_sentence(result, shown), _medians(result, values, shown))


def arms_headline(result: ExperimentResult, measure: Measure) -> str:
    """The first comparison of this measure, short enough for a title."""
    comparison = _first_about(result, measure)
    if comparison is None and not no_finding(result):
        return f"{measure.label[0].upper()}{measure.label[1:]}, arm by arm"
    return headline(replace(result, comparisons=[comparison] if comparison else []))


def arms_sentence(result: ExperimentResult, measure: Measure) -> str:
    """The same with its interval and the limit, or why nothing may be concluded."""
    comparison = _first_about(result, measure)
    if reason := no_finding(result):
        return reason
    return sentence(result, comparison) if comparison else f"{arms_headline(result, measure)}."


def scaled_values(result: ExperimentResult, arm: Arm, measure: Measure) -> list[float] | Unavailable:
    """A number a block, in the unit of the measure's label."""
    found = result.values(arm, measure.name)
    return found if isinstance(found, Unavailable) else [value / measure.scale for value in found]


def how_it_was_run(result: ExperimentResult) -> str:
    """How often and in which order, and what the drawing means."""
    count, dropped = result.block_count, len(result.dropped_blocks)
    blocks = f"{count} {'block' if count == 1 else 'blocks'}, every arm once in each, in random order"
    lost = f" ({dropped} more dropped for stolen processor time)" if dropped else ""
    marks = "Dots: single runs." if no_finding(result) else "Dots: single runs. Line: median. Band: the middle half."
    return f"{blocks}{lost}. {marks}"


def where(results: Sequence[ExperimentResult]) -> str:
    """Machines with their disks, and the days, for the foot of a figure."""
    days: dict[str, list[str]] = {}
    for result in results:
        found = result.provenance
        disk = [words for words in (found.filesystem, found.device) if not isinstance(words, Unavailable)]
        place = f"{machine_name(found)}{'; data on ' + ', '.join(disk) if disk else ''}"
        days.setdefault(place, []).append(day(found))
    return " ".join(f"{place}; {' and '.join(dict.fromkeys(when))}." for place, when in days.items())


def day(provenance: Provenance) -> str:
    return provenance.measured_at[:10]


def rounded(value: float) -> str:
    """To three digits: 1,190,000, 14.2, 0.0391."""
    return number(float(f"{value:.3g}"))


def _beside_their_replicates(arms: Sequence[Arm]) -> list[Arm]:
    """An arm that was run twice has its second row below its first."""
    firsts = list(dict.fromkeys(replace(arm, replicate=0) for arm in arms))
    return [arm for first in firsts for arm in (first, first.again()) if arm in arms]


def _first_about(result: ExperimentResult, measure: Measure) -> Comparison | None:
    return next((one for one in result.comparisons if one.measure == measure.name), None)


def _columns(result: ExperimentResult, values: Values) -> list[Column]:
    rows = [(row, arm, found) for row, (arm, found) in enumerate(values.items()) if not isinstance(found, Unavailable)]
    medians = [Cell(row, rounded(median(found))) for row, _, found in rows]
    limits = [Cell(row, result.limited_by(arm), style.GREY) for row, arm, _ in rows]
    return [Column("median", medians), Column("limited by", limits)]


def _draw_arm(chart: RowChart, row: int, arm: Arm, values: Sequence[float], is_shy: bool) -> None:
    look, y = look_of(arm), chart.centers[row]
    color = style.GREY if is_shy else look.color
    places = [y + DOTS_PX * shift for shift in jitter(len(values))]
    face = "white" if arm.replicate else color
    dots: Any = {"ls": "", "marker": look.marker, "ms": 3.6, "mfc": face, "mec": color, "mew": 0.7, "alpha": 0.55}
    chart.axes.plot(values, places, **dots)
    if not is_shy:
        low, high = middle_half(values)
        chart.axes.add_patch(Rectangle((low, y - BAND_PX), high - low, 2 * BAND_PX, color=color, alpha=0.25, lw=0))
        ends = [y - BAND_PX, y + BAND_PX]
        chart.axes.plot([median(values)] * 2, ends, color=style.BLACK, lw=1.8, solid_capstyle="butt")


def _medians(result: ExperimentResult, values: Values, measure: Measure) -> str:
    if no_finding(result):
        return ""
    words = [
        f"{arm}: {found}" if isinstance(found, Unavailable) else f"{arm}: {rounded(median(found))}"
        for arm, found in values.items()
    ]
    return f"Medians, {measure.label}: {'; '.join(words)}."
