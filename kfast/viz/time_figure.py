"""The last half minute of a run: produce and consume MB/s above, broker CPU seconds per GB below, changes as lines.

Axes start at 0 and change their limits seldom, because a change of limits costs a full drawing. Each point of the lower
axes has the colour and marker of the copy mode that was at work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Text

from kfast.viz import style

WIDTH_PX, HEIGHT_PX = 800, 325
WINDOW_S = 30.0
LABEL_LEVELS = 3
LABEL_CHARACTER_PX = 9.8
DRAG_S = 1.0


@dataclass(frozen=True, slots=True)
class Point:
    """What one sample says. None where nothing was moved, so that nothing can be said per GB."""

    elapsed_s: float
    produce_mb_per_s: float
    consume_mb_per_s: float
    cpu_s_per_gb: float | None
    copy_mode: str
    batch_records: int
    workload: str


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that took effect in mid-stream. Without a label, as the turns of a comparison, its line is faint."""

    elapsed_s: float
    label: str
    name: str = ""


@dataclass(slots=True)
class Timeline:
    """All points and changes of one run, in order of time."""

    points: list[Point] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def add_change(self, change: Change) -> None:
        """Note a change; a slider that is dragged on leaves the line of where it came to rest, not of all its stops."""
        if self.changes:
            last = self.changes[-1]
            if last.name and last.name == change.name and change.elapsed_s - last.elapsed_s < DRAG_S:
                self.changes.pop()
        self.changes.append(change)


class TimeFigure:
    """Draws a Timeline. `window_s` None shows all of it, as in the figure that stays when the run is over."""

    def __init__(self, window_s: float | None = WINDOW_S) -> None:
        self._window_s = window_s
        with style.context():
            self.figure = style.new_figure(WIDTH_PX, HEIGHT_PX)
            self._upper, self._lower = self.figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
            self.figure.subplots_adjust(left=0.092, right=0.985, top=0.815, bottom=0.145, hspace=0.36)
            self._prepare_axes()
            self._produce = self._line(self._upper, "produce", style.BLACK, "-")
            self._consume = self._line(self._upper, "consume", style.BLUE, "--")
            self._modes = {mode: self._mode_points(mode) for mode in style.MODE_STYLES}
            tight = {"handletextpad": 0.1, "columnspacing": 1.0}
            self._upper.legend(loc="upper left", ncols=2, bbox_to_anchor=(-0.005, 1.03), borderaxespad=0.1)
            self._lower.legend(loc="lower left", ncols=4, bbox_to_anchor=(0.36, 0.97), borderaxespad=0.0, **tight)
        self._change_artists: list[Artist] = []
        self._changes_drawn: list[Change] = []

    def moving(self) -> Sequence[Artist]:
        return [self._produce, self._consume, *self._modes.values()]

    def show(self, timeline: Timeline) -> bool:
        """Set the lines to `timeline`; True when limits or changes moved, so that the background is stale."""
        points = timeline.points
        is_stale = self._fit_limits(points)
        times = [point.elapsed_s for point in points]
        self._produce.set_data(times, [point.produce_mb_per_s for point in points])
        self._consume.set_data(times, [point.consume_mb_per_s for point in points])
        for mode, line in self._modes.items():
            own = [point for point in points if point.copy_mode == mode and point.cpu_s_per_gb is not None]
            line.set_data([point.elapsed_s for point in own], [point.cpu_s_per_gb or 0.0 for point in own])
        if is_stale or timeline.changes != self._changes_drawn:
            self._draw_changes(timeline.changes)
            return True
        return False

    def _prepare_axes(self) -> None:
        for axes in (self._upper, self._lower):
            axes.set(xlim=(0, self._window_s or 1), ylim=(0, 0.01))
            axes.tick_params(labelsize=10.5, color=style.GREY)
            axes.locator_params(axis="y", nbins=4)
        self._upper.set_ylabel("MB/s")
        self._lower.set_ylabel("CPU s/GB")
        self._lower.set_xlabel("seconds since the start", labelpad=2)
        self._lower.set_title("broker CPU seconds per GB", fontsize=11, pad=4)

    def _line(self, axes: Axes, label: str, color: str, linestyle: str) -> Line2D:
        return axes.plot([], [], label=label, color=color, linestyle=linestyle, lw=2.2)[0]

    def _mode_points(self, mode: str) -> Line2D:
        look = style.MODE_STYLES[mode]
        line: Line2D = self._lower.plot(
            [], [], label=look.label, color=look.color, marker=look.marker, ls="", ms=6, mec=style.BLACK, mew=0.6
        )[0]
        return line

    def _fit_limits(self, points: Sequence[Point]) -> bool:
        if not points:
            return False
        first_s, last_s = self._lower.get_xlim()
        now_s = points[-1].elapsed_s
        is_stale = False
        if self._window_s is None:
            self._lower.set_xlim(0, max(1.0, now_s * 1.02))
            is_stale = True
        elif now_s > last_s:
            # A jump of a third of the window at a time: scrolling smoothly would redraw the axes with every frame.
            first_s = now_s - self._window_s * 2 / 3
            self._lower.set_xlim(first_s, first_s + self._window_s)
            is_stale = True
        visible = [point for point in points if self._window_s is None or point.elapsed_s >= first_s]
        throughput = [max(point.produce_mb_per_s, point.consume_mb_per_s) for point in visible]
        cpu = [point.cpu_s_per_gb for point in visible if point.cpu_s_per_gb is not None]
        # Three times the median at most: one slow interval must not press all other points to the ground.
        is_stale |= _fit_top(self._upper, max(throughput, default=0.0))
        return _fit_top(self._lower, min(max(cpu), 3 * float(np.median(cpu))) if cpu else 0.0) or is_stale

    def _draw_changes(self, changes: Sequence[Change]) -> None:
        for artist in self._change_artists:
            artist.remove()
        self._change_artists = []
        first_s, last_s = self._lower.get_xlim()
        visible = [change for change in changes if first_s <= change.elapsed_s <= last_s]
        for change in visible:
            for axes in (self._upper, self._lower):
                look = {"color": style.GREY, "lw": 1.2} if change.label else {"color": style.LIGHT_GREY, "lw": 0.8}
                self._change_artists.append(axes.axvline(change.elapsed_s, **look))
        self._change_artists += self._change_labels([change for change in visible if change.label])
        self._changes_drawn = list(changes)

    def _change_labels(self, visible: Sequence[Change]) -> list[Text]:
        """Labels above the upper axes on the lowest level where each has room; the newest first, as it matters most."""
        box = self._upper.get_position()
        first_s, last_s = self._lower.get_xlim()
        px_per_s = box.width * WIDTH_PX / (last_s - first_s)
        taken: list[list[tuple[float, float]]] = [[] for _ in range(LABEL_LEVELS)]
        labels = []
        for change in reversed(visible):
            width = len(change.label) * LABEL_CHARACTER_PX
            x = min((change.elapsed_s - first_s) * px_per_s, box.width * WIDTH_PX - width)
            for level, spans in enumerate(taken):
                if all(x + width < left or x > right for left, right in spans):
                    spans.append((x, x + width))
                    labels.append(self._change_label(change, x / (box.width * WIDTH_PX), level))
                    break
        return labels

    def _change_label(self, change: Change, x: float, level: int) -> Text:
        y = 1.05 + level * 18 / (self._upper.get_position().height * HEIGHT_PX)
        text: Text = self._upper.text(x, y, change.label, transform=self._upper.transAxes, fontsize=10, va="bottom")
        return text


def _fit_top(axes: Axes, top: float) -> bool:
    """Raise or lower the upper limit when the data leave the middle of the axes; True when it moved."""
    current = axes.get_ylim()[1]
    if top > 0 and (top * 1.05 > current or top < current / 3):
        axes.set_ylim(0, top * 1.35)
        return True
    return False
