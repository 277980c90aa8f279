"""What should be in a partition's directory and is not: segments between others, segments of indexes, indexes.

Compaction leaves gaps too, so that a gap alone proves nothing; the other files of a segment without its log do. Files
that are passing (.swap, .cleaned, .deleted) account for what is not there under its own name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from kfast.log.dump_entries import Entry, error_entry, note_entry
from kfast.log.names import (
    LOG_SUFFIX,
    OFFSET_INDEX_SUFFIX,
    SEGMENT_SUFFIXES,
    SNAPSHOT_SUFFIX,
    TIME_INDEX_SUFFIX,
    parse_file_name,
)
from kfast.log.passing_files import split_passing_suffix


class MissingFiles:
    """Found by the names in one directory, as they were listed: what is removed meanwhile is not missing."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._offsets: dict[str, set[int]] = {}  # by suffix, passing files among them
        for name in self._names:
            parsed = parse_file_name(split_passing_suffix(name)[0])
            if parsed:
                self._offsets.setdefault(parsed[1], set()).add(parsed[0])

    def of_index(self, path: Path, base_offset: int) -> Iterator[Entry]:
        """An index file's segment."""
        if base_offset not in self._offsets.get(LOG_SUFFIX, ()):
            log = path.with_suffix(LOG_SUFFIX).name
            yield error_entry(path, None, f"its segment is gone: there is no {log}; a start removes this file too")

    def of_segment(self, path: Path) -> Iterator[Entry]:
        """A segment's indexes."""
        for suffix in (OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX):
            if path.with_suffix(suffix).name not in self._names:
                yield note_entry(path, f"it has no {suffix}; kfast makes it anew at its next start")

    def is_gap(self, end_offset: int, base_offset: int) -> bool:
        """Whether no segment lies between one that ends at `end_offset` and one that begins at `base_offset`."""
        return not self._between(LOG_SUFFIX, end_offset, base_offset)

    def in_gap(self, path: Path, end_offset: int, base_offset: int) -> Iterator[Entry]:
        """Before the segment at `path`: a snapshot or an index of one that is gone."""
        for suffix in (SNAPSHOT_SUFFIX, *SEGMENT_SUFFIXES):
            for offset in self._between(suffix, end_offset, base_offset):
                left = f"{offset:020d}{suffix}"
                if left in self._names:
                    gap = f"offsets {end_offset} to before {base_offset} are missing before this segment"
                    yield error_entry(path, None, f"{gap}, and {left} says that there was one")
                    return

    def _between(self, suffix: str, first: int, end: int) -> list[int]:
        return sorted(offset for offset in self._offsets.get(suffix, ()) if first <= offset < end)
