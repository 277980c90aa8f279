"""Index files as entries, each held against the log beside it, as Kafka's DumpLogSegments does.

    {"type": "offset_index_entry", "file", "offset", "position"}            a batch there ends at that offset
    {"type": "time_index_entry", "file", "timestamp_ms", "offset"}          a batch that ends there has that timestamp
    {"type": "aborted_transaction", "file", "producer_id", "first_offset", "last_offset", "last_stable_offset"}

Offsets are absolute. The log's headers alone are read, and of markers the one record.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from kfast.errors import CorruptRecordError, KfastError
from kfast.log import offset_index, time_index, transaction_index
from kfast.log.dump_batches import open_records
from kfast.log.dump_entries import Entry, error_entry
from kfast.log.index import size_without_zeros
from kfast.log.names import LOG_SUFFIX, file_path
from kfast.log.passing_files import split_passing_suffix
from kfast.log.results import BatchPosition
from kfast.log.transaction_index import AbortedTransaction
from kfast.record.control_records import ControlRecordType, read_control_type
from kfast.record.layout import NO_TIMESTAMP
from kfast.record.legacy_batch import read_batch


def dump_offset_index(path: Path, base_offset: int) -> Iterator[Entry]:
    """Offsets and positions have to rise, and to be those of batches."""
    log = _log_beside(path, base_offset)
    last = (-1, -1)
    for place, (relative_offset, position) in _entries(path, offset_index.ENTRY):
        offset = base_offset + relative_offset
        yield {"type": "offset_index_entry", "file": str(path), "offset": offset, "position": position}
        if relative_offset <= last[0] or position <= last[1]:
            reason = f"({offset}, {position}) does not rise from ({base_offset + last[0]}, {last[1]})"
            yield error_entry(path, place, reason)
        elif log is not None and not log.records.holds_entry(offset, position):
            yield error_entry(path, place, f"no batch at position {position} of the log ends at offset {offset}")
        last = (relative_offset, position)
    yield from _torn_entry(path, offset_index.ENTRY)


def dump_time_index(path: Path, base_offset: int) -> Iterator[Entry]:
    """Timestamps have to rise, and to be those of the batches that end at their offsets."""
    log = _log_beside(path, base_offset)
    last = (NO_TIMESTAMP, 0)
    for place, (timestamp_ms, relative_offset) in _entries(path, time_index.ENTRY):
        offset = base_offset + relative_offset
        yield {"type": "time_index_entry", "file": str(path), "timestamp_ms": timestamp_ms, "offset": offset}
        if timestamp_ms <= last[0] or relative_offset < last[1]:
            reason = f"({timestamp_ms}, {offset}) does not rise from ({last[0]}, {base_offset + last[1]})"
            yield error_entry(path, place, reason)
        elif log is not None and not log.has_timestamp(timestamp_ms, offset):
            yield error_entry(
                path, place, f"no batch of the log that ends at offset {offset} has timestamp {timestamp_ms}"
            )
        last = (timestamp_ms, relative_offset)
    yield from _torn_entry(path, time_index.ENTRY)


def dump_transaction_index(path: Path, base_offset: int) -> Iterator[Entry]:
    """Markers have to follow each other, and to lie in the log: that of this producer, at the last offset."""
    log = _log_beside(path, base_offset)
    last_offset = -1
    data = path.read_bytes()
    whole = len(data) - len(data) % transaction_index.ENTRY.size
    for number, (version, *fields) in enumerate(transaction_index.ENTRY.iter_unpack(data[:whole])):
        entry = AbortedTransaction(*fields)
        place = number * transaction_index.ENTRY.size
        yield {"type": "aborted_transaction", "file": str(path), "version": version, **entry._asdict()}
        if version != transaction_index.VERSION:
            yield error_entry(path, place, f"version {version}; {transaction_index.VERSION} is known")
        elif entry.last_offset <= last_offset or entry.first_offset > entry.last_offset:
            yield error_entry(path, place, f"{entry} does not follow a marker at offset {last_offset}")
        elif log is not None and not log.aborts(entry):
            reason = f"no marker at offset {entry.last_offset} of the log aborts producer {entry.producer_id}"
            yield error_entry(path, place, reason)
        last_offset = entry.last_offset
    yield from _torn_entry(path, transaction_index.ENTRY)


class _Log:
    """The log beside an index, asked in order of offsets: its headers are walked once, and none is kept."""

    def __init__(self, path: Path) -> None:
        self.records = open_records(path)
        self._headers = self.records.headers()
        self._batch = self._next()

    def has_timestamp(self, timestamp_ms: int, offset: int) -> bool:
        """Whether a batch that ends at `offset` has that timestamp."""
        batch = self._ending_at(offset)
        return batch is not None and batch.max_timestamp_ms == timestamp_ms

    def aborts(self, entry: AbortedTransaction) -> bool:
        """Whether the marker of `entry` lies where it says."""
        place = self._ending_at(entry.last_offset)
        if place is None:
            return False
        batch = read_batch(self.records.read(place.position, place.size_bytes))
        try:
            types = [read_control_type(record.key or b"") for record in batch.records()] if batch.is_control else []
        except KfastError:
            return False
        return batch.producer_id == entry.producer_id and ControlRecordType.ABORT in types

    def _ending_at(self, offset: int) -> BatchPosition | None:
        while self._batch is not None and self._batch.last_offset < offset:
            self._batch = self._next()
        return self._batch if self._batch is not None and self._batch.last_offset == offset else None

    def _next(self) -> BatchPosition | None:
        try:
            return next(self._headers, None)
        except CorruptRecordError:
            return None  # the log's own dump says so


def _entries(path: Path, entry: struct.Struct) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield (position, entry) of a file, up to the zeros that Kafka's preallocation leaves at its end.

    One entry of zeros alone is one: of a record of 1970 at the segment's base.
    """
    data = path.read_bytes()
    size = size_without_zeros(data, entry.size)
    if size == 0 and len(data) == entry.size == time_index.ENTRY.size:
        size = entry.size
    for place in range(0, size - entry.size + 1, entry.size):
        if place + entry.size <= len(data):
            yield place, entry.unpack_from(data, place)


def _torn_entry(path: Path, entry: struct.Struct) -> Iterator[Entry]:
    size = path.stat().st_size
    if size % entry.size:
        reason = f"{size % entry.size} bytes are no entry of {entry.size}"
        yield error_entry(path, size - size % entry.size, reason)


def _log_beside(index_path: Path, base_offset: int) -> _Log | None:
    """The log of an index; None where there is no log to hold it against."""
    passing_suffix = split_passing_suffix(index_path.name)[1]
    path = Path(file_path(str(index_path.parent), base_offset, LOG_SUFFIX + passing_suffix))
    return _Log(path) if path.exists() else None
