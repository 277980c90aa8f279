"""What a directory came to, counted from its entries as they pass: one line at its end.

{"type": "summary", "directory", "partitions", "segments", "batches", "size_bytes", "errors",
 "first_offset", "next_offset",           of a partition; None where there is none, or more than one
 "gaps",                                  of a partition: [end of a segment, beginning of the next] where they differ
 "passing",                               files by their suffix, .swap .cleaned .deleted, that count nowhere else
 "was_clean"}                             of a log directory: whether it was left by a clean stop; None of any other
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kfast.log.dump_entries import Entry, error_entry
from kfast.log.dump_missing import MissingFiles
from kfast.log.names import LOG_SUFFIX


@dataclass(slots=True)
class Summary:
    """Of one directory, and of what lies in it."""

    missing: MissingFiles
    reads_logs: bool = True
    was_clean: bool | None = None
    partitions: int = 0
    segments: int = 0
    batches: int = 0
    size_bytes: int = 0
    errors: int = 0
    entries: int = 0
    """Of whatever kind: whether anything of Kafka's was there."""
    passing: Counter[str] = field(default_factory=Counter)
    gaps: list[list[int]] = field(default_factory=list)
    _is_cut: bool = False  # the segment in hand: where it ended is not known
    _position: int = -1  # of its last batch
    _first_offset: int | None = None
    _next_offset: int | None = None

    @property
    def is_of_kafka(self) -> bool:
        """Whether anything was found that belongs in a log directory."""
        return bool(self.entries or self.segments or self.passing) or self.was_clean is not None

    def note(self, entry: Entry) -> Entry:
        """Count an entry of a file that lies in the directory itself, and return it."""
        self.entries += 1
        if entry["type"] == "error":
            self.errors += 1
            self._is_cut |= entry["file"].endswith(LOG_SUFFIX) and entry["position"] not in (None, self._position)
        if entry["type"] == "batch" and entry["file"].endswith(LOG_SUFFIX):
            self.batches += 1
            self._position = entry["position"]
            self._next_offset = entry["last_offset"] + 1
        return entry

    def begin_segment(self, path: Path, base_offset: int) -> Iterator[Entry]:
        """Count a segment; segments come in order of their base offsets, and may not overlap."""
        size_bytes = path.stat().st_size
        if self._next_offset is not None and base_offset < self._next_offset:
            reason = f"the segment begins at offset {base_offset}, and the one before it ends at {self._next_offset}"
            yield error_entry(path, None, reason)
        yield from self.missing.of_segment(path)
        if self.reads_logs and self._next_offset is not None and not self._is_cut:
            yield from self._find_gap(path, self._next_offset, base_offset)
        if self._first_offset is None:
            self.partitions, self._first_offset = 1, base_offset
        self._next_offset, self._position, self._is_cut = base_offset, -1, False
        self.segments += 1
        self.size_bytes += size_bytes

    def _find_gap(self, path: Path, end_offset: int, base_offset: int) -> Iterator[Entry]:
        if base_offset > end_offset and self.missing.is_gap(end_offset, base_offset):
            self.gaps.append([end_offset, base_offset])
            yield from self.missing.in_gap(path, end_offset, base_offset)

    def add(self, inner: Summary) -> None:
        """Count what a directory in this one came to."""
        self.partitions += inner.partitions
        self.segments += inner.segments
        self.batches += inner.batches
        self.size_bytes += inner.size_bytes
        self.errors += inner.errors
        self.entries += inner.entries
        self.passing += inner.passing

    def entry(self, directory: Path) -> Entry:
        return {
            "type": "summary",
            "directory": str(directory),
            "partitions": self.partitions,
            "segments": self.segments,
            "batches": self.batches if self.reads_logs else None,
            "size_bytes": self.size_bytes,
            "first_offset": self._first_offset,
            "next_offset": self._next_offset if self.reads_logs else None,
            "gaps": self.gaps,
            "passing": dict(self.passing),
            "was_clean": self.was_clean,
            "errors": self.errors,
        }
