"""Both read paths of the article beside each other: each hop, who moves the bytes, and how many it moved."""

from __future__ import annotations

from collections.abc import Sequence

from kfast.lab.data_way import Mover
from kfast.lab.path_walk import PathWalk, Step, cpu_copies, dma_copies
from kfast.lab.sizes import size_text
from kfast.viz import style
from kfast.viz.pixel_canvas import PixelCanvas
from kfast.viz.shown_figure import ShownFigure

WIDTH_PX, HEIGHT_PX = 900, 470
STATIONS = ("disk", "page cache", "application", "socket buffer", "NIC", "receiver")
FIRST_X, PITCH, BOX_WIDTH, BOX_HEIGHT = 68, 153, 100, 44
LANES_Y = (134, 322)
COLORS = {
    Mover.CPU: style.CPU_COLOR,
    Mover.DMA: style.DMA_COLOR,
    Mover.REFERENCE: style.BLACK,
    Mover.NOBODY: style.GREY,
}
BOX_COLOR, SKIPPED_COLOR = "#F0F2F4", "#FFFFFF"


def draw_paths(walk: PathWalk) -> ShownFigure:
    """Draw the copying path above the path of sendfile, with the bytes that took each hop."""
    canvas = PixelCanvas(WIDTH_PX, HEIGHT_PX)
    finding = (
        f"The sending CPU copies each byte {_times(cpu_copies(walk.copying))} with pread and send, "
        f"{_times(cpu_copies(walk.zero_copy))} with sendfile"
    )
    canvas.text(12, 22, finding, 15, weight="bold")
    lanes = (("Copying: pread() + send()", walk.copying), ("Zero copy: sendfile()", walk.zero_copy))
    for y, (name, steps) in zip(LANES_Y, lanes, strict=True):
        canvas.text(12, y - 68, f"{name}. {_copies(steps)}", 13.5, weight="bold")
        visited = {station for step in steps for station in (step.source, step.target)}
        for station in STATIONS:
            _draw_station(canvas, y, station, station in visited)
        for step in steps:
            _draw_step(canvas, y, step)
    _draw_legend(canvas, HEIGHT_PX - 42)
    return ShownFigure(canvas.figure, f"{finding}.", " ".join(str(walk).split()))


def _x(station: str) -> float:
    return FIRST_X + STATIONS.index(station) * PITCH


def _draw_station(canvas: PixelCanvas, y: float, name: str, is_visited: bool) -> None:
    x = _x(name) - BOX_WIDTH / 2
    canvas.box(x, y - BOX_HEIGHT / 2, BOX_WIDTH, BOX_HEIGHT, BOX_COLOR if is_visited else SKIPPED_COLOR)
    canvas.frame(x, y - BOX_HEIGHT / 2, BOX_WIDTH, BOX_HEIGHT, style.GREY if is_visited else style.LIGHT_GREY, 1.4)
    canvas.text(_x(name), y, name, 13, "center", color=style.BLACK if is_visited else "#767B80")


def _draw_step(canvas: PixelCanvas, y: float, step: Step) -> None:
    start, end = _x(step.source) + BOX_WIDTH / 2, _x(step.target) - BOX_WIDTH / 2
    middle = (start + end) / 2
    is_here = step.moved_bytes is not None
    color = COLORS[step.mover] if is_here else style.LIGHT_GREY
    if STATIONS.index(step.target) - STATIONS.index(step.source) > 1 and step.source == "page cache":
        y_under = y + BOX_HEIGHT / 2 + 16  # around the application
        canvas.line(_x(step.source), y + BOX_HEIGHT / 2, _x(step.source), y_under, color, 5)
        canvas.line(_x(step.source), y_under, _x(step.target), y_under, color, 5)
        _draw_point(canvas, _x(step.target), y + BOX_HEIGHT / 2 + 1, 11, color)
        _draw_words(canvas, middle, y_under + 16, step)
    elif step.source == "socket buffer" and step.target == "receiver":
        y_over = y - BOX_HEIGHT / 2 - 14  # loopback has no NIC: around it
        canvas.line(_x(step.source), y - BOX_HEIGHT / 2, _x(step.source), y_over, color, 5)
        canvas.line(_x(step.source), y_over, _x(step.target), y_over, color, 5)
        _draw_point(canvas, _x(step.target), y - BOX_HEIGHT / 2 - 1, -11, color)
        canvas.text(middle, y_over - 14, f"{step.number}  {step.call}  CPU copy, {_moved(step)}", 12, "center")
    else:
        canvas.arrow(start + 2, y, end - 1, y, color, 5)
        _draw_words(canvas, middle, y + BOX_HEIGHT / 2 + 16, step)


def _draw_point(canvas: PixelCanvas, x: float, y: float, height: float, color: str) -> None:
    """The point of an arrow that ends at (x, y) from below, or with a negative height from above."""
    canvas.polygon([(x, y), (x - 8, y + height), (x + 8, y + height)], color)


def _draw_words(canvas: PixelCanvas, x: float, y: float, step: Step) -> None:
    if step.moved_bytes is None:
        canvas.text(x, y, f"{step.number}  DMA", 12, "center", color="#767B80")
        canvas.text(x, y + 17, "no NIC here", 12, "center", color="#767B80")
        return
    canvas.text(x, y, f"{step.number}  {step.call}", 12.5, "center", weight="bold")
    canvas.text(x, y + 17, f"{step.mover.value}, {_moved(step)}", 12, "center")


def _moved(step: Step) -> str:
    return "" if step.moved_bytes is None else size_text(step.moved_bytes)


def _copies(steps: Sequence[Step]) -> str:
    cpu, dma = cpu_copies(steps), dma_copies(steps)
    return f"With a NIC {cpu + dma} copies: {dma} by DMA, {cpu or 'none'} by the sending CPU"


def _times(count: int) -> str:
    return ("never", "once", "twice")[count]


def _draw_legend(canvas: PixelCanvas, y: float) -> None:
    legend = (
        (style.CPU_COLOR, "the CPU copies"),
        (style.DMA_COLOR, "DMA: the device copies"),
        (style.BLACK, "by reference: pages are hung on the socket"),
        (style.LIGHT_GREY, "not on loopback"),
    )
    x = 12
    for (color, words), width in zip(legend, (150, 200, 330, 150), strict=True):
        canvas.box(x, y - 4, 28, 8, color)
        canvas.text(x + 36, y, words, 12.5)
        x += width
    words = "On loopback there is no NIC: the receiver's copy takes the place of its DMA, on both paths alike."
    canvas.text(12, y + 25, words, 12.5, color=style.GREY)
