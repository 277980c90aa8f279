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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from kfast.clock import Clock, SystemClock
from kfast.errors import KafkaStorageError
from kfast.log.checkpoints import fsync_directory
from kfast.log.config import NEVER, LogConfig
from kfast.log.file_pool import FilePool
from kfast.log.flush_stats import FlushStats
from kfast.log.flusher import Flusher
from kfast.log.loader import LoadedLog, LogLoader
from kfast.log.local_log import LocalLog
from kfast.log.log_reader import LogReader
from kfast.log.producer_state import Admission, BatchMetadata, ProducerState
from kfast.log.producer_state_manager import ProducerStateManager
from kfast.log.recovery_progress import RecoveryProgress
from kfast.log.results import LogAppendInfo
from kfast.log.retention import deletable_segments
from kfast.log.roll_policy import RollPolicy
from kfast.log.segment import LogSegment
from kfast.log.validator import stamp_offsets, validate
from kfast.record.batch import RecordBatch
from kfast.scheduler import Scheduler

logger = logging.getLogger(__name__)

Listener: TypeAlias = Callable[[], object]


class Log(LogReader):
    """One partition's records on disk, in Kafka's format. Thread-safe; made by `Log.open`."""

    def __init__(
        self,
        local: LocalLog,
        config: LogConfig,
        clock: Clock,
        scheduler: Scheduler | None,
        loaded: LoadedLog,
        flush_stats: FlushStats,
    ) -> None:
        producers = ProducerStateManager(loaded.producers, loaded.snapshots, clock)
        super().__init__(local, loaded.log_start_offset, producers, loaded.leader_epochs)
        self.config = config
        """Frozen; `update_config` replaces it."""
        self._clock = clock
        self._roll_policy = RollPolicy(config, clock)
        self._listeners: tuple[Listener, ...] = ()
        self._is_closed = False
        first = local.segments.first
        self._flusher = Flusher(
            local.directory, scheduler, (first.base_offset, first, 0), flush_stats, self._flush_if_kept
        )

    @classmethod
    def open(
        cls,
        directory: str | os.PathLike[str],
        config: LogConfig | None = None,
        *,
        clock: Clock | None = None,
        scheduler: Scheduler | None = None,
        file_pool: FilePool | None = None,
        flush_stats: FlushStats | None = None,
        progress: RecoveryProgress | None = None,
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
        clock = clock or SystemClock()
        file_pool = FilePool() if file_pool is None else file_pool  # an empty one is false
        loader = LogLoader(path, config, file_pool, clock, progress or RecoveryProgress(clock))
        loaded = loader.load(recovery_point, log_start_offset, was_clean)
        local = LocalLog(path, file_pool, scheduler, loaded.segments, loaded.snapshots, loaded.end_offset)
        log = cls(local, config, clock, scheduler, loaded, flush_stats or FlushStats(clock))
        log._set_recovery_point(max(loaded.flushed_offset, loaded.log_start_offset))
        return log

    # Writing

    def append(self, records: bytes | bytearray | memoryview, *, leader_epoch: int = 0) -> LogAppendInfo:
        """Append one or more whole batches and return the offsets they got.

        Offsets and epoch are stamped into `records` itself; a read-only buffer is copied first. When this returns the
        records are in the page cache, and on the disk if flush.messages says so. What a producer repeats is answered
        as the first time. Raises KafkaStorageError, what `validate` raises, and of batches that do not follow their
        producer's last what `ProducerState.ensure_follows` raises; then nothing was appended, unless it is the flush
        that failed: the records can be read, are perhaps not on the disk, and no more are taken.
        """
        if isinstance(records, bytes) or (isinstance(records, memoryview) and records.readonly):
            records = bytearray(records)  # the stamp has to go somewhere; the broker's own buffers are writable
        config = self.config
        buffer, batches, append_time_ms = validate(records, config, self._clock)
        with self._lock:
            self._ensure_open()
            self._flusher.ensure_sound()
            first_offset = self._local.end[0]
            admission = self._producers.admit(batches, first_offset)
            duplicate = None if admission is None else admission.duplicate
            if duplicate is None:
                next_offset = self._append(buffer, batches, leader_epoch, admission)
        if duplicate is not None:
            self._flush_if_due(config, duplicate.last_offset + 1)  # the first one may still wait for its flush
            return self._as_the_first_time(duplicate)
        self._flush_if_due(config, next_offset)
        for listener in self._listeners:
            listener()
        return LogAppendInfo(first_offset, next_offset - 1, append_time_ms, self._log_start_offset)

    def _flush_if_due(self, config: LogConfig, next_offset: int) -> None:
        """Have what lies before `next_offset` on the disk now, or later, as the configuration asks for."""
        if config.flush_messages != NEVER and next_offset - self.recovery_point >= config.flush_messages:
            self.flush()
        elif config.flush_ms != NEVER:
            self._flusher.schedule(self.flush, config.flush_ms)

    def _as_the_first_time(self, duplicate: BatchMetadata) -> LogAppendInfo:
        """The answer to a batch that was sent twice: where it lies since the first time, and, as in Kafka, its time."""
        return LogAppendInfo(
            duplicate.first_offset, duplicate.last_offset, duplicate.timestamp_ms, self._log_start_offset
        )

    def _append(
        self,
        buffer: bytearray | memoryview,
        batches: list[RecordBatch],
        leader_epoch: int,
        admission: Admission | None,
    ) -> int:
        """Write under the lock; return the new log end offset."""
        local = self._local
        first_offset, segment, _ = local.end
        next_offset, max_timestamp_ms = stamp_offsets(buffer, batches, first_offset, leader_epoch)
        is_written = False
        try:
            if self._roll_policy.should_roll(segment, self.config, len(buffer), next_offset - 1, max_timestamp_ms):
                self._roll()
            if leader_epoch != self.leader_epochs.latest:
                self.leader_epochs.assign(leader_epoch, first_offset)
            local.append(buffer, batches)
            is_written = True
            if admission is not None:
                self._producers.apply(admission)
                self._producers.note_markers(buffer, batches, local.segments.active.transaction_index)
            local.publish(next_offset)  # last: what is stable is known by now
        except BaseException as error:  # an interrupt too: the next batch would get the same offsets
            self._undo_append(is_written and admission is not None)
            if isinstance(error, OSError):
                raise self._write_failure(error, len(buffer)) from error
            raise
        return next_offset

    def _undo_append(self, has_noted_producers: bool) -> None:
        """Drop what lies beyond the end, and what it told of producers."""
        self._local.undo_append()
        if has_noted_producers:
            try:
                self._reload_producers()
            except OSError as error:  # a batch that is not there would be taken for a duplicate when it comes again
                failure = (
                    f"{self.directory.name}: reading what is known of producers: {error}; it takes no more records"
                )
                self._flusher.fail(KafkaStorageError(failure))

    def _write_failure(self, error: OSError, size: int) -> KafkaStorageError:
        _, segment, position = self._local.end
        failure = f"{segment.records.path}: writing {size} bytes at position {position}: {error.strerror}"
        if isinstance(error, FileNotFoundError):  # a file is gone: what is acknowledged from now on would be lost
            failure = f"{failure}: {error.filename}; it takes no more records"
            self._flusher.fail(KafkaStorageError(failure))
        return KafkaStorageError(failure)

    def _reload_producers(self) -> None:
        """As they were at the end of the log, where what followed has been dropped."""
        self._producers.reload(self.segments, self._local.end[0], self.config.producer_id_expiration_ms)

    def roll(self) -> None:
        """Begin a new segment at the log end offset, unless the active one is empty. Raises KafkaStorageError."""
        with self._lock:
            self._ensure_open()
            try:
                self._roll()
            except OSError as error:
                raise KafkaStorageError(f"{self.directory.name}: a new segment cannot begin: {error}") from error

    def _roll(self) -> None:
        if self._local.segments.active.size_bytes == 0:
            return
        end_offset = self._local.end[0]
        self._producers.take_snapshot(end_offset)
        self._local.roll(self.config)
        self._roll_policy = RollPolicy(self.config, self._clock)
        self._flusher.run_soon(lambda: self.flush(end_offset))

    def remove_expired_producers(self) -> int:
        """Forget the producers that have been silent for producer.id.expiration.ms; return how many."""
        with self._lock:
            return self._producers.remove_expired(self.config.producer_id_expiration_ms)

    def producer_states(self) -> list[ProducerState]:
        """What is known of the producers now."""
        with self._lock:
            return list(self._producers)

    # To the disk

    @property
    def recovery_point(self) -> int:
        """Records below it are known to be on the disk."""
        return self._flusher.recovery_point

    @property
    def unflushed_bytes(self) -> int:
        """Bytes appended that have not been flushed: acknowledged, in the page cache, perhaps not on the disk."""
        return self._flusher.unflushed_bytes(self._local.segments)

    def flush(self, up_to: int | None = None) -> None:
        """Return when all records below `up_to` (None: all) are on the disk, and advance the recovery point.

        `up_to` is the base offset of a segment. Appends go on meanwhile. Raises KafkaStorageError.
        """
        end, segments = self._local.end, self._local.segments
        if up_to is not None and up_to < end[0]:
            end = (up_to, segments.all[segments.floor(up_to)], 0)
        self._flusher.flush(segments, end, (self._local.snapshots, self.leader_epochs))

    def _flush_if_kept(self, segment: LogSegment) -> None:
        """Flush a segment while nothing can rename its file, unless retention or compaction took it from the log."""
        with self._lock:
            if segment in self._local.segments:
                segment.records.flush()

    def _set_recovery_point(self, offset: int) -> None:
        """Take it that records below `offset` are on the disk."""
        segments, end = self._local.segments, self._local.end
        offset = max(offset, segments.first.base_offset)
        self._flusher.move_to(end if offset >= end[0] else segments.offset_metadata(offset, end))

    def update_config(self, config: LogConfig) -> None:
        """Follow `config` from the next append on; what waits to be flushed follows its flush.ms too."""
        with self._lock:
            is_flush_changed = config.flush_ms != self.config.flush_ms
            self.config = config
        if is_flush_changed:
            self._flusher.cancel()
            if config.flush_ms != NEVER and self.recovery_point < self._local.end[0]:
                self._flusher.schedule(self.flush, config.flush_ms)

    # Growing shorter

    def increment_log_start_offset(self, offset: int) -> None:
        """Hide the records below `offset`; retention removes the segments that hold nothing else.

        Raises OffsetOutOfRangeError beyond the end.
        """
        with self._lock:
            self._ensure_open()
            if offset > self._local.end[0]:
                raise self._out_of_range(offset)
            self._move_start_to(offset)

    def _move_start_to(self, offset: int) -> None:
        if offset > self._log_start_offset:
            self._log_start_offset = offset
            self.leader_epochs.truncate_from_start(offset)

    def delete_old_segments(self) -> int:
        """Delete the oldest segments that are past retention; return how many.

        They leave the log at once and the disk after file.delete.delay.ms; slices in flight stay readable.
        """
        with self._lock:
            self._ensure_open()
            doomed = deletable_segments(self.segments, self.config, self._clock.now_ms(), self._log_start_offset)
            if len(doomed) == len(self.segments) and not self._can_roll():
                doomed.pop()
            if not doomed:
                return 0
            self._move_start_to(self.segments[len(doomed)].base_offset)  # first, so that no reader looks below it
            self._local.delete_first(len(doomed), self.config.file_delete_delay_ms)
            first = self._local.segments.first
            if self.recovery_point < first.base_offset:
                self._flusher.move_to((first.base_offset, first, 0))
        for segment, reason in doomed:
            logger.info("%s: segment %d deleted: %s", self.directory.name, segment.base_offset, reason)
        return len(doomed)

    def _can_roll(self) -> bool:
        """Begin a new segment, so that the active one can go; on a full disk only the others make room for it."""
        try:
            self._roll()
        except OSError as error:
            logger.warning("%s: a new segment cannot begin: %s", self.directory.name, error)
            return False
        return True

    def create_cleaned(self, base_offset: int) -> LogSegment:
        """Begin a segment that is to replace others, from the one with `base_offset` on. See `replace_segments`."""
        with self._lock:
            self._ensure_open()  # or the directory may be another log's by now
            return self._local.create_cleaned(base_offset, self.config)

    def replace_segments(self, old: Sequence[LogSegment], new: LogSegment) -> None:
        """Put `new`, which `create_cleaned` began and which is complete and flushed, into the place of `old`.

        `old` are neighbours, none of them active. Raises KafkaStorageError; then `old` are the log's, as before.
        """
        try:
            with self._lock:
                self._ensure_open()
                self._local.offer(new)
            fsync_directory(self.directory)
            with self._lock:
                self._ensure_open()
                self._local.replace(old, new, self.config.file_delete_delay_ms)
            self._local.flush_names()
        except OSError as error:
            raise KafkaStorageError(f"{self.directory.name}: replacing segments: {error}") from error

    def truncate_to(self, offset: int) -> None:
        """Drop the batch that holds `offset` and all that follows. Only while nobody is being served."""
        with self._lock:
            self._ensure_open()
            if offset >= self._local.end[0]:
                return
            self._local.truncate_to(offset, self.config)
            end_offset = self._local.end[0]
            self._log_start_offset = min(self._log_start_offset, end_offset)
            self.leader_epochs.truncate_to(end_offset)
            self._reload_producers()
            if self.recovery_point > end_offset:
                self._flusher.move_to(self._local.end)

    # The end

    def close(self) -> None:
        """Flush, complete indexes and snapshots, and take no more. Twice does no harm.

        Raises KafkaStorageError where records may not be on the disk or a file is gone, OSError where an index, a
        snapshot or the leader epochs cannot be written or flushed: the next start should not take this for a clean
        stop. Where the disk has no room for the last index entry or snapshot the log is still open.
        """
        with self._lock:
            if self._is_closed:
                return
            self._local.segments.active.finish()
            self._producers.take_snapshot(self._local.end[0])
            self._is_closed = True  # here: what came after would be neither flushed nor in the snapshot
        try:
            self.flush()
            self._local.segments.active.flush_indexes()
            self._local.snapshots.flush()
            self.leader_epochs.flush()
            self._local.ensure_complete()
        finally:
            self._stop()

    def rename(self, directory: str) -> None:
        """Close without flushing and move the directory away, for a partition that is being deleted.

        Who reads it goes on with its records, whatever log takes the old name, until the directory is removed.
        Raises OSError where it stays, or where its new name may not be on the disk; closed it is.
        """
        self._stop()
        with self._lock:
            self._local.rename(directory)
            self.leader_epochs.follow_to(directory)
            self.directory = Path(directory)
        fsync_directory(self.directory.parent)

    def delete(self) -> None:
        """Close without flushing and remove the directory. Slices in flight stay readable."""
        self._stop()
        shutil.rmtree(self.directory)
        self._local.forget_files()

    def _stop(self) -> None:
        with self._lock:
            self._is_closed = True
        self._flusher.stop()
        for listener in self._listeners:
            listener()

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
            f"Log({self.directory.name!r}, offsets {self._log_start_offset}..{self._local.end[0]}, "
            f"{len(self.segments)} segments, {self.size_bytes} bytes)"
        )
