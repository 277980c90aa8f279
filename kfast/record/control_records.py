"""Control records: what brokers write between the records of producers, for each other.

They lie alone in batches marked as control. The key, i16 version and i16 type, says which one; the value holds the
rest. Transaction markers end a producer's transaction in a partition; the others belong to the metadata log and its
snapshots. Source: Kafka's ControlRecordType, EndTransactionMarker and the *Message.json and *Record.json schemas.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Final, TypeAlias

from kfast.errors import CorruptRecordError, UnsupportedVersionError
from kfast.record.fields import INT16, INT32, INT64, TEXT, UINT16, UUID, Schema, array_of
from kfast.varint import Buffer

_KEY: Final = struct.Struct(">hh")


class ControlRecordType(IntEnum):
    """The second number of a control record's key."""

    UNKNOWN = -1
    """Of a later Kafka; readers pass over it."""
    ABORT = 0
    COMMIT = 1
    LEADER_CHANGE = 2
    SNAPSHOT_HEADER = 3
    SNAPSHOT_FOOTER = 4
    KRAFT_VERSION = 5
    KRAFT_VOTERS = 6


@dataclass(frozen=True, slots=True)
class AbortMarker:
    """The producer's open transaction in this partition is void."""

    TYPE: ClassVar = ControlRecordType.ABORT
    coordinator_epoch: int


@dataclass(frozen=True, slots=True)
class CommitMarker:
    """The producer's open transaction in this partition counts."""

    TYPE: ClassVar = ControlRecordType.COMMIT
    coordinator_epoch: int


@dataclass(frozen=True, slots=True)
class QuorumVoter:
    """A voter, as the leader names it when it takes over."""

    voter_id: int


@dataclass(frozen=True, slots=True)
class LeaderChange:
    """First record of a new leader of the metadata log, in the form (version 0) that every Kafka boots on."""

    TYPE: ClassVar = ControlRecordType.LEADER_CHANGE
    leader_id: int
    voters: tuple[QuorumVoter, ...]
    granting_voters: tuple[QuorumVoter, ...]


@dataclass(frozen=True, slots=True)
class SnapshotHeader:
    """First record of a metadata snapshot."""

    TYPE: ClassVar = ControlRecordType.SNAPSHOT_HEADER
    last_contained_log_timestamp_ms: int


@dataclass(frozen=True, slots=True)
class SnapshotFooter:
    """Last record of a metadata snapshot: without it the snapshot is unfinished."""

    TYPE: ClassVar = ControlRecordType.SNAPSHOT_FOOTER


@dataclass(frozen=True, slots=True)
class KRaftVersion:
    """1 where the voters are named in the log (a dynamic quorum), 0 where the server's configuration names them."""

    TYPE: ClassVar = ControlRecordType.KRAFT_VERSION
    kraft_version: int


@dataclass(frozen=True, slots=True)
class VoterEndpoint:
    """Where a voter listens."""

    name: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class KRaftVersionRange:
    """The quorum versions a voter can do."""

    min_supported_version: int = 0
    max_supported_version: int = 1


@dataclass(frozen=True, slots=True)
class Voter:
    """A node of a dynamic quorum; `directory_id` must be that of its meta.properties."""

    voter_id: int
    directory_id: uuid.UUID
    endpoints: tuple[VoterEndpoint, ...]
    kraft_versions: KRaftVersionRange = KRaftVersionRange()


@dataclass(frozen=True, slots=True)
class KRaftVoters:
    """All voters of a dynamic quorum."""

    TYPE: ClassVar = ControlRecordType.KRAFT_VOTERS
    voters: tuple[Voter, ...]


ControlRecord: TypeAlias = (
    AbortMarker | CommitMarker | LeaderChange | SnapshotHeader | SnapshotFooter | KRaftVersion | KRaftVoters
)

_QUORUM_VOTER: Final = Schema(QuorumVoter, (("voter_id", INT32),)).as_type()
_ENDPOINT: Final = Schema(VoterEndpoint, (("name", TEXT), ("host", TEXT), ("port", UINT16))).as_type()
_VERSION_RANGE: Final = Schema(
    KRaftVersionRange, (("min_supported_version", INT16), ("max_supported_version", INT16))
).as_type()
_VOTER: Final = Schema(
    Voter,
    (
        ("voter_id", INT32),
        ("directory_id", UUID),
        ("endpoints", array_of(_ENDPOINT)),
        ("kraft_versions", _VERSION_RANGE),
    ),
).as_type()

_SCHEMAS: Final = {
    schema.record_type.TYPE: schema  # type: ignore[attr-defined]
    for schema in (
        Schema(AbortMarker, (("coordinator_epoch", INT32),), is_flexible=False),
        Schema(CommitMarker, (("coordinator_epoch", INT32),), is_flexible=False),
        Schema(
            LeaderChange,
            (("leader_id", INT32), ("voters", array_of(_QUORUM_VOTER)), ("granting_voters", array_of(_QUORUM_VOTER))),
        ),
        Schema(SnapshotHeader, (("last_contained_log_timestamp_ms", INT64),)),
        Schema(SnapshotFooter),
        Schema(KRaftVersion, (("kraft_version", INT16),)),
        Schema(KRaftVoters, (("voters", array_of(_VOTER)),)),
    )
}
"""What follows the value's version, i16 0."""


def control_key(record_type: ControlRecordType) -> bytes:
    """Key of a control record: version 0, then the type."""
    return _KEY.pack(0, record_type)


def read_control_type(key: Buffer) -> ControlRecordType:
    """The type a control record's key names; UNKNOWN for those later Kafkas may add."""
    if len(key) < _KEY.size:
        raise CorruptRecordError(f"the key of a control record has {_KEY.size} bytes; this one has {len(key)}")
    try:
        return ControlRecordType(_KEY.unpack_from(key)[1])
    except ValueError:
        return ControlRecordType.UNKNOWN


def encode_control(record: ControlRecord) -> tuple[bytes, bytes]:
    """Return (key, value) of a control record."""
    out = bytearray()
    INT16.write(0, out)
    _SCHEMAS[record.TYPE].write(record, out)
    return control_key(record.TYPE), bytes(out)


def decode_control(key: Buffer, value: Buffer) -> ControlRecord:
    """Read a control record. Raises UnsupportedVersionError for a type or a version that kfast does not know."""
    record_type = read_control_type(key)
    view = memoryview(value)
    if len(view) < 2:
        raise CorruptRecordError(f"the value of a control record has at least 2 bytes; this one has {len(view)}")
    version, position = INT16.read(view, 0)
    if record_type not in _SCHEMAS or version != 0:
        raise UnsupportedVersionError(
            f"control record {bytes(key).hex()} in version {version}; 0 to 6, version 0, are known"
        )
    record: ControlRecord = _SCHEMAS[record_type].decode(view, position)
    return record
