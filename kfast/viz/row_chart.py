"""A figure of rows, as a forest plot has them: names at the left, then panels, each with columns of words at its right.

It is laid out in pixels from measured words, so that nothing overlaps or is cut off however long the names are. The
y of all axes is in pixels, downwards; `centers` has the middle of each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from kfast.viz import style
from kfast.viz.measured_text import balanced, shortened, text_width_px, wrapped
from kfast.viz.size_axis import MOST_TICKS, factor_ticks, number_tick

WIDTH_PX = 900
EDGE_PX = 12
GAP_PX = 14
PANEL_GAP_PX = 24
LABEL_WIDTH_PX = 290  # longer names go on in the next line
LINE_PX = 16
TITLE_LINE_PX = 22
KEY_PX = 24
HEADS_PX = 24
ROW_PX = 26
LAST_TICK_PX = 48  # where nothing stands at the right, for half a tick's label
AXIS_PX = 54  # ticks and their label
TITLE_SIZE, TICK_SIZE, LABEL_SIZE, SMALL_SIZE = 12.5, 10.5, 10.0, 9.0
MARGIN = 1.4  # a factor, beyond the outermost values of a logarithmic axis


@dataclass(frozen=True, slots=True)
class Cell:
    """Words beside a row, so many pixels below its middle."""

    row: int
    words: str
    color: str = style.BLACK
    shift_px: float = 0.0


@dataclass(frozen=True, slots=True)
class Column:
    """Words at the right of the rows."""

    title: str
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Panel:
    """Axes over all rows, and the words at their right."""

    title: str = ""
    columns: Sequence[Column] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A marker, and what the key above the rows says that it means."""

    label: str
    color: str
    marker: str
    is_hollow: bool = False


@dataclass(frozen=True, slots=True)
class RowWords:
    """All words of a figure of rows but those of its axes."""

    title: str
    labels: Sequence[str]
    subtitle: str = ""
    panels: Sequence[Panel] = (Panel(),)
    key: Sequence[Mark] = ()
    foot: str = ""


class RowChart:
    """`figure` with its words in place: draw the rows into `axes`, and call `set_value_axis`.

    `row_px` is the least height of each row.
    """

    def __init__(self, words: RowWords, row_px: Sequence[float] = ()) -> None:
        self._sheet = style.new_figure(WIDTH_PX, 100)  # to measure words on, before the height is known
        room = WIDTH_PX - 2 * EDGE_PX
        title = balanced(self._sheet, words.title, TITLE_SIZE, room, "bold")
        subtitle, foot = (wrapped(self._sheet, some, SMALL_SIZE, room) for some in (words.subtitle, words.foot))
        labels = [balanced(self._sheet, label, LABEL_SIZE, LABEL_WIDTH_PX) for label in words.labels]
        heights = [
            max(least, 10.0 + LINE_PX * _line_count(label))
            for label, least in zip(labels, row_px or [ROW_PX] * len(labels), strict=True)
        ]
        self.centers = [sum(heights[:row]) + height / 2 for row, height in enumerate(heights)]
        key_top = 12 + _line_count(title) * TITLE_LINE_PX + _line_count(subtitle) * LINE_PX
        heads_px = HEADS_PX * (any(one.columns for one in words.panels) + any(one.title for one in words.panels))
        self._top = key_top + KEY_PX * bool(words.key) + heads_px + 6
        bottom = self._top + sum(heights or [ROW_PX])
        self._height = round(bottom + AXIS_PX + _line_count(foot) * LINE_PX + 4)
        self.figure = style.new_figure(WIDTH_PX, self._height)
        self._say(EDGE_PX, 10, title, size=TITLE_SIZE, weight="bold")
        self._say(EDGE_PX, 12 + _line_count(title) * TITLE_LINE_PX, subtitle, color=style.GREY)
        self._draw_key(key_top + KEY_PX // 2, words.key)
        self._say(EDGE_PX, bottom + AXIS_PX, foot, color=style.GREY)
        left = self._draw_labels(labels)
        count = len(words.panels)
        width = (WIDTH_PX - EDGE_PX - left - PANEL_GAP_PX * (count - 1)) / count
        starts = [left + (width + PANEL_GAP_PX) * place for place in range(count)]
        self.panels = [
            self._draw_panel(start, start + width, heights, panel)
            for start, panel in zip(starts, words.panels, strict=True)
        ]
        self.axes = self.panels[0]

    def set_value_axis(self, lowest: float, highest: float, label: str, is_log: bool = True) -> None:
        """Make x hold these values in every panel: logarithmic, or linear from 0."""
        widest = max("0.05", number_tick(round(highest)), key=len)
        tick_px = text_width_px(self._sheet, widest, TICK_SIZE) + GAP_PX
        for axes in self.panels:
            most = max(2, int(axes.bbox.width / tick_px))
            if is_log:
                axes.set_xscale("log")
                axes.set_xlim(lowest / MARGIN, highest * MARGIN)
                axes.set_xticks(factor_ticks(lowest / MARGIN, highest * MARGIN, min(most, MOST_TICKS)))
            else:
                axes.set_xlim(min(0.0, lowest * 1.05), highest * 1.05 or 1.0)
                axes.locator_params(axis="x", nbins=min(most, 6))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number_tick(value)))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.set_xlabel(label, fontsize=LABEL_SIZE)

    def say(self, axes: Axes, row: int, words: str) -> None:
        """Grey words in a row that has nothing to draw."""
        words = shortened(self._sheet, words, SMALL_SIZE, axes.bbox.width - GAP_PX)
        place = axes.get_yaxis_transform()
        y, color = self.centers[row], style.GREY
        box = {"facecolor": "white", "linewidth": 0, "pad": 2}  # over the lines of the axes
        axes.text(0.01, y, words, transform=place, va="center", fontsize=SMALL_SIZE, color=color, bbox=box)

    def _draw_panel(self, left: float, right: float, heights: Sequence[float], panel: Panel) -> Axes:
        end = self._draw_columns(right, panel.columns) if panel.columns else right - LAST_TICK_PX
        self._say(left, self._top - 8 - HEADS_PX * bool(panel.columns), panel.title, LABEL_SIZE, "baseline")
        height = sum(heights or [ROW_PX])
        place = (left / WIDTH_PX, 1 - (self._top + height) / self._height)
        with style.context():
            axes = self.figure.add_axes((*place, (end - left) / WIDTH_PX, height / self._height))
        axes.set_ylim(height, 0)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        for row in range(1, len(heights)):
            axes.axhline(sum(heights[:row]), color=style.GRID_COLOR, lw=0.6, zorder=0)
        return axes

    def _draw_labels(self, labels: Sequence[str]) -> float:
        """Write the names of the rows, right-aligned; return where the axes begin."""
        right = EDGE_PX + max((text_width_px(self._sheet, label, LABEL_SIZE) for label in labels), default=0.0)
        for center, label in zip(self.centers, labels, strict=True):
            self._say(right, self._top + center, label, LABEL_SIZE, "center_baseline", ha="right", linespacing=1.15)
        return right + GAP_PX

    def _draw_columns(self, right: float, columns: Sequence[Column]) -> float:
        """Write the columns from the right edge of the panel inwards; return where the axes end."""
        for column in reversed(columns):
            texts = [column.title, *(cell.words for cell in column.cells)]
            right -= max(text_width_px(self._sheet, words, SMALL_SIZE) for words in texts)
            self._say(right, self._top - 8, column.title, va="baseline", color=style.GREY)
            for cell in column.cells:
                y = self._top + self.centers[cell.row] + cell.shift_px
                self._say(right, y, cell.words, color=cell.color, va="center_baseline")
            right -= GAP_PX
        return right

    def _draw_key(self, y: float, key: Sequence[Mark]) -> None:
        x = EDGE_PX + 6.0
        for mark in key:
            face = "white" if mark.is_hollow else mark.color
            place = ([x / WIDTH_PX], [1 - y / self._height])
            self.figure.add_artist(Line2D(*place, marker=mark.marker, ms=7, mfc=face, mec=mark.color, mew=1.6, ls=""))
            self._say(x + 10, y, mark.label, va="center_baseline")
            x += 10 + text_width_px(self._sheet, mark.label, SMALL_SIZE) + 24

    def _say(self, x: float, y: float, words: str, size: float = SMALL_SIZE, va: str = "top", **look: Any) -> None:
        place = (x / WIDTH_PX, 1 - y / self._height)
        self.figure.text(*place, words, fontsize=size, va=va, **{"linespacing": 1.25, **look})


def _line_count(words: str) -> int:
    return words.count("\n") + 1 if words else 0
