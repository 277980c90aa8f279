"""The .log file of a segment: batches one after the other, written at the end, found and never copied when read.

Writes are positional: sendfile from a descriptor opened with O_APPEND is EINVAL, and a failed write leaves nothing that
the next one does not cover. Searching reads headers only, in blocks of a few KiB; a batch's records are read by
`batches` alone, for recovery, compaction and dumps.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Final
from zlib import crc32

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
    MAGIC_POSITION,
    MAX_TIMESTAMP_POSITION,
)

BLOCK_SIZE: Final = 4096
"""Bytes read at a time when searching: the usual distance of two index entries."""

SCAN_SIZE: Final = 1 << 20
"""Bytes read at a time when everything is read."""

WRITE_SIZE: Final = 1 << 20
"""Bytes written by one call at most; a batch of a usual size leaves whole.

The page cache takes memory for a call in blocks of up to 2 MiB. On a virtual machine those are often ones that were not
touched for long, which are slow at first: batches of 10 MB took 0.8-1.9 s of system CPU a GB in one call each, and 0.4
in calls of this size (Linux 6.18, ext4).
"""

# base offset, length, last offset delta, max timestamp: what a search needs of a header.
_HEADER: Final = struct.Struct(f">qi{LAST_OFFSET_DELTA_POSITION - LOG_OVERHEAD}xi8xq")
assert (BASE_OFFSET_POSITION, LENGTH_POSITION, _HEADER.size) == (0, 8, MAX_TIMESTAMP_POSITION + 8)

# The same without the timestamp, which finding an offset does not need.
_PLACE: Final = struct.Struct(f">qi{LAST_OFFSET_DELTA_POSITION - LOG_OVERHEAD}xi")

_unpack_header = _HEADER.unpack_from
_unpack_place = _PLACE.unpack_from

# Of a message of version 0 or 1: size, checksum, magic.
_OLD_HEAD: Final = struct.Struct(">8xiIb")


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
        size = len(buffer)
        file = self._file_pool.open(self.path)
        written = os.pwrite(file.fd, buffer if size <= WRITE_SIZE else memoryview(buffer)[:WRITE_SIZE], self.size_bytes)
        while written < size:
            rest = memoryview(buffer)[written : written + WRITE_SIZE]
            written += os.pwrite(file.fd, rest, self.size_bytes + written)
        self.size_bytes += size

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
        file = self._file_pool.open(self.path)
        while position + HEADER_SIZE <= end:
            block = os.pread(file.fd, BLOCK_SIZE, position)
            if indexed_offset is not None:
                if not _ends_at(block, indexed_offset):
                    raise CorruptRecordError(f"{self.path}: no batch at position {position} ends at {indexed_offset}")
                indexed_offset = None
            last_start = min(len(block), end - position) - HEADER_SIZE
            start = 0
            while start <= last_start:
                base_offset, length, last_offset_delta = _unpack_place(block, start)
                if base_offset + last_offset_delta >= offset:
                    return position + start, length + LOG_OVERHEAD
                if length < HEADER_SIZE - LOG_OVERHEAD:
                    raise CorruptRecordError(f"{self.path}: batch at position {position + start} says {length} bytes")
                start += length + LOG_OVERHEAD
            if start == 0:
                return None
            position += start
        return None

    def holds_entry(self, offset: int, position: int) -> bool:
        """Whether a batch at `position` ends at `offset`, as an index entry says."""
        return _ends_at(self.read(position, HEADER_SIZE), offset)

    def holds_old_message(self, position: int) -> bool:
        """Whether an undamaged message of version 0 or 1 lies at `position`, by its own CRC-32."""
        head = self.read(position, _OLD_HEAD.size)
        if len(head) < _OLD_HEAD.size:
            return False
        size, crc, magic = _OLD_HEAD.unpack(head)
        if magic not in (0, 1) or not 0 < size <= self.size_bytes - position - LOG_OVERHEAD:
            return False
        return bool(crc32(self.read(position + MAGIC_POSITION, size - MAGIC_POSITION + LOG_OVERHEAD)) == crc)

    def headers(self, position: int = 0, end: int | None = None) -> Iterator[BatchPosition]:
        """Yield the place, offsets and largest timestamp of each whole batch from `position` on, reading headers only.

        Stops before a batch that is cut off. Raises CorruptRecordError at an impossible size.
        """
        end = self.size_bytes if end is None else end
        file = self._file_pool.open(self.path)
        while position + HEADER_SIZE <= end:
            block = os.pread(file.fd, BLOCK_SIZE, position)
            start = 0
            while start + HEADER_SIZE <= len(block):
                base_offset, length, last_offset_delta, max_timestamp_ms = _unpack_header(block, start)
                size = length + LOG_OVERHEAD
                if size < HEADER_SIZE:
                    raise CorruptRecordError(f"{self.path}: batch at position {position + start} says {length} bytes")
                if position + start + size > end:
                    return
                yield BatchPosition(
                    position + start, size, base_offset, base_offset + last_offset_delta, max_timestamp_ms
                )
                start += size
            if start == 0:
                return
            position += start

    def batches(self, position: int = 0, end: int | None = None) -> Iterator[tuple[int, RecordBatch]]:
        """Yield (position, batch) of each whole batch from `position` on; their CRCs are the caller's to check.

        Stops before a batch that is cut off. Raises CorruptRecordError at an impossible size. Each batch is a view of
        bytes read for it, so it may be kept.
        """
        end = self.size_bytes if end is None else end
        while position + HEADER_SIZE <= end:
            block = self.read(position, min(SCAN_SIZE, end - position))
            start = 0
            while start + HEADER_SIZE <= len(block):
                batch = RecordBatch(block, start)
                if start + batch.size_bytes > len(block):
                    break
                yield position + start, batch
                start += batch.size_bytes
            if start == 0:
                if position + batch.size_bytes > end:
                    return
                block = self.read(position, batch.size_bytes)
                yield position, RecordBatch(block)
                start = batch.size_bytes
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
        """Return when what was written is on the disk."""
        file = self._file_pool.open(self.path)
        os.fsync(file.fd)

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
    if len(block) < HEADER_SIZE:
        return False
    base_offset, _, last_offset_delta = _unpack_place(block)
    return bool(base_offset + last_offset_delta == offset)
