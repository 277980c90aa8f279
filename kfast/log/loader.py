"""Opening a log: tidy up what was going on when it was last closed, check what may be damaged, and say what was lost.

After an unclean stop every batch from the recovery point on is checked (size, magic, CRC) and its index entries are
made anew; at the first bad byte the log ends. What comes after it is put aside as `.deleted` and named in the log.
After a clean stop, and below the recovery point, only the end of the last segment is looked at.
What the log knows of its producers comes from their last snapshot and the batches after it.
Source: Kafka's LogLoader.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass

from kfast.log.config import LogConfig
from kfast.log.file_pool import FilePool
from kfast.log.file_records import FileRecords
from kfast.log.index import CorruptIndexError
from kfast.log.names import (
    CLEANED_SUFFIX,
    DELETED_SUFFIX,
    LOG_SUFFIX,
    SEGMENT_SUFFIXES,
    SNAPSHOT_SUFFIX,
    SWAP_SUFFIX,
    file_path,
    parse_file_name,
)
from kfast.log.producer_loader import load_producers
from kfast.log.producer_snapshot import snapshot_offsets
from kfast.log.producer_state import ProducerStates
from kfast.log.segment import LogSegment
from kfast.log.segments import LogSegments

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedLog:
    """The segments, the last one ready to be appended to."""

    segments: LogSegments
    log_start_offset: int
    flushed_offset: int
    """Up to where the recovery point was right."""
    producers: ProducerStates


def load_log(
    directory: str,
    config: LogConfig,
    file_pool: FilePool,
    recovery_point: int,
    log_start_offset: int,
    was_clean: bool,
) -> LoadedLog:
    """Open the segments in `directory`, which is made if it is missing."""
    os.makedirs(directory, exist_ok=True)
    finish_swaps(directory, file_pool, remove_temporary_files(directory))
    base_offsets = _find_segments(directory)
    segments = [LogSegment(directory, base_offset, file_pool, config) for base_offset in base_offsets]
    end_offset = None
    producers = ProducerStates()
    if segments:
        if was_clean:
            producers = _load_clean(directory, segments)
        else:
            segments, recovery_point, producers = _recover(directory, segments, recovery_point)
        end_offset = segments[-1].next_offset()
        _remove_snapshots(directory, segments, end_offset)
        if log_start_offset > end_offset:
            logger.warning(
                "%s: log start offset %d is beyond the end %d; all %d segments put aside",
                *(directory, log_start_offset, end_offset, len(segments)),
            )
            _put_aside(segments)
            segments, producers = [], ProducerStates()
    if not segments:
        segments = [LogSegment.create(directory, log_start_offset, file_pool, config)]
        end_offset = log_start_offset
    return LoadedLog(
        LogSegments(segments),
        max(log_start_offset, segments[0].base_offset),
        min(recovery_point, end_offset or 0),
        producers,
    )


def _find_segments(directory: str) -> list[int]:
    """Return the base offsets of the .log files; index files without one are removed."""
    files = [(name, parsed) for name in os.listdir(directory) if (parsed := parse_file_name(name))]
    base_offsets = {base_offset for _, (base_offset, suffix) in files if suffix == LOG_SUFFIX}
    for name, (base_offset, suffix) in files:
        if suffix in SEGMENT_SUFFIXES and base_offset not in base_offsets:
            logger.warning("%s: %s removed: its segment is gone", directory, name)
            os.unlink(os.path.join(directory, name))
    return sorted(base_offsets)


# What was going on


def remove_temporary_files(directory: str) -> int | None:
    """Remove files of deleted segments and unfinished compactions; return the lowest base offset of the latter."""
    cleaned = []
    for name in os.listdir(directory):
        if name.endswith((DELETED_SUFFIX, CLEANED_SUFFIX)):
            os.unlink(os.path.join(directory, name))
            parsed = parse_file_name(name.removesuffix(CLEANED_SUFFIX))
            if parsed is not None:
                cleaned.append(parsed[0])
    return min(cleaned, default=None)


def finish_swaps(directory: str, file_pool: FilePool, lowest_cleaned: int | None) -> None:
    """Put finished .swap files into the place of the segments they were made from.

    Files are renamed to .swap from the last to the first: where a .cleaned file was left, the .swap files from its base
    offset on are incomplete, and their originals are still there.
    """
    for name in sorted(os.listdir(directory)):
        parsed = parse_file_name(name.removesuffix(SWAP_SUFFIX)) if name.endswith(SWAP_SUFFIX) else None
        if parsed is None:
            continue
        path = os.path.join(directory, name)
        base_offset, suffix = parsed
        if lowest_cleaned is not None and base_offset >= lowest_cleaned:
            os.unlink(path)
        elif suffix == LOG_SUFFIX:
            _remove_originals(directory, base_offset, FileRecords(path, file_pool, os.stat(path).st_size))
    for name in os.listdir(directory):
        if name.endswith(SWAP_SUFFIX):
            path = os.path.join(directory, name)
            os.replace(path, path.removesuffix(SWAP_SUFFIX))
            file_pool.discard(path)


def _remove_originals(directory: str, base_offset: int, swap: FileRecords) -> None:
    """Remove the segments whose base offsets lie in the range of the one that replaces them."""
    next_offset = base_offset + 1
    for batch in swap.headers():
        next_offset = batch.last_offset + 1
    for name in os.listdir(directory):
        parsed = parse_file_name(name)
        if parsed and parsed[1] in SEGMENT_SUFFIXES and base_offset <= parsed[0] < next_offset:
            os.unlink(os.path.join(directory, name))


# What may be damaged


def _recover(
    directory: str, segments: list[LogSegment], recovery_point: int
) -> tuple[list[LogSegment], int, ProducerStates]:
    """Check all from the recovery point on. Return what is left, the recovery point if it was one, the producers."""
    first, position = _find_recovery_point(segments, recovery_point)
    if first is None:
        first = position = recovery_point = 0
    _ensure_indexes(directory, segments[:first])
    producers = load_producers(directory, segments, recovery_point if position else segments[first].base_offset)
    for number in range(first, len(segments)):
        segment = segments[number]
        size = segment.size_bytes
        reason = segment.recover(producers, position)
        position = 0
        if reason is not None:
            logger.warning(
                "%s: cut at position %d, %d bytes dropped: %s",
                *(segment.records.path, segment.size_bytes, size - segment.size_bytes, reason),
            )
            _put_aside(segments[number + 1 :])
            return segments[: number + 1], recovery_point, producers
    return segments, recovery_point, producers


def _find_recovery_point(segments: list[LogSegment], recovery_point: int) -> tuple[int | None, int]:
    """Return (number of the segment, position in it) to check from; None where it cannot be believed."""
    number = max(0, LogSegments(segments).floor(recovery_point))
    segment = segments[number]
    if recovery_point <= segment.base_offset:
        return number, 0
    try:
        segment.load()
        found = segment.translate_offset(recovery_point, segment.size_bytes)
        if found is not None:
            return number, found[0]
        if segment.next_offset() < recovery_point:
            logger.warning(
                "%s: the recovery point %d is beyond the end of its segment, %d; checking all of the log",
                *(segment.records.path, recovery_point, segment.next_offset()),
            )
            return None, 0
        last = segment.last_batch()
        return number, last.position + last.size_bytes if last else 0
    except (CorruptIndexError, FileNotFoundError) as error:
        logger.warning("%s: checked from its front: %s", segment.records.path, error)
        return number, 0


def _load_clean(directory: str, segments: list[LogSegment]) -> ProducerStates:
    """Believe all but the indexes' sizes and the end of the last segment; return the producers.

    A log without any snapshot has had no producer to remember: nothing is read to find that out. Kafka does the same.
    """
    _ensure_indexes(directory, segments[:-1])
    active = segments[-1]
    try:
        active.load()
        active.check_indexes()
    except (CorruptIndexError, FileNotFoundError) as error:
        _rebuild_indexes(directory, segments, error)
    last = active.last_batch()
    end = last.position + last.size_bytes if last else 0
    if end < active.size_bytes:
        size = active.size_bytes
        reason = active.recover(load_producers(directory, segments, active.base_offset))
        logger.warning(
            "%s: cut at position %d, %d bytes dropped, after a clean stop: %s",
            *(active.records.path, active.size_bytes, size - active.size_bytes, reason),
        )
    if not snapshot_offsets(directory):
        return ProducerStates()
    return load_producers(directory, segments, active.next_offset())


def _ensure_indexes(directory: str, segments: list[LogSegment]) -> None:
    """Make index files that are missing, or whose size says they are damaged; the log itself is not checked."""
    for number, segment in enumerate(segments):
        try:
            segment.check_indexes()
        except (CorruptIndexError, FileNotFoundError) as error:
            _rebuild_indexes(directory, segments[: number + 1], error)


def _rebuild_indexes(directory: str, segments: list[LogSegment], reason: Exception) -> None:
    """Of the last one of `segments`."""
    segment = segments[-1]
    logger.warning("%s: indexes made anew: %s", segment.records.path, reason)
    segment.rebuild_indexes(load_producers(directory, segments, segment.base_offset))


def _put_aside(segments: list[LogSegment]) -> None:
    for segment in segments:
        logger.warning(
            "%s: %d bytes dropped, renamed %s: the log ends before it",
            *(segment.records.path, segment.size_bytes, DELETED_SUFFIX),
        )
        segment.rename_deleted()


def _remove_snapshots(directory: str, segments: list[LogSegment], end_offset: int) -> None:
    """Remove producer snapshots that are wrong or of no more use: Kafka's removeStraySnapshots.

    Those of offsets that the log no longer reaches would be wrong once it does again. Of the others the one before each
    segment is kept, to recover it from, and the last one.
    """
    offsets = snapshot_offsets(directory)
    reached = [offset for offset in offsets if offset <= end_offset]
    kept = {segment.base_offset for segment in segments} | {max(reached, default=end_offset)}
    for offset in offsets:
        if offset > end_offset or offset not in kept:
            os.unlink(file_path(directory, offset, SNAPSHOT_SUFFIX))
