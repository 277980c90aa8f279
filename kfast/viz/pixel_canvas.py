"""A white sheet that is drawn on in pixels, from the top left corner down: for pictures of bytes, without axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.patches import FancyArrowPatch, Polygon, Rectangle
from matplotlib.text import Text

from kfast.viz import style

MONOSPACE = "DejaVu Sans Mono"


class PixelCanvas:
    """`figure` of exactly this size; one unit is one pixel, y grows downwards. Later things cover earlier ones."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self.figure = style.new_figure(width_px, height_px)
        self._axes = self.figure.add_axes((0, 0, 1, 1))
        self._axes.set(xlim=(0, width_px), ylim=(height_px, 0))
        self._axes.set_axis_off()
        self._drawn = 0

    def box(self, x: float, y: float, width: float, height: float, color: object) -> None:
        """Fill a rectangle, whose corner (x, y) is the upper left one."""
        self._add(Rectangle((x, y), width, height, facecolor=color, linewidth=0))

    def frame(self, x: float, y: float, width: float, height: float, color: str, line_px: float = 2) -> None:
        """Draw the outline of a rectangle."""
        self._add(Rectangle((x, y), width, height, fill=False, edgecolor=color, linewidth=points(line_px)))

    def line(self, x: float, y: float, to_x: float, to_y: float, color: str, line_px: float = 1) -> None:
        self._axes.plot([x, to_x], [y, to_y], color=color, lw=points(line_px), zorder=self._next())

    def arrow(self, x: float, y: float, to_x: float, to_y: float, color: str, line_px: float = 2) -> None:
        """An arrow whose point is at (to_x, to_y)."""
        look = "-|>,head_length=5,head_width=2.6"
        ends: Any = {"posA": (x, y), "posB": (to_x, to_y), "shrinkA": 0, "shrinkB": 0}
        self._add(FancyArrowPatch(**ends, arrowstyle=look, color=color, linewidth=points(line_px)))

    def polygon(self, corners: Sequence[tuple[float, float]], color: object) -> None:
        self._add(Polygon(corners, closed=True, facecolor=color, linewidth=0))

    def text(self, x: float, y: float, words: str, size_px: float = 13, alignment: str = "left", **look: Any) -> Text:
        """Write `words`, vertically centred on y. `look` is matplotlib's: color, weight, family."""
        look = {"color": style.BLACK, **look}
        size = points(size_px)
        return self._axes.text(
            x, y, words, fontsize=size, ha=alignment, va="center", zorder=self._next(), clip_on=False, **look
        )

    def _add(self, patch: Any) -> None:
        patch.set_zorder(self._next())
        self._axes.add_patch(patch)

    def _next(self) -> float:
        self._drawn += 1
        return 2 + self._drawn * 1e-4


def points(pixels: float) -> float:
    """Matplotlib measures lines and letters in points."""
    return pixels * 72 / style.DPI
