"""A partition's log: an ordered run of segments that grows at one end and is cut, segment by segment, at the other.

    append -> validate, stamp offsets and epoch in place, one positional write, publish the log end offset
    read   -> index look-up, scan of a few headers, a FileSlice; no record byte is read

One lock guards append, roll and whatever else changes the list of segments. Reads take none: the segments are an
immutable tuple replaced whole, and the end of the log is published last. fsync runs outside the lock.

There is no replication here, so the high watermark is the log end offset: what is appended may be read.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from kfast.clock import Clock, SystemClock
from kfast.errors import KafkaStorageError, OffsetOutOfRangeError
from kfast.file_slice import FileSlice
from kfast.log.config import NEVER, LogConfig
from kfast.log.file_pool import FilePool
from kfast.log.flusher import Flusher
from kfast.log.loader import load_log
from kfast.log.producer_loader import load_producers
from kfast.log.producer_snapshot import snapshot_offsets, write_snapshot
from kfast.log.producer_state import Admission, BatchMetadata, ProducerStates
from kfast.log.results import FetchDataInfo, LogAppendInfo, TimestampOffset
from kfast.log.retention import deletable_segments
from kfast.log.segment import LogSegment
from kfast.log.segments import LogOffsetMetadata, LogSegments
from kfast.log.transaction_index import AbortedTransaction
from kfast.log.validator import validate, validate_timestamps
from kfast.record.batch import RecordBatch, set_max_timestamp, stamp
from kfast.record.layout import NO_PRODUCER_ID, NO_TIMESTAMP, TimestampType
from kfast.scheduler import Scheduler

logger = logging.getLogger(__name__)

Listener: TypeAlias = Callable[[], object]


class Log:
    """One partition's records on disk, in Kafka's format. Thread-safe; made by `Log.open`."""

    def __init__(
        self,
        directory: str,
        config: LogConfig,
        clock: Clock,
        scheduler: Scheduler | None,
        file_pool: FilePool,
        segments: LogSegments,
        log_start_offset: int,
        producers: ProducerStates,
    ) -> None:
        self.directory = Path(directory)
        self.config = config
        """Frozen; `update_config` replaces it."""
        self._path = directory
        self._clock = clock
        self._file_pool = file_pool
        self._lock = threading.Lock()
        self._listeners: tuple[Listener, ...] = ()
        self._is_closed = False
        self._segments = segments
        self._log_start_offset = log_start_offset
        self._producers = producers
        self._snapshot_offset = max(snapshot_offsets(directory), default=segments.first.base_offset)
        active = segments.active
        self._end: LogOffsetMetadata = (max(active.next_offset(), log_start_offset), active, active.size_bytes)
        self._flusher = Flusher(directory, scheduler, (segments.first.base_offset, segments.first, 0))

    @classmethod
    def open(
        cls,
        directory: str | os.PathLike[str],
        config: LogConfig | None = None,
        *,
        clock: Clock | None = None,
        scheduler: Scheduler | None = None,
        file_pool: FilePool | None = None,
        recovery_point: int = 0,
        log_start_offset: int = 0,
        was_clean: bool = False,
    ) -> Log:
        """Open the log in `directory`, made if it is missing; recover what an unclean stop left behind.

        Segments at and after `recovery_point` are scanned and cut at the first damaged byte, unless `was_clean`.
        Without a scheduler finished segments and flush.ms wait for `flush` or `close`.
        """
        path = os.fspath(directory)
        config = config or LogConfig()
        file_pool = FilePool() if file_pool is None else file_pool  # an empty one is false
        loaded = load_log(path, config, file_pool, recovery_point, log_start_offset, was_clean)
        log = cls(
            path,
            config,
            clock or SystemClock(),
            scheduler,
            file_pool,
            loaded.segments,
            loaded.log_start_offset,
            loaded.producers,
        )
        log._set_recovery_point(min(recovery_point, loaded.flushed_offset))
        return log

    # Where the log begins and ends

    @property
    def segments(self) -> tuple[LogSegment, ...]:
        return self._segments.all

    @property
    def log_start_offset(self) -> int:
        return self._log_start_offset

    @property
    def log_end_offset(self) -> int:
        """The offset the next record will get."""
        return self._end[0]

    @property
    def high_watermark(self) -> int:
        """Records below it may be read: all, on one node."""
        return self._end[0]

    @property
    def last_stable_offset(self) -> int:
        """Records below it belong to no open transaction."""
        return self._producers.stable(self._end[0])

    @property
    def recovery_point(self) -> int:
        """Records below it are known to be on the disk."""
        return self._flusher.recovery_point

    @property
    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self._segments)

    @property
    def unflushed_bytes(self) -> int:
        """Bytes appended that have not been flushed: acknowledged, in the page cache, perhaps not on the disk."""
        return self._flusher.unflushed_bytes(self._segments)

    # Writing

    def append(self, records: bytes | bytearray | memoryview, *, leader_epoch: int = 0) -> LogAppendInfo:
        """Append one or more whole batches and return the offsets they got.

        Offsets and epoch are stamped into `records` itself; a read-only buffer is copied first. When this returns the
        records are in the page cache, and on the disk if flush.messages says so. Raises KafkaStorageError and what
        `validate` raises; then nothing was appended.
        """
        if isinstance(records, bytes) or (isinstance(records, memoryview) and records.readonly):
            records = bytearray(records)  # the stamp has to go somewhere; the broker's own buffers are writable
        config = self.config
        batches = validate(records, config)
        append_time_ms = NO_TIMESTAMP
        if config.message_timestamp_type:
            append_time_ms = self._clock.now_ms()
            batches = _stamp_time(records, batches, append_time_ms)
        elif config.limits_timestamps:
            validate_timestamps(batches, config, self._clock.now_ms())
        with self._lock:
            self._ensure_open()
            first_offset = self._end[0]
            admission = self._producers.admit(batches, first_offset) if _have_producers(batches) else None
            if admission is not None and admission.duplicate is not None:
                return self._as_the_first_time(admission.duplicate)
            next_offset = self._append(records, batches, leader_epoch, admission)
        if next_offset - self._flusher.recovery_point >= config.flush_messages:
            self.flush()
        elif config.flush_ms != NEVER:
            self._flusher.schedule(self.flush, config.flush_ms)
        for listener in self._listeners:
            listener()
        return LogAppendInfo(first_offset, next_offset - 1, append_time_ms, self._log_start_offset)

    def _as_the_first_time(self, duplicate: BatchMetadata) -> LogAppendInfo:
        """The answer to a batch that was sent twice: where it lies since the first time."""
        time_ms = duplicate.timestamp_ms if self.config.message_timestamp_type else NO_TIMESTAMP
        return LogAppendInfo(duplicate.first_offset, duplicate.last_offset, time_ms, self._log_start_offset)

    def _append(
        self,
        buffer: bytearray | memoryview,
        batches: list[RecordBatch],
        leader_epoch: int,
        admission: Admission | None,
    ) -> int:
        """Write under the lock; return the new log end offset."""
        self._flusher.ensure_sound()
        first_offset, segment, end_position = self._end
        next_offset, position, max_timestamp_ms = first_offset, 0, NO_TIMESTAMP
        for batch in batches:
            stamp(buffer, position, next_offset, leader_epoch)
            position += batch.size_bytes
            next_offset += batch.last_offset_delta + 1
            if batch.max_timestamp_ms > max_timestamp_ms:
                max_timestamp_ms = batch.max_timestamp_ms
        try:
            if segment.should_roll(self.config, position, next_offset - 1, max_timestamp_ms):
                segment, end_position = self._roll(), 0
            segment.append(buffer, batches, first_offset)
        except OSError as error:
            segment.undo_append(end_position)
            raise KafkaStorageError(
                f"{segment.records.path}: writing {position} bytes at position {end_position}: {error.strerror}"
            ) from error
        if admission is not None:
            self._note_producers(buffer, batches, admission, segment)
        self._end = (next_offset, segment, end_position + position)  # last: what is stable is known by now
        return next_offset

    def _note_producers(
        self, buffer: bytearray | memoryview, batches: list[RecordBatch], admission: Admission, segment: LogSegment
    ) -> None:
        self._producers.apply(admission)
        position = 0
        for batch in batches:
            if batch.is_control:
                aborted = self._producers.replay(RecordBatch(buffer, position))  # again, with its offset
                if aborted is not None:
                    segment.transaction_index.append(aborted)
            position += batch.size_bytes

    def roll(self) -> None:
        """Begin a new segment at the log end offset, unless the active one is still empty."""
        with self._lock:
            self._ensure_open()
            self._roll()

    def _roll(self) -> LogSegment:
        active = self._segments.active
        if active.size_bytes == 0:
            return active
        active.finish()
        segment = LogSegment.create(self._path, self._end[0], self._file_pool, self.config)
        self._take_snapshot()
        self._segments = LogSegments((*self._segments, segment))
        self._end = (self._end[0], segment, 0)
        self._flusher.run_soon(lambda: self.flush(segment.base_offset))
        return segment

    def _take_snapshot(self) -> None:
        """Write down the producers at the log end offset, unless nothing was appended since the last time."""
        end_offset = self._end[0]
        if end_offset > self._snapshot_offset:
            write_snapshot(self._path, end_offset, self._producers)
            self._snapshot_offset = end_offset

    # Reading

    def read(
        self, fetch_offset: int, max_bytes: int, *, up_to: int | None = None, min_one_batch: bool = True
    ) -> FetchDataInfo:
        """Find the batches from the one that holds `fetch_offset` on, in one segment, unread, up to `max_bytes`.

        The first batch comes whole even if it is larger, unless `min_one_batch` is false; the last may be cut off. The
        slice is empty at the end of the log, and where `up_to`, an offset that is not to be reached, leaves nothing.
        Raises OffsetOutOfRangeError.
        """
        end = self._end
        end_offset = end[0]
        if not self._log_start_offset <= fetch_offset <= end_offset:
            raise self._out_of_range(fetch_offset)
        if up_to is not None and up_to < end_offset:
            end = self._segments.offset_metadata(up_to, end)
        try:
            records = self._segments.find(fetch_offset, max_bytes, end, min_one_batch)
        except FileNotFoundError:
            if fetch_offset < self._log_start_offset:  # retention was faster
                raise self._out_of_range(fetch_offset) from None
            raise KafkaStorageError(f"{self._path}: a segment's file at offset {fetch_offset} is missing") from None
        log_start_offset = self._log_start_offset
        if fetch_offset < log_start_offset:  # likewise, and what was found lies beyond what was asked for
            raise self._out_of_range(fetch_offset)
        return FetchDataInfo(records, fetch_offset, log_start_offset, end_offset, self._producers.stable(end_offset))

    def _out_of_range(self, offset: int) -> OffsetOutOfRangeError:
        return OffsetOutOfRangeError(
            f"{self.directory.name}: offset {offset} is not within {self._log_start_offset}..{self._end[0]}"
        )

    def aborted_transactions(self, fetch_offset: int, records: FileSlice) -> list[AbortedTransaction]:
        """Those whose records may lie in what `read` found from `fetch_offset` on; to be passed over by its reader."""
        segments = self._segments
        number = max(0, segments.floor(fetch_offset))
        end_offset = segments.all[number].offset_after(records.position + records.size)
        if end_offset is None:
            later = segments.all[number + 1 :]
            end_offset = later[0].base_offset if later else self._end[0]
        return segments.aborted_transactions(fetch_offset, end_offset)

    def offset_for_timestamp(self, timestamp_ms: int) -> TimestampOffset | None:
        """The first record, in order of offsets, that is not earlier than `timestamp_ms`; None where there is none."""
        return self._segments.find_timestamp(timestamp_ms, self._log_start_offset)

    def max_timestamp(self) -> TimestampOffset | None:
        """The record with the largest timestamp, the first one of them; None where no record has one."""
        largest = self._segments.largest_timestamp_ms()
        return self.offset_for_timestamp(largest) if largest >= 0 else None

    # To the disk

    def flush(self, up_to: int | None = None) -> None:
        """Return when all records below `up_to` (None: all) are on the disk, and advance the recovery point.

        `up_to` is the base offset of a segment. Appends go on meanwhile. Raises KafkaStorageError.
        """
        end, segments = self._end, self._segments
        if up_to is not None and up_to < end[0]:
            end = (up_to, segments.all[segments.floor(up_to)], 0)
        self._flusher.flush(segments, end)

    def _set_recovery_point(self, offset: int) -> None:
        """Take it that records below `offset` are on the disk."""
        offset = max(offset, self._segments.first.base_offset)
        self._flusher.move_to(
            self._end if offset >= self._end[0] else self._segments.offset_metadata(offset, self._end)
        )

    def update_config(self, config: LogConfig) -> None:
        """Follow `config` from the next append on; what waits to be flushed follows its flush.ms too."""
        with self._lock:
            is_flush_changed = config.flush_ms != self.config.flush_ms
            self.config = config
        if is_flush_changed:
            self._flusher.cancel()
            if config.flush_ms != NEVER and self.recovery_point < self._end[0]:
                self._flusher.schedule(self.flush, config.flush_ms)

    # Growing shorter

    def increment_log_start_offset(self, offset: int) -> None:
        """Hide the records below `offset`; retention removes the segments that hold nothing else."""
        with self._lock:
            self._ensure_open()
            if offset > self._end[0]:
                raise self._out_of_range(offset)
            self._log_start_offset = max(offset, self._log_start_offset)

    def delete_old_segments(self) -> int:
        """Remove the oldest segments that are past retention; return how many. Slices in flight stay readable."""
        with self._lock:
            self._ensure_open()
            doomed = deletable_segments(self.segments, self.config, self._clock.now_ms(), self._log_start_offset)
            if not doomed:
                return 0
            if len(doomed) == len(self._segments):
                self._roll()
            kept = LogSegments(self.segments[len(doomed) :])
            first = kept.first
            self._log_start_offset = max(self._log_start_offset, first.base_offset)  # first: see read
            self._segments = kept
            if self.recovery_point < first.base_offset:
                self._flusher.move_to((first.base_offset, first, 0))
        for segment, reason in doomed:
            logger.info("%s: segment %d deleted: %s", self.directory.name, segment.base_offset, reason)
            segment.unlink()
        return len(doomed)

    def truncate_to(self, offset: int) -> None:
        """Drop the batch that holds `offset` and all that follows. Only while nobody is being served."""
        with self._lock:
            self._ensure_open()
            if offset >= self._end[0]:
                return
            kept = [segment for segment in self._segments if segment.base_offset <= offset]
            dropped = self.segments[len(kept) :]
            if kept:
                found = kept[-1].translate_offset(offset, kept[-1].size_bytes)
                if found is not None:
                    kept[-1].truncate_to(found[0])
            else:
                kept = [LogSegment.create(self._path, offset, self._file_pool, self.config)]
            self._segments = LogSegments(kept)
            active = kept[-1]
            self._end = (active.next_offset(), active, active.size_bytes)
            self._log_start_offset = min(self._log_start_offset, self._end[0])
            self._producers = load_producers(self._path, kept, self._end[0])
            if self.recovery_point > self._end[0]:
                self._flusher.move_to(self._end)
        for segment in dropped:
            segment.unlink()

    # The end

    def close(self) -> None:
        """Flush, complete the indexes, and take no more. Twice does no harm."""
        with self._lock:
            if self._is_closed:
                return
            self._segments.active.finish()
            self._take_snapshot()
        self.flush()
        self._segments.active.flush_indexes()
        self._stop()

    def rename(self, directory: str) -> None:
        """Close without flushing and move the directory away, for a partition that is being deleted."""
        self._stop()
        os.rename(self._path, directory)
        self._forget_files()

    def delete(self) -> None:
        """Close without flushing and remove the directory. Slices in flight stay readable."""
        self._stop()
        shutil.rmtree(self._path)
        self._forget_files()

    def _stop(self) -> None:
        with self._lock:
            self._is_closed = True
        self._flusher.stop()
        for listener in self._listeners:
            listener()

    def _forget_files(self) -> None:
        for segment in self._segments:
            for path in segment.paths():
                self._file_pool.discard(path)

    def _ensure_open(self) -> None:
        if self._is_closed:
            raise KafkaStorageError(f"{self.directory.name}: the log is closed")

    # Long polls

    def add_listener(self, listener: Listener) -> None:
        """Have `listener` called, in the appending thread, after each append, and when the log closes."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

    def remove_listener(self, listener: Listener) -> None:
        with self._lock:
            self._listeners = tuple(other for other in self._listeners if other != listener)

    def __repr__(self) -> str:
        return (
            f"Log({self.directory.name!r}, offsets {self._log_start_offset}..{self._end[0]}, "
            f"{len(self._segments)} segments, {self.size_bytes} bytes)"
        )


def _have_producers(batches: list[RecordBatch]) -> bool:
    """Whether any of them is of a producer that numbers its batches."""
    return any(batch.producer_id != NO_PRODUCER_ID for batch in batches)


def _stamp_time(buffer: bytearray | memoryview, batches: list[RecordBatch], append_time_ms: int) -> list[RecordBatch]:
    """Make the time of the append that of every record; the batches are read again as they now are."""
    position, stamped = 0, []
    for batch in batches:
        set_max_timestamp(buffer, position, TimestampType.LOG_APPEND_TIME, append_time_ms)
        stamped.append(RecordBatch(buffer, position))
        position += batch.size_bytes
    return stamped
