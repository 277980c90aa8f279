"""Reads a metadata log from disk without touching it: the newest snapshot, then the records after it.

    __cluster_metadata-0/00000000000000000000.log                       batches of records, in order
    __cluster_metadata-0/00000000000000000071-0000000003.checkpoint     a snapshot: all below offset 71, epoch 3

Read-only, because a directory may turn out to be one that kfast must refuse, and then nothing in it may have changed.
Records between a begin and its end count only with the end (KIP-868); the log ends at its first short or damaged batch.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from kfast.broker.metadata_image import MetadataDelta, MetadataImage
from kfast.errors import CorruptRecordError, KfastError, LogDirectoryError
from kfast.log.names import LOG_SUFFIX, parse_file_name
from kfast.record.batch import RecordBatch
from kfast.record.batches import iter_batches
from kfast.record.metadata_records import (
    AbortTransactionRecord,
    BeginTransactionRecord,
    EndTransactionRecord,
    MetadataRecord,
    decode,
)

_SNAPSHOT_NAME = re.compile(r"(\d{20})-(\d{10})\.checkpoint")


@dataclass(frozen=True, slots=True)
class ReplayedMetadata:
    """What the log said. `epoch` is the last batch's; `end_offset` is where the next record goes.

    `log_start_offset` is what the log has to start at to be continued there. With `has_open_transaction` records were
    left out, and whoever goes on writing has to abort it first, or theirs would be left out too.
    """

    image: MetadataImage
    removed_topic_ids: frozenset[uuid.UUID]
    log_start_offset: int
    end_offset: int
    epoch: int
    has_snapshot: bool
    has_open_transaction: bool


@dataclass(frozen=True, slots=True)
class _Snapshot:
    end_offset: int
    epoch: int
    path: str


def replay(directory: str) -> ReplayedMetadata:
    """Read the metadata log in `directory`, which may be missing. Raises LogDirectoryError for one not to be used."""
    snapshot = _newest_snapshot(directory)
    replay = _Replay()
    if snapshot is not None:
        replay.take_all(_snapshot_batches(snapshot), 0)
        replay.end_offset, replay.epoch = snapshot.end_offset, snapshot.epoch
    snapshot_end_offset, replay.log_end_offset = replay.end_offset, 0
    segments = _segments(directory)
    for base_offset, path in segments:
        if base_offset > replay.end_offset:
            raise LogDirectoryError(
                f"{path} begins at offset {base_offset}, and nothing holds the records from {replay.end_offset} on"
            )
        replay.take_all(_valid_batches(path), replay.end_offset)
    continues_log = bool(segments) and replay.log_end_offset >= snapshot_end_offset
    return ReplayedMetadata(
        image=replay.delta.build(),
        removed_topic_ids=frozenset(replay.delta.removed_topic_ids),
        log_start_offset=segments[0][0] if continues_log else snapshot_end_offset,
        end_offset=replay.end_offset,
        epoch=replay.epoch,
        has_snapshot=snapshot is not None,
        has_open_transaction=replay.has_open_transaction,
    )


class _Replay:
    """The state between records: what is applied, and what an open transaction holds back."""

    def __init__(self) -> None:
        self.delta = MetadataDelta(MetadataImage())
        self.end_offset = 0
        self.log_end_offset = 0
        self.epoch = 0
        self._held_back: list[MetadataRecord] | None = None

    @property
    def has_open_transaction(self) -> bool:
        return self._held_back is not None

    def take_all(self, batches: Iterator[RecordBatch], from_offset: int) -> None:
        for batch in batches:
            if not batch.is_control:
                self._take_batch(batch, from_offset)
            self.log_end_offset = batch.next_offset
            self.end_offset = max(self.end_offset, batch.next_offset)
            self.epoch = max(self.epoch, batch.partition_leader_epoch)

    def _take_batch(self, batch: RecordBatch, from_offset: int) -> None:
        for record in batch.records():
            if record.offset < from_offset or record.value is None:
                continue
            try:
                self._take(decode(record.value))
            except KfastError as error:
                raise LogDirectoryError(f"metadata record at offset {record.offset}: {error}") from error

    def _take(self, record: MetadataRecord) -> None:
        match record:
            case BeginTransactionRecord():
                self._held_back = []
            case AbortTransactionRecord():
                self._held_back = None
            case EndTransactionRecord():
                held_back, self._held_back = self._held_back or [], None
                for held in held_back:
                    self.delta.apply(held)
            case _ if self._held_back is not None:
                self._held_back.append(record)
            case _:
                self.delta.apply(record)


def _newest_snapshot(directory: str) -> _Snapshot | None:
    snapshots = [
        _Snapshot(int(match[1]), int(match[2]), os.path.join(directory, name))
        for name in _names(directory)
        if (match := _SNAPSHOT_NAME.fullmatch(name))
    ]
    return max(snapshots, key=lambda snapshot: (snapshot.end_offset, snapshot.epoch), default=None)


def _snapshot_batches(snapshot: _Snapshot) -> Iterator[RecordBatch]:
    """A snapshot is renamed into place when it is complete, so that damage in it is a fault of the disk."""
    data = _read(snapshot.path)
    position = 0
    try:
        for batch in iter_batches(data):
            batch.ensure_valid()
            yield batch
            position += batch.size_bytes
    except CorruptRecordError as error:
        raise LogDirectoryError(f"metadata snapshot {snapshot.path} is damaged: {error}") from error
    if position != len(data):
        raise LogDirectoryError(f"metadata snapshot {snapshot.path} is cut off at {position} of {len(data)} bytes")


def _segments(directory: str) -> list[tuple[int, str]]:
    names = ((parse_file_name(name), name) for name in _names(directory))
    return sorted(
        (parsed[0], os.path.join(directory, name)) for parsed, name in names if parsed and parsed[1] == LOG_SUFFIX
    )


def _valid_batches(path: str) -> Iterator[RecordBatch]:
    """Batches up to the first that is short or damaged: the log's own recovery cuts it off there."""
    try:
        for batch in iter_batches(_read(path)):
            batch.ensure_valid()
            yield batch
    except CorruptRecordError:
        return


def _names(directory: str) -> list[str]:
    return os.listdir(directory) if os.path.isdir(directory) else []


def _read(path: str) -> memoryview:
    with open(path, "rb") as file:
        return memoryview(file.read())
