"""What a loss of power would take, for each flush policy: the pages that are dirty, and the records that would go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kfast.lab.power_loss import RECORD_SIZE, PowerLoss, is_at_risk
from kfast.lab.recovery import Fate
from kfast.lab.residency import PAGE_SIZE, Residency
from kfast.lab.sizes import size_text
from kfast.lab.unavailable import Unavailable
from kfast.viz.pixel_canvas import PixelCanvas
from kfast.viz.recovery_figure import COLORS
from kfast.viz.residency_figure import CACHED_COLOR, DIRTY_COLOR
from kfast.viz.shown_figure import ShownFigure
from kfast.viz.style import GREY

WIDTH_PX, LEFT, TOP, ROW_HEIGHT = 900, 14, 78, 70
STRIP_X, STRIP_WIDTH, PAGES_HEIGHT, RECORDS_HEIGHT = 196, 560, 24, 12
PART_COUNT: Final = 112
KEPT_COLOR, LOST_COLOR = COLORS[Fate.CHECKED][0], COLORS[Fate.BEHIND][0]


def draw_power_losses(losses: Sequence[PowerLoss]) -> ShownFigure:
    """A row for each policy: above the pages of the file, below the records in them."""
    canvas = PixelCanvas(WIDTH_PX, TOP + len(losses) * ROW_HEIGHT + 40)
    title = _title(losses)
    canvas.text(LEFT, 22, title, 15, weight="bold")
    canvas.text(STRIP_X, 54, _extent(losses), 12.5, color=GREY)
    for row, loss in enumerate(losses):
        y = TOP + row * ROW_HEIGHT
        canvas.text(STRIP_X - 12, y + PAGES_HEIGHT / 2, loss.policy, 13, "right")
        canvas.text(STRIP_X - 12, y + PAGES_HEIGHT + 6 + RECORDS_HEIGHT / 2, "its records", 12.5, "right", color=GREY)
        _draw_row(canvas, y, loss)
    _draw_legend(canvas, TOP + len(losses) * ROW_HEIGHT + 14)
    return ShownFigure(canvas.figure, f"{title}.", " ".join(f"{loss}." for loss in losses))


def _draw_row(canvas: PixelCanvas, y: float, loss: PowerLoss) -> None:
    if isinstance(loss.pages, Unavailable) or isinstance(loss.left, Unavailable):
        canvas.text(STRIP_X, y + PAGES_HEIGHT / 2, str(loss.pages), 12.5, color=GREY)
        return
    part_size = max(1, -(-len(loss.pages) // PART_COUNT))
    unit = STRIP_WIDTH / max(1, len(loss.pages))
    for start in range(0, len(loss.pages), part_size):
        _draw_part(canvas, STRIP_X + start * unit, y, loss.pages[start : start + part_size], unit)
    top, split = y + PAGES_HEIGHT + 6, STRIP_WIDTH * loss.left / max(1, loss.acknowledged)
    canvas.box(STRIP_X, top, split, RECORDS_HEIGHT, KEPT_COLOR)
    canvas.box(STRIP_X + split, top + RECORDS_HEIGHT / 2, STRIP_WIDTH - split, RECORDS_HEIGHT / 2, LOST_COLOR)
    x = STRIP_X + STRIP_WIDTH + 12
    canvas.text(x, y + PAGES_HEIGHT / 2, f"{loss.dirty_pages} dirty", 12.5)
    lost = loss.acknowledged - loss.left
    weight = "bold" if lost else "normal"
    canvas.text(x, top + RECORDS_HEIGHT / 2, f"{lost} of {loss.acknowledged} lost", 12.5, weight=weight)


def _draw_part(canvas: PixelCanvas, x: float, y: float, pages: Sequence[Residency], unit: float) -> None:
    """Several pages, filled from below by the share of them that is dirty."""
    canvas.box(x, y, len(pages) * unit, PAGES_HEIGHT, CACHED_COLOR)
    height = PAGES_HEIGHT * sum(map(is_at_risk, pages)) / len(pages)
    if height:
        canvas.box(x, y + PAGES_HEIGHT - height, len(pages) * unit, height, DIRTY_COLOR)


def _draw_legend(canvas: PixelCanvas, y: float) -> None:
    x = float(LEFT)
    for color, words in (
        (CACHED_COLOR, "page, on the disk too"),
        (DIRTY_COLOR, "page in memory only"),
        (KEPT_COLOR, "record that recovery would find"),
        (LOST_COLOR, "acknowledged, and gone"),
    ):
        low = 7 if color == LOST_COLOR else 0
        canvas.box(x, y - 8 + low, 15, 15 - low, color)
        x += canvas.text(x + 21, y, words, 12.5).get_window_extent().width + 44


def _title(losses: Sequence[PowerLoss]) -> str:
    known = [loss for loss in losses if not isinstance(loss.lost, Unavailable)]
    if not losses or len(known) < len(losses):
        return "What a loss of power would take cannot be seen here"
    first, last = known[0], known[-1]
    return (
        f"A loss of power may take {first.lost} of {first.acknowledged} acknowledged records; "
        f"with {last.policy} it takes {last.lost}"
    )


def _extent(losses: Sequence[PowerLoss]) -> str:
    known = [len(loss.pages) for loss in losses if not isinstance(loss.pages, Unavailable)]
    if not known:
        return ""
    size = size_text(known[0] * PAGE_SIZE)
    return f"a log of {size} from its first page to its last, right after the last record of {RECORD_SIZE:,} bytes"
