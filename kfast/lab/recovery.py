"""What recovery decides about a log that was damaged, batch by batch.

    recovery = recover(directory, written=683)
    recovery.sentence()      what it cost
    recovery.pieces          every batch, and every stretch that is none, in the order of the files, with its fate
    recovery.reports         the log's own words

The decision is the log's. What lies in the files is read before, and the sizes that the log leaves say the rest. For
logs that were never compacted: their offsets have no gaps.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Final

from kfast.errors import CorruptRecordError, KafkaStorageError
from kfast.log.config import LogConfig
from kfast.log.dump_batches import open_records
from kfast.log.log import Log
from kfast.log.names import LOG_SUFFIX, SWAP_SUFFIX

NEVER: Final = 1 << 63
"""More than any offset."""

_LOGGER: Final = "kfast.log"


class Fate(Enum):
    """What becomes of a piece of a log."""

    CHECKED = "checked, kept"
    BELIEVED = "kept unread"
    MISSED = "wrong, and kept"
    BAD = "wrong: the log ends here"
    BEHIND = "behind it: gone too"


@dataclass(frozen=True, slots=True)
class Piece:
    """A whole batch, or a stretch of a file that is none; `count` is then 0, and both offsets are the one before it.

    `is_sound`: its checksum is right, and its offsets go on from the batch before it.
    """

    file: str
    segment_base: int
    position: int
    size_bytes: int
    base_offset: int
    last_offset: int
    count: int
    is_sound: bool
    fate: Fate = Fate.CHECKED


@dataclass(frozen=True, slots=True)
class Recovery:
    """What opening a log made of it. `written` is the end offset before the damage."""

    written: int
    end_offset: int
    log_bytes: int
    segment_count: int
    recovery_point: int
    was_clean: bool
    pieces: Sequence[Piece]
    reports: Sequence[str]
    is_refused: bool = False
    """Not opened, and not changed; the last report says why."""

    @property
    def lost(self) -> int:
        """Records that are not in the log any more."""
        return self.written - self.end_offset

    @property
    def unreadable(self) -> int:
        """Records that the log says it has, and that cannot be read, or not at their offsets."""
        kept = (Fate.CHECKED, Fate.BELIEVED)
        return max(0, self.end_offset - sum(piece.count for piece in self.pieces if piece.fate in kept))

    @property
    def cut_bytes(self) -> int:
        return sum(piece.size_bytes for piece in self.pieces if piece.fate in (Fate.BAD, Fate.BEHIND))

    def sentence(self) -> str:
        """What it cost."""
        if self.is_refused:
            return f"The log is refused, and nothing in it changed: its {self.written} records are out of reach"
        if self.lost:
            return f"{self.lost} of {self.written} records are gone: {self._what_went()}"
        if self.unreadable:
            return f"Nothing is cut, but {self.unreadable} of {self.written} records can no longer be read as they were"
        if self.cut_bytes:
            return f"All {self.written} records are there; {self.cut_bytes} bytes that are no batch are cut"
        return f"All {self.written} records are there, and nothing is cut"

    def _what_went(self) -> str:
        bad = next((piece for piece in self.pieces if piece.fate is Fate.BAD), None)
        if bad is None:
            return "their bytes are not in the files"
        if not bad.count:
            return f"at position {bad.position} of {bad.file} no batch begins"
        behind = self.lost - bad.count
        batch = f"a batch of {bad.count}" if bad.count > 1 else "a batch of one"
        return f"{batch} is wrong, and {behind} lay behind it" if behind else f"{batch} is wrong"


def recover(
    directory: Path,
    written: int,
    config: LogConfig | None = None,
    *,
    recovery_point: int = 0,
    was_clean: bool = False,
) -> Recovery:
    """Open the log in `directory`, which changes it, and close it again."""
    found = [piece for path in _segments(directory) for piece in _pieces(path)]
    with _heard() as reports:
        try:
            log = Log.open(directory, config, recovery_point=recovery_point, was_clean=was_clean)
        except KafkaStorageError as error:
            return _refused(found, written, recovery_point, was_clean, [*reports, _without_directories(str(error))])
    try:
        sizes = {segment.base_offset: segment.size_bytes for segment in log.segments}
        return Recovery(
            written=written,
            end_offset=log.log_end_offset,
            log_bytes=log.size_bytes,
            segment_count=len(sizes),
            recovery_point=recovery_point,
            was_clean=was_clean,
            pieces=tuple(_with_fates(found, sizes, _checked_from(found, recovery_point, was_clean))),
            reports=tuple(reports),
        )
    finally:
        log.close()


def _refused(
    found: Sequence[Piece], written: int, recovery_point: int, was_clean: bool, reports: Sequence[str]
) -> Recovery:
    sizes = {piece.segment_base: piece.position + piece.size_bytes for piece in found}
    pieces = tuple(_with_fates(found, sizes, NEVER))
    size_bytes = sum(piece.size_bytes for piece in pieces)
    whole = (written, written, size_bytes, len(sizes))
    return Recovery(*whole, recovery_point, was_clean, pieces, tuple(reports), is_refused=True)


def _segments(directory: Path) -> list[Path]:
    """Their .log files; one that a cleaner had finished and not put in its place yet wins over the one there."""
    paths = {path.name: path for path in sorted(directory.glob(f"*{LOG_SUFFIX}"))}
    for path in directory.glob(f"*{LOG_SUFFIX}{SWAP_SUFFIX}"):
        paths[path.name.removesuffix(SWAP_SUFFIX)] = path
    return [paths[name] for name in sorted(paths)]


def _pieces(path: Path) -> Iterator[Piece]:
    file = path.name.removesuffix(SWAP_SUFFIX)
    segment_base = int(file.removesuffix(LOG_SUFFIX))
    records = open_records(path)
    end, next_offset = 0, segment_base
    with suppress(CorruptRecordError):
        for position, batch in records.batches():
            is_sound = batch.is_valid() and batch.base_offset == next_offset
            size, offsets = batch.size_bytes, (batch.base_offset, batch.last_offset)
            yield Piece(file, segment_base, position, size, *offsets, max(0, batch.count), is_sound)
            end, next_offset = position + size, next_offset + batch.last_offset_delta + 1
    if end < records.size_bytes:
        size = records.size_bytes - end
        yield Piece(file, segment_base, end, size, next_offset - 1, next_offset - 1, 0, is_sound=False)


def _checked_from(found: Sequence[Piece], recovery_point: int, was_clean: bool) -> int:
    """The first offset that is looked at: the base of the segment that holds the recovery point."""
    if was_clean:
        return NEVER
    return max((piece.segment_base for piece in found if piece.segment_base <= recovery_point), default=0)


def _with_fates(found: Sequence[Piece], sizes: dict[int, int], checked_from: int) -> Iterator[Piece]:
    has_ended = False
    for piece in found:
        if piece.position + piece.size_bytes > sizes.get(piece.segment_base, 0):
            fate, has_ended = Fate.BEHIND if has_ended else Fate.BAD, True
        elif not piece.is_sound:
            fate = Fate.MISSED
        else:
            fate = Fate.CHECKED if piece.last_offset >= checked_from else Fate.BELIEVED
        yield replace(piece, fate=fate)


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What the log warns of meanwhile, without the directories; nobody else hears it."""
    reports: list[str] = []
    logger = logging.getLogger(_LOGGER)
    handler = _Listener(reports)
    propagates = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield reports
    finally:
        logger.propagate = propagates
        logger.removeHandler(handler)


class _Listener(logging.Handler):
    def __init__(self, reports: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._reports = reports

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the words; paths lose their directories, which are temporary."""
        self._reports.append(_without_directories(record.getMessage()))


def _without_directories(words: str) -> str:
    return " ".join(word.rpartition("/")[2] for word in words.split(" "))
