"""Records of the metadata log: topics, partitions, configurations, producer ids, as `__cluster_metadata-0` holds them.

    value = uvarint frame 1 | uvarint api key | uvarint version | fields | tagged fields

One dataclass and one schema for each kind that kfast writes or must understand; every other kind is carried as it is
(UnknownMetadataRecord). Source: Kafka's metadata/src/main/resources/common/metadata/*.json.
"""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias

from kfast.errors import CorruptRecordError, UnsupportedVersionError
from kfast.record.fields import (
    INT8,
    INT16,
    INT32,
    INT64,
    NULLABLE_TEXT,
    TEXT,
    UUID,
    VARINT,
    Schema,
    Tagged,
    array_of,
)
from kfast.varint import Buffer

_FRAME_VERSION: Final = 1

METADATA_TOPIC_ID: Final = uuid.UUID(int=1)
"""Kafka's fixed id of `__cluster_metadata`: AAAAAAAAAAAAAAAAAAAAAQ."""

TOPIC_RESOURCE: Final = 2
BROKER_RESOURCE: Final = 4
"""Resource types of a ConfigRecord. A broker named "" is the default of the whole cluster."""


@dataclass(frozen=True, slots=True)
class FeatureLevelRecord:
    """What level of a feature the cluster runs at; `metadata.version` must come before everything else."""

    API_KEY: ClassVar = 12
    name: str
    feature_level: int


@dataclass(frozen=True, slots=True)
class TopicRecord:
    """A topic exists."""

    API_KEY: ClassVar = 2
    name: str
    topic_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class RemoveTopicRecord:
    """A topic is gone, and its configurations with it."""

    API_KEY: ClassVar = 9
    topic_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class PartitionRecord:
    """A partition exists, with these replicas and this leader. `directories` is empty below version 1."""

    API_KEY: ClassVar = 3
    partition: int
    topic_id: uuid.UUID
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    leader: int
    leader_epoch: int = 0
    partition_epoch: int = 0
    directories: tuple[uuid.UUID, ...] = ()
    removing_replicas: tuple[int, ...] = ()
    adding_replicas: tuple[int, ...] = ()
    leader_recovery_state: int = 0
    eligible_leader_replicas: tuple[int, ...] | None = None
    last_known_elr: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class PartitionChangeRecord:
    """What is not None has changed. Any change adds 1 to the partition's epoch, one with a leader 1 to the leader's."""

    API_KEY: ClassVar = 5
    partition: int
    topic_id: uuid.UUID
    isr: tuple[int, ...] | None = None
    leader: int | None = None
    replicas: tuple[int, ...] | None = None
    removing_replicas: tuple[int, ...] | None = None
    adding_replicas: tuple[int, ...] | None = None
    leader_recovery_state: int | None = None
    eligible_leader_replicas: tuple[int, ...] | None = None
    last_known_elr: tuple[int, ...] | None = None
    directories: tuple[uuid.UUID, ...] | None = None


@dataclass(frozen=True, slots=True)
class ConfigRecord:
    """A configuration of a topic or broker is `value`, or back at its default (None)."""

    API_KEY: ClassVar = 4
    resource_type: int
    resource_name: str
    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class ProducerIdsRecord:
    """Producer ids below `next_producer_id` may have been handed out."""

    API_KEY: ClassVar = 15
    broker_id: int
    broker_epoch: int
    next_producer_id: int


@dataclass(frozen=True, slots=True)
class BeginTransactionRecord:
    """What follows counts only when its end is seen."""

    API_KEY: ClassVar = 23
    name: str | None = None


@dataclass(frozen=True, slots=True)
class EndTransactionRecord:
    """What came since the begin counts."""

    API_KEY: ClassVar = 24


@dataclass(frozen=True, slots=True)
class AbortTransactionRecord:
    """What came since the begin is void."""

    API_KEY: ClassVar = 25
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class NoOpRecord:
    """Nothing: a sign of life that Kafka's controller writes twice a second."""

    API_KEY: ClassVar = 20


@dataclass(frozen=True, slots=True)
class UnknownMetadataRecord:
    """A kind of record that kfast carries without looking into it; `data` is all after the version."""

    api_key: int
    version: int
    data: bytes


MetadataRecord: TypeAlias = (
    FeatureLevelRecord
    | TopicRecord
    | RemoveTopicRecord
    | PartitionRecord
    | PartitionChangeRecord
    | ConfigRecord
    | ProducerIdsRecord
    | BeginTransactionRecord
    | EndTransactionRecord
    | AbortTransactionRecord
    | NoOpRecord
    | UnknownMetadataRecord
)

_NODES: Final = array_of(INT32)
_DIRECTORIES: Final = array_of(UUID)

_PARTITION_FIELDS: Final = (
    ("partition", INT32),
    ("topic_id", UUID),
    ("replicas", _NODES),
    ("isr", _NODES),
    ("removing_replicas", _NODES),
    ("adding_replicas", _NODES),
    ("leader", INT32),
    ("leader_epoch", INT32),
    ("partition_epoch", INT32),
)
_PARTITION_TAGS: Final = (
    Tagged(0, "leader_recovery_state", INT8, 0),
    Tagged(1, "eligible_leader_replicas", _NODES),
    Tagged(2, "last_known_elr", _NODES),
)
_PARTITION_CHANGE: Final = Schema(
    PartitionChangeRecord,
    (("partition", INT32), ("topic_id", UUID)),
    (
        Tagged(0, "isr", _NODES),
        Tagged(1, "leader", INT32),
        Tagged(2, "replicas", _NODES),
        Tagged(3, "removing_replicas", _NODES),
        Tagged(4, "adding_replicas", _NODES),
        Tagged(5, "leader_recovery_state", INT8),
        Tagged(6, "eligible_leader_replicas", _NODES),
        Tagged(7, "last_known_elr", _NODES),
        Tagged(8, "directories", _DIRECTORIES),
    ),
)

_SCHEMAS: Final[dict[int, tuple[Schema, ...]]] = {
    schemas[0].record_type.API_KEY: schemas  # type: ignore[attr-defined]
    for schemas in (
        (Schema(FeatureLevelRecord, (("name", TEXT), ("feature_level", INT16))),),
        (Schema(TopicRecord, (("name", TEXT), ("topic_id", UUID))),),
        (Schema(RemoveTopicRecord, (("topic_id", UUID),)),),
        (
            Schema(PartitionRecord, _PARTITION_FIELDS, _PARTITION_TAGS),
            Schema(PartitionRecord, (*_PARTITION_FIELDS, ("directories", _DIRECTORIES)), _PARTITION_TAGS),
            Schema(PartitionRecord, (*_PARTITION_FIELDS, ("directories", _DIRECTORIES)), _PARTITION_TAGS),
        ),
        (_PARTITION_CHANGE, _PARTITION_CHANGE, _PARTITION_CHANGE),
        (
            Schema(
                ConfigRecord,
                (("resource_type", INT8), ("resource_name", TEXT), ("name", TEXT), ("value", NULLABLE_TEXT)),
            ),
        ),
        (Schema(ProducerIdsRecord, (("broker_id", INT32), ("broker_epoch", INT64), ("next_producer_id", INT64))),),
        (Schema(BeginTransactionRecord, (), (Tagged(0, "name", NULLABLE_TEXT),)),),
        (Schema(EndTransactionRecord),),
        (Schema(AbortTransactionRecord, (), (Tagged(0, "reason", NULLABLE_TEXT),)),),
        (Schema(NoOpRecord),),
    )
}
"""Schemas of each kind by version, from 0; the newest is written."""


def encode(record: MetadataRecord) -> bytes:
    """The value of a record of the metadata log, in the newest version known."""
    out = bytearray()
    if isinstance(record, UnknownMetadataRecord):
        _write_frame(out, record.api_key, record.version)
        return bytes(out + record.data)
    schemas = _SCHEMAS[record.API_KEY]
    _write_frame(out, record.API_KEY, len(schemas) - 1)
    schemas[-1].write(record, out)
    return bytes(out)


def decode(value: Buffer) -> MetadataRecord:
    """Read the value of a record of the metadata log.

    Raises CorruptRecordError where the bytes are no such record, UnsupportedVersionError where a kind that kfast must
    understand has a version later than those it knows.
    """
    view = memoryview(value)
    frame, position = VARINT.read(view, 0)
    if frame != _FRAME_VERSION:
        raise CorruptRecordError(f"metadata record has frame version {frame}; {_FRAME_VERSION} is known")
    api_key, position = VARINT.read(view, position)
    version, position = VARINT.read(view, position)
    schemas = _SCHEMAS.get(api_key)
    if schemas is None:
        return UnknownMetadataRecord(api_key, version, bytes(view[position:]))
    if version >= len(schemas):
        raise UnsupportedVersionError(
            f"metadata record {api_key} has version {version}; those up to {len(schemas) - 1} are known"
        )
    record: MetadataRecord = schemas[version].decode(view, position)
    return record


def uuid_to_text(value: uuid.UUID) -> str:
    """22 characters of base64url, as Kafka writes ids in files and on the screen."""
    return base64.urlsafe_b64encode(value.bytes).decode().rstrip("=")


def uuid_from_text(text: str) -> uuid.UUID:
    """Raises ValueError where `text` is not the 22 characters of an id."""
    data = base64.urlsafe_b64decode(text + "==")  # lenient: it passes over characters it does not know
    if len(data) != 16 or uuid_to_text(value := uuid.UUID(bytes=data)) != text:
        raise ValueError(f"{text!r} is no id: 22 characters of base64url")
    return value


def random_uuid() -> uuid.UUID:
    """A new id whose text does not begin with a dash, which a command line would take for an option (Kafka's rule)."""
    while uuid_to_text(value := uuid.uuid4()).startswith("-"):
        pass
    return value


def _write_frame(out: bytearray, api_key: int, version: int) -> None:
    for number in (_FRAME_VERSION, api_key, version):
        VARINT.write(number, out)
