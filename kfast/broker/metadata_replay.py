"""Reads a metadata log from disk without touching it: the newest snapshot, then the records after it.

    __cluster_metadata-0/00000000000000000000.log                       batches of records, in order
    __cluster_metadata-0/00000000000000000071-0000000003.checkpoint     a snapshot: all below offset 71, epoch 3

Read-only, because a directory may turn out to be one that kfast must refuse, and then nothing in it may have changed.
Records between a begin and its end count only with the end (KIP-868); the log ends at its first short or damaged batch.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace

from kfast.broker.metadata_image import MetadataDelta, MetadataImage
from kfast.broker.metadata_snapshots import SnapshotId, snapshot_ids
from kfast.broker.quorum import Quorum
from kfast.errors import CorruptRecordError, KfastError, LogDirectoryError, UnsupportedVersionError
from kfast.log.names import LOG_SUFFIX, parse_file_name
from kfast.record.batch import RecordBatch
from kfast.record.batches import iter_batches
from kfast.record.control_records import (
    ControlRecord,
    ControlRecordType,
    KRaftVersion,
    KRaftVoters,
    LeaderChange,
    decode_control,
    read_control_type,
)
from kfast.record.metadata_records import (
    AbortTransactionRecord,
    BeginTransactionRecord,
    EndTransactionRecord,
    MetadataRecord,
    decode,
)

_QUORUM_KINDS = (ControlRecordType.LEADER_CHANGE, ControlRecordType.KRAFT_VERSION, ControlRecordType.KRAFT_VOTERS)


@dataclass(frozen=True, slots=True)
class ReplayedMetadata:
    """What the log said. `epoch` is the last batch's; `end_offset` is where the next record goes.

    `log_start_offset` is what the log has to start at to be continued there; of its batches `size_bytes` lie behind the
    newest snapshot. With `has_open_transaction` records were left out, and whoever goes on writing has to abort it
    first, or theirs would be left out too.
    """

    image: MetadataImage
    removed_topic_ids: frozenset[uuid.UUID]
    log_start_offset: int
    end_offset: int
    size_bytes: int
    epoch: int
    snapshot: SnapshotId | None
    quorum: Quorum
    has_open_transaction: bool

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a record nor a snapshot."""
        return self.end_offset == 0 and self.snapshot is None


def replay(directory: str | os.PathLike[str]) -> ReplayedMetadata:
    """Read the metadata log in `directory`, which may be missing. Raises LogDirectoryError for one not to be used."""
    snapshot = max(snapshot_ids(directory), default=None)
    replay = _Replay()
    if snapshot is not None:
        replay.take_all(_snapshot_batches(os.path.join(directory, snapshot.file_name)), 0)
        replay.end_offset, replay.epoch = snapshot
    snapshot_end_offset, replay.log_end_offset, replay.size_bytes = replay.end_offset, 0, 0
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
        size_bytes=replay.size_bytes,
        epoch=replay.epoch,
        snapshot=snapshot,
        quorum=replay.quorum,
        has_open_transaction=replay.has_open_transaction,
    )


class _Replay:
    """The state between records: what is applied, and what an open transaction holds back."""

    def __init__(self) -> None:
        self.delta = MetadataDelta(MetadataImage())
        self.end_offset = 0
        self.log_end_offset = 0
        self.size_bytes = 0
        self.epoch = 0
        self.quorum = Quorum()
        self._held_back: list[MetadataRecord] | None = None

    @property
    def has_open_transaction(self) -> bool:
        return self._held_back is not None

    def take_all(self, batches: Iterator[RecordBatch], from_offset: int) -> None:
        for batch in batches:
            if batch.is_control:
                self._take_controls(batch)
            else:
                self._take_batch(batch, from_offset)
            if batch.next_offset > from_offset:
                self.size_bytes += batch.size_bytes
            self.log_end_offset = batch.next_offset
            self.end_offset = max(self.end_offset, batch.next_offset)
            self.epoch = max(self.epoch, batch.partition_leader_epoch)

    def _take_controls(self, batch: RecordBatch) -> None:
        """Who votes, as the newest record says."""
        for record in batch.records():
            kind = read_control_type(record.key or b"")
            if kind not in _QUORUM_KINDS:
                continue
            try:
                self._take_control(decode_control(record.key or b"", record.value or b""))
            except UnsupportedVersionError as error:
                if kind != ControlRecordType.LEADER_CHANGE:
                    raise LogDirectoryError(f"control record at offset {record.offset}: {error}") from error

    def _take_control(self, record: ControlRecord) -> None:
        match record:
            case KRaftVersion():
                self.quorum = replace(self.quorum, version=record.kraft_version)
            case KRaftVoters():
                self.quorum = replace(self.quorum, voters=record.voters)
            case LeaderChange():
                voters = tuple(voter.voter_id for voter in record.voters)
                self.quorum = replace(self.quorum, static_voter_ids=voters)

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


def _snapshot_batches(path: str) -> Iterator[RecordBatch]:
    """A snapshot is renamed into place when it is complete, so that damage in it is a fault of the disk."""
    data = _read(path)
    position = 0
    try:
        for batch in iter_batches(data):
            batch.ensure_valid()
            yield batch
            position += batch.size_bytes
    except CorruptRecordError as error:
        raise LogDirectoryError(f"metadata snapshot {path} is damaged: {error}") from error
    if position != len(data):
        raise LogDirectoryError(f"metadata snapshot {path} is cut off at {position} of {len(data)} bytes")


def _segments(directory: str | os.PathLike[str]) -> list[tuple[int, str]]:
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


def _names(directory: str | os.PathLike[str]) -> list[str]:
    return os.listdir(directory) if os.path.isdir(directory) else []


def _read(path: str) -> memoryview:
    with open(path, "rb") as file:
        return memoryview(file.read())
