"""A forest plot: each ratio a marker with its 95 % interval on a logarithmic axis, 1 a line, and the numbers beside it.

The grey band around 1 is the A/A resolution, what the same arm run twice differed by: a ratio within it, or one whose
interval spans 1, is grey, as no effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from kfast.lab.experiment import Comparison
from kfast.lab.experiment_findings import is_effect
from kfast.lab.experiment_result import ExperimentResult
from kfast.lab.prediction import factor, number
from kfast.lab.summary import Interval
from kfast.lab.unavailable import Unavailable
from kfast.viz import style
from kfast.viz.row_chart import Cell, Column, Mark, Panel, RowChart, RowWords

POINT_PX = 17  # of height for each marker of a row
BAND_COLOR = style.LIGHT_GREY
PUBLISHED = Mark("published", style.VERMILLION, "x")
HOW = "Marker: median of the ratios taken block by block. Line: 95 % interval. Band: A/A resolution. Grey: no effect."


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
        smallest = result.aa_resolution(comparison.measure, comparison)
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


@dataclass(frozen=True, slots=True)
class ForestPanel:
    rows: Sequence[ForestRow]
    title: str = ""


def draw_forest(words: RowWords, panels: Sequence[ForestPanel]) -> Figure:
    """The panels beside each other, all with the rows that `words` names."""
    columns = [[Column("times [95 % interval]", cells)] if (cells := _cells(panel)) else [] for panel in panels]
    words = replace(words, panels=[Panel(one.title, some) for one, some in zip(panels, columns, strict=True)])
    heights = [10.0 + POINT_PX * max(1, *map(_count, rows)) for rows in zip(*(one.rows for one in panels), strict=True)]
    chart = RowChart(words, heights)
    for axes, panel in zip(chart.panels, panels, strict=True):
        axes.axvline(1.0, color=style.GREY, lw=1.2, zorder=1)
        for place, row in enumerate(panel.rows):
            _draw_row(chart, axes, place, row)
    ends = [0.5, 2.0, *(end for panel in panels for row in panel.rows for end in _ends(row))]
    chart.set_value_axis(min(ends), max(ends), "times, on a logarithmic axis")
    return chart.figure


def _count(row: ForestRow) -> int:
    return len(row.points) + (row.published is not None)


def _shifts(row: ForestRow) -> list[float]:
    """How far below the row's middle its points stand, and what was published below them, in pixels."""
    count = _count(row)
    return [(number - (count - 1) / 2) * POINT_PX for number in range(count)]


def _cells(panel: ForestPanel) -> list[Cell]:
    return [cell for place, row in enumerate(panel.rows) for cell in _row_cells(place, row)]


def _row_cells(place: int, row: ForestRow) -> list[Cell]:
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


def _draw_row(chart: RowChart, axes: Axes, place: int, row: ForestRow) -> None:
    places = [chart.centers[place] + shift for shift in _shifts(row)]
    for y, point in zip(places, row.points, strict=False):
        _draw_point(axes, y, point)
    if row.published is not None:
        _draw_marker(axes, row.published, places[-1], PUBLISHED, PUBLISHED.color)
    missing = [point.ratio for point in row.points if isinstance(point.ratio, Unavailable)]
    if not places:
        chart.say(axes, place, "no finding")
    elif missing and len(missing) == len(places):
        chart.say(axes, place, str(missing[0]))


def _draw_point(axes: Axes, y: float, point: Point) -> None:
    if isinstance(point.resolution, float):
        left, right = 1 / point.resolution, point.resolution
        band = Rectangle((left, y - POINT_PX / 2), right - left, POINT_PX, color=BAND_COLOR, lw=0, zorder=0.5)
        axes.add_patch(band)
    if isinstance(point.ratio, Interval):
        axes.plot([point.ratio.low, point.ratio.high], [y, y], color=point.color, lw=1.8)
        _draw_marker(axes, point.ratio.median, y, point.mark, point.color)


def _draw_marker(axes: Axes, x: float, y: float, mark: Mark, color: str) -> None:
    face, width = "white" if mark.is_hollow else color, 2.0 if mark.marker == "x" else 1.4
    axes.plot([x], [y], marker=mark.marker, color=color, mfc=face, ms=6.5, mew=width, ls="", zorder=3, clip_on=False)


def _ends(row: ForestRow) -> list[float]:
    """What the axis must hold."""
    ratios = [point.ratio for point in row.points if isinstance(point.ratio, Interval)]
    bands = [point.resolution for point in row.points if isinstance(point.resolution, float)]
    ends = [1.0, *(ratio.low for ratio in ratios), *(ratio.high for ratio in ratios)]
    return [*ends, *bands, *(1 / band for band in bands), *([row.published] if row.published else [])]
