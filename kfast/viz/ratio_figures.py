"""Comparisons as forest plots: each ratio a marker with its 95 % interval on a logarithmic axis, 1 a line.

The grey band around 1 is the A/A resolution, what the same arm run twice differed by: a ratio within it, or one whose
interval spans 1, is grey, as no effect. Smoke runs find nothing out, so nothing of theirs is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from kfast.lab.experiment import Comparison, Experiment
from kfast.lab.experiment_findings import agreement, is_effect, no_finding
from kfast.lab.experiment_result import ExperimentResult
from kfast.lab.prediction import factor, number
from kfast.lab.results import machine_name
from kfast.lab.summary import Interval
from kfast.lab.unavailable import Unavailable
from kfast.viz import style
from kfast.viz.arms_figure import day, where
from kfast.viz.row_chart import Cell, Column, Mark, RowChart, RowWords
from kfast.viz.shown_figure import ShownFigure

POINT_PX = 17  # of height for each marker of a row
BAND_COLOR = "#DDE1E4"
STORED_MARKERS = ("o", "s", "^", "v")
STORED = Mark("stored", style.BLACK, STORED_MARKERS[0])
OWN = Mark("your own run", style.BLUE, "D")
PUBLISHED = Mark("published", style.VERMILLION, "x")
OWN_LEFT_OUT = "Your own run was a smoke run: it finds nothing out, and nothing of it is drawn."
HOW = "Marker: median of the ratios taken block by block. Line: 95 % interval. Band: A/A resolution. Grey: no effect."
AXIS_LABEL = "times (logarithmic: equal factors are equal distances)"


@dataclass(frozen=True, slots=True)
class Point:
    """One ratio of a row, or why there is none; `resolution` is that of the measure in the same result."""

    mark: Mark
    ratio: Interval | Unavailable
    resolution: float | Unavailable
    is_effect: bool

    @property
    def color(self) -> str:
        return self.mark.color if self.is_effect else style.GREY

    @classmethod
    def of(cls, mark: Mark, result: ExperimentResult, comparison: Comparison) -> Point:
        smallest = result.aa_resolution(comparison.measure)
        return cls(mark, result.ratio(comparison), smallest, is_effect(result, comparison))


@dataclass(frozen=True, slots=True)
class ForestRow:
    label: str
    points: Sequence[Point]
    published: float | None = None

    @property
    def words(self) -> str:
        """The row in a sentence, for those who cannot see it."""
        found = [str(p.ratio) if isinstance(p.ratio, Unavailable) else factor(p.ratio) for p in self.points]
        found += [] if self.published is None else [f"published {number(self.published)} times"]
        return f"{self.label}: {'; '.join(found)}."


def draw_ratios(
    experiment: Experiment,
    results: Sequence[ExperimentResult],
    own: ExperimentResult | None = None,
    published: Mapping[str, float] | None = None,
    published_source: str = "",
) -> ShownFigure:
    """A row a comparison, with a marker for each stored result and one for the reader's `own`.

    `published` has what others found, by the words of a comparison, and `published_source` says who.
    """
    runs = _runs(results, own)
    given = [*results, own] if own else list(results)
    names = _names([result for _, result in runs] or given)
    published = dict(published or {})
    if names and (unknown := set(published) - set(names)):
        raise ValueError(f"{experiment.name} has no comparison {' or '.join(sorted(map(repr, unknown)))}")
    rows = [ForestRow(name, _points(runs, name), published.get(name)) for name in names]
    title = _headline(rows[0]) if runs else "Smoke run, no finding" if given else "No result yet"
    notes = [where([result for _, result in runs]), *_left_out(results, own)]
    notes += [f"Published: {published_source}."] if published_source else []
    shown = RowWords(title, names, HOW if runs else "", key=_key(runs, published), foot=" ".join(notes).strip())
    finding = f"{title}. {_agreement_words([result for mark, result in runs if mark != OWN])}".strip()
    return ShownFigure(_draw_forest(shown, rows), finding, " ".join([*(row.words for row in rows if runs), *notes]))


def draw_by_machine(results: Sequence[ExperimentResult], place: int = 0) -> ShownFigure:
    """The comparison at `place` of the first result, by machine: a row each, a marker for each result of it.

    Results of other experiments, smoke runs and results without this comparison are left out, and counted.
    """
    name = results[0].comparisons[place].words if results else ""
    counted = [result for result in results if not no_finding(result) and _named(result, name)]
    machines = sorted({machine_name(result.provenance) for result in counted})
    rows = [ForestRow(machine, _points(_of_machine(counted, machine), name)) for machine in machines]
    title = _machines_headline(name, rows)
    missing = len(results) - len(counted)
    foot = f"{missing} of {len(results)} results left out: smoke runs, or without this comparison." if missing else ""
    figure = _draw_forest(RowWords(title, machines, HOW, foot=foot), rows)
    return ShownFigure(figure, f"{title}.", " ".join([*(row.words for row in rows), foot]).strip())


def _runs(results: Sequence[ExperimentResult], own: ExperimentResult | None) -> list[tuple[Mark, ExperimentResult]]:
    """Those that found something out, each with its marker."""
    counted = [result for result in results if not no_finding(result)]
    days = [day(result.provenance) for result in counted]
    runs = []
    for place, (result, when) in enumerate(zip(counted, days, strict=True)):
        label = f"run of {when}" if days.count(when) == 1 else f"run {place + 1}, of {when}"
        runs.append((replace(STORED, label=label, marker=STORED_MARKERS[place % len(STORED_MARKERS)]), result))
    return [*runs, (OWN, own)] if own and not no_finding(own) else runs


def _of_machine(results: Sequence[ExperimentResult], machine: str) -> list[tuple[Mark, ExperimentResult]]:
    return [(STORED, result) for result in results if machine_name(result.provenance) == machine]


def _names(results: Sequence[ExperimentResult]) -> list[str]:
    return list(dict.fromkeys(comparison.words for result in results for comparison in result.comparisons))


def _named(result: ExperimentResult, name: str) -> Comparison | None:
    return next((comparison for comparison in result.comparisons if comparison.words == name), None)


def _points(runs: Sequence[tuple[Mark, ExperimentResult]], name: str) -> list[Point]:
    return [Point.of(mark, result, one) for mark, result in runs if (one := _named(result, name))]


def _left_out(results: Sequence[ExperimentResult], own: ExperimentResult | None) -> list[str]:
    count = sum(bool(no_finding(result)) for result in results)
    words = [f"{count} stored {'run' if count == 1 else 'runs'} without a finding left out."] if count else []
    return [*words, OWN_LEFT_OUT] if own and own.is_smoke else words


def _key(runs: Sequence[tuple[Mark, ExperimentResult]], published: Mapping[str, float]) -> list[Mark]:
    return [*(mark for mark, _ in runs), *([PUBLISHED] if published else [])]


def _headline(row: ForestRow) -> str:
    """What all runs found of the first comparison."""
    found = [point for point in row.points if isinstance(point.ratio, Interval)]
    if not found:
        return row.words.removesuffix(".")
    ratios = _listed([number(point.ratio.median) for point in found if isinstance(point.ratio, Interval)])
    seen = sum(point.is_effect for point in found)
    ending = "" if seen == len(found) else ", no effect" if not seen else f", an effect in {seen} of {len(found)} runs"
    return f"{row.label}: {ratios} times{ending}"


def _listed(words: Sequence[str]) -> str:
    """135, 136 and 134."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _agreement_words(stored: Sequence[ExperimentResult]) -> str:
    """In how many comparisons the intervals of the last two stored runs meet."""
    if len(stored) < 2:
        return ""
    lines = agreement(stored)
    meeting = sum("DO NOT" not in line for line in lines)
    return f"The last two stored runs agree in {meeting} of {len(lines)} comparisons."


def _machines_headline(name: str, rows: Sequence[ForestRow]) -> str:
    medians = [point.ratio.median for row in rows for point in row.points if isinstance(point.ratio, Interval)]
    if not medians:
        return f"{name}: no result that finds anything out" if name else "No result yet"
    low, high = number(min(medians)), number(max(medians))
    machines = "1 machine" if len(rows) == 1 else f"{len(rows)} machines"
    return f"{name}: {low if low == high else f'{low} to {high}'} times on {machines}"


def _draw_forest(words: RowWords, rows: Sequence[ForestRow]) -> Figure:
    """The rows as a figure; the numbers stand in a column at the right."""
    cells = [cell for place, row in enumerate(rows) for cell in _cells(place, row)]
    words = replace(words, columns=[Column("times [95 % interval]", cells)] if cells else [])
    chart = RowChart(words, [10.0 + POINT_PX * max(1, len(_shifts(row))) for row in rows])
    chart.axes.axvline(1.0, color=style.GREY, lw=1.2, zorder=1)
    for place, row in enumerate(rows):
        _draw_row(chart, place, row)
    ends = [end for row in rows for end in _ends(row)]
    chart.set_value_axis(min([0.5, *ends]), max([2.0, *ends]), AXIS_LABEL)
    return chart.figure


def _shifts(row: ForestRow) -> list[float]:
    """How far below the row's middle its points stand, and what was published below them, in pixels."""
    count = len(row.points) + (row.published is not None)
    return [(number - (count - 1) / 2) * POINT_PX for number in range(count)]


def _cells(place: int, row: ForestRow) -> list[Cell]:
    cells, shifts = [], _shifts(row)
    for shift, point in zip(shifts, row.points, strict=False):
        if isinstance(point.ratio, Unavailable):
            cells.append(Cell(place, "not measured", style.GREY, shift))
        else:
            low, high = number(point.ratio.low), number(point.ratio.high)
            cells.append(Cell(place, f"{number(point.ratio.median)} [{low}, {high}]", point.color, shift))
    if row.published is not None:
        cells.append(Cell(place, f"{number(row.published)} published", PUBLISHED.color, shifts[-1]))
    return cells


def _draw_row(chart: RowChart, place: int, row: ForestRow) -> None:
    places = [chart.centers[place] + shift for shift in _shifts(row)]
    for y, point in zip(places, row.points, strict=False):
        _draw_point(chart.axes, y, point)
    if row.published is not None:
        _draw_marker(chart.axes, row.published, places[-1], PUBLISHED, PUBLISHED.color)
    missing = [point.ratio for point in row.points if isinstance(point.ratio, Unavailable)]
    if not places:
        chart.say(place, "no finding")
    elif missing and len(missing) == len(places):
        chart.say(place, str(missing[0]))


def _draw_point(axes: Axes, y: float, point: Point) -> None:
    if isinstance(point.resolution, float):
        left, right = 1 / point.resolution, point.resolution
        band = Rectangle((left, y - POINT_PX / 2), right - left, POINT_PX, color=BAND_COLOR, lw=0, zorder=0.5)
        axes.add_patch(band)
    if isinstance(point.ratio, Interval):
        axes.plot([point.ratio.low, point.ratio.high], [y, y], color=point.color, lw=1.8)
        _draw_marker(axes, point.ratio.median, y, point.mark, point.color)


def _draw_marker(axes: Axes, x: float, y: float, mark: Mark, color: str) -> None:
    axes.plot([x], [y], marker=mark.marker, color=color, ms=6.5, mew=2 if mark.marker == "x" else 1, ls="", zorder=3)


def _ends(row: ForestRow) -> list[float]:
    """What the axis must hold."""
    ratios = [point.ratio for point in row.points if isinstance(point.ratio, Interval)]
    bands = [point.resolution for point in row.points if isinstance(point.resolution, float)]
    ends = [1.0, *(ratio.low for ratio in ratios), *(ratio.high for ratio in ratios)]
    return [*ends, *bands, *(1 / band for band in bands), *([row.published] if row.published else [])]
