"""Names at the right ends of lines, instead of a legend: moved apart where they would cover each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

LABEL_PX = 17  # from one name to the next, at least
SIZE = 9.5
LEADER_PX = (6, 22)  # where a leader ends and its name begins, from the right edge of the axes


@dataclass(frozen=True, slots=True)
class LineEnd:
    """The last point of a line, in the units of its axes, and its name."""

    label: str
    color: str
    x: float
    y: float


def label_ends(axes: Axes, ends: Sequence[LineEnd]) -> None:
    """Write each name beside the axes, with a thin line from its point. The limits of the axes must be set."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    to_pixels = axes.transData.transform
    box, to_figure = axes.bbox, figure.transFigure.inverted().transform
    places = apart([float(to_pixels((end.x, end.y))[1]) for end in ends], LABEL_PX, box.y0, box.y1)
    for end, y in zip(ends, places, strict=True):
        elbow, start = (to_figure((box.x1 + shift, y)) for shift in LEADER_PX)
        point = to_figure(to_pixels((end.x, end.y)))
        xs, ys = zip(point, elbow, (start[0] - 0.004, start[1]), strict=True)
        figure.add_artist(Line2D(xs, ys, color=end.color, lw=1.0))
        figure.text(start[0], start[1], end.label, fontsize=SIZE, va="center_baseline")


def apart(places: Sequence[float], gap: float, lowest: float, highest: float) -> list[float]:
    """The places, moved as little as it takes to be `gap` from each other and within the limits, in the same order."""
    order = sorted(range(len(places)), key=lambda number: places[number])
    gap = min(gap, (highest - lowest) / max(1, len(places) - 1))
    groups: list[list[float]] = []  # neighbours that stand close, by where each would have the first of its group
    for rank, number in enumerate(order):
        groups.append([places[number] - rank * gap])
        while len(groups) > 1 and fmean(groups[-2]) > fmean(groups[-1]):
            last = groups.pop()
            groups[-1] += last
    firsts = [fmean(group) for group in groups for _ in group]
    top = highest - gap * (len(places) - 1)
    moved = {number: min(max(firsts[rank], lowest), top) + rank * gap for rank, number in enumerate(order)}
    return [moved[number] for number in range(len(places))]
