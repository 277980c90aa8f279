"""What recovery decides, drawn: a log's batches in a strip, to scale, each in the colour of its fate.

`draw_cases` has a strip for each kind of damage, the end of the log enlarged, and where Apache Kafka's log ended.
`draw_recovery` has one log, the place of the damage enlarged, and the log's own words. What is cut is low as well as
orange, so colour is not all.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from kfast.lab.crash_cases import CrashCase
from kfast.lab.recovery import Fate, Piece, Recovery
from kfast.log.names import LOG_SUFFIX
from kfast.record.layout import HEADER_SIZE
from kfast.viz import style
from kfast.viz.pixel_canvas import MONOSPACE, PixelCanvas
from kfast.viz.shown_figure import ShownFigure

WIDTH_PX, LEFT, RIGHT = 900, 14, 886
COLORS: Final = {
    Fate.CHECKED: ("#6FC3AA", "#93D3BF"),
    Fate.BELIEVED: ("#CFE3F1", "#E2EEF7"),
    Fate.MISSED: (style.REDDISH_PURPLE,) * 2,
    Fate.BAD: (style.VERMILLION,) * 2,
    Fate.BEHIND: ("#F3C66B", "#F8DB9F"),
}
"""Two for each, as neighbours must be told apart."""

HEADER_COLORS: Final = {
    Fate.CHECKED: "#2E8B70",
    Fate.BELIEVED: "#7FA9C7",
    Fate.MISSED: "#8F4A75",
    Fate.BAD: "#8A3C00",
    Fate.BEHIND: "#B98312",
}
WRONG: Final = (Fate.BAD, Fate.MISSED)
SEGMENT_GAP = 5
MIN_WRONG_PX = 3.0
MIN_LABEL_PX = 8.2

CASE_X, CASE_WIDTH, CASE_TOP, CASE_ROW, CASE_HEIGHT = 256, 170, 74, 25, 15
END_X, END_WIDTH = 446, 230
END_BYTES, END_BYTES_BEHIND = 1500, 250
"""What is enlarged: so much before the end of the undamaged log, and behind it, where something may have been added."""

HEIGHT_PX = 452
FILES_Y, FILE_HEIGHT = 112, 34
ZOOM_Y, ZOOM_HEIGHT, ZOOM_BYTES = 216, 54, 2000
WORDS_Y, WORDS_WIDTH, WORDS_LINES = 330, 118, 4


@dataclass(frozen=True, slots=True)
class _Strip:
    """Where the bytes of several files lie that are drawn side by side."""

    x: float
    unit: float
    starts: dict[str, int]
    gaps: dict[str, float]

    @classmethod
    def of(cls, pieces: Sequence[Piece], x: float, width: float, size_bytes: int | None = None) -> _Strip:
        """`size_bytes` fill the width; those of `pieces` if it is None."""
        starts: dict[str, int] = {}
        gaps: dict[str, float] = {}
        total = 0
        for file, of_file in groupby(pieces, key=lambda piece: piece.file):
            starts[file], gaps[file] = total, len(gaps) * SEGMENT_GAP
            total += sum(piece.size_bytes for piece in of_file)
        room = width - SEGMENT_GAP * max(0, len(starts) - 1)
        return cls(x, room / max(1, size_bytes or total), starts, gaps)

    def find(self, log_bytes: int) -> tuple[str, int]:
        """The file and the position where a log of so many bytes ends, if what is cut is cut from its end."""
        file = max((name for name, start in self.starts.items() if start < log_bytes), default=next(iter(self.starts)))
        return file, log_bytes - self.starts[file]

    def place(self, file: str, position: float) -> float:
        return self.x + self.gaps[file] + (self.starts[file] + position) * self.unit

    def draw(self, canvas: PixelCanvas, pieces: Sequence[Piece], y: float, height: float) -> None:
        """What is wrong comes last and is never too narrow to be seen."""
        for number, piece in sorted(enumerate(pieces), key=lambda numbered: numbered[1].fate in WRONG):
            width = max(piece.size_bytes * self.unit, MIN_WRONG_PX if piece.fate in WRONG else 0)
            low = height * (0.5 if piece.fate is Fate.BEHIND else 0)
            x = self.place(piece.file, piece.position)
            canvas.box(x, y + low, width, height - low, COLORS[piece.fate][number % 2])


def draw_cases(cases: Sequence[CrashCase]) -> ShownFigure:
    """One strip for each kind of damage, beside what is left of it."""
    canvas = PixelCanvas(WIDTH_PX, CASE_TOP + len(cases) * CASE_ROW + 74)
    agreed = sum(case.agrees for case in cases)
    title = f"In {agreed} of {len(cases)} cases kfast kept what Apache Kafka had kept"
    canvas.text(LEFT, 20, title, 15, weight="bold")
    canvas.text(CASE_X, 52, "the log's files, to scale", 12.5, color=style.GREY)
    canvas.text(END_X, 52, "the end of the last one, enlarged", 12.5, color=style.GREY)
    canvas.text(END_X + END_WIDTH + 14, 52, "records that are left", 12.5, color=style.GREY)
    size_bytes = max(sum(piece.size_bytes for piece in case.recovery.pieces) for case in cases)
    whole_bytes = max(case.kafka.log_bytes for case in cases)
    for row, case in enumerate(cases):
        _draw_case(canvas, case, CASE_TOP + row * CASE_ROW, size_bytes, whole_bytes)
    y = CASE_TOP + len(cases) * CASE_ROW + 22
    _draw_legend(canvas, y, (Fate.CHECKED, Fate.BAD, Fate.BEHIND))
    _draw_mark(canvas, LEFT + 8, y + 18)
    canvas.text(LEFT + 22, y + 25, "where Apache Kafka's log ended, after the same damage", 12.5)
    return ShownFigure(canvas.figure, f"{title}.", " ".join(f"{_case_words(case)}." for case in cases))


def _draw_case(canvas: PixelCanvas, case: CrashCase, y: float, size_bytes: int, whole_bytes: int) -> None:
    """`size_bytes` fill the first strip; the log had `whole_bytes` before the damage."""
    pieces = case.recovery.pieces
    strip = _Strip.of(pieces, CASE_X, CASE_WIDTH, size_bytes)
    canvas.text(CASE_X - 12, y + CASE_HEIGHT / 2, case.damage, 12.5, "right")
    strip.draw(canvas, pieces, y, CASE_HEIGHT)
    kafkas_end = strip.find(case.kafka.log_bytes)
    _draw_mark(canvas, strip.place(*kafkas_end), y + CASE_HEIGHT - 1)
    _draw_end(canvas, pieces, strip.find(whole_bytes), kafkas_end, y)
    words = f"{case.recovery.end_offset} of {case.recovery.written}"
    weight = "bold" if case.recovery.lost else "normal"
    canvas.text(END_X + END_WIDTH + 14, y + CASE_HEIGHT / 2, words, 12.5, weight=weight)
    beside = "as Kafka" if case.agrees else f"Kafka: {case.kafka.end_offset}"
    canvas.text(RIGHT, y + CASE_HEIGHT / 2, beside, 12.5, "right")


def _draw_end(
    canvas: PixelCanvas, pieces: Sequence[Piece], end: tuple[str, int], kafkas_end: tuple[str, int], y: float
) -> None:
    """The bytes around the `end` that the log had before the damage, and the mark if it is among them."""
    file, position = end
    first, last = max(0, position - END_BYTES), position + END_BYTES_BEHIND
    strip = _Strip(END_X, END_WIDTH / (last - first), {file: -first}, {file: 0})
    strip.draw(canvas, _within(pieces, file, first, last), y, CASE_HEIGHT)
    if kafkas_end[0] == file and kafkas_end[1] >= first:
        _draw_mark(canvas, strip.place(*kafkas_end), y + CASE_HEIGHT - 1)


def _within(pieces: Sequence[Piece], file: str, first: int, last: int) -> Sequence[Piece]:
    """What lies between two positions of a file."""
    found = []
    for piece in pieces:
        start, end = max(first, piece.position), min(last, piece.position + piece.size_bytes)
        if piece.file == file and start < end:
            found.append(replace(piece, position=start, size_bytes=end - start))
    return found


def _draw_mark(canvas: PixelCanvas, x: float, y: float) -> None:
    canvas.polygon([(x, y), (x - 5, y + 8), (x + 5, y + 8)], style.BLACK)


def _case_words(case: CrashCase) -> str:
    return f"{case.damage}: {case.recovery.sentence()}; {'as Kafka' if case.agrees else f'Kafka kept {case.kafka}'}"


def draw_recovery(recovery: Recovery, place: tuple[str, int], damage: str, after: str) -> ShownFigure:
    """One log: at `place`, a file and a position in it, lies `damage`; it was opened `after` a stop of some kind."""
    canvas = PixelCanvas(WIDTH_PX, HEIGHT_PX)
    title = recovery.sentence()
    circumstances = f"At position {place[1]:,} of {place[0]}: {damage}. Then opened as after {after}."
    canvas.text(LEFT, 20, title, 15, weight="bold")
    canvas.text(LEFT, 46, circumstances, 13, color=style.GREY)
    strip = _Strip.of(recovery.pieces, LEFT, RIGHT - LEFT)
    _draw_files(canvas, recovery, strip, *place)
    _draw_zoom(canvas, recovery, strip, *place)
    _draw_reports(canvas, recovery.reports)
    _draw_legend(canvas, HEIGHT_PX - 20, tuple(Fate))
    return ShownFigure(canvas.figure, f"{title}.", f"{circumstances} {_in_words(recovery)}")


def _draw_files(canvas: PixelCanvas, recovery: Recovery, strip: _Strip, file: str, position: int) -> None:
    strip.draw(canvas, recovery.pieces, FILES_Y, FILE_HEIGHT)
    for name in strip.starts:
        x, size = strip.place(name, 0), _size_of(recovery, name)
        labels = (name, f"{int(name.removesuffix(LOG_SUFFIX))}{LOG_SUFFIX}")
        label = next((text for text in labels if len(text) * MIN_LABEL_PX < size * strip.unit), "")
        canvas.text(x, FILES_Y + FILE_HEIGHT + 14, label, 12.5, family=MONOSPACE, color=style.GREY)
    _draw_recovery_point(canvas, recovery, strip)
    if file in strip.starts:
        x = strip.place(file, position)
        canvas.polygon([(x, FILES_Y - 2), (x - 7, FILES_Y - 14), (x + 7, FILES_Y - 14)], style.BLACK)
        is_far = x > WIDTH_PX / 2
        canvas.text(x + (7 if is_far else -7), FILES_Y - 24, "the damage", 12.5, "right" if is_far else "left")


def _draw_recovery_point(canvas: PixelCanvas, recovery: Recovery, strip: _Strip) -> None:
    """Where checking began, if that is within the log."""
    point = recovery.recovery_point
    first = next((piece for piece in recovery.pieces if piece.is_sound and piece.last_offset >= point), None)
    if first is None or not point or recovery.was_clean:
        return
    x = strip.place(first.file, first.position) - SEGMENT_GAP / 2
    canvas.line(x, FILES_Y - 48, x, FILES_Y + FILE_HEIGHT + 4, style.BLUE, 2)
    canvas.text(
        x - 7, FILES_Y - 43, f"recovery point {point}: all behind it is checked", 12.5, "right", color=style.BLUE
    )


def _draw_zoom(canvas: PixelCanvas, recovery: Recovery, strip: _Strip, file: str, position: int) -> None:
    """The neighbourhood of the damage: batches with their headers and offsets."""
    if file not in strip.starts:
        canvas.text(LEFT, ZOOM_Y + ZOOM_HEIGHT / 2, f"nothing is left of {file}", 13, color=style.GREY)
        return
    start, end = _zoomed(recovery, file, position)
    bottom, top = FILES_Y + FILE_HEIGHT + 26, ZOOM_Y - 8
    corners = [(strip.place(file, start), bottom), (strip.place(file, end), bottom), (RIGHT, top), (LEFT, top)]
    canvas.polygon(corners, "#F3F5F7")
    place = _scale(start, max(end, start + ZOOM_BYTES))
    for number, piece in enumerate(recovery.pieces):
        if piece.file == file and piece.position < end and piece.position + piece.size_bytes > start:
            _draw_piece(canvas, place, piece, start, end, COLORS[piece.fate][number % 2])
    x, y = place(position), ZOOM_Y + ZOOM_HEIGHT
    canvas.polygon([(x, ZOOM_Y - 1), (x - 5, ZOOM_Y - 10), (x + 5, ZOOM_Y - 10)], style.BLACK)
    words = f"{end - start:,} bytes of it; dark: a header; numbers: the offsets of a batch"
    canvas.text(RIGHT, y + 14, words, 12.5, "right", color=style.GREY)


def _zoomed(recovery: Recovery, file: str, position: int) -> tuple[int, int]:
    """From where to where: all of the piece that holds the position, and something on both sides."""
    size = _size_of(recovery, file)
    pieces = [piece for piece in recovery.pieces if piece.file == file and piece.position <= position]
    first = pieces[-1].position if pieces else 0
    width = max(ZOOM_BYTES, min(2 * pieces[-1].size_bytes if pieces else 0, 4 * ZOOM_BYTES))
    start = max(0, min(first - width // 4, size - width))
    return start, min(size, start + width)


def _draw_piece(
    canvas: PixelCanvas, place: Callable[[float], float], piece: Piece, start: int, end: int, color: str
) -> None:
    first, last = max(start, piece.position), min(end, piece.position + piece.size_bytes)
    canvas.box(place(first), ZOOM_Y, place(last) - place(first), ZOOM_HEIGHT, color)
    if piece.count:
        header_end = min(end, piece.position + HEADER_SIZE)
        if header_end > first:
            width = place(header_end) - place(first)
            canvas.box(place(first), ZOOM_Y, width, ZOOM_HEIGHT, HEADER_COLORS[piece.fate])
        first = max(first, header_end)
    for line, label in enumerate(_labels(piece)):
        if len(label) * MIN_LABEL_PX + 6 < place(last) - place(first):
            canvas.text(place(first) + 5, ZOOM_Y + 18 + 20 * line, label, 12.5, family=MONOSPACE)


def _labels(piece: Piece) -> tuple[str, ...]:
    if not piece.count:
        return "no", "batch"
    first, last = f"{piece.base_offset}", f"..{piece.last_offset}"
    return (first, last) if piece.count > 1 else (first,)


def _draw_reports(canvas: PixelCanvas, reports: Sequence[str]) -> None:
    canvas.text(LEFT, WORDS_Y - 20, "What the log says of it:", 13, weight="bold")
    lines = [line for report in reports for line in textwrap.wrap(report, WORDS_WIDTH, subsequent_indent="    ")]
    lines = lines[:WORDS_LINES] if lines else ["nothing: it saw nothing wrong"]
    for number, line in enumerate(lines):
        canvas.text(LEFT, WORDS_Y + 19 * number, line, 11.5, family=MONOSPACE)


def _draw_legend(canvas: PixelCanvas, y: float, fates: Sequence[Fate]) -> None:
    x = float(LEFT)
    for fate in fates:
        low = 7 if fate is Fate.BEHIND else 0
        canvas.box(x, y - 8 + low, 15, 15 - low, COLORS[fate][0])
        x += canvas.text(x + 21, y, fate.value, 12.5).get_window_extent().width + 36


def _size_of(recovery: Recovery, file: str) -> int:
    return max(piece.position + piece.size_bytes for piece in recovery.pieces if piece.file == file)


def _scale(start: int, end: int) -> Callable[[float], float]:
    unit = (RIGHT - LEFT) / max(1, end - start)
    return lambda position: LEFT + (position - start) * unit


def _in_words(recovery: Recovery) -> str:
    by_fate = [(fate, [piece for piece in recovery.pieces if piece.fate is fate]) for fate in Fate]
    sizes = (f"{fate.value}: {sum(one.size_bytes for one in pieces):,} bytes" for fate, pieces in by_fate if pieces)
    said = " ".join(f"{report}." for report in recovery.reports) or "nothing."
    return f"In the files: {'; '.join(sizes)}. The log says: {said}"
