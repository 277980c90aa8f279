"""How far a log is on the disk, and getting it there: by itself a write only reaches the page cache.

fsync is slow and takes no lock that an append needs. Callers that wait for one another are served together: who finds,
once it is its turn, that the flush before reached far enough, returns at once.

An fsync that failed is final: the kernel reports what it could not write once and calls it clean from then on, so that
the next fsync would succeed without it (Rebello et al., "Can Applications Recover from fsync Failures?", 2020). Kafka
takes the whole log directory offline then.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeAlias

from kfast.errors import KafkaStorageError
from kfast.log.checkpoints import fsync_directory
from kfast.log.flush_stats import FlushStats
from kfast.log.leader_epochs import LeaderEpochs
from kfast.log.producer_snapshot import ProducerSnapshots
from kfast.log.segment import LogSegment
from kfast.log.segments import LogOffsetMetadata, LogSegments
from kfast.scheduler import Scheduler, Task

logger = logging.getLogger(__name__)

_END: Final = 2**63 - 1
"""An offset that is after all others."""

Aid: TypeAlias = LeaderEpochs | ProducerSnapshots
"""What is known of records, so that they need not be read again."""


class Flusher:
    """Keeps one log's recovery point. Thread-safe."""

    def __init__(
        self,
        directory: str,
        scheduler: Scheduler | None,
        flushed: LogOffsetMetadata,
        stats: FlushStats,
        flush_if_kept: Callable[[LogSegment], None],
    ) -> None:
        """`flush_if_kept` flushes a segment whose file was not found, if it is the log's still. Raises OSError."""
        self._directory = directory
        self._scheduler = scheduler
        self._stats = stats
        self._flush_if_kept = flush_if_kept
        self._flushed = flushed
        self._indexes_flushed_to = _END
        """Indexes of segments that begin below it are on the disk. Those below the first recovery point were before."""
        self._named_segments: LogSegments | None = None  # those whose names are known to be on the disk
        self._task: Task | None = None
        self._flush_lock = threading.Lock()
        self._task_lock = threading.Lock()
        self._is_stopped = False
        self._failure: KafkaStorageError | None = None
        """Set once a flush has failed, or a file is gone: what is appended is not on the disk, and never gets there."""

    @property
    def recovery_point(self) -> int:
        return self._flushed[0]

    def unflushed_bytes(self, segments: LogSegments) -> int:
        offset, segment, position = self._flushed
        sizes = (other.size_bytes for other in segments.since(offset) if other is not segment)
        return sum(sizes, segment.size_bytes - position)

    def move_to(self, flushed: LogOffsetMetadata) -> None:
        """Set the recovery point without a flush: what lay before or after it is gone."""
        self._flushed = flushed
        self._indexes_flushed_to = min(self._indexes_flushed_to, flushed[1].base_offset)

    def flush(self, segments: LogSegments, end: LogOffsetMetadata, aids: Iterable[Aid]) -> None:
        """Return when all before `end` is on the disk. Raises KafkaStorageError, and from then on again and again.

        Indexes of a segment follow its records once it is finished, which may be long after these.
        """
        with self._flush_lock:
            finished_to = min(end[0], segments.active.base_offset)
            if end[0] <= self._flushed[0] and finished_to <= segments.since(self._indexes_flushed_to)[0].base_offset:
                return
            self.ensure_sound()
            try:
                self._flush(segments, end[0])
            except OSError as error:
                if self._is_stopped:
                    return  # the files of a log that is being deleted may be gone
                where = error.filename or self._directory
                failure = f"{where}: flushing up to offset {end[0]}: {error.strerror}; it takes no more records"
                self.fail(KafkaStorageError(failure))
                raise KafkaStorageError(failure) from error
            self._indexes_flushed_to = max(finished_to, self._indexes_flushed_to)
            self._flush_aids(aids)
            if self._flushed[0] < end[0]:  # unless retention was faster
                self._flushed = end

    def fail(self, failure: KafkaStorageError) -> None:
        """Let nothing more be appended or flushed: it would not last."""
        self._failure = failure

    def ensure_sound(self) -> None:
        """Raise KafkaStorageError where `fail` was called, as a flush that fails does."""
        if self._failure is not None:
            raise KafkaStorageError(str(self._failure))

    def _flush(self, segments: LogSegments, up_to: int) -> None:
        flushed_to = self._flushed[0]
        first_unflushed = segments.since(flushed_to)[0].base_offset if flushed_to < up_to else up_to
        for segment in segments.since(min(flushed_to, self._indexes_flushed_to)):
            if segment.base_offset < up_to:
                with self._stats.timed():
                    if segment.base_offset >= first_unflushed:
                        self._flush_records(segment)
                    if segment is not segments.active:
                        with contextlib.suppress(FileNotFoundError):  # retention was faster
                            segment.flush_indexes()
        if segments is not self._named_segments:
            fsync_directory(self._directory)
            if self._named_segments is None:
                fsync_directory(Path(self._directory).parent)  # which holds the name of a new partition
            self._named_segments = segments

    def _flush_records(self, segment: LogSegment) -> None:
        try:
            segment.records.flush()
        except FileNotFoundError:  # retention was faster, or somebody removes files of ours
            self._flush_if_kept(segment)

    def _flush_aids(self, aids: Iterable[Aid]) -> None:
        """Records are safe without them; a clean stop insists on them."""
        for aid in aids:
            try:
                aid.flush()
            except OSError as error:
                logger.warning("%s: the next flush tries again: %s", self._directory, error)

    def schedule(self, flush: Callable[[], object], delay_ms: int) -> None:
        """Call `flush` after `delay_ms`, unless a call is waiting already. Without a scheduler nothing happens."""
        if self._scheduler is None or self._task is not None:
            return
        with self._task_lock:
            if self._task is None and not self._is_stopped:
                self._task = self._scheduler.schedule(self._name, lambda: self._run(flush), delay_ms)

    def _run(self, flush: Callable[[], object]) -> None:
        self._task = None
        flush()

    def run_soon(self, flush: Callable[[], object]) -> None:
        """Call `flush` in the scheduler's thread, whatever else is waiting."""
        if self._scheduler is not None:
            self._scheduler.schedule(self._name, flush, 0)

    def cancel(self) -> None:
        """Drop the call that is waiting, if there is one."""
        with self._task_lock:
            if self._task is not None:
                self._task.cancel()
                self._task = None

    def stop(self) -> None:
        """Schedule nothing any more."""
        self._is_stopped = True
        self.cancel()

    @property
    def _name(self) -> str:
        return f"flush {os.path.basename(self._directory)}"

    def __repr__(self) -> str:
        return f"Flusher({os.path.basename(self._directory)!r}, recovery_point={self.recovery_point})"
