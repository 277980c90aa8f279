"""Records of `__consumer_offsets`: committed offsets, and the groups that commit them.

Keys and values begin with an i16: in a key it says what kind of record this is, in a value its version. A null value
deletes. Offsets are written in the version Kafka 4.1 writes (4, or 1 for one that names its expiry), groups in 3.
Groups of the newer kinds (key types 3 and up) are not read. Source: Kafka's group-coordinator
src/main/resources/common/message/*.json.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, Final

from kfast.errors import CorruptRecordError, UnsupportedVersionError
from kfast.record.fields import (
    BYTES,
    INT16,
    INT32,
    INT64,
    NULLABLE_PLAIN_TEXT,
    NULLABLE_TEXT,
    PLAIN_BYTES,
    PLAIN_TEXT,
    TEXT,
    UUID,
    FieldType,
    Schema,
    Tagged,
    array_of,
    plain_array_of,
)
from kfast.varint import Buffer

_OFFSET_KEY_TYPES: Final = (0, 1)
_GROUP_KEY_TYPE: Final = 2


@dataclass(frozen=True, slots=True)
class OffsetCommitKey:
    """Whose offset, and of which partition."""

    group: str
    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class OffsetCommitValue:
    """Where the group goes on reading. `expire_timestamp_ms` is of clients that named how long to keep it."""

    offset: int
    leader_epoch: int = -1
    metadata: str = ""
    commit_timestamp_ms: int = -1
    topic_id: uuid.UUID | None = None
    expire_timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class GroupMetadataKey:
    """Which group."""

    group: str


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A member of a group, with what it asked for and what it was given (both opaque)."""

    member_id: str
    group_instance_id: str | None
    client_id: str
    client_host: str
    rebalance_timeout_ms: int
    session_timeout_ms: int
    subscription: bytes
    assignment: bytes


@dataclass(frozen=True, slots=True)
class GroupMetadataValue:
    """A group as its coordinator last saw it."""

    protocol_type: str
    generation: int
    protocol: str | None
    leader: str | None
    state_timestamp_ms: int = -1
    members: tuple[GroupMember, ...] = ()


@dataclass(frozen=True, slots=True)
class UnknownGroupKey:
    """The key of a record that kfast does not read."""

    key_type: int
    data: bytes


GroupKey = OffsetCommitKey | GroupMetadataKey | UnknownGroupKey
GroupValue = OffsetCommitValue | GroupMetadataValue


def _offset_value_schema(version: int) -> Schema:
    text = TEXT if version >= 4 else PLAIN_TEXT
    fields: list[tuple[str, FieldType]] = [("offset", INT64)]
    if version >= 3:
        fields.append(("leader_epoch", INT32))
    fields += [("metadata", text), ("commit_timestamp_ms", INT64)]
    if version == 1:
        fields.append(("expire_timestamp_ms", INT64))
    return Schema(OffsetCommitValue, tuple(fields), (Tagged(0, "topic_id", UUID),), is_flexible=version >= 4)


def _member(**values: object) -> GroupMember:
    """Version 0 has one time-out for both, versions below 3 no instance id."""
    values.setdefault("group_instance_id", None)
    values.setdefault("rebalance_timeout_ms", values["session_timeout_ms"])
    return GroupMember(**values)  # type: ignore[arg-type]


def _group_value_schema(version: int) -> Schema:
    is_flexible = version >= 4
    text, nullable_text = (TEXT, NULLABLE_TEXT) if is_flexible else (PLAIN_TEXT, NULLABLE_PLAIN_TEXT)
    data, array = (BYTES, array_of) if is_flexible else (PLAIN_BYTES, plain_array_of)
    member: tuple[tuple[str, FieldType, int], ...] = (
        ("member_id", text, 0),
        ("group_instance_id", nullable_text, 3),
        ("client_id", text, 0),
        ("client_host", text, 0),
        ("rebalance_timeout_ms", INT32, 1),
        ("session_timeout_ms", INT32, 0),
        ("subscription", data, 0),
        ("assignment", data, 0),
    )
    members = Schema(_member, _fields_of(member, version), is_flexible=is_flexible)
    group: tuple[tuple[str, FieldType, int], ...] = (
        ("protocol_type", text, 0),
        ("generation", INT32, 0),
        ("protocol", nullable_text, 0),
        ("leader", nullable_text, 0),
        ("state_timestamp_ms", INT64, 2),
        ("members", array(members.as_type()), 0),
    )
    return Schema(GroupMetadataValue, _fields_of(group, version), is_flexible=is_flexible)


def _fields_of(table: tuple[tuple[str, FieldType, int], ...], version: int) -> tuple[tuple[str, FieldType], ...]:
    """The fields of a table of (name, type, first version) that `version` has."""
    return tuple((name, field) for name, field, first_version in table if version >= first_version)


_OFFSET_KEY: Final = Schema(
    OffsetCommitKey, (("group", PLAIN_TEXT), ("topic", PLAIN_TEXT), ("partition", INT32)), is_flexible=False
)
_GROUP_KEY: Final = Schema(GroupMetadataKey, (("group", PLAIN_TEXT),), is_flexible=False)
_OFFSET_VALUES: Final = tuple(_offset_value_schema(version) for version in range(5))
_GROUP_VALUES: Final = tuple(_group_value_schema(version) for version in range(5))


def encode_key(key: OffsetCommitKey | GroupMetadataKey) -> bytes:
    """The key of a committed offset or of a group."""
    if isinstance(key, OffsetCommitKey):
        return _encode(_OFFSET_KEY, _OFFSET_KEY_TYPES[-1], key)
    return _encode(_GROUP_KEY, _GROUP_KEY_TYPE, key)


def decode_key(key: Buffer) -> GroupKey:
    """Read a record's key; UnknownGroupKey where it is of a kind that kfast does not read."""
    view = memoryview(key)
    key_type = _read_version(view)
    decoded: GroupKey
    if key_type in _OFFSET_KEY_TYPES:
        decoded = _OFFSET_KEY.decode(view, 2)
    elif key_type == _GROUP_KEY_TYPE:
        decoded = _GROUP_KEY.decode(view, 2)
    else:
        decoded = UnknownGroupKey(key_type, bytes(view[2:]))
    return decoded


def encode_value(value: GroupValue) -> bytes:
    """The value of a committed offset or of a group."""
    if isinstance(value, GroupMetadataValue):
        return _encode(_GROUP_VALUES[3], 3, value)
    version = 4 if value.expire_timestamp_ms is None else 1
    return _encode(_OFFSET_VALUES[version], version, value)


def decode_offset_commit_value(value: Buffer) -> OffsetCommitValue:
    """Read the value that goes with an OffsetCommitKey, in any version Kafka has written."""
    decoded: OffsetCommitValue = _decode_value(_OFFSET_VALUES, memoryview(value))
    return decoded


def decode_group_metadata_value(value: Buffer) -> GroupMetadataValue:
    """Read the value that goes with a GroupMetadataKey, in any version Kafka has written."""
    decoded: GroupMetadataValue = _decode_value(_GROUP_VALUES, memoryview(value))
    return decoded


def partition_for_group(group: str, partition_count: int) -> int:
    """Which partition of `__consumer_offsets` holds the group: Java's hash of its UTF-16 units, without its sign."""
    number = 0
    units = group.encode("utf-16-be", "surrogatepass")
    for high, low in zip(units[::2], units[1::2], strict=True):
        number = (31 * number + (high << 8 | low)) & 0xFFFFFFFF
    signed = number - 2**32 if number >= 2**31 else number
    return (0 if signed == -(2**31) else abs(signed)) % partition_count


def _encode(schema: Schema, version: int, record: object) -> bytes:
    out = bytearray()
    INT16.write(version, out)
    schema.write(record, out)
    return bytes(out)


def _decode_value(schemas: tuple[Schema, ...], view: memoryview) -> Any:
    version = _read_version(view)
    if not 0 <= version < len(schemas):
        raise UnsupportedVersionError(f"group record has version {version}; 0 to {len(schemas) - 1} are known")
    return schemas[version].decode(view, 2)


def _read_version(view: memoryview) -> int:
    if len(view) < 2:
        raise CorruptRecordError(f"group record of {len(view)} bytes; its version alone takes 2")
    version: int = INT16.read(view, 0)[0]
    return version
