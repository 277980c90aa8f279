"""What a directory came to, counted from its entries as they pass: one line at its end.

{"type": "summary", "directory", "partitions", "segments", "batches", "size_bytes", "errors",
 "first_offset", "next_offset"}           the offsets are of a partition; None where there is none, or more than one
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kfast.log.dump_entries import Entry, error_entry
from kfast.log.names import LOG_SUFFIX


@dataclass(slots=True)
class Summary:
    """Of one directory, and of what lies in it."""

    reads_logs: bool = True
    partitions: int = 0
    segments: int = 0
    batches: int = 0
    size_bytes: int = 0
    errors: int = 0
    _first_offset: int | None = None
    _next_offset: int | None = None

    def note(self, entry: Entry) -> Entry:
        """Count an entry of a file that lies in the directory itself, and return it."""
        self.errors += entry["type"] == "error"
        if entry["type"] == "batch" and entry["file"].endswith(LOG_SUFFIX):
            self.batches += 1
            self._next_offset = entry["last_offset"] + 1
        return entry

    def begin_segment(self, path: Path, base_offset: int) -> Iterator[Entry]:
        """Count a segment; segments come in order of their base offsets, and may not overlap."""
        size_bytes = path.stat().st_size
        if self._next_offset is not None and base_offset < self._next_offset:
            reason = f"the segment begins at offset {base_offset}, and the one before it ends at {self._next_offset}"
            yield error_entry(path, 0, reason)
        if self._first_offset is None:
            self.partitions, self._first_offset = 1, base_offset
        self._next_offset = base_offset
        self.segments += 1
        self.size_bytes += size_bytes

    def add(self, inner: Summary) -> None:
        """Count what a directory in this one came to."""
        self.partitions += inner.partitions
        self.segments += inner.segments
        self.batches += inner.batches
        self.size_bytes += inner.size_bytes
        self.errors += inner.errors

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
            "errors": self.errors,
        }
