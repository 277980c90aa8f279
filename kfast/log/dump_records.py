"""What the records of Kafka's own topics say: which decoder a partition's records need, and what it makes of one.

    {"kind": "TopicRecord", "version": 0, "name": "orders", "topic_id": "oYPT3rRFSiC8uj4C68jCAg"}
    {"kind": "OffsetCommit", "key": {"group": ..., "topic": ..., "partition": ...}, "value": {"offset": ..., ...}}

Kinds are named as Kafka's schemas are. One that is not known has "unread", which says why, in place of the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

from kfast.errors import UnsupportedVersionError
from kfast.log.dump_entries import to_plain
from kfast.log.names import parse_partition_directory
from kfast.record.carried_records import decode_carried, decode_carried_group
from kfast.record.control_records import decode_control
from kfast.record.fields import INT16, VARINT
from kfast.record.group_records import (
    GroupMetadataKey,
    UnknownGroupKey,
    decode_group_metadata_value,
    decode_key,
    decode_offset_commit_value,
)
from kfast.record.metadata_records import UnknownMetadataRecord, decode
from kfast.record.record import Record
from kfast.record.transaction_records import decode_transaction_key, decode_transaction_value

Content: TypeAlias = dict[str, Any]
Decoder: TypeAlias = Callable[[Record], Content]


def decode_metadata(record: Record) -> Content:
    """Of `__cluster_metadata`."""
    value = memoryview(record.value or b"")
    _, position = VARINT.read(value, 0)
    api_key, position = VARINT.read(value, position)
    version, _ = VARINT.read(value, position)
    try:
        found: Any = decode(value)
        if isinstance(found, UnknownMetadataRecord):
            found = decode_carried(api_key, version, found.data)
    except UnsupportedVersionError as error:
        return {"kind": f"metadata record {api_key}", "version": version, "unread": str(error)}
    return {"kind": type(found).__name__, "version": version, **to_plain(found)}


def decode_offsets(record: Record) -> Content:
    """Of `__consumer_offsets`."""
    try:
        return _decode_group(record)
    except UnsupportedVersionError as error:
        return {"kind": "group record", "unread": str(error)}


def _decode_group(record: Record) -> Content:
    found_key = decode_key(record.key or b"")
    value: Any = None
    key: Any = found_key
    if isinstance(found_key, UnknownGroupKey):
        key, value = decode_carried_group(found_key.key_type, found_key.data, record.value)
    elif record.value is not None:
        is_group = isinstance(found_key, GroupMetadataKey)
        value = decode_group_metadata_value(record.value) if is_group else decode_offset_commit_value(record.value)
    return _keyed(key, value, record)


def decode_transaction(record: Record) -> Content:
    """Of `__transaction_state`."""
    try:
        key = decode_transaction_key(record.key or b"")
        value = None if record.value is None else decode_transaction_value(record.value)
    except UnsupportedVersionError as error:
        return {"kind": "transaction record", "unread": str(error)}
    return _keyed(key, value, record)


def decode_marker(record: Record) -> Content:
    """Of a control batch, in whichever partition."""
    try:
        control = decode_control(record.key or b"", record.value or b"")
    except UnsupportedVersionError as error:
        return {"kind": "control record", "unread": str(error)}
    return {"kind": type(control).__name__, **to_plain(control)}


def _keyed(key: Any, value: Any, record: Record) -> Content:
    """A null value deletes what the key names."""
    content = {"kind": type(key).__name__.removesuffix("Key"), "key": to_plain(key), "value": to_plain(value)}
    if record.value is not None:
        content["version"] = INT16.read(memoryview(record.value), 0)[0]
    return content


DECODERS: Final[dict[str, Decoder]] = {
    "__cluster_metadata": decode_metadata,
    "__consumer_offsets": decode_offsets,
    "__transaction_state": decode_transaction,
}
"""By topic."""


def decoder_of(path: Path) -> Decoder | None:
    """What the records of a file need, by the name of the partition's directory it lies in; None for users' records."""
    parsed = parse_partition_directory(path.absolute().parent.name)
    return DECODERS.get(parsed[0]) if parsed else None


def content_of(record: Record, is_control: bool, decoder: Decoder | None) -> Content | None:
    """What a record says; None for users' records. Raises CorruptRecordError."""
    if is_control:
        return decode_marker(record)
    return None if decoder is None else decoder(record)
