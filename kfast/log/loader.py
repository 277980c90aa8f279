"""Opening a log: tidy up what was going on when it was last closed, check what may be damaged, and say what was lost.

After an unclean stop every batch from the recovery point on is checked (size, CRC) and its index entries are
made anew; at the first bad byte the log ends. What comes after it is put aside as `.deleted` and named in the log.
After a clean stop, and below the recovery point, only the end of the last segment is looked at.
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

    def __init__(self, directory: str, config: LogConfig, file_pool: FilePool, clock: Clock) -> None:
        """The directory is made if it is missing."""
        self._directory = directory
        self._config = config
        self._file_pool = file_pool
        self._clock = clock
        os.makedirs(directory, exist_ok=True)
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
            if was_clean:
                producers = self._load_clean()
            else:
                recovery_point, producers = self._recover(recovery_point)
        end_offset = self._segments[-1].next_offset() if self._segments else log_start_offset
        if self._segments and log_start_offset > end_offset:
            logger.warning(
                "%s: log start offset %d is beyond the end %d; all %d segments put aside",
                *(self._directory, log_start_offset, end_offset, len(self._segments)),
            )
            self._put_aside(0)
        if not self._segments:
            producers, end_offset = ProducerStates(), log_start_offset
            self._segments = [LogSegment.create(self._directory, log_start_offset, self._file_pool, self._config)]
            self._snapshots.truncate_to(0, log_start_offset)
        self._snapshots.truncate_to(end_offset, self._segments[0].base_offset)
        self._snapshots.remove_stray([segment.base_offset for segment in self._segments])
        log_start_offset = max(log_start_offset, self._segments[0].base_offset)
        self._leader_epochs.truncate_to(end_offset)
        self._leader_epochs.truncate_from_start(log_start_offset)
        return LoadedLog(
            LogSegments(self._segments),
            self._snapshots,
            producers,
            self._leader_epochs,
            log_start_offset,
            end_offset,
            min(recovery_point, end_offset),
        )

    # After an unclean stop

    def _recover(self, recovery_point: int) -> tuple[int, ProducerStates]:
        """Check all from the recovery point on. Return the recovery point, 0 if it was none, and the producers."""
        first, position = self._find_recovery_point(recovery_point)
        if first is None:
            first = position = recovery_point = 0
        self._ensure_indexes(first)
        start_offset = recovery_point if position else self._segments[first].base_offset
        self._snapshots.truncate_to(start_offset, self._segments[0].base_offset)
        producers = self._producer_loader.load(self._segments, start_offset)
        for number in range(first, len(self._segments)):
            logger.info(
                "%s: checking segment %d of %d, %d bytes from position %d on",
                *(self._directory, number + 1, len(self._segments), self._segments[number].size_bytes, position),
            )
            if not self._recover_segment(number, producers, position):
                self._put_aside(number + 1)
                break
            position = 0
        return recovery_point, producers

    def _recover_segment(self, number: int, producers: ProducerStates, position: int) -> bool:
        """Return whether the segment was found whole from `position` on; what is known of producers is written down."""
        segment = self._segments[number]
        size = segment.size_bytes
        reason = segment.recover(producers, self._leader_epochs, position)
        try:
            self._snapshots.take(segment.next_offset(), producers)
        except OSError as error:  # a full disk can still be read from
            logger.warning("%s: what is known of producers is not written down: %s", segment.records.path, error)
        producers.remove_expired(self._clock.now_ms(), self._config.producer_id_expiration_ms)
        if reason is None:
            return True
        logger.warning(
            "%s: cut at position %d, %d bytes dropped: %s",
            *(segment.records.path, segment.size_bytes, size - segment.size_bytes, reason),
        )
        return False

    def _find_recovery_point(self, recovery_point: int) -> tuple[int | None, int]:
        """Return (number of the segment, position in it) to check from; None where it cannot be believed."""
        number = max(0, LogSegments(self._segments).floor(recovery_point))
        segment = self._segments[number]
        if recovery_point <= segment.base_offset:
            return number, 0
        try:
            segment.load()
            found = segment.translate_offset(recovery_point, segment.size_bytes)
            if found is not None:
                return number, found[0]
            last = segment.last_batch()
        except (CorruptIndexError, FileNotFoundError) as error:
            logger.warning("%s: checked from its front: %s", segment.records.path, error)
            return number, 0
        next_offset = segment.base_offset if last is None else last.last_offset + 1
        if next_offset < recovery_point:
            logger.warning(
                "%s: the recovery point %d is beyond the end of its segment, %d; checking all of the log",
                *(segment.records.path, recovery_point, next_offset),
            )
            return None, 0
        return number, last.position + last.size_bytes if last else 0

    def _put_aside(self, first: int) -> None:
        """Rename the segments from number `first` on; the next start removes them."""
        for segment in self._segments[first:]:
            logger.warning(
                "%s: %d bytes dropped, renamed %s: the log ends before it",
                *(segment.records.path, segment.size_bytes, DELETED_SUFFIX),
            )
            segment.rename(DELETED_SUFFIX)
        del self._segments[first:]

    # After a clean one

    def _load_clean(self) -> ProducerStates:
        """Believe all but the indexes' sizes and the end of the last segment; return the producers.

        A log without any snapshot has had no producer to remember: nothing is read to find that out. Kafka does the
        same.
        """
        self._ensure_indexes(len(self._segments) - 1)
        active = self._segments[-1]
        try:
            active.load()
            active.check_indexes()
        except (CorruptIndexError, FileNotFoundError) as error:
            self._rebuild_indexes(len(self._segments) - 1, error)
        last = active.last_batch()
        end = last.position + last.size_bytes if last else 0
        if end < active.size_bytes:
            self._cut_after_clean_stop(active)
        if not len(self._snapshots):
            return ProducerStates()
        return self._producer_loader.load(self._segments, active.next_offset())

    def _cut_after_clean_stop(self, active: LogSegment) -> None:
        size = active.size_bytes
        producers = self._producer_loader.load(self._segments, active.base_offset)
        reason = active.recover(producers, self._leader_epochs)
        logger.warning(
            "%s: cut at position %d, %d bytes dropped, after a clean stop: %s",
            *(active.records.path, active.size_bytes, size - active.size_bytes, reason),
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
