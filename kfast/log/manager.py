"""The logs of a log directory: opened with what the checkpoints know, kept in order by scheduled work, closed cleanly.

The directory is locked from construction to shutdown. A clean stop flushes every log and writes the recovery points, so
that the next start checks only what came after. If that went well for all logs it ends with Kafka's clean-shutdown
marker, which says that logs, indexes, producer snapshots and checkpoints are complete, so that the next start, ours or
Kafka's, checks nothing. The marker is removed before the first write.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kfast.clock import Clock
from kfast.errors import KafkaStorageError, LogDirectoryError
from kfast.log.checkpoints import (
    TopicPartition,
    make_directory,
    move_atomically,
    read_partition_metadata,
    write_partition_metadata,
)
from kfast.log.clean_shutdown import CleanShutdownFile
from kfast.log.closing import close_logs
from kfast.log.config import LogConfig
from kfast.log.directory_lock import DirectoryLock
from kfast.log.file_pool import FilePool
from kfast.log.flush_stats import FlushStats
from kfast.log.log import Log
from kfast.log.log_checkpoints import LogCheckpoints
from kfast.log.log_cleaner import CleanerConfig, LogCleaner
from kfast.log.names import (
    CLUSTER_METADATA_DIRECTORY,
    delete_directory_name,
    is_delete_directory,
    parse_partition_directory,
    partition_directory_name,
    stray_directory_name,
)
from kfast.log.recovery_progress import RecoveryProgress
from kfast.scheduler import Scheduler, Task

logger = logging.getLogger(__name__)

RETENTION_CHECK_INTERVAL_MS: Final = 5 * 60_000
CHECKPOINT_INTERVAL_MS: Final = 60_000
PRODUCER_CHECK_INTERVAL_MS: Final = 10 * 60_000


class LogManager:
    """Many partitions' logs in one directory, which it locks. Thread-safe."""

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        clock: Clock,
        scheduler: Scheduler,
        file_pool: FilePool | None = None,
        default_config: LogConfig | None = None,
        retention_check_interval_ms: int = RETENTION_CHECK_INTERVAL_MS,
        producer_check_interval_ms: int = PRODUCER_CHECK_INTERVAL_MS,
        cleaner_config: CleanerConfig | None = None,
    ) -> None:
        """Raises LogDirectoryError for a directory that another broker holds, or that is damaged."""
        self.directory = Path(directory)
        self.flush_stats = FlushStats(clock)
        """Of all logs here, also those that are gone."""
        self._clock = clock
        self._progress: RecoveryProgress | None = None  # while logs are loaded
        self._scheduler = scheduler
        self._file_pool = FilePool() if file_pool is None else file_pool  # an empty one is false
        self._default_config = default_config or LogConfig()
        self._retention_check_interval_ms = retention_check_interval_ms
        self._producer_check_interval_ms = producer_check_interval_ms
        self._checkpoint_lock = threading.Lock()
        self._lock = threading.Lock()  # of the two this one is taken second
        self._logs: dict[TopicPartition, Log] = {}
        self._topic_ids: dict[TopicPartition, uuid.UUID] = {}  # of those
        self._tasks: list[Task] = []
        self._has_begun = False
        self._has_failed = False  # to open or delete some log, which may have got half way
        self._is_shut_down = False
        try:
            make_directory(self.directory)
            self._directory_lock = DirectoryLock(self.directory)
        except OSError as error:
            raise LogDirectoryError(f"{directory} cannot be used: {error.strerror}") from error
        try:
            self._checkpoints = LogCheckpoints(self.directory)
            self._clean_shutdown = CleanShutdownFile(self.directory)
            self._was_clean = self._clean_shutdown.was_there and self._checkpoints.has_recovery_points
            cleaner_config = cleaner_config or CleanerConfig()
            cleaner = LogCleaner(self.directory, self._open_logs, clock, cleaner_config)
            self._cleaner = cleaner if cleaner_config.is_enabled else None
        except BaseException:
            self._directory_lock.release()
            raise

    # Logs

    @contextmanager
    def loading(self, log_count: int) -> Iterator[None]:
        """Say how far it is, if it takes long, while so many logs are opened by `create` in this `with` block."""
        self._progress = progress = RecoveryProgress(self._clock, log_count)
        try:
            yield
            progress.end()
        finally:
            self._progress = None

    @property
    def logs(self) -> list[Log]:
        """The logs that are open, as they are now."""
        with self._lock:
            return list(self._logs.values())

    def _open_logs(self) -> dict[TopicPartition, Log]:
        with self._lock:
            return dict(self._logs)

    def get(self, topic: str, partition: int) -> Log | None:
        return self._logs.get((topic, partition))

    def create(self, topic: str, partition: int, topic_id: uuid.UUID, config: LogConfig | None = None) -> Log:
        """Open a partition's log, or make it; return the one that is open already.

        A log or a directory of another topic id is what a deleted topic of that name left; it is put aside. Raises
        KafkaStorageError.
        """
        with self._checkpoint_lock, self._lock:
            log = self._logs.get((topic, partition))
            if log is None or self._topic_ids[topic, partition] != topic_id:
                self._ensure_running()
                self._begin()
                try:
                    log = self._open(topic, partition, topic_id, config)
                    self._logs[topic, partition], self._topic_ids[topic, partition] = log, topic_id
                except (OSError, KafkaStorageError) as error:
                    self._has_failed = True
                    name = partition_directory_name(topic, partition)
                    raise KafkaStorageError(f"{name} cannot be opened in {self.directory}: {error}") from error
                if self._progress is not None:
                    self._progress.end_log()
            return log

    def _open(self, topic: str, partition: int, topic_id: uuid.UUID, config: LogConfig | None) -> Log:
        directory = self.directory / partition_directory_name(topic, partition)
        known_id = self._topic_ids.get((topic, partition)) or read_partition_metadata(directory)
        if known_id is not None and known_id != topic_id:
            stray = directory.with_name(stray_directory_name(topic, partition))
            logger.warning("%s belongs to topic id %s, not %s; renamed %s", directory, known_id, topic_id, stray.name)
            self._move_away(topic, partition, stray)
        if not directory.exists():
            self._checkpoints.report_lost((topic, partition), directory)
            self._forget(topic, partition)
            if self._checkpoints.mentions((topic, partition)):
                self._checkpoints.write(self._checkpoints.next(self._logs))  # or a crash makes them the new log's
            directory.mkdir()
        if known_id != topic_id:
            write_partition_metadata(directory, topic_id)
        return self.log_type(topic).open(
            directory,
            config or self._default_config,
            clock=self._clock,
            scheduler=self._scheduler,
            file_pool=self._file_pool,
            flush_stats=self.flush_stats,
            progress=self._progress,
            recovery_point=self._checkpoints.recovery_point((topic, partition)),
            log_start_offset=self._checkpoints.log_start_offset((topic, partition)),
            was_clean=self._was_clean,
        )

    def log_type(self, topic: str) -> type[Log]:
        """The kind of log that a topic's partitions are; an experiment's manager says another."""
        return Log

    def delete(self, topic: str, partition: int) -> None:
        """Close a partition's log, move its directory away at once, remove it later. One without either is passed over.

        The log need not have been opened. Raises OSError where its directory stays; closed and forgotten it is.
        """
        with self._lock:
            log = self._logs.get((topic, partition))
            doomed = self.directory / delete_directory_name(topic, partition)
            try:
                self._move_away(topic, partition, doomed)
            except OSError:
                self._has_failed = True
                raise
            finally:
                self._forget(topic, partition)
        if doomed.is_dir():
            self._schedule_removal(doomed, (log.config if log else self._default_config).file_delete_delay_ms)

    def _move_away(self, topic: str, partition: int, target: Path) -> None:
        """Close a partition's log, if it is open, and give its directory, if it is there, the name `target`.

        Raises OSError where it keeps its name. A crash may give it back one that is not on the disk; then the next
        start finds a directory of a topic id that is gone.
        """
        directory = self.directory / partition_directory_name(topic, partition)
        log = self._logs.pop((topic, partition), None)
        self._topic_ids.pop((topic, partition), None)
        try:
            if log is not None:
                log.rename(str(target))
            elif directory.is_dir():
                self._begin()
                self._file_pool.discard_directory(str(directory))  # one that was not opened to the end
                move_atomically(directory, target)
        except OSError as error:
            if not target.is_dir():
                raise
            logger.warning("%s: that it is now %s may not be on the disk: %s", directory, target.name, error)

    def _forget(self, topic: str, partition: int) -> None:
        """What the checkpoints said of a log that is gone must not be taken for that of another of its name."""
        self._checkpoints.forget((topic, partition))
        if self._cleaner is not None:
            try:
                self._cleaner.forget((topic, partition))
            except OSError as error:
                logger.warning("the cleaner's checkpoint names %s-%d until the next: %s", topic, partition, error)

    def _schedule_removal(self, directory: Path, delay_ms: int) -> None:
        self._scheduler.schedule(
            f"remove {directory.name}", lambda: shutil.rmtree(directory, ignore_errors=True), delay_ms
        )

    def topic_id(self, topic: str, partition: int) -> uuid.UUID | None:
        """Which topic a partition's directory says it belongs to; None where it does not say, or cannot be read."""
        try:
            return read_partition_metadata(self.directory / partition_directory_name(topic, partition))
        except (LogDirectoryError, OSError):
            return None

    def partition_directories(self) -> list[str]:
        """Names of the partitions' directories on disk, open or not; not those that are being deleted."""
        names = sorted(entry.name for entry in os.scandir(self.directory) if entry.is_dir())
        return [name for name in names if parse_partition_directory(name) is not None]

    # Scheduled work

    def start(self) -> None:
        """Begin the periodic work: retention, checkpoints, and the removal of what was being deleted."""
        self._begin()
        for entry in os.scandir(self.directory):
            if is_delete_directory(entry.name):
                self._schedule_removal(Path(entry.path), self._default_config.file_delete_delay_ms)
        self._schedule("retention", self.delete_old_segments, self._retention_check_interval_ms)
        self._schedule("checkpoints", self.write_checkpoints, CHECKPOINT_INTERVAL_MS)
        if self._cleaner is not None:
            self._cleaner.start()
        self._schedule("producers", self.remove_expired_producers, self._producer_check_interval_ms)

    def _schedule(self, name: str, function: Callable[[], object], period_ms: int) -> None:
        self._tasks.append(self._scheduler.schedule(name, function, period_ms, period_ms))

    def delete_old_segments(self) -> int:
        """Apply retention to every log; return how many segments went. One log's trouble does not stop the others.

        Compacted logs are the cleaner's, so that no two threads change their segments.
        """
        count = 0
        for log in self.logs:
            if self._cleaner is not None and log.config.is_compacted:
                continue
            try:
                count += log.delete_old_segments()
            except (KafkaStorageError, OSError) as error:
                if log in self.logs:  # else it was deleted meanwhile
                    logger.warning("retention of %r failed: %s", log, error)
        return count

    def remove_expired_producers(self) -> int:
        """Forget the producers that have been silent for too long; return how many."""
        return sum(log.remove_expired_producers() for log in self.logs)

    def write_checkpoints(self) -> None:
        """Write down what the next start needs to know, also of logs that were there and have not been opened."""
        with self._checkpoint_lock:
            with self._lock:
                offsets = self._checkpoints.next(self._logs)
            self._checkpoints.write(offsets)

    def shutdown(self) -> None:
        """Flush and close every log, write the checkpoints, release the directory. Twice does no harm."""
        with self._lock:
            if self._is_shut_down:
                return
            self._is_shut_down = True
        for task in self._tasks:
            task.cancel()
        if self._cleaner is not None:
            self._cleaner.stop()
        try:
            are_closed = close_logs(self.logs)
            if self._has_begun:
                self.write_checkpoints()
                if all(are_closed) and self._knows_all():
                    self._clean_shutdown.write()
        finally:
            self._file_pool.clear()
            self._directory_lock.release()

    def _knows_all(self) -> bool:
        """Whether no partition lies here that was not closed just now, or left as a clean stop had left it."""
        known = {partition_directory_name(*partition) for partition in self._logs} | {CLUSTER_METADATA_DIRECTORY}
        if self._was_clean and not self._has_failed:
            return True
        return known.issuperset(self.partition_directories())

    def _ensure_running(self) -> None:
        if self._is_shut_down:
            raise KafkaStorageError(f"{self.directory}: the log manager is shut down")

    def _begin(self) -> None:
        """Before the first write: the directory is no longer what a clean stop left."""
        if not self._has_begun:
            self._clean_shutdown.remove()
            self._has_begun = True

    def __repr__(self) -> str:
        return f"LogManager({self.directory.name!r}, {len(self._logs)} logs)"
