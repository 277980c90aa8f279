"""A segment: one file of batches and its indexes, from its base offset to the next segment's.

A batch gets an index entry when more than index.interval.bytes have been written since the last one: in the offset
index (its last offset, its position), and in the time index the largest timestamp so far, if that has grown. The
transaction index gets an entry with the marker of each aborted transaction. All can be made from the log at any time,
and are made alike; `recover` does. Source: Kafka's LogSegment.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Final

from kfast.errors import CorruptRecordError, KafkaStorageError
from kfast.log.config import LogConfig
from kfast.log.file_pool import FilePool
from kfast.log.index import CorruptIndexError
from kfast.log.leader_epochs import LeaderEpochs
from kfast.log.names import DELETED_SUFFIX, LOG_SUFFIX, file_path
from kfast.log.producer_state import ProducerStates
from kfast.log.results import NO_TIMESTAMP_OFFSET, BatchPosition, TimestampAndOffset, TimestampOffset
from kfast.log.segment_files import SegmentFiles
from kfast.log.time_lookup import first_latest, first_not_earlier
from kfast.record.batch import RecordBatch
from kfast.record.layout import NO_TIMESTAMP

MAX_RELATIVE_OFFSET: Final = 2**31 - 1
"""Index entries hold offsets as i32, relative to the segment's base offset."""


class LogSegment:
    """Batches with offsets from `base_offset` on. One writer at a time (the log's lock); reading needs none."""

    __slots__ = (
        "_bytes_since_last_index_entry",
        "_files",
        "_first_timestamp_ms",
        "_max_timestamp",
        "base_offset",
        "index_interval_bytes",
        "offset_index",
        "records",
        "time_index",
        "transaction_index",
    )

    def __init__(
        self, directory: str, base_offset: int, file_pool: FilePool, config: LogConfig, passing_suffix: str = ""
    ) -> None:
        """Take the files as they are; `create` makes them, `load` and `recover` bring the indexes up to them."""
        self.base_offset = base_offset
        self.index_interval_bytes = config.index_interval_bytes
        self._files = files = SegmentFiles.of(directory, base_offset, file_pool, config, passing_suffix)
        self.records = files.records
        self.offset_index = files.offset_index
        self.time_index = files.time_index
        self.transaction_index = files.transaction_index
        self._bytes_since_last_index_entry = 0
        self._max_timestamp: TimestampOffset | None = None
        self._first_timestamp_ms: int | None = None

    @classmethod
    def create(
        cls, directory: str, base_offset: int, file_pool: FilePool, config: LogConfig, passing_suffix: str = ""
    ) -> LogSegment:
        """Make the files, empty whatever a failure left under their names; none of them where that raises OSError.

        A .log left behind would be the active segment at the next start, and hide what went into the one before it.
        """
        path = file_path(directory, base_offset, LOG_SUFFIX) + passing_suffix
        file = file_pool.create(path)
        try:
            os.ftruncate(file.fd, 0)
            segment = cls(directory, base_offset, file_pool, config, passing_suffix)
            segment.offset_index.reset()
            segment.time_index.reset()
            segment.transaction_index.reset()
        except BaseException:  # an interrupt too
            file_pool.discard(path)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            raise
        segment._max_timestamp = NO_TIMESTAMP_OFFSET  # known, so that no reader finds it out while the first is written
        return segment

    @property
    def size_bytes(self) -> int:
        return self.records.size_bytes

    # Writing

    def append(self, buffer: bytearray | memoryview, batches: Sequence[RecordBatch], next_offset: int) -> None:
        """Write `batches`, which lie one after the other in `buffer` and were given offsets from `next_offset` on."""
        position = self.records.size_bytes
        self.records.append(buffer)
        for batch in batches:
            last_offset = next_offset + batch.last_offset_delta
            self._index(position, batch.size_bytes, last_offset, batch.max_timestamp_ms)
            position += batch.size_bytes
            next_offset = last_offset + 1

    def append_kept(self, buffer: bytearray | memoryview, batches: Sequence[RecordBatch]) -> None:
        """Write batches that have their offsets already: what compaction keeps of other segments."""
        position = self.records.size_bytes
        self.records.append(buffer)
        for batch in batches:
            self._index(position, batch.size_bytes, batch.last_offset, batch.max_timestamp_ms)
            position += batch.size_bytes

    def _index(self, position: int, size: int, last_offset: int, max_timestamp_ms: int) -> None:
        """Note a batch that lies at `position`; the order of the steps is Kafka's, so the bytes are too."""
        max_timestamp = self._max_timestamp or self.max_timestamp()
        if max_timestamp_ms > max_timestamp.timestamp_ms:
            max_timestamp = self._max_timestamp = TimestampOffset(max_timestamp_ms, last_offset)
        if self._bytes_since_last_index_entry > self.index_interval_bytes:
            self.offset_index.append(last_offset, position)
            self.time_index.maybe_append(*max_timestamp)
            self._bytes_since_last_index_entry = 0
        self._bytes_since_last_index_entry += size

    def undo_append(self, position: int) -> None:
        """End where a failed append began. A disk that takes not even that leaves a tail for recovery to cut."""
        with contextlib.suppress(OSError, CorruptIndexError):
            self.truncate_to(position)

    def finish(self) -> None:
        """Write the last entry of the time index: what follows goes into another segment, or nothing follows."""
        self.records.trim()
        self.time_index.load()
        self.time_index.maybe_append(*self.max_timestamp())
        self.offset_index.trim()
        self.time_index.trim()
        self.transaction_index.trim()

    def flush_indexes(self) -> None:
        """Return when the indexes are on the disk: needed once nothing follows. Until then one that lags behind after a
        power failure only makes look-ups scan further."""
        self.offset_index.flush()
        self.time_index.flush()
        self.transaction_index.flush()

    def flush(self) -> None:
        """Return when all of it is on the disk."""
        self.records.flush()
        self.flush_indexes()

    # Reading

    def translate_offset(self, offset: int, end: int) -> tuple[int, int] | None:
        """Return (position, size) of the batch that holds `offset`, or of the next one before `end`; None without one.

        The index leads close to it, a scan of headers does the rest. An index that leads astray (Kafka does not check
        those below the recovery point) is passed over, and the scan starts at the front.
        """
        indexed_offset, position = self.offset_index.lookup(offset)
        if position:
            with contextlib.suppress(CorruptRecordError):
                return self.records.find(offset, position, end, indexed_offset)
        return self.records.find(offset, 0, end)

    def offset_after(self, position: int) -> int | None:
        """An offset that no batch before `position` reaches, by the index; None where it knows of none."""
        return self.offset_index.offset_after(position)

    def position_before(self, offset: int) -> int:
        """Where to scan from for `offset`, if not for the batch alone that holds it."""
        entry = self.offset_index.lookup(max(offset, self.base_offset))
        return entry.position if entry.position and self.records.holds_entry(*entry) else 0

    def max_timestamp(self) -> TimestampOffset:
        """The largest timestamp and the last offset of the first batch that has it; (-1, -1) where there is none."""
        if self._max_timestamp is None:
            finished = self.time_index.finished_entry()
            self._max_timestamp = finished or self._max_timestamp_before(self.size_bytes)
        return self._max_timestamp

    def _max_timestamp_before(self, end: int) -> TimestampOffset:
        """The last entry of the time index, or what is later in the batches after it and before position `end`."""
        largest = self.time_index.last_entry() if len(self.time_index) else NO_TIMESTAMP_OFFSET
        for batch in self.records.headers(self.position_before(largest.offset), end):
            if batch.max_timestamp_ms > largest.timestamp_ms:
                largest = TimestampOffset(batch.max_timestamp_ms, batch.last_offset)
        return largest

    def largest_timestamp_ms(self) -> int:
        """The largest timestamp, or when the file was last written to if no record has one."""
        timestamp_ms = self.max_timestamp().timestamp_ms
        return timestamp_ms if timestamp_ms >= 0 else self.records.modified_ms()

    def first_timestamp_ms(self) -> int:
        """Largest timestamp of the first batch, from which the segment's age counts; -1 where there is no batch."""
        if self._first_timestamp_ms is None:
            first = next(self.records.headers(), None)
            if first is None:
                return NO_TIMESTAMP
            self._first_timestamp_ms = first.max_timestamp_ms
        return self._first_timestamp_ms

    def find_timestamp(self, timestamp_ms: int, start_offset: int) -> TimestampAndOffset | None:
        """The first record from `start_offset` on that is not earlier than `timestamp_ms`; None where there is none."""
        offset = max(self.time_index.lookup(timestamp_ms).offset, start_offset)
        return first_not_earlier(self.records, timestamp_ms, self.position_before(offset), start_offset)

    def find_max_timestamp(self) -> TimestampAndOffset | None:
        """The first record that has the largest timestamp; None where there is none."""
        timestamp_ms, offset = self.max_timestamp()
        return first_latest(self.records, timestamp_ms, self.position_before(offset))

    def last_batch(self) -> BatchPosition | None:
        """The last batch before the end or whatever is no batch, found from the last index entry on; None without.

        Where no whole batch lies there any more it is found from the front: Kafka then takes the segment for empty.
        """
        position = self.offset_index.last_entry().position
        last = self._last_batch_from(position)
        return self._last_batch_from(0) if last is None and position else last

    def _last_batch_from(self, position: int) -> BatchPosition | None:
        last = None
        with contextlib.suppress(CorruptRecordError):
            for batch in self.records.headers(position):
                last = batch
        return last

    def next_offset(self) -> int:
        """The offset after the last record."""
        last = self.last_batch()
        return self.base_offset if last is None else last.last_offset + 1

    # Repairing

    def load(self) -> None:
        """Check the indexes and bring what is kept in memory up to them, for a segment that is to be appended to.

        The bytes to the next entry count on. Kafka counts from 0 after opening, and what it makes anew after a crash
        may then need more entries than a small index has room for: it does not start.

        Raises CorruptIndexError, FileNotFoundError where `recover` has to make them anew.
        """
        finished = self.time_index.finished_entry()
        self.offset_index.load()
        self.time_index.load()
        self.transaction_index.load()
        last = self.offset_index.last_entry()
        if last.position and not self.records.holds_entry(*last):
            raise CorruptIndexError(f"{self.offset_index.path}: {last} is not so in the log of {self.size_bytes} bytes")
        self._bytes_since_last_index_entry = self.size_bytes - last.position
        self._max_timestamp = finished
        if finished is None:
            with contextlib.suppress(CorruptRecordError):  # of what follows the last whole batch, which is cut off next
                self.max_timestamp()

    def check_indexes(self) -> None:
        """Look at the index files, for a segment that is only read: at the sizes, and at what is said to be aborted.

        Raises CorruptIndexError, FileNotFoundError where `rebuild_indexes` has to make them anew.
        """
        self.offset_index.check_size()
        self.time_index.check_size()
        self.transaction_index.check(self.base_offset)

    def rebuild_indexes(self, producers: ProducerStates) -> None:
        """Make the indexes anew from the batches; their checksums are not checked and nothing is cut."""
        self._reset_indexes()
        with contextlib.suppress(CorruptRecordError):
            for position, batch in self.records.batches():
                self._note(position, batch, producers)
        self.finish()

    def _note(self, position: int, batch: RecordBatch, producers: ProducerStates) -> None:
        """Index a batch that lies in the log already; `producers` take it over."""
        if not self.base_offset <= batch.last_offset <= self.base_offset + MAX_RELATIVE_OFFSET:
            raise KafkaStorageError(
                f"{self.records.path}: the batch at position {position} ends at offset {batch.last_offset}, "
                f"which a segment that begins at {self.base_offset} cannot hold"
            )
        aborted = producers.aborted_by(batch)
        if aborted is not None:
            self.transaction_index.append(aborted)
        producers.replay(batch)
        self._index(position, batch.size_bytes, batch.last_offset, batch.max_timestamp_ms)

    def recover(
        self,
        producers: ProducerStates,
        leader_epochs: LeaderEpochs,
        on_checked: Callable[[int], object] = lambda position: None,
    ) -> str | None:
        """Check each batch's size and CRC, index it anew, cut at the first bad byte.

        `producers` and `leader_epochs` are as they were before the segment, and follow. `on_checked` is called with the
        position after each batch. Returns why the file was cut, or None. Raises KafkaStorageError, as Kafka refuses
        such a log, at an undamaged batch with an offset that cannot be there; nothing is cut then.
        """
        self._reset_indexes()
        end, reason = 0, None
        try:
            for position, batch in self.records.batches():
                batch.ensure_undamaged()
                self._note(position, batch, producers)
                if batch.partition_leader_epoch >= max(leader_epochs.latest, 0):  # the latest may begin earlier
                    leader_epochs.assign(batch.partition_leader_epoch, batch.base_offset)
                end = position + batch.size_bytes
                on_checked(end)
        except CorruptRecordError as error:
            reason = str(error)
        if end < self.size_bytes:
            reason = reason or f"the batch is cut off after {self.size_bytes - end} bytes"
            self.records.truncate_to(end)
        self.finish()
        return reason

    def _reset_indexes(self) -> None:
        self.offset_index.reset()
        self.time_index.reset()
        self.transaction_index.reset()
        self._max_timestamp = NO_TIMESTAMP_OFFSET
        self._bytes_since_last_index_entry = 0

    def truncate_to(self, position: int) -> None:
        """Cut the file and its indexes at `position`, where a batch starts."""
        self.records.truncate_to(position)
        self._truncate_indexes(position)

    def _truncate_indexes(self, position: int) -> None:
        """Drop the entries of what lies at `position` and after it."""
        self.offset_index.truncate_to_position(position)
        next_offset = self.base_offset
        for batch in self.records.headers(self.offset_index.last_entry().position, position):
            next_offset = batch.last_offset + 1
        self.time_index.truncate_to_offset(next_offset)
        self._max_timestamp = self._max_timestamp_before(position)
        self._bytes_since_last_index_entry = position - self.offset_index.last_entry().position
        self.transaction_index.truncate_to_offset(next_offset)

    # Its files

    def rename(self, passing_suffix: str) -> None:
        """Give the files a passing suffix, or "" for none; readers find them under the new names from then on."""
        self._files.rename(passing_suffix)

    def follow_to(self, directory: str) -> None:
        """Find the files in their directory under its new name."""
        self._files = self._files.moved_to(directory)

    @property
    def is_put_aside(self) -> bool:
        """Whether the file of batches is called .deleted, which the next start does not take for a segment's."""
        return self.records.path.endswith(DELETED_SUFFIX)

    def unlink(self) -> None:
        """Remove the files. Slices in flight keep the bytes alive until they are sent."""
        self._files.unlink()

    @property
    def paths(self) -> tuple[str, str, str]:
        """Of the files that are always there; a transaction index need not be."""
        return self.records.path, self.offset_index.path, self.time_index.path

    def forget_files(self) -> None:
        """Keep none of them open any longer than a slice in flight needs."""
        self._files.forget()

    def __repr__(self) -> str:
        return f"LogSegment(base_offset={self.base_offset}, {self.size_bytes} bytes)"
