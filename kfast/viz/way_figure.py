"""The picture of the data's way: stations as boxes, hops as arrows as thick as the bytes a second that took them.

`WayFigure.show(way)` moves the arrows and the figures beside them; what the hops are, and who measured them, comes from
`kfast.lab.data_way`. Texts stand above and below the boxes, never inside the gap that an arrow may fill, so nothing
overlaps at any thickness.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.patches import FancyBboxPatch, Polygon, Rectangle
from matplotlib.text import Text

from kfast.lab.data_way import DataWay, Hop, Mover, Station, copies_by_cpu
from kfast.lab.unavailable import Unavailable
from kfast.viz import style

WIDTH_PX, HEIGHT_PX = 800, 504
MAX_THICKNESS_PX = 34.0
MIN_THICKNESS_PX = 2.0
HEAD_PX = 13.0
MIN_SCALE_BYTES_PER_S = 1e8

MOVER_COLORS = {
    Mover.CPU: style.CPU_COLOR,
    Mover.DMA: style.DMA_COLOR,
    Mover.REFERENCE: style.BLACK,
    Mover.NOBODY: style.GREY,
}
INFERRED_FILL = "#D9DCE0"
SKIPPED_COLOR = "#D0D4D8"
SKIPPED_TEXT_COLOR = "#767B80"

BOX_WIDTH, BOX_HEIGHT = 120, 48
WRITE_Y, READ_Y, APPLICATION_Y = 385, 203, 106
LINE_PX = 19
TEXT_PX, SMALL_TEXT_PX, TITLE_PX = 15, 14.5, 16
ARROW_SIDE_PX = 28  # half of the thickest arrow with its head, and a little air


@dataclass(frozen=True, slots=True)
class Place:
    """Where a hop's arrow runs, and where its three lines of text stand (the first at `text_y`, the others below)."""

    start: tuple[float, float]
    end: tuple[float, float]
    text_x: float
    text_y: float
    alignment: str = "center"


_WRITE_X = {Station.PRODUCER: 72, Station.APPLICATION: 291, Station.PAGE_CACHE: 509, Station.DISK: 728}
_READ_X = {Station.DISK: 72, Station.PAGE_CACHE: 258, Station.SOCKET_BUFFER: 542, Station.RECEIVER: 728}
_NAMES = {
    Station.PRODUCER: "producer",
    Station.APPLICATION: "broker\n(application)",
    Station.PAGE_CACHE: "page cache",
    Station.DISK: "disk",
    Station.SOCKET_BUFFER: "socket buffer",
    Station.RECEIVER: "receiver\n(consumer)",
}


def _right_of(x: float) -> float:
    return x + BOX_WIDTH / 2 + 3


def _left_of(x: float) -> float:
    return x - BOX_WIDTH / 2 - 3


def _across(columns: dict[Station, int], source: Station, target: Station, y: float, text_x: float) -> Place:
    start, end = (_right_of(columns[source]), y), (_left_of(columns[target]), y)
    return Place(start, end, text_x, y + BOX_HEIGHT / 2 + 11 + 2 * LINE_PX)


def _places() -> dict[str, Place]:
    write, read, edge = _WRITE_X, _READ_X, BOX_HEIGHT / 2 + 3
    cache_x, socket_x = read[Station.PAGE_CACHE], read[Station.SOCKET_BUFFER]
    beside_y = (READ_Y + APPLICATION_Y) / 2 + 4
    first = _across(read, Station.DISK, Station.PAGE_CACHE, READ_Y, 132)
    last = _across(read, Station.SOCKET_BUFFER, Station.RECEIVER, READ_Y, 668)
    return {
        "1.1": _across(write, Station.PRODUCER, Station.APPLICATION, WRITE_Y, 181),
        "1.2": _across(write, Station.APPLICATION, Station.PAGE_CACHE, WRITE_Y, 400),
        "1.3": _across(write, Station.PAGE_CACHE, Station.DISK, WRITE_Y, 619),
        "2.1": first,
        "3.1": first,
        "2.2": Place(
            (cache_x, READ_Y - edge), (cache_x, APPLICATION_Y + edge), cache_x - ARROW_SIDE_PX - 8, beside_y, "right"
        ),
        "2.3": Place(
            (socket_x, APPLICATION_Y + edge), (socket_x, READ_Y - edge), socket_x + ARROW_SIDE_PX + 8, beside_y, "left"
        ),
        "3.2": _across(read, Station.PAGE_CACHE, Station.SOCKET_BUFFER, READ_Y, 400),
        "2.5": last,
        "3.3": last,
    }


PLACES = _places()


class WayFigure:
    """The picture; `moving` are the artists that change with every sample."""

    def __init__(self) -> None:
        with style.context():
            self.figure = style.new_figure(WIDTH_PX, HEIGHT_PX)
            self._axes = self.figure.add_axes((0, 0, 1, 1))
            self._axes.set(xlim=(0, WIDTH_PX), ylim=(0, HEIGHT_PX))
            self._axes.set_axis_off()
            self._draw_background()
            slots = ("1.1", "1.2", "1.3", "2.1", "2.2", "2.3", "3.2", "2.5")
            self._arrows = {slot: self._arrow() for slot in slots}
            self._texts = {slot: self._lines_of_text(PLACES[slot]) for slot in slots}
            self._durability = self._text(WIDTH_PX - 12, WRITE_Y - BOX_HEIGHT / 2 - 18, "", TEXT_PX - 0.5, "right")
            self._read_title = self._text(12, READ_Y + 103, "", TITLE_PX, weight="bold")
            self._scale_text = self._text(64, 47, "", TEXT_PX)
            self._scale_bytes_per_s = MIN_SCALE_BYTES_PER_S

    def moving(self) -> Sequence[Artist]:
        rates = [lines[0] for lines in self._texts.values()]
        return [*self._arrows.values(), *rates, self._durability, self._scale_text]

    def show(self, way: DataWay) -> bool:
        """Set arrows and texts to `way`; True when a text of the background changed, as with the copy mode."""
        peak = max(_known(hop) for hop in way.hops)
        self._scale_bytes_per_s = _scale_for(peak, self._scale_bytes_per_s)
        before = self._background_words()
        for slot, hop in zip(self._arrows, way.hops, strict=True):
            self._show_arrow(self._arrows[slot], PLACES[slot], hop)
            self._show_text(self._texts[slot], hop)
        self._durability.set_text(_durability_text(way))
        self._read_title.set_text(_read_title(way))
        self._scale_text.set_text(f"= {rate_text(self._scale_bytes_per_s)}")
        return self._background_words() != before

    def _background_words(self) -> list[str]:
        # A text costs 1.5 ms to draw, an arrow next to nothing: what changes with the copy mode alone is not blitted.
        return [text.get_text() for lines in self._texts.values() for text in lines[1:]] + [self._read_title.get_text()]

    def thickness_px(self, bytes_per_s: float) -> float:
        """How thick an arrow of that rate is drawn."""
        share = min(1.0, bytes_per_s / self._scale_bytes_per_s)
        return max(MIN_THICKNESS_PX, share * MAX_THICKNESS_PX)

    def _show_arrow(self, arrow: Polygon, place: Place, hop: Hop) -> None:
        arrow.set_xy(_arrow_outline(place.start, place.end, self.thickness_px(_known(hop))))
        color = SKIPPED_COLOR if hop.is_skipped else MOVER_COLORS[hop.mover]
        is_dashed = hop.is_inferred and not hop.is_skipped
        arrow.set_edgecolor(color)
        arrow.set_facecolor(INFERRED_FILL if is_dashed else color)
        arrow.set_linestyle((0, (3, 2)) if is_dashed else "-")
        arrow.set_linewidth(1.4 if is_dashed else 0.6)

    def _show_text(self, lines: list[Text], hop: Hop) -> None:
        for text, words in zip(lines, hop_lines(hop), strict=True):
            text.set_text(words)
            text.set_color(SKIPPED_TEXT_COLOR if hop.is_skipped else style.BLACK)

    def _draw_background(self) -> None:
        self._text(12, HEIGHT_PX - 14, "Write path: producer to disk", TITLE_PX, weight="bold")
        for columns, y in ((_WRITE_X, WRITE_Y), (_READ_X, READ_Y)):
            for station, x in columns.items():
                self._box(x, y, _NAMES[station])
        middle_x = (_READ_X[Station.PAGE_CACHE] + _READ_X[Station.SOCKET_BUFFER]) / 2
        width = _READ_X[Station.SOCKET_BUFFER] - _READ_X[Station.PAGE_CACHE] + 2 * ARROW_SIDE_PX
        self._box(middle_x, APPLICATION_Y, "broker (application)", width)
        self._draw_legend()

    def _draw_legend(self) -> None:
        axes = self._axes
        axes.add_patch(Rectangle((12, 47 - MAX_THICKNESS_PX / 2), 44, MAX_THICKNESS_PX, color=style.GREY, lw=0))
        x = 212
        for name, color, is_dashed in (
            ("CPU copy", style.CPU_COLOR, False),
            ("DMA", style.DMA_COLOR, False),
            ("inferred", style.BLACK, True),
            ("skipped", SKIPPED_COLOR, False),
        ):
            axes.plot([x, x + 30], [47, 47], color=color, lw=1.6 if is_dashed else 6, ls="--" if is_dashed else "-")
            self._text(x + 37, 47, name, TEXT_PX)
            x += 148
        sources = "measured by broker, client: their own counters; device: /proc/diskstats, the whole device"
        self._text(12, 13, sources, SMALL_TEXT_PX, color=style.GREY)

    def _box(self, x: float, y: float, name: str, width: float = BOX_WIDTH) -> None:
        corner = (x - width / 2, y - BOX_HEIGHT / 2)
        shape = "round,pad=0,rounding_size=6"
        self._axes.add_patch(
            FancyBboxPatch(corner, width, BOX_HEIGHT, boxstyle=shape, facecolor="#F3F5F7", edgecolor=style.GREY, lw=1.2)
        )
        self._text(x, y, name, TEXT_PX, "center")

    def _lines_of_text(self, place: Place) -> list[Text]:
        first = self._text(place.text_x, place.text_y, "", TEXT_PX, place.alignment, weight="bold")
        return [
            first,
            *(
                self._text(place.text_x, place.text_y - line * LINE_PX, "", SMALL_TEXT_PX, place.alignment)
                for line in (1, 2)
            ),
        ]

    def _text(
        self,
        x: float,
        y: float,
        words: str,
        size_px: float,
        alignment: str = "left",
        weight: str = "normal",
        color: str = style.BLACK,
    ) -> Text:
        return self._axes.text(
            x, y, words, fontsize=size_px * 72 / style.DPI, ha=alignment, va="center", weight=weight, color=color
        )

    def _arrow(self) -> Polygon:
        arrow = Polygon([(0, 0), (1, 0), (0, 1)], closed=True)
        self._axes.add_patch(arrow)
        return arrow


def hop_lines(hop: Hop) -> tuple[str, str, str]:
    """What stands beside an arrow: number and rate, who moves the bytes, who measured it."""
    if hop.is_skipped:
        return f"{hop.number}  skipped", hop.by, ""
    by = hop.by if hop.mover is Mover.NOBODY or "CPU" in hop.by else f"{hop.mover.value}, {hop.by}"
    if isinstance(hop.bytes_per_s, Unavailable):
        return f"{hop.number}  not measured", by, "no counter here"
    source = "inferred, see notebook 02" if hop.is_inferred else f"measured: {hop.measured_by}"
    return f"{hop.number}  {rate_text(hop.bytes_per_s)}", by, source


def _known(hop: Hop) -> float:
    return 0.0 if isinstance(hop.bytes_per_s, Unavailable) else hop.bytes_per_s


def rate_text(bytes_per_s: float) -> str:
    """Bytes per second as people read them: 0 MB/s, 4.2 MB/s, 1,234 MB/s."""
    megabytes = bytes_per_s / 1e6
    return f"{megabytes:,.1f} MB/s" if 0.05 <= megabytes < 10 else f"{megabytes:,.0f} MB/s"


def _durability_text(way: DataWay) -> str:
    dirty = "unknown" if isinstance(way.dirty_bytes, Unavailable) else f"{way.dirty_bytes / 1e6:,.0f} MB"
    return (
        f"acknowledged, not yet flushed: {way.unflushed_bytes / 1e6:,.0f} MB of this log"
        f"  |  dirty pages of the machine: {dirty}"
    )


def _read_title(way: DataWay) -> str:
    copied = ("no byte", "each byte once", "each byte twice", "each byte 3 times")[copies_by_cpu(way)]
    return f"Read path, {style.mode_label(way.copy_mode)}: the CPU copies {copied} (loopback, no NIC)"


def _scale_for(peak: float, current: float) -> float:
    """The rate of the thickest arrow: 1, 2 or 5 times a power of ten, kept until it is far too large."""
    if current / 8 < peak <= current:
        return current
    scale = MIN_SCALE_BYTES_PER_S
    steps = itertools.cycle((2.0, 2.5, 2.0))
    while scale < peak:
        scale *= next(steps)
    return scale


def _arrow_outline(start: tuple[float, float], end: tuple[float, float], thickness: float) -> list[tuple[float, float]]:
    """An arrow along one axis as a polygon: shaft of the given thickness, then a head a little wider."""
    length = abs(end[0] - start[0]) + abs(end[1] - start[1])
    unit_x, unit_y = (end[0] - start[0]) / length, (end[1] - start[1]) / length
    shaft, half, head = length - HEAD_PX, thickness / 2, thickness / 2 + 5
    outline = [(0, half), (shaft, half), (shaft, head), (length, 0), (shaft, -head), (shaft, -half), (0, -half)]
    return [
        (start[0] + along * unit_x - aside * unit_y, start[1] + along * unit_y + aside * unit_x)
        for along, aside in outline
    ]
