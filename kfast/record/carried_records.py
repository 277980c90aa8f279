"""Kinds of record that kfast carries and never acts on, for those who want to read them: `kfast dump-log` does.

The metadata log holds registrations of brokers and controllers, and what a secured cluster needs; `__consumer_offsets`
the groups of the newer consumer protocol (KIP-848). Each kind is a frozen dataclass made from its schema, its fields
those of Kafka's, in Python's spelling. Groups of share and streams consumers are not read. Source: Kafka's metadata
and group-coordinator src/main/resources/common/**/*.json.
"""

from __future__ import annotations

import struct
from dataclasses import make_dataclass
from typing import Any, Final

from kfast.errors import CorruptRecordError, UnsupportedVersionError
from kfast.record.fields import (
    BYTES,
    INT8,
    INT16,
    INT32,
    INT64,
    NULLABLE_TEXT,
    PLAIN_TEXT,
    TEXT,
    UINT16,
    UUID,
    VARINT,
    FieldType,
    Schema,
    Tagged,
    array_of,
)
from kfast.varint import Buffer

_FLOAT64: Final = struct.Struct(">d")


def _read_bool(view: memoryview, position: int) -> tuple[bool, int]:
    number, position = INT8.read(view, position)
    return bool(number), position


def _read_float64(view: memoryview, position: int) -> tuple[float, int]:
    return _FLOAT64.unpack_from(view, position)[0], position + _FLOAT64.size


BOOL: Final = FieldType(_read_bool, INT8.write)
FLOAT64: Final = FieldType(_read_float64, lambda value, out: out.extend(_FLOAT64.pack(value)))


def _kind(
    name: str, *fields: tuple[str, FieldType], tagged: tuple[Tagged, ...] = (), is_flexible: bool = True
) -> Schema:
    """The schema of a dataclass of that name, made of its fields."""
    plain = [(field, Any) for field, _ in fields]
    optional = [(field.name, Any, field.default) for field in tagged]
    record_type = make_dataclass(name, [*plain, *optional], frozen=True, slots=True)
    return Schema(record_type, fields, tagged, is_flexible)


def _optional(struct_type: FieldType) -> FieldType:
    """A tagged structure behind a varint that says whether it is there, 1, or null, 0."""

    def read(view: memoryview, position: int) -> tuple[Any, int]:
        is_there, position = VARINT.read(view, position)
        return struct_type.read(view, position) if is_there else (None, position)

    def write(value: Any, out: bytearray) -> None:
        VARINT.write(0 if value is None else 1, out)
        if value is not None:
            struct_type.write(value, out)

    return FieldType(read, write)


# The metadata log

_ENDPOINTS: Final = array_of(
    _kind("Endpoint", ("name", TEXT), ("host", TEXT), ("port", UINT16), ("security_protocol", INT16)).as_type()
)
_FEATURES: Final = array_of(
    _kind("Feature", ("name", TEXT), ("min_supported_version", INT16), ("max_supported_version", INT16)).as_type()
)
_QUOTA_ENTITIES: Final = array_of(_kind("QuotaEntity", ("entity_type", TEXT), ("entity_name", NULLABLE_TEXT)).as_type())
_BROKER: Final = (("broker_id", INT32), ("broker_epoch", INT64))
_NODE: Final = (("id", INT32), ("epoch", INT64))


def _register_broker(version: int) -> Schema:
    is_migrating = (("is_migrating_zk_broker", BOOL),) if version >= 2 else ()
    in_shutdown = (("in_controlled_shutdown", BOOL),) if version >= 1 else ()
    fields = (
        ("broker_id", INT32),
        *is_migrating,
        ("incarnation_id", UUID),
        ("broker_epoch", INT64),
        ("end_points", _ENDPOINTS),
        ("features", _FEATURES),
        ("rack", NULLABLE_TEXT),
        ("fenced", BOOL),
        *in_shutdown,
    )
    log_dirs = (Tagged(0, "log_dirs", array_of(UUID)),) if version >= 3 else ()
    return _kind("RegisterBrokerRecord", *fields, tagged=log_dirs)


_CHANGE_TAGS: Final = (
    Tagged(0, "fenced", INT8, 0),
    Tagged(1, "in_controlled_shutdown", INT8, 0),
    Tagged(2, "log_dirs", array_of(UUID)),
)

_METADATA_SCHEMAS: Final[dict[int, tuple[Schema, ...]]] = {
    0: tuple(_register_broker(version) for version in range(4)),
    1: (_kind("UnregisterBrokerRecord", *_BROKER),),
    7: (_kind("FenceBrokerRecord", *_NODE),),
    8: (_kind("UnfenceBrokerRecord", *_NODE),),
    14: (_kind("ClientQuotaRecord", ("entity", _QUOTA_ENTITIES), ("key", TEXT), ("value", FLOAT64), ("remove", BOOL)),),
    17: tuple(_kind("BrokerRegistrationChangeRecord", *_BROKER, tagged=_CHANGE_TAGS[: 1 + v]) for v in range(3)),
    18: (
        _kind(
            "AccessControlEntryRecord",
            *(("id", UUID), ("resource_type", INT8), ("resource_name", TEXT), ("pattern_type", INT8)),
            *(("principal", TEXT), ("host", TEXT), ("operation", INT8), ("permission_type", INT8)),
        ),
    ),
    19: (_kind("RemoveAccessControlEntryRecord", ("id", UUID)),),
    21: (_kind("ZkMigrationStateRecord", ("zk_migration_state", INT8)),),
    22: (_kind("RemoveUserScramCredentialRecord", ("name", TEXT), ("mechanism", INT8)),),
    26: (_kind("RemoveDelegationTokenRecord", ("token_id", TEXT)),),
    27: (
        _kind(
            "RegisterControllerRecord",
            *(("controller_id", INT32), ("incarnation_id", UUID), ("zk_migration_ready", BOOL)),
            *(("end_points", _ENDPOINTS), ("features", _FEATURES)),
        ),
    ),
    28: (_kind("ClearElrRecord", ("topic_name", TEXT)),),
}
"""By api key, then by version. Credentials (SCRAM, 11; delegation tokens, 10) are not read: nobody is to see them."""


def decode_carried(api_key: int, version: int, data: Buffer) -> Any:
    """A record of the metadata log as a dataclass, from what an UnknownMetadataRecord holds.

    Raises CorruptRecordError, UnsupportedVersionError for a kind or version that is not in the table.
    """
    schemas = _METADATA_SCHEMAS.get(api_key, ())
    if not 0 <= version < len(schemas):
        raise UnsupportedVersionError(f"metadata records of kind {api_key}, version {version}, are not read")
    return schemas[version].decode(memoryview(data))


# Groups of the newer consumer protocol

_TOPIC_PARTITIONS: Final = array_of(
    _kind("TopicPartitions", ("topic_id", UUID), ("partitions", array_of(INT32))).as_type()
)
_CLASSIC_PROTOCOLS: Final = array_of(_kind("ClassicProtocol", ("name", TEXT), ("metadata", BYTES)).as_type())
_CLASSIC_MEMBER: Final = _kind(
    "ClassicMemberMetadata", ("session_timeout_ms", INT32), ("supported_protocols", _CLASSIC_PROTOCOLS)
)
_PARTITION_RACKS: Final = array_of(
    _kind("PartitionMetadata", ("partition", INT32), ("racks", array_of(TEXT))).as_type()
)
_TOPICS: Final = array_of(
    _kind(
        "TopicMetadata",
        *(("topic_id", UUID), ("topic_name", TEXT), ("num_partitions", INT32)),
        ("partition_metadata", _PARTITION_RACKS),
    ).as_type()
)


def _key(name: str, *texts: str) -> Schema:
    return _kind(f"{name}Key", *((text, PLAIN_TEXT) for text in texts), is_flexible=False)


_GROUP_SCHEMAS: Final[dict[int, tuple[Schema, Schema]]] = {
    3: (
        _key("ConsumerGroupMetadata", "group_id"),
        _kind("ConsumerGroupMetadataValue", ("epoch", INT32), tagged=(Tagged(0, "metadata_hash", INT64, 0),)),
    ),
    4: (
        _key("ConsumerGroupPartitionMetadata", "group_id"),
        _kind("ConsumerGroupPartitionMetadataValue", ("topics", _TOPICS)),
    ),
    5: (
        _key("ConsumerGroupMemberMetadata", "group_id", "member_id"),
        _kind(
            "ConsumerGroupMemberMetadataValue",
            *(("instance_id", NULLABLE_TEXT), ("rack_id", NULLABLE_TEXT), ("client_id", TEXT), ("client_host", TEXT)),
            *(("subscribed_topic_names", array_of(TEXT)), ("subscribed_topic_regex", NULLABLE_TEXT)),
            *(("rebalance_timeout_ms", INT32), ("server_assignor", NULLABLE_TEXT)),
            tagged=(Tagged(0, "classic_member_metadata", _optional(_CLASSIC_MEMBER.as_type())),),
        ),
    ),
    6: (
        _key("ConsumerGroupTargetAssignmentMetadata", "group_id"),
        _kind("ConsumerGroupTargetAssignmentMetadataValue", ("assignment_epoch", INT32)),
    ),
    7: (
        _key("ConsumerGroupTargetAssignmentMember", "group_id", "member_id"),
        _kind("ConsumerGroupTargetAssignmentMemberValue", ("topic_partitions", _TOPIC_PARTITIONS)),
    ),
    8: (
        _key("ConsumerGroupCurrentMemberAssignment", "group_id", "member_id"),
        _kind(
            "ConsumerGroupCurrentMemberAssignmentValue",
            *(("member_epoch", INT32), ("previous_member_epoch", INT32), ("state", INT8)),
            *(("assigned_partitions", _TOPIC_PARTITIONS), ("partitions_pending_revocation", _TOPIC_PARTITIONS)),
        ),
    ),
    16: (
        _key("ConsumerGroupRegularExpression", "group_id", "regular_expression"),
        _kind(
            "ConsumerGroupRegularExpressionValue",
            *(("topics", array_of(TEXT)), ("version", INT64), ("timestamp", INT64)),
        ),
    ),
}
"""Schemas of key and value by the type that the key begins with."""


def decode_carried_group(key_type: int, key: Buffer, value: Buffer | None) -> tuple[Any, Any]:
    """Key, after its type, and value of a record as dataclasses; None for the value of a deletion.

    Raises CorruptRecordError, UnsupportedVersionError for a kind or version that is not in the table.
    """
    if key_type not in _GROUP_SCHEMAS:
        raise UnsupportedVersionError(f"group records of key type {key_type} are not read")
    key_schema, value_schema = _GROUP_SCHEMAS[key_type]
    decoded = key_schema.decode(memoryview(key))
    if value is None:
        return decoded, None
    view = memoryview(value)
    if len(view) < 2:
        raise CorruptRecordError(f"group record of {len(view)} bytes; its version alone takes 2")
    version = INT16.read(view, 0)[0]
    if version != 0:
        raise UnsupportedVersionError(f"group records of key type {key_type}, version {version}, are not read")
    return decoded, value_schema.decode(view, 2)
