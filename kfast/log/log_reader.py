"""The half of a log that takes no lock: where it begins and ends, and what is found in it.

Segments are an immutable tuple replaced whole, and the end of the log is published last, so whatever is found fits
together. What a reader holds may still be overtaken: by retention, and by compaction, after which a file of the same
name is another one. So it looks afterwards whether the segments are still those it began with; else it looks again,
with the lock, which happens about once a roll.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kfast.errors import KafkaStorageError, OffsetOutOfRangeError
from kfast.log.leader_epochs import LeaderEpochs
from kfast.log.local_log import LocalLog
from kfast.log.producer_state_manager import ProducerStateManager
from kfast.log.results import FetchDataInfo, TimestampAndOffset
from kfast.log.segment import LogSegment
from kfast.log.segments import LogSegments
from kfast.log.transaction_index import AbortedTransaction

Found = TypeVar("Found")


class LogReader:
    """Reads one log. Thread-safe."""

    def __init__(
        self, local: LocalLog, log_start_offset: int, producers: ProducerStateManager, leader_epochs: LeaderEpochs
    ) -> None:
        self.directory = Path(local.directory)
        self.leader_epochs = leader_epochs
        """For looking up; appending and whatever makes the log shorter change them."""
        self._local = local
        self._log_start_offset = log_start_offset
        self._producers = producers
        self._lock = threading.Lock()
        """Guards append, roll and whatever else changes the list of segments."""

    @property
    def segments(self) -> tuple[LogSegment, ...]:
        return self._local.segments.all

    @property
    def log_start_offset(self) -> int:
        return self._log_start_offset

    @property
    def first_offset_on_disk(self) -> int:
        """Base offset of the first segment; of one before it where the disk kept what was deleted."""
        return self._local.first_offset_on_disk

    @property
    def log_end_offset(self) -> int:
        """The offset the next record will get."""
        return self._local.end[0]

    @property
    def high_watermark(self) -> int:
        """Records below it may be read: all, on one node."""
        return self._local.end[0]

    @property
    def last_stable_offset(self) -> int:
        """Records below it belong to no open transaction."""
        return max(self._producers.stable(self._local.end[0]), self._log_start_offset)

    @property
    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self._local.segments)

    def read(
        self,
        fetch_offset: int,
        max_bytes: int,
        *,
        up_to: int | None = None,
        min_one_batch: bool = True,
        with_aborted: bool = False,
    ) -> FetchDataInfo:
        """Find the batches from the one that holds `fetch_offset` on, in one segment, unread, up to `max_bytes`.

        The first batch comes whole even if it is larger, unless `min_one_batch` is false; the last may be cut off. The
        slice is empty at the end of the log, and where `up_to`, an offset that is not to be reached, leaves nothing.
        What was aborted is looked for in the same segments: compaction may replace them right after.
        Raises OffsetOutOfRangeError, and KafkaStorageError where a file is gone.
        """
        return self._look_up(
            lambda segments: self._find(segments, fetch_offset, max_bytes, up_to, min_one_batch, with_aborted)
        )

    def _find(
        self,
        segments: LogSegments,
        fetch_offset: int,
        max_bytes: int,
        up_to: int | None,
        min_one_batch: bool,
        with_aborted: bool,
    ) -> FetchDataInfo:
        end = self._local.end
        end_offset, log_start_offset = end[0], self._log_start_offset
        if not log_start_offset <= fetch_offset <= end_offset:
            raise self._out_of_range(fetch_offset)
        last_stable_offset = max(self._producers.stable(end_offset), log_start_offset)
        if up_to is not None and up_to < end_offset:
            end = segments.offset_metadata(up_to, end)
        records = segments.find(fetch_offset, max_bytes, end, min_one_batch)
        aborted = segments.aborted_transactions(fetch_offset, records, end_offset) if with_aborted else ()
        return FetchDataInfo(records, fetch_offset, log_start_offset, end_offset, last_stable_offset, aborted)

    def _out_of_range(self, offset: int) -> OffsetOutOfRangeError:
        return OffsetOutOfRangeError(
            f"{self.directory.name}: offset {offset} is not within {self._log_start_offset}..{self._local.end[0]}"
        )

    def aborted_between(self, start_offset: int, end_offset: int) -> list[AbortedTransaction]:
        """Those with records from `start_offset` on and before `end_offset`, both the bounds of segments."""
        return self._look_up(lambda segments: segments.aborted_between(start_offset, end_offset))

    def offset_for_timestamp(self, timestamp_ms: int) -> TimestampAndOffset | None:
        """The first record, in order of offsets, that is not earlier than `timestamp_ms`; None where there is none.

        See `LogSegments.find_timestamp` for what is not found for a while after records were deleted.
        """
        return self._look_up(lambda segments: segments.find_timestamp(timestamp_ms, self._log_start_offset))

    def max_timestamp(self) -> TimestampAndOffset | None:
        """The record with the largest timestamp, the first one of them; None in an empty log.

        It may lie below the log start offset, as in Kafka, as long as its segment is there.
        """
        return self._look_up(LogSegments.find_max_timestamp)

    def _look_up(self, find: Callable[[LogSegments], Found]) -> Found:
        """Return what `find` says of the segments that the log has afterwards too."""
        segments = self._local.segments
        try:
            found = find(segments)
            if self._local.segments is segments:
                return found
        except FileNotFoundError:
            pass
        except OSError as error:
            raise KafkaStorageError(f"{self.directory.name}: reading failed: {error}") from error
        with self._lock:
            try:
                return find(self._local.segments)
            except OSError as error:
                raise KafkaStorageError(f"{self.directory.name}: reading failed: {error}") from error
