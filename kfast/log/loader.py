"""Opening a log: tidy up what was going on when it was last closed, check what may be damaged, and say what was lost.

After an unclean stop every batch of the segment that holds the recovery point, and of those after it, is checked (size,
CRC) and their indexes are made anew; at the first bad byte the log ends. What comes after it is put aside as `.deleted`
and named in the log. Of a recovery point beyond the end that segment is the last one: those before it had been flushed.
After a clean stop only the end of the last segment is looked at: what is no whole batch there is cut off and named in
the log, where Kafka leaves half a batch in the way of the next one, and does not start over garbage.
What the log knows of its producers comes from their last snapshot and the batches after it.
Source: Kafka's LogLoader.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass

from kfast.clock import Clock
from kfast.log.config import LogConfig
from kfast.log.file_pool import FilePool
from kfast.log.index import CorruptIndexError
from kfast.log.leader_epochs import LeaderEpochs
from kfast.log.names import DELETED_SUFFIX, LOG_SUFFIX, SEGMENT_SUFFIXES, SNAPSHOT_SUFFIX, parse_file_name
from kfast.log.passing_files import tidy_up
from kfast.log.producer_loader import ProducerLoader
from kfast.log.producer_snapshot import ProducerSnapshots
from kfast.log.producer_state import ProducerStates
from kfast.log.recovery_progress import RecoveryProgress
from kfast.log.segment import LogSegment
from kfast.log.segments import LogSegments

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedLog:
    """The segments, the last one ready to be appended to, and what is known of their producers."""

    segments: LogSegments
    snapshots: ProducerSnapshots
    producers: ProducerStates
    leader_epochs: LeaderEpochs
    log_start_offset: int
    end_offset: int
    flushed_offset: int
    """Up to where the recovery point was right."""


class LogLoader:
    """Opens one log. Thread-safe for different directories."""

    def __init__(
        self, directory: str, config: LogConfig, file_pool: FilePool, clock: Clock, progress: RecoveryProgress
    ) -> None:
        """The directory is made if it is missing."""
        self._directory = directory
        self._config = config
        self._file_pool = file_pool
        self._clock = clock
        self._progress = progress
        if not os.path.isdir(directory):
            os.makedirs(directory)
        files = [(name, parsed) for name in tidy_up(directory, file_pool) if (parsed := parse_file_name(name))]
        base_offsets = _find_segments(directory, files)
        self._segments = [LogSegment(directory, base_offset, file_pool, config) for base_offset in base_offsets]
        snapshot_offsets = [offset for _, (offset, suffix) in files if suffix == SNAPSHOT_SUFFIX]
        self._snapshots = ProducerSnapshots(directory, snapshot_offsets, base_offsets[0] if base_offsets else 0)
        self._leader_epochs = LeaderEpochs(directory)
        self._producer_loader = ProducerLoader(self._snapshots, clock, config.producer_id_expiration_ms)

    def load(self, recovery_point: int, log_start_offset: int, was_clean: bool) -> LoadedLog:
        """Check what may be damaged, and return the log that is left."""
        producers = ProducerStates()
        if self._segments:
            self._snapshots.log_start_offset = log_start_offset
            producers = self._load_clean() if was_clean else self._recover(recovery_point)
        end_offset = self._segments[-1].next_offset() if self._segments else log_start_offset
        if self._segments and log_start_offset > end_offset:
            logger.warning(
                "%s: log start offset %d is beyond the end %d; all %d segments put aside",
                *(self._directory, log_start_offset, end_offset, len(self._segments)),
            )
            self._put_aside(0)
            self._leader_epochs.truncate_to(0)
        if not self._segments:
            producers, end_offset = ProducerStates(), log_start_offset
            self._segments = [LogSegment.create(self._directory, log_start_offset, self._file_pool, self._config)]
        self._leader_epochs.truncate_to(end_offset)
        self._leader_epochs.truncate_from_start(log_start_offset)
        log_start_offset = max(log_start_offset, self._segments[0].base_offset)
        self._snapshots.truncate_to(end_offset, log_start_offset)
        self._snapshots.remove_stray([segment.base_offset for segment in self._segments])
        self._take_snapshot(end_offset, producers)
        return LoadedLog(
            LogSegments(self._segments),
            self._snapshots,
            producers,
            self._leader_epochs,
            log_start_offset,
            end_offset,
            end_offset if was_clean else min(recovery_point, end_offset),
        )

    # After an unclean stop

    def _recover(self, recovery_point: int) -> ProducerStates:
        """Check the segment that holds the recovery point and those after it; return the producers."""
        first = max(0, LogSegments(self._segments).floor(recovery_point))
        self._ensure_indexes(first)
        base_offset = self._segments[first].base_offset
        self._snapshots.truncate_to(base_offset, self._snapshots.log_start_offset)
        producers = self._producer_loader.load(self._segments[: first + 1], base_offset)
        sizes = [segment.size_bytes for segment in self._segments[first:]]
        self._progress.begin_check(os.path.basename(self._directory), sizes)
        for number in range(first, len(self._segments)):
            if self._segments[number].base_offset <= self._snapshots.log_start_offset:
                producers = ProducerStates()  # of what lies below the start Kafka remembers none
            if not self._recover_segment(number, producers):
                self._put_aside(number + 1)
                break
            self._report_gap(number)
        self._progress.end_check()
        return producers

    def _recover_segment(self, number: int, producers: ProducerStates) -> bool:
        """Return whether the segment was found whole; what is known of producers is written down."""
        segment = self._segments[number]
        size = segment.size_bytes
        self._take_snapshot(segment.base_offset, producers)
        reason = segment.recover(producers, self._leader_epochs, self._progress.note_position)
        self._progress.end_segment()
        self._take_snapshot(segment.next_offset(), producers)
        producers.remove_expired(self._clock.now_ms(), self._config.producer_id_expiration_ms)
        if reason is None:
            return True
        self._progress.note_dropped(size - segment.size_bytes)
        logger.warning(
            "%s: cut at position %d, %d bytes dropped: %s",
            *(segment.records.path, segment.size_bytes, size - segment.size_bytes, reason),
        )
        return False

    def _report_gap(self, number: int) -> None:
        """Say what is missing before the next segment: its name may be on the disk before the bytes of this one are.

        A loss of power can leave that of what was not flushed. Kafka passes over it without a word.
        """
        end_offset = self._segments[number].next_offset()
        for following in self._segments[number + 1 : number + 2]:
            if following.base_offset > end_offset and not self._config.is_compacted:
                logger.warning(
                    "%s: offsets %d to %d are missing before it",
                    *(following.records.path, end_offset, following.base_offset - 1),
                )

    def _take_snapshot(self, offset: int, producers: ProducerStates) -> None:
        try:
            self._snapshots.take(offset, producers)
        except OSError as error:  # a full disk can still be read from
            logger.warning("%s: what is known of producers is not written down: %s", self._directory, error)

    def _put_aside(self, first: int) -> None:
        """Rename the segments from number `first` on; the next start removes them."""
        for segment in self._segments[first:]:
            logger.warning(
                "%s: %d bytes dropped, renamed %s: the log ends before it",
                *(segment.records.path, segment.size_bytes, DELETED_SUFFIX),
            )
            self._progress.note_dropped(segment.size_bytes)
            segment.rename(DELETED_SUFFIX)
        del self._segments[first:]

    # After a clean one

    def _load_clean(self) -> ProducerStates:
        """Believe all but the indexes' sizes and the end of the last segment; return the producers.

        A log without any snapshot has had no producer to remember: nothing is read to find that out, and empty ones are
        written. Kafka does the same.
        """
        self._ensure_indexes(len(self._segments) - 1)
        active = self._segments[-1]
        try:
            active.load()
            active.check_indexes()
        except (CorruptIndexError, FileNotFoundError) as error:
            self._rebuild_indexes(len(self._segments) - 1, error)
        self._cut_after_clean_stop(active)
        if not len(self._snapshots):
            for segment in self._segments[-2:]:
                self._take_snapshot(segment.base_offset, ProducerStates())
            return ProducerStates()
        return self._producer_loader.load(self._segments, active.next_offset())

    def _cut_after_clean_stop(self, active: LogSegment) -> None:
        """Make the active segment end with a whole batch, for the next one to follow it."""
        last = active.last_batch()
        end, size = last.position + last.size_bytes if last else 0, active.size_bytes
        if end < size:
            active.truncate_to(end)
            logger.warning(
                "%s: cut at position %d, %d bytes dropped, after a clean stop: they are no whole batch",
                *(active.records.path, end, size - end),
            )

    def _ensure_indexes(self, count: int) -> None:
        """Make index files of the first segments that are missing, or whose size says they are damaged."""
        for number in range(count):
            try:
                self._segments[number].check_indexes()
            except (CorruptIndexError, FileNotFoundError) as error:
                self._rebuild_indexes(number, error)

    def _rebuild_indexes(self, number: int, reason: Exception) -> None:
        """Of one segment; the log itself is not checked."""
        segment = self._segments[number]
        logger.warning("%s: indexes made anew: %s", segment.records.path, reason)
        segment.rebuild_indexes(self._producer_loader.load(self._segments[: number + 1], segment.base_offset))
        segment.flush_indexes()  # now: no flush begins below the recovery point

    def __repr__(self) -> str:
        return f"LogLoader({os.path.basename(self._directory)!r}, {len(self._segments)} segments)"


def _find_segments(directory: str, files: Sequence[tuple[str, tuple[int, str]]]) -> list[int]:
    """Return the base offsets of the .log files; index files without one are removed."""
    base_offsets = {base_offset for _, (base_offset, suffix) in files if suffix == LOG_SUFFIX}
    for name, (base_offset, suffix) in files:
        if suffix in SEGMENT_SUFFIXES and base_offset not in base_offsets:
            logger.warning("%s: %s removed: its segment is gone", directory, name)
            os.unlink(os.path.join(directory, name))
    return sorted(base_offsets)
