"""The segments of a log on this disk and where they end: written, rolled, cut, replaced and deleted.

Guarded by the log's lock. `segments` and `end` are immutable and replaced whole, so that reading them needs none. What
a producer is, what is validated and how long something stays is the Log's business. Source: Kafka's LocalLog.

Segments that are no more part of the log are renamed to .deleted and removed after file.delete.delay.ms, so that a
reader that has found its place in one does not lose it. A crash in between leaves them to the next start.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Sequence

from kfast.errors import KafkaStorageError, KfastError
from kfast.log.checkpoints import fsync_directory
from kfast.log.config import LogConfig
from kfast.log.file_pool import FilePool
from kfast.log.names import CLEANED_SUFFIX, DELETED_SUFFIX, LOG_SUFFIX, SWAP_SUFFIX, file_path
from kfast.log.producer_snapshot import ProducerSnapshots
from kfast.log.segment import LogSegment
from kfast.log.segments import LogOffsetMetadata, LogSegments
from kfast.record.batch import RecordBatch
from kfast.scheduler import Scheduler

logger = logging.getLogger(__name__)


class SegmentsReplacedError(KfastError):
    """Segments are no more what somebody took them for: part of the log, as retention does not know of compaction."""


class LocalLog:
    """One log's segments, the snapshots of its producers that go with them, and its end."""

    __slots__ = ("_cleaned", "_doomed", "_file_pool", "_scheduler", "directory", "end", "segments", "snapshots")

    def __init__(
        self,
        directory: str,
        file_pool: FilePool,
        scheduler: Scheduler | None,
        segments: LogSegments,
        snapshots: ProducerSnapshots,
        end_offset: int,
    ) -> None:
        self.directory = directory
        self.segments = segments
        self.snapshots = snapshots
        active = segments.active
        self.end: LogOffsetMetadata = (end_offset, active, active.size_bytes)
        """Published by whoever appends, once all is known of what was written."""
        self._cleaned: LogSegment | None = None  # the last one that was begun
        self._doomed: set[LogSegment] = set()  # deleted, their files not removed yet
        self._file_pool = file_pool
        self._scheduler = scheduler

    def append(self, buffer: bytearray | memoryview, batches: Sequence[RecordBatch]) -> None:
        """Write `batches`, stamped with offsets from the end on. Raises OSError.

        The caller publishes the new end, or undoes this; nobody reads beyond the old one until then.
        """
        first_offset, segment, _ = self.end
        segment.append(buffer, batches, first_offset)

    def undo_append(self) -> None:
        """Drop what was written beyond the end, whole or in part."""
        _, segment, end_position = self.end
        segment.undo_append(end_position)

    def publish(self, next_offset: int) -> None:
        """Let what was appended be read: up to `next_offset`."""
        segment = self.end[1]
        self.end = (next_offset, segment, segment.records.size_bytes)

    def roll(self, config: LogConfig) -> LogSegment:
        """Begin a new segment at the end. Raises OSError; then there is none."""
        self.segments.active.finish()
        segment = LogSegment.create(self.directory, self.end[0], self._file_pool, config)
        self.segments = LogSegments((*self.segments, segment))
        self.end = (self.end[0], segment, 0)
        return segment

    def truncate_to(self, offset: int, config: LogConfig) -> None:
        """Drop the batch that holds `offset` and all that follows, at once. Only while nobody is being served.

        From the end on, so that a crash in between leaves no gap. Raises CorruptIndexError, before anything is dropped.
        """
        kept = [segment for segment in self.segments if segment.base_offset <= offset]
        dropped = self.segments.all[len(kept) :]
        if kept and dropped:
            kept[-1].load()
        for segment in reversed(dropped):
            segment.unlink()
        if not kept:
            kept = [LogSegment.create(self.directory, offset, self._file_pool, config)]
        active = kept[-1]
        found = active.translate_offset(offset, active.size_bytes)
        if found is not None:
            active.truncate_to(found[0])
        self.segments = LogSegments(kept)
        self.end = (active.next_offset(), active, active.size_bytes)
        self.snapshots.truncate_to(self.end[0], kept[0].base_offset)

    def delete_first(self, count: int, delay_ms: int) -> None:
        """Delete the oldest `count` segments, after `delay_ms`; one must be left."""
        doomed = self.segments.all[:count]
        self.segments = LogSegments(self.segments.all[count:])
        self._delete(doomed, [segment.base_offset for segment in doomed], delay_ms)

    def offer(self, cleaned: LogSegment) -> None:
        """Say of a .cleaned segment, complete and on the disk, that it is to replace those it was made from.

        Once its names are on the disk a crash leads to the new one, until then to the old ones: what is partly .swap
        and partly .cleaned is removed by the next start. Raises OSError.
        """
        path = file_path(self.directory, cleaned.base_offset, LOG_SUFFIX) + SWAP_SUFFIX
        if os.path.exists(path):
            raise FileExistsError(errno.EEXIST, "a segment in use has not got its own name", path)
        cleaned.rename(SWAP_SUFFIX)

    def replace(self, old: Sequence[LogSegment], new: LogSegment, delay_ms: int) -> None:
        """Put `new`, which was offered, into the place of `old`, neighbours in this log, and delete these.

        It is done once `segments` are set: a disk that does not take the new names leaves them to the next start.
        Raises SegmentsReplacedError where that has happened to `old` before.
        """
        everything = self.segments.all
        number = everything.index(old[0]) if old[0] in everything else 0
        if everything[number : number + len(old)] != tuple(old):
            raise SegmentsReplacedError(f"{old} are not neighbours in {self.segments}")
        self.segments = LogSegments((*everything[:number], new, *everything[number + len(old) :]))
        merged = [segment.base_offset for segment in old if segment.base_offset != new.base_offset]
        are_put_aside = self._delete(old, merged, delay_ms)
        try:
            if not are_put_aside:
                raise FileExistsError(errno.EEXIST, "a file that is to be removed may still bear it")
            new.rename("")
        except OSError as error:
            logger.error("%r took its place in %s, but not its name: %s", new, self.directory, error)

    def flush_names(self) -> None:
        """Return when the names of the segments are on the disk.

        Where that fails the next start may find those of before: .swap files, which it puts into place.
        """
        try:
            fsync_directory(self.directory)
        except OSError as error:
            logger.error("%s: the names of its segments: %s", self.directory, error)

    def create_cleaned(self, base_offset: int, config: LogConfig) -> LogSegment:
        """Make the files of a segment that is to replace others; they are no part of the log yet."""
        self._cleaned = LogSegment.create(self.directory, base_offset, self._file_pool, config, CLEANED_SUFFIX)
        return self._cleaned

    @property
    def first_offset_on_disk(self) -> int:
        """Where the log would begin if it were opened now: deleted segments that kept their names would be its own."""
        deleted = [segment.base_offset for segment in tuple(self._doomed) if not segment.is_put_aside]
        return min([self.segments.first.base_offset, *deleted])

    def _delete(self, segments: Sequence[LogSegment], snapshot_offsets: Sequence[int], delay_ms: int) -> bool:
        """Rename the files of segments that are no part of the log any more, and remove them after `delay_ms`.

        Returns whether all were renamed. What the disk does not rename it may still remove.
        """
        self._doomed.update(segments)
        are_put_aside = [self._put_aside(segment) for segment in segments]
        snapshot_removals = [self.snapshots.put_aside(offset) for offset in snapshot_offsets]
        if self._scheduler is None:
            self._remove(segments, snapshot_removals)
        else:
            name = f"delete segments of {os.path.basename(self.directory)}"
            self._scheduler.schedule(name, lambda: self._remove(segments, snapshot_removals), delay_ms)
        return all(are_put_aside)

    def _put_aside(self, segment: LogSegment) -> bool:
        try:
            segment.rename(DELETED_SUFFIX)
        except OSError as error:
            logger.error("%r is deleted from %s, but keeps its name: %s", segment, self.directory, error)
            return False
        return True

    def _remove(self, segments: Sequence[LogSegment], snapshot_removals: Sequence[Callable[[], None]]) -> None:
        for segment in segments:
            try:
                segment.unlink()
                self._doomed.discard(segment)
            except OSError as error:
                logger.error("%r is deleted from %s, but its files stay: %s", segment, self.directory, error)
        for remove in snapshot_removals:
            remove()

    def ensure_complete(self) -> None:
        """Look for the files of all segments: one that somebody removed was written to as if it were there.

        Raises KafkaStorageError, OSError.
        """
        names = set(os.listdir(self.directory))
        for segment in self.segments:
            for path in segment.paths:
                if os.path.basename(path) not in names:
                    raise KafkaStorageError(f"{path} has been removed, and not by this log")

    def rename(self, directory: str) -> None:
        """Give the directory another name: the old one may be another log's at once.

        `segments` are replaced, so that who has looked for a file by its old path looks again. Raises OSError.
        """
        try:
            os.replace(self.directory, directory)
        finally:
            self.forget_files()
        self.directory = directory
        for segment in (*self.segments, *self._doomed, *filter(None, [self._cleaned])):
            segment.follow_to(directory)
        self.snapshots.follow_to(directory)
        self.segments = LogSegments(self.segments)

    def forget_files(self) -> None:
        """Keep none of them open: the directory is gone, or has another name."""
        for segment in self.segments:
            segment.forget_files()

    def __repr__(self) -> str:
        return f"LocalLog({os.path.basename(self.directory)!r}, {len(self.segments)} segments, end {self.end[0]})"
