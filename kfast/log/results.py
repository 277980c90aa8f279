"""The small answers a log gives; immutable, so that they can be handed from thread to thread.

Named tuples where one is made for every look-up: they take half the time of a frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kfast.file_slice import FileSlice
from kfast.log.transaction_index import AbortedTransaction
from kfast.record.layout import NO_TIMESTAMP


class OffsetPosition(NamedTuple):
    """Where a batch lies in its segment's file: an entry of the offset index."""

    offset: int
    position: int


class TimestampOffset(NamedTuple):
    """A time and the offset that goes with it: an entry of the time index."""

    timestamp_ms: int
    offset: int


NO_TIMESTAMP_OFFSET = TimestampOffset(NO_TIMESTAMP, -1)


class TimestampAndOffset(NamedTuple):
    """A record that was looked for by time, and the epoch of the leader that wrote it (-1: its batch does not say)."""

    timestamp_ms: int
    offset: int
    leader_epoch: int


class BatchPosition(NamedTuple):
    """What a scan of headers learns of one batch."""

    position: int
    size_bytes: int
    base_offset: int
    last_offset: int
    max_timestamp_ms: int


class FetchDataInfo(NamedTuple):
    """What `Log.read` found: a range of a file, none of whose records were read, and the log's offsets at that time."""

    records: FileSlice
    fetch_offset: int
    log_start_offset: int
    high_watermark: int
    last_stable_offset: int
    aborted: Sequence[AbortedTransaction] = ()
    """Transactions whose records may lie in `records`, to be passed over, where they were asked for."""


class LogAppendInfo(NamedTuple):
    """What `Log.append` did. `log_append_time_ms` is -1 where the producer's own timestamps were kept."""

    first_offset: int
    last_offset: int
    log_append_time_ms: int
    log_start_offset: int
