"""The mutation canary as a picture: for each copy mode, which pages arrived as they were and which as they became."""

from __future__ import annotations

from collections.abc import Mapping

from kfast.lab.canary import CanaryResult
from kfast.lab.residency import PAGE_SIZE
from kfast.lab.unavailable import Unavailable
from kfast.viz import style
from kfast.viz.pixel_canvas import PixelCanvas
from kfast.viz.shown_figure import ShownFigure

WIDTH_PX = 900
PAGES_X, PAGE_WIDTH, PAGE_HEIGHT, ROW_HEIGHT = 130, 28, 30, 46
TOP = 84
OLD_COLOR, NEW_COLOR = "#D9DCE0", style.BLUISH_GREEN


def draw_canaries(results: Mapping[str, CanaryResult | Unavailable]) -> ShownFigure:
    """A row of pages for each copy mode, and beside it what the socket held."""
    canvas = PixelCanvas(WIDTH_PX, TOP + len(results) * ROW_HEIGHT + 52)
    finding = finding_of(results)
    canvas.text(12, 22, finding, 15, weight="bold")
    words = "Sent, then overwritten in the file, then received: the pages as they arrived"
    canvas.text(PAGES_X, 56, words, 12.5, color=style.GREY)
    for row, (mode, result) in enumerate(results.items()):
        y = TOP + row * ROW_HEIGHT
        canvas.text(PAGES_X - 12, y + PAGE_HEIGHT / 2, style.mode_label(mode), 14, "right")
        if isinstance(result, Unavailable):
            canvas.text(PAGES_X, y + PAGE_HEIGHT / 2, f"skipped: {result.reason}", 13)
        else:
            _draw_row(canvas, y, result)
    _draw_legend(canvas, TOP + len(results) * ROW_HEIGHT + 20)
    return ShownFigure(canvas.figure, f"{finding}.", " ".join(f"{result}." for result in results.values()))


def finding_of(results: Mapping[str, CanaryResult | Unavailable]) -> str:
    """Which modes kept references and which copied, in a sentence."""
    found = {mode: result for mode, result in results.items() if isinstance(result, CanaryResult)}
    zero = [style.mode_label(mode) for mode, result in found.items() if result.is_zero_copy]
    copied = [style.mode_label(mode) for mode, result in found.items() if not result.new_bytes]
    parts = [f"{' and '.join(zero)} sent references to the page cache"] if zero else []
    parts += [f"{' and '.join(copied)} sent copies"] if copied else []
    return "; ".join(parts) or "No copy mode works here"


def _draw_row(canvas: PixelCanvas, y: float, result: CanaryResult) -> None:
    page_count = result.size_bytes // PAGE_SIZE
    old_pages = round(result.old_bytes / PAGE_SIZE)
    for page in range(page_count):
        is_old = page < old_pages
        x = PAGES_X + page * PAGE_WIDTH
        canvas.box(x, y, PAGE_WIDTH - 3, PAGE_HEIGHT, OLD_COLOR if is_old else NEW_COLOR)
        color = style.BLACK if is_old else "white"
        canvas.text(x + (PAGE_WIDTH - 3) / 2, y + PAGE_HEIGHT / 2, "o" if is_old else "n", 13, "center", color=color)
    held = "references, zero copy" if result.is_zero_copy else "a copy" if not result.new_bytes else "both"
    canvas.text(PAGES_X + page_count * PAGE_WIDTH + 14, y + PAGE_HEIGHT / 2, f"the socket held {held}", 13)


def _draw_legend(canvas: PixelCanvas, y: float) -> None:
    legend = (
        (OLD_COLOR, "o: as it was when it was sent"),
        (NEW_COLOR, "n: as it became afterwards"),
    )
    for column, (color, words) in enumerate(legend):
        x = PAGES_X + column * 250
        canvas.box(x, y - 8, 16, 16, color)
        canvas.text(x + 24, y, words, 12.5)
