"""How a fetch finds its position, drawn: the segment by its name, the entry in its index, the headers from there on.

`draw_lookup` shows the way to one offset, to scale: every batch of the segment, every index entry, and below them the
stretch that is scanned, with headers and records told apart. `draw_costs` shows what every offset's look-up reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from kfast.lab.offset_lookup import LookupCosts, OffsetLookup
from kfast.log.log import Log
from kfast.log.results import BatchPosition
from kfast.record.layout import HEADER_SIZE
from kfast.viz import style
from kfast.viz.pixel_canvas import MONOSPACE, PixelCanvas
from kfast.viz.shown_figure import ShownFigure

WIDTH_PX, HEIGHT_PX = 900, 510
LEFT, RIGHT = 14, 886

FILES_Y, FILE_HEIGHT = 82, 30
INDEX_Y, SEGMENT_Y, SEGMENT_HEIGHT = 190, 226, 34
SCAN_Y, SCAN_HEIGHT = 362, 58
SLICE_Y, SLICE_TEXT_WIDTH = 446, 600

BATCH_COLORS = ("#CDE9F8", "#A3D5F1")
FILE_COLOR = "#EAECEF"
READ_COLOR = style.VERMILLION
UNREAD_COLOR = "#8A9096"
FOUND_COLOR = style.BLUISH_GREEN
UNINDEXED_TEXT_COLOR = "#8F6200"  # the orange of its line, dark enough to read
MIN_LABEL_PX = 8.2
"""Width of a digit: a label that does not fit into its batch is left out."""

Place = Callable[[float], float]


def draw_lookup(log: Log, lookup: OffsetLookup) -> ShownFigure:
    """The way from an offset to the `FileSlice` that answers a fetch."""
    canvas = PixelCanvas(WIDTH_PX, HEIGHT_PX)
    canvas.text(LEFT, 20, lookup.sentence(), 15, weight="bold")
    _draw_files(canvas, log, lookup)
    batches = list(lookup.segment.records.headers())
    _draw_segment(canvas, lookup, batches)
    _draw_scan(canvas, lookup, batches)
    return ShownFigure(canvas.figure, lookup.sentence() + ".", _in_words(log, lookup))


def _draw_files(canvas: PixelCanvas, log: Log, lookup: OffsetLookup) -> None:
    """The segments' files side by side, and from the chosen one a wedge to its batches below."""
    _step(canvas, FILES_Y - 20, "1", f"the file whose name is the largest offset not above {lookup.offset}")
    gap = 6
    unit = (RIGHT - LEFT - gap * (len(log.segments) - 1)) / max(1, log.size_bytes)
    x = float(LEFT)
    for number, segment in enumerate(log.segments):
        width = segment.size_bytes * unit
        is_chosen = number == lookup.segment_number
        if is_chosen:
            bottom, top = FILES_Y + FILE_HEIGHT, SEGMENT_Y - 78
            canvas.polygon([(x, bottom), (x + width, bottom), (RIGHT, top), (LEFT, top)], "#F3F5F7")
        canvas.box(x, FILES_Y, width, FILE_HEIGHT, BATCH_COLORS[0] if is_chosen else FILE_COLOR)
        if is_chosen:
            canvas.frame(x, FILES_Y, width, FILE_HEIGHT, READ_COLOR)
        name = Path(segment.records.path).name
        label = next((text for text in (name, str(segment.base_offset)) if len(text) * MIN_LABEL_PX < width), "")
        canvas.text(x + width / 2, FILES_Y + FILE_HEIGHT / 2, label, 12.5, "center", family=MONOSPACE)
        x += width + gap


def _draw_segment(canvas: PixelCanvas, lookup: OffsetLookup, batches: Sequence[BatchPosition]) -> None:
    """All batches of the segment, to scale, under the entries of its offset index."""
    place = _scale(0, lookup.segment.size_bytes)
    index = lookup.segment.offset_index
    found = f"offset {lookup.index_entry.offset} at position {lookup.index_entry.position:,}"
    if lookup.index_entry.position == 0:
        found = "none is that low, so the scan begins at position 0"
    _step(canvas, INDEX_Y - 26, "2", f"the largest not above it of {len(index)} entries in the index: {found}")
    for number, batch in enumerate(batches):
        _box_between(canvas, place, batch, SEGMENT_Y, SEGMENT_HEIGHT, BATCH_COLORS[number % 2])
    for number in range(len(index)):
        position = index.entry(number).position
        _draw_entry(canvas, place(position), is_chosen=False)
    _draw_entry(canvas, place(lookup.index_entry.position), is_chosen=True)
    x, end = place(lookup.position), place(lookup.records.position + len(lookup.records))
    canvas.frame(x, SEGMENT_Y, end - x, SEGMENT_HEIGHT, FOUND_COLOR, 3)
    start, stop = _scanned_range(lookup, batches)
    top, bottom = SEGMENT_Y + SEGMENT_HEIGHT + 4, SCAN_Y - 48
    wedge = [(place(start), top), (place(stop), top), (RIGHT, bottom), (LEFT, bottom)]
    canvas.polygon(wedge, "#F3F5F7")


def _draw_entry(canvas: PixelCanvas, x: float, *, is_chosen: bool) -> None:
    color, half = (READ_COLOR, 6) if is_chosen else (UNREAD_COLOR, 4)
    canvas.line(x, INDEX_Y + 8, x, SEGMENT_Y + (SEGMENT_HEIGHT if is_chosen else 0), color, 2.5 if is_chosen else 1.2)
    canvas.polygon([(x - half, INDEX_Y), (x + half, INDEX_Y), (x, INDEX_Y + 2 * half)], color)


def _draw_scan(canvas: PixelCanvas, lookup: OffsetLookup, batches: Sequence[BatchPosition]) -> None:
    """The stretch from the index entry on, enlarged: which headers were read, and where the slice begins."""
    start, end = _scanned_range(lookup, batches)
    place = _scale(start, end)
    read = len(lookup.headers)
    _step(canvas, SCAN_Y - 32, "3", f"headers from there on until a batch holds {lookup.offset}: {read} read, to scale")
    shown = [batch for batch in batches if start <= batch.position < end]
    for number, batch in enumerate(shown):
        _box_between(canvas, place, batch, SCAN_Y, SCAN_HEIGHT, BATCH_COLORS[number % 2])
        x, width = place(batch.position), place(batch.position + HEADER_SIZE) - place(batch.position)
        canvas.box(x, SCAN_Y, width, SCAN_HEIGHT, READ_COLOR if number < read else UNREAD_COLOR)
        room = place(batch.position + batch.size_bytes) - x - width
        for line, label in enumerate((f"{batch.base_offset}", f"..{batch.last_offset}")):
            if len(label) * MIN_LABEL_PX < room:
                canvas.text(x + width + 4, SCAN_Y + 19 + 20 * line, label, 12.5, family=MONOSPACE)
    for before, after in pairwise(lookup.headers):
        x, to_x = place(before.position) + 6, place(after.position) + 4
        canvas.line(x, SCAN_Y, x, SCAN_Y - 9, READ_COLOR, 1.6)
        canvas.arrow(x, SCAN_Y - 9, to_x, SCAN_Y - 9, READ_COLOR, 1.6)
    _draw_slice(canvas, lookup, place(lookup.position), place(min(end, lookup.position + len(lookup.records))))
    _draw_legend(canvas)


def _draw_slice(canvas: PixelCanvas, lookup: OffsetLookup, x: float, end: float) -> None:
    found = lookup.headers[-1]
    canvas.frame(x, SCAN_Y, end - x, SCAN_HEIGHT, FOUND_COLOR, 3)
    canvas.line(x + 1.5, SCAN_Y + SCAN_HEIGHT, x + 1.5, SLICE_Y - 12, FOUND_COLOR, 3)
    words = f"FileSlice: {len(lookup.records):,} bytes from position {found.position:,} on, not a record looked at"
    canvas.text(min(x, RIGHT - SLICE_TEXT_WIDTH), SLICE_Y, words, 13.5, weight="bold")


def _draw_legend(canvas: PixelCanvas) -> None:
    y = HEIGHT_PX - 20
    x = float(LEFT)
    for color, words in (
        (READ_COLOR, "header, read"),
        (UNREAD_COLOR, "header, not read"),
        (BATCH_COLORS[1], "records, not looked at"),
    ):
        canvas.box(x, y - 8, 16, 16, color)
        canvas.text(x + 24, y, words, 12.5)
        x += 178
    canvas.frame(x, y - 8, 16, 16, FOUND_COLOR, 3)
    canvas.text(x + 24, y, "what the fetch sends; numbers are offsets", 12.5)


def _scanned_range(lookup: OffsetLookup, batches: Sequence[BatchPosition]) -> tuple[int, int]:
    """From the index entry's batch to the next entry's, or to the end; at least the batch that was found."""
    start = lookup.index_entry.position
    index = lookup.segment.offset_index
    entries = (index.entry(number).position for number in range(len(index)))
    found_end = lookup.position + lookup.headers[-1].size_bytes
    return start, max(found_end, next((position for position in entries if position > start), batches[-1].position))


def _scale(start: int, end: int) -> Place:
    unit = (RIGHT - LEFT) / max(1, end - start)
    return lambda position: LEFT + (position - start) * unit


def _box_between(canvas: PixelCanvas, place: Place, batch: BatchPosition, y: float, height: float, color: str) -> None:
    x = place(batch.position)
    canvas.box(x, y, place(batch.position + batch.size_bytes) - x, height, color)


def _step(canvas: PixelCanvas, y: float, number: str, words: str) -> None:
    canvas.text(LEFT, y, number, 15, weight="bold", color=READ_COLOR)
    canvas.text(LEFT + 18, y, words, 13.5)


def _in_words(log: Log, lookup: OffsetLookup) -> str:
    ranges = ", ".join(f"{header.base_offset}..{header.last_offset}" for header in lookup.headers)
    return (
        f"Segment {lookup.segment_number + 1} of {len(log.segments)}. "
        f"The index leads to position {lookup.index_entry.position:,}. "
        f"The headers of the batches {ranges} are read. "
        f"The answer is {lookup.records!r}."
    )


def draw_costs(costs: LookupCosts) -> ShownFigure:
    """Headers read for every offset, with the index and without it."""
    figure = style.new_figure(WIDTH_PX, 330)
    with style.context():
        axes = figure.subplots()
        figure.subplots_adjust(left=0.07, right=0.972, top=0.87, bottom=0.15)
        offsets = range(len(costs.with_index))
        axes.plot(offsets, costs.without_index, color=style.ORANGE, ls="--", drawstyle="steps-post")
        axes.plot(offsets, costs.with_index, color=style.BLUISH_GREEN, drawstyle="steps-post")
        for base_offset in costs.base_offsets[1:]:
            axes.axvline(base_offset, color=style.GREY, lw=1, ls=":")
        top = costs.most_without_index
        label: Any = {"transform": axes.transAxes, "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1.5}}
        axes.text(0.012, 0.93, "without the index: from the start of the segment", color=UNINDEXED_TEXT_COLOR, **label)
        axes.text(0.012, 0.84, "with the index", color=style.BLUISH_GREEN, **label)
        axes.text(0.988, 0.93, "dotted: a new segment begins", color=style.GREY, ha="right", **label)
        axes.set(xlim=(0, len(offsets)), ylim=(0, top * 1.32), xlabel="offset", ylabel="headers read")
        axes.set_title(costs.sentence(), weight="bold")
    return ShownFigure(figure, costs.sentence() + ".", "Headers read over offset, for each offset of the log.")
