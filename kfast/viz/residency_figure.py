"""Which pages of a file are in the page cache: a row for each moment, a column for each part of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kfast.lab.residency import PAGE_SIZE, Residency
from kfast.lab.sizes import size_text
from kfast.lab.unavailable import Unavailable
from kfast.viz import style
from kfast.viz.pixel_canvas import PixelCanvas
from kfast.viz.shown_figure import ShownFigure

WIDTH_PX = 900
EDGE, PARTS_X, PARTS_WIDTH, ROW_HEIGHT, PART_HEIGHT, TOP = 12, 190, 560, 36, 24, 70
EMPTY_COLOR, CACHED_COLOR, DIRTY_COLOR = "#E4E7EA", style.BLUE, style.VERMILLION

Parts = Sequence[Residency] | Unavailable


def draw_residency(moments: Mapping[str, Parts]) -> ShownFigure:
    """`moments` has, by the name of each moment, what `residency_map` said of the same file then."""
    canvas = PixelCanvas(WIDTH_PX, TOP + len(moments) * ROW_HEIGHT + 62)
    words = [f"{name}: {_words(parts)}" for name, parts in moments.items()]
    title = words[-1] if words else "Nothing was looked at"
    canvas.text(EDGE, 22, title, 15, weight="bold")
    canvas.text(PARTS_X, 52, _extent(moments), 12.5, color=style.GREY)
    for row, (name, parts) in enumerate(moments.items()):
        y = TOP + row * ROW_HEIGHT
        canvas.text(PARTS_X - 12, y + PART_HEIGHT / 2, name, 13, "right")
        if isinstance(parts, Unavailable):
            canvas.text(PARTS_X, y + PART_HEIGHT / 2, str(parts), 12.5, color=style.GREY)
        else:
            _draw_parts(canvas, y, parts)
    _draw_legend(canvas, TOP + len(moments) * ROW_HEIGHT + 24)
    return ShownFigure(canvas.figure, f"{title}.", " ".join(f"{one}." for one in words[:-1]))


def _draw_parts(canvas: PixelCanvas, y: float, parts: Sequence[Residency]) -> None:
    """Each part filled from below by the share that is cached, the dirty share of it at the bottom."""
    pages = sum(part.page_count for part in parts)
    x = float(PARTS_X)
    for part in parts:
        width = PARTS_WIDTH * part.page_count / pages
        canvas.box(x, y, width, PART_HEIGHT, EMPTY_COLOR)
        for count, color in ((part.cached_pages, CACHED_COLOR), (part.dirty_pages, DIRTY_COLOR)):
            height = PART_HEIGHT * min(1.0, count / part.page_count)
            if height:
                canvas.box(x, y + PART_HEIGHT - height, width, height, color)
        x += width
    canvas.text(x + 10, y + PART_HEIGHT / 2, f"{_share(parts):.0%} cached", 12.5)


def _draw_legend(canvas: PixelCanvas, y: float) -> None:
    x = PARTS_X
    for color, words, width in (
        (CACHED_COLOR, "in the page cache", 165),
        (DIRTY_COLOR, "in it and not yet written", 205),
        (EMPTY_COLOR, "not in it: read from the disk", 200),
    ):
        canvas.box(x, y - 7, 14, 14, color)
        canvas.text(x + 21, y, words, 12.5)
        x += width


def _words(parts: Parts) -> str:
    if isinstance(parts, Unavailable):
        return str(parts)
    cached, dirty, pages = (
        sum(getattr(part, name) for part in parts) for name in ("cached_pages", "dirty_pages", "page_count")
    )
    return f"{cached:,} of {pages:,} pages in the page cache" + (f", {dirty:,} dirty" if dirty else "")


def _share(parts: Sequence[Residency]) -> float:
    pages = sum(part.page_count for part in parts)
    return sum(part.cached_pages for part in parts) / pages if pages else 0.0


def _extent(moments: Mapping[str, Parts]) -> str:
    known = [parts for parts in moments.values() if not isinstance(parts, Unavailable) and parts]
    if not known:
        return ""
    size = sum(part.page_count for part in known[-1]) * PAGE_SIZE
    part_size = known[-1][0].page_count * PAGE_SIZE
    return f"The file from its first byte to its last, {size_text(size)} in parts of {size_text(part_size)}"
