"""The .log file of a segment: batches one after the other, written at the end, found and never copied when read.

They are of version 2, or messages of the versions before it, which lie in old segments and are batches to all readers.

Writes are positional: sendfile from a descriptor opened with O_APPEND is EINVAL, and a failed write leaves nothing that
the next one does not cover. Searching reads headers only, in blocks of a few KiB; a batch's records are read by
`batches` alone, for recovery, compaction and dumps.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from typing import Final

from kfast.errors import CorruptRecordError
from kfast.file_slice import FileSlice
from kfast.log.file_pool import FilePool
from kfast.log.results import BatchPosition
from kfast.record.batch import RecordBatch
from kfast.record.layout import (
    BASE_OFFSET_POSITION,
    HEADER_SIZE,
    LAST_OFFSET_DELTA_POSITION,
    LENGTH_POSITION,
    LOG_OVERHEAD,
    MAGIC,
    MAGIC_POSITION,
    MAX_TIMESTAMP_POSITION,
)
from kfast.record.legacy_batch import BATCH_TYPES, MIN_ENTRY_SIZE, legacy_timestamp, read_batch

BLOCK_SIZE: Final = 4096
"""Bytes read at a time when searching: the usual distance of two index entries."""

SCAN_SIZE: Final = 1 << 20
"""Bytes read at a time when everything is read."""

# base offset, length, magic, last offset delta, max timestamp: what a search needs of a header.
_HEADER: Final = struct.Struct(
    f">qi{MAGIC_POSITION - LOG_OVERHEAD}xb{LAST_OFFSET_DELTA_POSITION - MAGIC_POSITION - 1}xi8xq"
)
assert (BASE_OFFSET_POSITION, LENGTH_POSITION, _HEADER.size) == (0, 8, MAX_TIMESTAMP_POSITION + 8)

_FILLER: Final = b"\0"
"""Makes a header's size of what lies at the end of a file, where a message may be smaller than one."""

# Of batches and messages alike: offset, length.
_ENTRY: Final = struct.Struct(">qi")

# Where a batch ends: magic, last offset delta.
_END: Final = struct.Struct(f">{MAGIC_POSITION}xb{LAST_OFFSET_DELTA_POSITION - MAGIC_POSITION - 1}xi")

_unpack_header = _HEADER.unpack_from
_unpack_entry = _ENTRY.unpack_from
_unpack_end = _END.unpack_from


class FileRecords:
    """One file of batches. One writer at a time; readers need no lock."""

    __slots__ = ("_file_pool", "path", "size_bytes")

    def __init__(self, path: str, file_pool: FilePool, size_bytes: int) -> None:
        self.path = path
        self.size_bytes = size_bytes
        """Bytes that are there to be read: set after a write has finished."""
        self._file_pool = file_pool

    def append(self, buffer: bytearray | memoryview) -> None:
        """Write `buffer` at the end. Raises OSError where the disk does not take it all; `size_bytes` then stays."""
        self._file_pool.open(self.path).write(buffer, self.size_bytes)
        self.size_bytes += len(buffer)

    def slice(self, position: int, size: int) -> FileSlice:
        """Return `size` bytes from `position` on, unread. Raises FileNotFoundError once the file is deleted."""
        return FileSlice(self._file_pool.open(self.path), position, size)

    def read(self, position: int, size: int) -> bytes:
        """Copy bytes out of the file; fewer at its end."""
        file = self._file_pool.open(self.path)
        return os.pread(file.fd, size, position)

    def find(self, offset: int, position: int, end: int, indexed_offset: int | None = None) -> tuple[int, int] | None:
        """Return (position, size) of the first batch from `position` on that ends at `offset` or after it.

        None where no batch before `end` does. Raises CorruptRecordError where the headers lead nowhere, and where the
        batch at `position` does not end at `indexed_offset`, as the index entry that led here says.
        """
        # Only where batches begin is looked at, and of the one before where it ends: less work than both of each, and
        # right for old messages too, whose one offset is that of the last record. So does FileRecords of Kafka 4.1.
        file = self._file_pool.open(self.path)
        while position + MIN_ENTRY_SIZE <= end:
            block = os.pread(file.fd, BLOCK_SIZE, position)
            if len(block) < HEADER_SIZE:
                block = block.ljust(HEADER_SIZE, _FILLER)
            if indexed_offset is not None:
                if not _ends_at(block, indexed_offset):
                    raise CorruptRecordError(f"{self.path}: no batch at position {position} ends at {indexed_offset}")
                indexed_offset = None
            last_start = len(block) - HEADER_SIZE if position + len(block) <= end else end - position - HEADER_SIZE
            start = size = 0
            while start <= last_start or not start:
                entry_offset, length = _unpack_entry(block, start)
                if entry_offset > offset and start and _last_offset(block, start - size) >= offset:
                    return position + start - size, size
                size = length + LOG_OVERHEAD
                if size < MIN_ENTRY_SIZE:
                    raise CorruptRecordError(f"{self.path}: batch at position {position + start} says {length} bytes")
                if entry_offset >= offset:
                    return (position + start, size) if position + start + size <= end else None
                start += size
            position += start
            magic, last_offset_delta = _unpack_end(block, start - size)
            if entry_offset + last_offset_delta >= offset and magic >= MAGIC:
                return (position - size, size) if position <= end else None
        return None

    def holds_entry(self, offset: int, position: int) -> bool:
        """Whether a batch at `position` ends at `offset`, as an index entry says."""
        return _ends_at(self.read(position, HEADER_SIZE), offset)

    def headers(self, position: int = 0, end: int | None = None) -> Iterator[BatchPosition]:
        """Yield the place, offsets and largest timestamp of each whole batch from `position` on, reading headers only.

        Stops before a batch that is cut off. Raises CorruptRecordError at an impossible size.
        """
        end = self.size_bytes if end is None else end
        file = self._file_pool.open(self.path)
        while position + MIN_ENTRY_SIZE <= end:
            block = os.pread(file.fd, BLOCK_SIZE, position).ljust(HEADER_SIZE, _FILLER)
            start, last_start = 0, len(block) - HEADER_SIZE
            while start <= last_start:
                base_offset, length, magic, last_offset_delta, max_timestamp_ms = _unpack_header(block, start)
                size = length + LOG_OVERHEAD
                place = position + start
                if magic < MAGIC:
                    last_offset_delta, max_timestamp_ms = 0, legacy_timestamp(magic, block, start)
                if size < MIN_ENTRY_SIZE:
                    raise CorruptRecordError(f"{self.path}: batch at position {place} says {length} bytes")
                if place + size > end:
                    return
                yield BatchPosition(place, size, base_offset, base_offset + last_offset_delta, max_timestamp_ms)
                start += size
            position += start

    def batches(self, position: int = 0, end: int | None = None) -> Iterator[tuple[int, RecordBatch]]:
        """Yield (position, batch) of each whole batch from `position` on; their CRCs are the caller's to check.

        Stops before a batch that is cut off. Raises CorruptRecordError at an impossible size. Each batch is a view of
        bytes read for it, so it may be kept.
        """
        end = self.size_bytes if end is None else end
        while position + MIN_ENTRY_SIZE <= end:
            block = self.read(position, min(SCAN_SIZE, end - position))
            start, size_read = 0, len(block)
            while start + HEADER_SIZE <= size_read:
                try:
                    batch = BATCH_TYPES[block[start + MAGIC_POSITION]](block, start)
                except CorruptRecordError:
                    length = _unpack_entry(block, start)[1]
                    raise CorruptRecordError(f"batch at position {position + start} says {length} bytes") from None
                size = batch.size_bytes
                if start + size > size_read:
                    break
                yield position + start, batch
                start += size
            if start == 0:
                start = _unpack_entry(block)[1] + LOG_OVERHEAD
                if position + start > end:
                    return
                yield position, read_batch(self.read(position, max(start, MIN_ENTRY_SIZE)))
            position += start

    def truncate_to(self, size_bytes: int) -> None:
        """Cut the file. Never below what is being served: a sendfile in flight would send zeros."""
        self.size_bytes = size_bytes
        file = self._file_pool.open(self.path)
        os.ftruncate(file.fd, size_bytes)

    def trim(self) -> None:
        """Cut what a failed write left beyond the end. Raises FileNotFoundError where the file was removed."""
        if os.stat(self.path).st_size > self.size_bytes:
            self.truncate_to(self.size_bytes)

    def flush(self) -> None:
        """Return when what was written is on the disk. Raises FileNotFoundError where the file has been removed."""
        file = self._file_pool.open(self.path)
        os.fsync(file.fd)
        if not os.fstat(file.fd).st_nlink:  # beside the fsync it costs nothing
            raise FileNotFoundError(errno.ENOENT, "the file has been removed", self.path)

    def modified_ms(self) -> int:
        """When the file was last written to."""
        return os.stat(self.path).st_mtime_ns // 1_000_000

    def set_modified_ms(self, timestamp_ms: int) -> None:
        """Say when what it holds was written, of a file that replaces another one."""
        os.utime(self.path, ns=(timestamp_ms * 1_000_000, timestamp_ms * 1_000_000))

    def __len__(self) -> int:
        return self.size_bytes

    def __repr__(self) -> str:
        return f"FileRecords({os.path.basename(self.path)!r}, {self.size_bytes} bytes)"


def _ends_at(block: bytes, offset: int) -> bool:
    return len(block) >= MIN_ENTRY_SIZE and _last_offset(block.ljust(HEADER_SIZE, _FILLER), 0) == offset


def _last_offset(block: bytes, start: int) -> int:
    """Of the batch at `start`, all of whose header is there; a message of an old version has but one offset."""
    base_offset, _, magic, last_offset_delta, _ = _unpack_header(block, start)
    return int(base_offset if magic < MAGIC else base_offset + last_offset_delta)
