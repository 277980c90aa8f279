"""Compaction in the background: a thread of its own that cleans the dirtiest log, and the next, and then rests.

It keeps up to where each log is clean in `cleaner-offset-checkpoint`, and deletes from logs that are compacted and
deleted from, so that nobody else changes the segments of a compacted log meanwhile. Source: Kafka's LogCleaner,
LogCleanerManager and Throttler.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from weakref import WeakSet

from kfast.clock import Clock
from kfast.errors import KfastError, LogDirectoryError
from kfast.log.checkpoints import CLEANER_OFFSET_CHECKPOINT, OffsetCheckpoint, TopicPartition
from kfast.log.cleanable import Cleanable, cleanable, dirtiest
from kfast.log.cleaner import DEDUPE_BUFFER_BYTES, Cleaner, CleanReport
from kfast.log.local_log import SegmentsReplacedError
from kfast.log.log import Log
from kfast.scheduler import Scheduler

logger = logging.getLogger(__name__)

BACKOFF_MS: Final = 15_000
MOST_BYTES_PER_S: Final = 1e12
"""No disk is faster; Kafka's default, the largest double, says that there is no limit."""

SHORTEST_WAIT_NS: Final = 100_000_000
"""Shorter ones are saved up: a wait costs more than it is worth."""


@dataclass(frozen=True, slots=True)
class CleanerConfig:
    """What the cleaner is told: Kafka's log.cleaner.*."""

    is_enabled: bool = True
    backoff_ms: int = BACKOFF_MS
    dedupe_buffer_bytes: int = DEDUPE_BUFFER_BYTES
    io_max_bytes_per_s: float = float("inf")


class CleaningStoppedError(KfastError):
    """The cleaner stops in the midst of a log, which stays as it was."""


class Throttler:
    """Lets bytes through at a rate, by waiting; once it is stopped, it lets nothing through."""

    def __init__(self, clock: Clock, bytes_per_s: float) -> None:
        self._clock = clock
        self._ns_per_byte = 1e9 / bytes_per_s
        self._is_unlimited = bytes_per_s > MOST_BYTES_PER_S
        self._due_ns = clock.monotonic_ns()
        self._changed = threading.Condition()
        self._is_stopped = False

    def __call__(self, size: int) -> None:
        """Wait until `size` bytes more may be read or written. Raises CleaningStoppedError."""
        if self._is_stopped:
            raise CleaningStoppedError("the cleaner stops")
        if self._is_unlimited:
            return
        now_ns = self._clock.monotonic_ns()
        self._due_ns = max(self._due_ns, now_ns) + int(size * self._ns_per_byte)
        ahead_ns = self._due_ns - now_ns
        if ahead_ns > SHORTEST_WAIT_NS:
            with self._changed:
                if not self._is_stopped:
                    self._clock.wait(self._changed, ahead_ns / 1e9)

    def stop(self) -> None:
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()


class LogCleaner:
    """Keeps the compacted logs of one log directory clean. Thread-safe."""

    def __init__(
        self,
        directory: str | os.PathLike[str],
        logs: Callable[[], Mapping[TopicPartition, Log]],
        clock: Clock,
        config: CleanerConfig,
    ) -> None:
        """`logs` returns the logs that are open now."""
        self._logs = logs
        self._clock = clock
        self._config = config
        self._throttler = Throttler(clock, config.io_max_bytes_per_s)
        self._cleaner = Cleaner(clock, config.dedupe_buffer_bytes, self._throttler)
        self._scheduler = Scheduler(clock)
        self._checkpoint = OffsetCheckpoint(Path(directory, CLEANER_OFFSET_CHECKPOINT))
        self._lock = threading.Lock()
        self._clean_offsets = self._read_checkpoint()
        self._uncleanable: WeakSet[Log] = WeakSet()
        self._put_off: WeakSet[Log] = WeakSet()
        self._forgotten: set[TopicPartition] = set()  # since the candidates were looked at
        self._is_stopped = False

    def _read_checkpoint(self) -> dict[TopicPartition, int]:
        """Without it all logs are taken for not cleaned, which costs nothing but time."""
        try:
            return self._checkpoint.read()
        except LogDirectoryError as error:
            logger.warning("all logs are taken for not cleaned: %s", error)
            return {}

    def start(self) -> None:
        """Begin the periodic work, in a thread of its own."""
        self._scheduler.schedule("cleaner", self.run, self._config.backoff_ms, self._config.backoff_ms)

    def stop(self) -> None:
        """Return when the thread has ended; what it was at stays undone. Twice does no harm."""
        self._is_stopped = True
        self._throttler.stop()
        self._scheduler.shutdown()

    def run(self) -> None:
        """Clean whatever is worth it now, the dirtiest log first, and delete what is past retention."""
        is_done = False
        self._put_off.clear()
        while not is_done and not self._is_stopped:
            is_done = self.clean_dirtiest() is None
            self.delete_old_segments()

    def clean_dirtiest(self) -> CleanReport | None:
        """Clean the log that needs it most; None where there is none.

        A log that is damaged is left alone from then on, one that the disk has no room for until the next `run`.
        """
        while (chosen := dirtiest(self._candidates().values())) is not None:
            try:
                report = self._cleaner.clean(chosen)
            except CleaningStoppedError:
                return None
            except (KfastError, OSError) as error:
                may_pass = _may_pass(error)
                if chosen.log in self._logs().values():  # else it was deleted meanwhile
                    what_next = "is tried again later" if may_pass else "is not tried again"
                    logger.error("%s: cleaning failed and %s: %s", chosen.log.directory.name, what_next, error)
                (self._put_off if may_pass else self._uncleanable).add(chosen.log)
                continue
            self._note(chosen.log, report)
            return report
        return None

    def _candidates(self) -> dict[TopicPartition, Cleanable]:
        now_ms = self._clock.now_ms()
        with self._lock:
            clean_offsets = dict(self._clean_offsets)
            self._forgotten.clear()
        passed_over = {*self._uncleanable, *self._put_off}
        return {
            partition: cleanable(log, clean_offsets.get(partition), now_ms)
            for partition, log in self._logs().items()
            if log.config.is_compacted and log not in passed_over
        }

    def _note(self, log: Log, report: CleanReport) -> None:
        """Write down up to where `log` is clean, unless it was deleted meanwhile."""
        logger.info(
            "%s: cleaned up to offset %d, %d bytes of %d left, in %d ms",
            *(log.directory.name, report.end_offset, report.bytes_after, report.bytes_before, report.elapsed_ms),
        )
        partitions = {partition for partition, other in self._logs().items() if other is log}
        with self._lock:
            self._clean_offsets.update(dict.fromkeys(partitions - self._forgotten, report.end_offset))
            self._checkpoint.write(self._clean_offsets)

    def forget(self, partition: TopicPartition) -> None:
        """A log of this name is gone; the next one is not clean."""
        with self._lock:
            self._forgotten.add(partition)
            if self._clean_offsets.pop(partition, None) is not None:
                self._checkpoint.write(self._clean_offsets)

    def delete_old_segments(self) -> int:
        """Apply retention to the compacted logs; return how many segments went."""
        count = 0
        for log in self._logs().values():
            if log.config.is_compacted:
                try:
                    count += log.delete_old_segments()
                except (KfastError, OSError) as error:
                    if log in self._logs().values():
                        logger.warning("retention of %r failed: %s", log, error)
        return count

    def __repr__(self) -> str:
        return f"LogCleaner({len(self._clean_offsets)} logs cleaned)"


def _may_pass(error: KfastError | OSError) -> bool:
    """Whether the next pass may do better: a disk is full for a while, and retention may have been faster."""
    return isinstance(error, (OSError, SegmentsReplacedError)) or isinstance(error.__cause__, OSError)
