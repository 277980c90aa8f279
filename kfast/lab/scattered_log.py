"""A log that is not sequential: each batch lies in a random free slot of a large file. For comparison only.

    append -> validate and stamp as every log does, draw a free slot, one positional write there
    read   -> a table in memory says where each batch lies: one FileSlice a batch, for the next one is somewhere else

It stands for a store that puts a record where there is room, and differs from a log in the places alone. There is a
file for each size of slot, a power of two. It is sparse: the file system allocates what is written, as it does for a
log. A batch begins anywhere in its slot, since at the slot's own start it would be aligned to pages, which is faster,
and a log's batches are not. When a file is full the oldest batches of the log go: the log start offset moves, as with
retention. A slot then rests until an eighth of its file has been given back, so that a slice in flight is not
overwritten; a log that appends needs no such care. The table is in memory alone: nothing of the log is left when it is
opened again, and times find nothing.
"""

from __future__ import annotations

import os
import random
import threading
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from kfast.errors import KafkaStorageError
from kfast.file_slice import FileSlice, OpenFile
from kfast.log.checkpoints import fsync_directory
from kfast.log.log import Log
from kfast.log.manager import LogManager
from kfast.log.producer_state import Admission
from kfast.log.results import FetchDataInfo, TimestampAndOffset
from kfast.record.batch import RecordBatch, stamp

CAPACITY_BYTES: Final = 1 << 30
"""Of each file, unless retention.bytes is less: as much as a segment of a log."""

MOST_SLOTS: Final = 1 << 19
"""Of each file, and of the table."""

SMALLEST_SLOT: Final = 512
"""Bytes: a sector of most devices."""

FEWEST_SLOTS: Final = 8
RESTING_SHARE: Final = 8
"""A slot rests until one in so many slots of its file has been given back after it."""


class ScatteredSlice(FileSlice):
    """Batches of one answer that lie apart; its len() is that of all of them."""

    __slots__ = ("pieces",)

    def __init__(self, pieces: Sequence[FileSlice]) -> None:
        super().__init__(pieces[0].file, pieces[0].position, sum(piece.size for piece in pieces))
        self.pieces = pieces

    def read(self) -> bytes:
        return b"".join(piece.read() for piece in self.pieces)


class SlotFile:
    """One file of slots of one size, and which of them are free. For one thread at a time."""

    def __init__(self, path: str, slot_size: int, capacity_bytes: int) -> None:
        count = _slot_count(capacity_bytes, slot_size)
        self.slot_size = slot_size
        self.file = OpenFile(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.ftruncate(self.file.fd, count * slot_size)
        os.fsync(self.file.fd)  # for its size; fdatasync does for what is written into it
        self._free = array("I", range(count))
        self._resting: deque[int] = deque()
        self._resting_count = count // RESTING_SHARE

    def take(self, draw: random.Random) -> int | None:
        """The position of a free slot, any of them; None where there is none."""
        free = self._free
        if not free:
            return None
        number = int(draw.random() * len(free))
        slot, last = free[number], free.pop()
        if number < len(free):
            free[number] = last
        return slot * self.slot_size

    def give(self, position: int) -> None:
        """Take a slot back. It is free again when enough others have come back after it."""
        self._resting.append(position // self.slot_size)
        if len(self._resting) > self._resting_count:
            self._free.append(self._resting.popleft())

    def write(self, position: int, data: memoryview) -> None:
        self.file.write(data, position)


class ScatteredLog(Log):
    """The same as a `Log` to a broker. Thread-safe; reads take no lock: what they found is checked against evictions.

    Batches are numbered as they come; number n is entry n % len of the table, which is published by `_last_number`.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)  # which `Log.open` knows
        retention_bytes = self.config.retention_bytes
        self._capacity_bytes = min(CAPACITY_BYTES, retention_bytes) if retention_bytes > 0 else CAPACITY_BYTES
        count = _slot_count(self._capacity_bytes, SMALLEST_SLOT)
        self._base_offsets, self._positions, self._sizes = (array("q", bytes(8 * count)) for _ in range(3))
        self._first_number = self._last_number = 0
        self._files: dict[int, SlotFile] = {}
        self._flush_lock = threading.Lock()
        self._flushed_bytes = 0
        self._draw = random.Random(0)

    @property
    def size_bytes(self) -> int:
        count = len(self._sizes)
        return sum(self._sizes[number % count] for number in range(self._first_number, self._last_number))

    @property
    def unflushed_bytes(self) -> int:
        return self._local.end[2] - self._flushed_bytes

    # Writing

    def _append(
        self,
        buffer: bytearray | memoryview,
        batches: list[RecordBatch],
        leader_epoch: int,
        admission: Admission | None,
    ) -> int:
        next_offset, segment, total_bytes = self._local.end
        number, start = self._last_number, 0
        view = memoryview(buffer)
        for batch in batches:
            stamp(buffer, start, next_offset, leader_epoch)
            end = start + batch.size_bytes
            self._write(number, next_offset, view[start:end])
            number, start, next_offset = number + 1, end, next_offset + batch.last_offset_delta + 1
        self._last_number = number
        if admission is not None:
            self._producers.apply(admission)
        self._local.end = (next_offset, segment, total_bytes + start)
        return next_offset

    def _write(self, number: int, base_offset: int, data: memoryview) -> None:
        """Put batch `number` somewhere, and where it lies into the table."""
        entry = number % len(self._sizes)
        if number - self._first_number == len(self._sizes):
            self._evict()
        file, slot = self._slot(len(data))
        position = slot + int(self._draw.random() * (file.slot_size - len(data) + 1))
        try:
            file.write(position, data)
        except OSError as error:
            file.give(slot)
            raise KafkaStorageError(f"{file.file.path}: writing {len(data)} bytes: {error.strerror}") from error
        self._base_offsets[entry], self._positions[entry], self._sizes[entry] = base_offset, position, len(data)

    def _slot(self, size: int) -> tuple[SlotFile, int]:
        """A free slot for `size` bytes; the oldest batches go until there is one."""
        slot_size = _slot_size(size)
        file = self._files.get(slot_size) or self._new_file(slot_size)
        while (position := file.take(self._draw)) is None:
            if self._first_number == self._last_number:
                raise KafkaStorageError(f"{file.file.path}: all its slots are taken by one request")
            self._evict()
        return file, position

    def _new_file(self, slot_size: int) -> SlotFile:
        path = os.path.join(self.directory, f"{slot_size}.slots")
        try:
            file = self._files[slot_size] = SlotFile(path, slot_size, self._capacity_bytes)
            fsync_directory(self.directory)
        except OSError as error:
            raise KafkaStorageError(f"{path}: {error.strerror}") from error
        return file

    def _evict(self) -> None:
        """Let the oldest batch go: first from the offsets, then from the table, then its slot."""
        entry = self._first_number % len(self._sizes)
        following = (self._first_number + 1) % len(self._sizes)
        is_last = self._first_number + 1 == self._last_number
        start_offset = self._local.end[0] if is_last else self._base_offsets[following]
        self._log_start_offset = max(self._log_start_offset, start_offset)
        self._first_number += 1
        self._files[_slot_size(self._sizes[entry])].give(self._positions[entry])

    def flush(self, up_to: int | None = None) -> None:
        """Return when all records are on the disk; a bound would save nothing here."""
        end = self._local.end
        with self._flush_lock:
            if end[0] <= self.recovery_point:
                return
            try:
                for file in list(self._files.values()):
                    os.fdatasync(file.file.fd)
            except OSError as error:
                self._is_closed = True  # what was not written is lost: the next fdatasync would not say so
                words = f"{self.directory}: flushing: {error.strerror}; it takes no more records"
                raise KafkaStorageError(words) from error
            self._flushed_bytes = end[2]
            self._flusher.move_to(end)

    # Reading

    def read(
        self,
        fetch_offset: int,
        max_bytes: int,
        *,
        up_to: int | None = None,
        min_one_batch: bool = True,
        with_aborted: bool = False,
    ) -> FetchDataInfo:
        """As `Log.read`, but whole batches only, and nothing of what was aborted."""
        first, last, end_offset = self._first_number, self._last_number, self._local.end[0]
        if not self._log_start_offset <= fetch_offset <= end_offset:
            raise self._out_of_range(fetch_offset)
        limit = end_offset if up_to is None else min(up_to, end_offset)
        pieces = self._pieces(fetch_offset, limit, first, last, max_bytes, min_one_batch)
        log_start_offset = self._log_start_offset
        if fetch_offset < log_start_offset:  # evicted meanwhile, and its entries may be those of other batches
            raise self._out_of_range(fetch_offset)
        records = pieces[0] if len(pieces) == 1 else ScatteredSlice(pieces) if pieces else self._nothing()
        return FetchDataInfo(records, fetch_offset, log_start_offset, end_offset, end_offset)

    def _pieces(
        self, offset: int, limit: int, first: int, last: int, max_bytes: int, min_one_batch: bool
    ) -> list[FileSlice]:
        """The batches from the one that holds `offset` on, below the offset `limit`, up to `max_bytes`."""
        bases, count = self._base_offsets, len(self._base_offsets)
        start = first + bisect_right(range(first, last), offset, key=lambda number: bases[number % count]) - 1
        pieces: list[FileSlice] = []
        for number in range(max(first, start), last):
            entry = number % count
            size = self._sizes[entry]
            max_bytes -= size
            if offset >= limit or bases[entry] >= limit or (max_bytes < 0 and (pieces or not min_one_batch)):
                break
            pieces.append(FileSlice(self._files[_slot_size(size)].file, self._positions[entry], size))
        return pieces

    def _nothing(self) -> FileSlice:
        return self._local.end[1].records.slice(0, 0)

    def offset_for_timestamp(self, timestamp_ms: int) -> TimestampAndOffset | None:
        return None

    def max_timestamp(self) -> TimestampAndOffset | None:
        return None

    def delete_old_segments(self) -> int:
        """There are none: the oldest batches go when their slots are wanted."""
        return 0


class ScatteredLogManager(LogManager):
    """Scattered logs for users' topics; the broker's own stay what they are, or it could not start again."""

    def log_type(self, topic: str) -> type[Log]:
        return Log if topic.startswith("__") else ScatteredLog


def _slot_count(capacity_bytes: int, slot_size: int) -> int:
    return max(FEWEST_SLOTS, min(capacity_bytes // slot_size, MOST_SLOTS))


def _slot_size(size: int) -> int:
    """The next power of two: what a slot for `size` bytes has."""
    return max(SMALLEST_SLOT, 1 << (size - 1).bit_length())
