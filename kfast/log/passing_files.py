"""Files that are there for a while: of segments being deleted, being compacted, being put into place.

    .deleted    no part of the log any more, to be removed
    .cleaned    a compaction that was not finished; what it was made from is still there
    .swap       one that was: it takes the place of what it was made from

A start after a crash removes or finishes them. Source: Kafka's LogLoader.
"""

from __future__ import annotations

import os
from typing import Final

from kfast.log.file_pool import FilePool
from kfast.log.file_records import FileRecords
from kfast.log.names import (
    CLEANED_SUFFIX,
    DELETED_SUFFIX,
    LOG_SUFFIX,
    SEGMENT_SUFFIXES,
    SWAP_SUFFIX,
    parse_file_name,
)

PASSING_SUFFIXES: Final = (DELETED_SUFFIX, CLEANED_SUFFIX, SWAP_SUFFIX)
_NO_SEGMENT: Final = 2**63 - 1


def split_passing_suffix(name: str) -> tuple[str, str]:
    """Return a file's name without its passing suffix, and that; "" where it has none."""
    for suffix in PASSING_SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix), suffix
    return name, ""


def tidy_up(directory: str, file_pool: FilePool) -> list[str]:
    """Remove or finish what a crash has left of passing files; return the names of the files that are there then."""
    names = os.listdir(directory)
    if any(name.endswith(PASSING_SUFFIXES) for name in names):
        _remove_incomplete(directory, names)
        _finish_swaps(directory, file_pool)
        names = os.listdir(directory)
    return names


def _remove_incomplete(directory: str, names: list[str]) -> None:
    """Remove files of deleted segments and unfinished compactions.

    One compaction makes one segment, whose files are renamed to .swap one after the other, or in Kafka several, the
    last of them first. Where a .cleaned file was left, the .swap files from its base offset on are incomplete, and
    their originals are still there. The .cleaned ones go last, so that after another crash they still say so.
    """
    cleaned = [name for name in names if name.endswith(CLEANED_SUFFIX)]
    lowest = min((_base_offset(name, CLEANED_SUFFIX) for name in cleaned), default=_NO_SEGMENT)
    deleted = [name for name in names if name.endswith(DELETED_SUFFIX)]
    swaps = [name for name in names if name.endswith(SWAP_SUFFIX)]
    incomplete = [name for name in swaps if lowest <= _base_offset(name, SWAP_SUFFIX) < _NO_SEGMENT]
    for name in deleted + incomplete + cleaned:
        os.unlink(os.path.join(directory, name))


def _base_offset(name: str, passing_suffix: str) -> int:
    """Of a segment's file with this passing suffix; of any other one that none has."""
    parsed = parse_file_name(name.removesuffix(passing_suffix))
    return parsed[0] if parsed else _NO_SEGMENT


def _finish_swaps(directory: str, file_pool: FilePool) -> None:
    """Put finished .swap files into the place of the segments they were made from.

    Logs first: once they have their names, those of the other files are not taken for originals after another crash.
    """
    names = [name for name in os.listdir(directory) if name.endswith(SWAP_SUFFIX)]
    names.sort(key=lambda name: not name.endswith(LOG_SUFFIX + SWAP_SUFFIX))
    for name in names:
        path = os.path.join(directory, name)
        if name.endswith(LOG_SUFFIX + SWAP_SUFFIX):
            base_offset = _base_offset(name, SWAP_SUFFIX)
            _remove_originals(directory, base_offset, FileRecords(path, file_pool, os.stat(path).st_size))
        os.replace(path, path.removesuffix(SWAP_SUFFIX))
        file_pool.discard(path)


def _remove_originals(directory: str, base_offset: int, swap: FileRecords) -> None:
    """Remove the segments whose base offsets lie in the range of the one that replaces them."""
    next_offset = base_offset + 1
    for batch in swap.headers():
        next_offset = batch.last_offset + 1
    for name in os.listdir(directory):
        parsed = parse_file_name(name)
        if parsed and parsed[1] in SEGMENT_SUFFIXES and base_offset <= parsed[0] < next_offset:
            os.unlink(os.path.join(directory, name))
