"""Bytes drawn and labelled: every byte a cell, coloured by its field, with a table of the fields beside it.

`draw_batch` shows a batch's header and its first record, `draw_index` the first entries of an offset index, and
`draw_response` a Fetch response with the slice of a file in it. What the fields are comes from `kfast.lab.byte_fields`
and `kfast.lab.response_fields`; here they only get places and colours. A field's first cell carries its position, so
that nobody depends on the colours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.colors import to_rgb

from kfast.file_slice import FileSlice
from kfast.lab.byte_fields import ByteField, Part, batch_fields, index_fields
from kfast.lab.response_fields import frame_of, response_fields
from kfast.log.segment import LogSegment
from kfast.record.batch import RecordBatch
from kfast.record.layout import ATTRIBUTES_POSITION, HEADER_SIZE
from kfast.viz import style
from kfast.viz.pixel_canvas import MONOSPACE, PixelCanvas
from kfast.viz.shown_figure import ShownFigure

WIDTH_PX = 900
BYTES_A_ROW = 16
RECORD_BYTES_SHOWN = 51  # with the header's 61 these are seven full rows
ROWS_SHOWN = 11  # of a response: as high as the table of its fields
LAST_ROWS_SHOWN = 2

CELL_WIDTH, CELL_HEIGHT = 27, 40
CELLS_X, TABLE_X = 40, 500
ROW_HEIGHT = 21
TOP = 66
LEGEND_HEIGHT = 96
RESPONSE_LEGEND_HEIGHT = 70

FIELD_COLORS = (style.SKY_BLUE, style.ORANGE, style.BLUISH_GREEN, style.REDDISH_PURPLE)
TINT = 0.5
RECORD_COLORS = ("#D5D9DD", "#EAECEF")
NUMBER_COLOR = "#33373B"


def draw_batch(batch: RecordBatch) -> ShownFigure:
    """A batch's header and its first record byte by byte; what the broker stamps is outlined."""
    fields = batch_fields(batch)
    data = _from_start(bytes(batch.buffer[: HEADER_SIZE + RECORD_BYTES_SHOWN]))  # a hundred bytes for a picture
    stamped = sum(field.size for field in fields if field.is_stamped)
    title = (
        f"A batch of {batch.count} records in {batch.size_bytes} bytes: the broker goes by the first {HEADER_SIZE};",
        f"the {stamped} that it stamps lie before byte {ATTRIBUTES_POSITION}, where the checksum begins",
    )
    canvas = _draw(title, fields, data, LEGEND_HEIGHT)
    _draw_legend(canvas, TOP + _row_count(data) * CELL_HEIGHT + 24)
    return ShownFigure(canvas.figure, " ".join(title) + ".", _in_words(fields))


def draw_index(segment: LogSegment, entry_count: int = 4) -> ShownFigure:
    """The first entries of a segment's offset index byte by byte."""
    index = segment.offset_index
    fields = index_fields(segment, entry_count)
    with Path(index.path).open("rb") as file:
        data = _from_start(file.read(len(fields) // 2 * index.ENTRY_SIZE))
    title = (
        f"An index entry is {index.ENTRY_SIZE} bytes: the last offset of a batch, and where that batch begins;",
        f"{len(index)} of them lead into the {segment.size_bytes:,} bytes of {Path(segment.records.path).name}",
    )
    canvas = _draw(title, fields, data, 0)
    return ShownFigure(canvas.figure, " ".join(title) + ".", _in_words(fields))


def draw_response(chunks: Sequence[bytes | FileSlice]) -> ShownFigure:
    """A Fetch response byte by byte, with the slice of a file in it underlined; of a long one its beginning and end."""
    fields = response_fields(chunks)
    slices = [chunk for chunk in chunks if isinstance(chunk, FileSlice)]
    sliced, total = sum(map(len, slices)), sum(map(len, chunks))
    names = " and ".join(dict.fromkeys(Path(one.file.path).name for one in slices)) or "no file"
    title = (
        f"A fetch of {total:,} bytes: the broker makes {total - sliced:,} of them and knows the size of the others,",
        f"{sliced:,} bytes of {names} that go by sendfile",
    )
    data = _both_ends(frame_of(chunks))
    canvas = _draw(title, fields, data, RESPONSE_LEGEND_HEIGHT)
    _draw_response_legend(canvas, TOP + _row_count(data) * CELL_HEIGHT + 24)
    return ShownFigure(canvas.figure, " ".join(title) + ".", _in_words(fields))


Shown = Mapping[int, int]
"""The bytes of a picture, by their positions, in order."""


def _from_start(data: bytes) -> Shown:
    return dict(enumerate(data))


def _both_ends(data: bytes) -> Shown:
    """All of it, or rows from its beginning and from its end."""
    rows = -(-len(data) // BYTES_A_ROW)
    hidden = range(0) if rows <= ROWS_SHOWN else range(ROWS_SHOWN - LAST_ROWS_SHOWN - 1, rows - LAST_ROWS_SHOWN)
    return {position: byte for position, byte in enumerate(data) if position // BYTES_A_ROW not in hidden}


def _places(data: Shown) -> dict[int, int]:
    """In which row of the picture each row of the bytes lies; where some are left out, an empty one tells of it."""
    places: dict[int, int] = {}
    last_row, place = -1, -1
    for row in dict.fromkeys(position // BYTES_A_ROW for position in data):
        place += 1 if row == last_row + 1 else 2
        places[row], last_row = place, row
    return places


def _row_count(data: Shown) -> int:
    return max(_places(data).values(), default=-1) + 1


def _draw(title: Sequence[str], fields: Sequence[ByteField], data: Shown, legend_height: int) -> PixelCanvas:
    cells_height = _row_count(data) * CELL_HEIGHT + legend_height
    canvas = PixelCanvas(WIDTH_PX, TOP + max(cells_height, len(fields) * ROW_HEIGHT) + 14)
    for line, words in enumerate(title):
        canvas.text(12, 20 + 21 * line, words, 15, weight="bold")
    places, last_row = _places(data), -1
    for row, place in places.items():
        canvas.text(CELLS_X - 8, TOP + place * CELL_HEIGHT + 23, str(row * BYTES_A_ROW), 12, "right", color=style.GREY)
        if left_out := (row - last_row - 1) * BYTES_A_ROW:
            canvas.text(CELLS_X, TOP + place * CELL_HEIGHT - 18, f"... {left_out:,} bytes ...", 12, color=style.GREY)
        last_row = row
    for number, field in enumerate(fields):
        color = _color(field, number)
        _draw_cells(canvas, field, data, places, color)
        _draw_table_row(canvas, field, TOP + (number + 0.5) * ROW_HEIGHT, color)
    return canvas


def _draw_cells(canvas: PixelCanvas, field: ByteField, data: Shown, places: Mapping[int, int], color: object) -> None:
    for position in (one for one in data if field.position <= one < field.position + field.size):
        x, y = _corner(position, places)
        canvas.box(x + 0.5, y + 2, CELL_WIDTH - 1, CELL_HEIGHT - 6, color)
        if field.is_checked or field.part is Part.SLICE:
            canvas.box(x, y + CELL_HEIGHT - 4, CELL_WIDTH, 2.5, style.BLUE if field.part is Part.SLICE else style.GREY)
        canvas.text(x + CELL_WIDTH / 2, y + 24, f"{data[position]:02x}", 13, "center", family=MONOSPACE)
        if position == field.position:
            canvas.text(x + 3, y + 9.5, str(position), 9.5, color=NUMBER_COLOR)
    if field.is_stamped:
        x, y = _corner(field.position, places)
        canvas.frame(x + 1, y + 2, field.size * CELL_WIDTH - 2, CELL_HEIGHT - 5, style.BLACK)


def _corner(position: int, places: Mapping[int, int]) -> tuple[int, int]:
    row, column = divmod(position, BYTES_A_ROW)
    return CELLS_X + column * CELL_WIDTH, TOP + places[row] * CELL_HEIGHT


def _draw_table_row(canvas: PixelCanvas, field: ByteField, y: float, color: object) -> None:
    canvas.box(TABLE_X, y - 7, 14, 14, color)
    if field.is_stamped:
        canvas.frame(TABLE_X, y - 7, 14, 14, style.BLACK)
    canvas.text(TABLE_X + 46, y, str(field.position), 12, "right", family=MONOSPACE)
    canvas.text(TABLE_X + 56, y, field.name, 12.5)
    canvas.text(TABLE_X + 212, y, field.value, 12.5)


def _draw_legend(canvas: PixelCanvas, y: float) -> None:
    canvas.frame(CELLS_X, y - 9, 24, 18, style.BLACK)
    canvas.text(CELLS_X + 34, y, "stamped by the broker into the producer's bytes", 12.5)
    canvas.box(CELLS_X, y + 25, 24, 2.5, style.GREY)
    canvas.text(CELLS_X + 34, y + 26, "covered by the checksum (CRC-32C)", 12.5)
    for number, color in enumerate(RECORD_COLORS):
        canvas.box(CELLS_X + 12 * number, y + 43, 12, 18, color)
    canvas.text(CELLS_X + 34, y + 52, "records: written by the producer, for the consumer alone", 12.5)


def _draw_response_legend(canvas: PixelCanvas, y: float) -> None:
    canvas.box(CELLS_X, y - 1, 24, 2.5, style.BLUE)
    canvas.text(CELLS_X + 34, y, "a slice of the file, handed to the kernel by its place", 12.5)
    for number, color in enumerate(FIELD_COLORS[:2]):
        canvas.box(CELLS_X + 12 * number, y + 17, 12, 18, _tinted(color))
    canvas.text(CELLS_X + 34, y + 26, "what the broker makes anew for each fetch", 12.5)


def _color(field: ByteField, number: int) -> object:
    if field.part in (Part.RECORDS, Part.SLICE):
        return RECORD_COLORS[number % len(RECORD_COLORS)]
    return _tinted(FIELD_COLORS[number % len(FIELD_COLORS)])


def _tinted(color: str) -> object:
    return tuple(1 - TINT * (1 - part) for part in to_rgb(color))


def _in_words(fields: Sequence[ByteField]) -> str:
    words = (
        f"{field.position} {field.name} {field.value}" + (", stamped by the broker" if field.is_stamped else "")
        for field in fields
    )
    return f"Byte by byte: {'; '.join(words)}."
