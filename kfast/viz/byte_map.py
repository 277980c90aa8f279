"""Bytes drawn and labelled: a record batch, a segment with its offset index, and how a fetch finds its position.

The figures read real files through the same classes as the broker; nothing here knows the format by itself.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from kfast.log.segment import LogSegment
from kfast.record.batch import RecordBatch
from kfast.record.layout import ATTRIBUTES_POSITION, FIELDS, HEADER_SIZE
from kfast.viz import style

BYTES_A_ROW = 16
STAMPED = {"base_offset", "partition_leader_epoch"}
_FIELD_COLORS = (style.SKY_BLUE, style.ORANGE, style.BLUISH_GREEN, style.REDDISH_PURPLE)


def draw_batch(batch: RecordBatch, record_bytes: int = 35) -> Figure:
    """Every byte of the header as a cell, coloured by field, and the first `record_bytes` of the records."""
    data = bytes(batch.buffer[: HEADER_SIZE + record_bytes])  # a hundred bytes for a picture
    fields = [*_header_fields(batch), ("records", HEADER_SIZE, len(data) - HEADER_SIZE, _records_text(batch))]
    row_count = -(-len(data) // BYTES_A_ROW)
    figure = style.new_figure(980, 120 + 30 * max(row_count, len(fields)))
    with style.context():
        cells, names = figure.subplots(1, 2, width_ratios=(1.15, 1))
    figure.subplots_adjust(left=0.05, right=0.99, top=0.86, bottom=0.02, wspace=0.04)
    figure.suptitle(
        f"A batch of {batch.count} records is {batch.size_bytes} bytes; the broker writes the two outlined fields,\n"
        f"which lie before byte {ATTRIBUTES_POSITION}, where the checksum begins",
        x=0.01,
        ha="left",
        fontsize=12,
    )
    for number, (name, start, size, text) in enumerate(fields):
        color = style.LIGHT_GREY if name == "records" else _FIELD_COLORS[number % len(_FIELD_COLORS)]
        for position in range(start, start + size):
            _draw_cell(cells, position, data[position], color, is_outlined=name in STAMPED)
        names.add_patch(Rectangle((0, number + 0.12), 0.05, 0.76, facecolor=color, edgecolor="none"))
        names.text(0.08, number + 0.5, f"{start:>3}", va="center", family="DejaVu Sans Mono", fontsize=10)
        names.text(0.17, number + 0.5, name, va="center", fontsize=10.5)
        names.text(0.62, number + 0.5, text, va="center", fontsize=10.5)
    _frame(cells, BYTES_A_ROW, row_count)
    _frame(names, 1.3, len(fields))
    for row in range(row_count):
        cells.text(-0.3, row + 0.5, str(row * BYTES_A_ROW), ha="right", va="center", fontsize=9.5, color=style.GREY)
    return figure


def draw_segment(segment: LogSegment, fetch_offset: int | None = None) -> Figure:
    """The batches of a segment as blocks in the order they lie in the file, with the offset index above them.

    With `fetch_offset` also the steps of a fetch: the index entry at or below it, the scan of headers, the slice.
    """
    batches = list(segment.records.headers())
    figure = style.new_figure(980, 330)
    with style.context():
        axes = figure.subplots()
    figure.subplots_adjust(left=0.02, right=0.98, top=0.80, bottom=0.17)
    for number, batch in enumerate(batches):
        color = style.SKY_BLUE if number % 2 else "#BFE3F5"
        axes.add_patch(
            Rectangle((batch.position, 0), batch.size_bytes, 1, facecolor=color, edgecolor="white", linewidth=0.4)
        )
    for entry_number in range(len(segment.offset_index)):
        entry = segment.offset_index.entry(entry_number)
        axes.plot([entry.position, entry.position], [1, 1.5], color=style.GREY, linewidth=0.8)
        axes.plot([entry.position], [1.5], marker="v", color=style.GREY, markersize=4)
    axes.text(0, 1.62, "offset index: one entry for each few KiB", fontsize=10, color=style.GREY)
    title = (
        f"{len(batches)} batches in {segment.size_bytes:,} bytes, {len(segment.offset_index)} index entries "
        f"of {segment.offset_index.ENTRY_SIZE} bytes"
    )
    if fetch_offset is not None:
        title = _draw_fetch(axes, segment, batches, fetch_offset)
    axes.set(xlim=(0, segment.size_bytes), ylim=(-1.15, 2.1), yticks=[], xlabel="position in the file [bytes]")
    axes.spines["left"].set_visible(False)
    axes.grid(False)
    axes.set_title(title, pad=10)
    return figure


def _draw_fetch(axes: Axes, segment: LogSegment, batches: Sequence[object], fetch_offset: int) -> str:
    steps = lookup_steps(segment, fetch_offset)
    axes.plot([steps.index_position] * 2, [1, 1.5], color=style.VERMILLION, linewidth=2)
    axes.plot([steps.index_position], [1.5], marker="v", color=style.VERMILLION, markersize=8)
    axes.annotate(
        "",
        xy=(steps.position, -0.25),
        xytext=(steps.index_position, -0.25),
        arrowprops={"arrowstyle": "->", "color": style.VERMILLION, "linewidth": 2, "shrinkA": 0, "shrinkB": 0},
    )
    axes.add_patch(
        Rectangle(
            (steps.position, 0),
            segment.size_bytes - steps.position,
            1,
            facecolor="none",
            edgecolor=style.BLUISH_GREEN,
            linewidth=2.5,
        )
    )
    axes.text(
        0,
        -0.95,
        f"1  index: position {steps.index_position:,}      2  {steps.scanned_headers} header(s) scanned      "
        f"3  FileSlice from {steps.position:,} on, not a record read",
        fontsize=10.5,
    )
    return (
        f"Offset {fetch_offset:,} is in the batch at position {steps.position:,}: "
        f"{steps.scanned_headers} of {len(batches)} headers were read to find it"
    )


@dataclass(frozen=True, slots=True)
class LookupSteps:
    """How a segment finds an offset: where its index leads, and how many headers are scanned from there."""

    index_position: int
    position: int
    scanned_headers: int


def lookup_steps(segment: LogSegment, fetch_offset: int) -> LookupSteps:
    """Follow the look-up of `fetch_offset` step by step. Raises ValueError if the segment does not hold it."""
    found = segment.translate_offset(fetch_offset, segment.size_bytes)
    if found is None:
        raise ValueError(f"offset {fetch_offset} is not in {segment}")
    index_position = segment.offset_index.lookup(fetch_offset).position
    scanned = sum(1 for batch in segment.records.headers(index_position) if batch.position <= found[0])
    return LookupSteps(index_position, found[0], scanned)


def _header_fields(batch: RecordBatch) -> list[tuple[str, int, int, str]]:
    """(name, position, size, value as text) of each header field."""
    position, fields = 0, []
    for name, code in FIELDS:
        (value,) = struct.unpack_from(f">{code}", batch.buffer, position)
        size = struct.calcsize(f">{code}")
        fields.append((name, position, size, _field_text(batch, name, value)))
        position += size
    return fields


def _field_text(batch: RecordBatch, name: str, value: int) -> str:
    match name:
        case "batch_length":
            return f"{value} bytes follow it"
        case "crc":
            return f"{value:#010x}" + (" is right" if batch.is_valid() else " is WRONG")
        case "attributes":
            return f"{value:#06x}: {batch.compression.name.lower()}, {batch.timestamp_type.text}"
        case _:
            return f"{value}"


def _records_text(batch: RecordBatch) -> str:
    return f"{batch.size_bytes - HEADER_SIZE} bytes" + (", compressed as one" if batch.is_compressed else "")


def _draw_cell(axes: Axes, position: int, byte: int, color: str, *, is_outlined: bool) -> None:
    row, column = divmod(position, BYTES_A_ROW)
    axes.add_patch(Rectangle((column + 0.04, row + 0.06), 0.92, 0.88, facecolor=color, edgecolor="none"))
    if is_outlined:
        axes.add_patch(
            Rectangle((column + 0.06, row + 0.08), 0.88, 0.84, facecolor="none", edgecolor=style.BLACK, linewidth=1.4)
        )
    axes.text(column + 0.5, row + 0.52, f"{byte:02x}", ha="center", va="center", family="DejaVu Sans Mono", fontsize=10)


def _frame(axes: Axes, width: float, height: float) -> None:
    axes.set(xlim=(-0.05, width), ylim=(height, 0))
    axes.set_axis_off()
