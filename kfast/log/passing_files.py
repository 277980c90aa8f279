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


def tidy_up(directory: str, file_pool: FilePool) -> list[str]:
    """Remove or finish what a crash has left of passing files; return the names of the files that are there then."""
    names = os.listdir(directory)
    if any(name.endswith(PASSING_SUFFIXES) for name in names):
        _finish_swaps(directory, file_pool, _remove_temporary_files(directory))
        names = os.listdir(directory)
    return names


def _remove_temporary_files(directory: str) -> int | None:
    """Remove files of deleted segments and unfinished compactions; return the lowest base offset of the latter."""
    cleaned = []
    for name in os.listdir(directory):
        if name.endswith((DELETED_SUFFIX, CLEANED_SUFFIX)):
            os.unlink(os.path.join(directory, name))
            parsed = parse_file_name(name.removesuffix(CLEANED_SUFFIX))
            if parsed is not None:
                cleaned.append(parsed[0])
    return min(cleaned, default=None)


def _finish_swaps(directory: str, file_pool: FilePool, lowest_cleaned: int | None) -> None:
    """Put finished .swap files into the place of the segments they were made from.

    Files are renamed to .swap from the last to the first: where a .cleaned file was left, the .swap files from its base
    offset on are incomplete, and their originals are still there.
    """
    for name in sorted(os.listdir(directory)):
        parsed = parse_file_name(name.removesuffix(SWAP_SUFFIX)) if name.endswith(SWAP_SUFFIX) else None
        if parsed is None:
            continue
        path = os.path.join(directory, name)
        base_offset, suffix = parsed
        if lowest_cleaned is not None and base_offset >= lowest_cleaned:
            os.unlink(path)
        elif suffix == LOG_SUFFIX:
            _remove_originals(directory, base_offset, FileRecords(path, file_pool, os.stat(path).st_size))
    for name in os.listdir(directory):
        if name.endswith(SWAP_SUFFIX):
            path = os.path.join(directory, name)
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
