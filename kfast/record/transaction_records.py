"""Records of `__transaction_state`: where the transaction of each transactional id stands.

    key    i16 0 | transactional id
    value  i16 version | producer id, epoch and time-out | state | partitions taking part | when it changed and began

A null value deletes: the id has expired. Version 1 is written; 0 is of Kafka before 3.5. Source: Kafka's
transaction-coordinator src/main/resources/common/message/TransactionLog*.json and TransactionState.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from kfast.errors import CorruptRecordError, UnsupportedVersionError
from kfast.record.fields import (
    INT8,
    INT16,
    INT32,
    INT64,
    PLAIN_TEXT,
    TEXT,
    VARINT,
    FieldType,
    Schema,
    Tagged,
    array_of,
    plain_array_of,
)
from kfast.varint import Buffer

_KEY_VERSION: Final = 0


class TransactionState(IntEnum):
    """How far a transaction is."""

    EMPTY = 0
    ONGOING = 1
    PREPARE_COMMIT = 2
    PREPARE_ABORT = 3
    COMPLETE_COMMIT = 4
    COMPLETE_ABORT = 5
    DEAD = 6
    PREPARE_EPOCH_FENCE = 7


@dataclass(frozen=True, slots=True)
class TransactionKey:
    """Whose transaction."""

    transactional_id: str


@dataclass(frozen=True, slots=True)
class TransactionPartitions:
    """Partitions of one topic that take part."""

    topic: str
    partition_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TransactionValue:
    """A transactional id as its coordinator last saw it. `partitions` is None before its first transaction."""

    producer_id: int
    producer_epoch: int
    transaction_timeout_ms: int
    state: int
    """A TransactionState; a plain number, as a later Kafka may know more."""
    partitions: tuple[TransactionPartitions, ...] | None
    last_update_timestamp_ms: int
    start_timestamp_ms: int
    previous_producer_id: int = -1
    next_producer_id: int = -1
    client_transaction_version: int = 0
    next_producer_epoch: int = -1


def _nullable(array: FieldType, count: FieldType, null: int) -> FieldType:
    """`array`, or None where its count is the number that says null."""

    def read(view: memoryview, position: int) -> tuple[Any, int]:
        number, after = count.read(view, position)
        return (None, after) if number == null else array.read(view, position)

    def write(value: Any, out: bytearray) -> None:
        if value is None:
            count.write(null, out)
        else:
            array.write(value, out)

    return FieldType(read, write)


def _value_schema(partitions: FieldType, *, is_flexible: bool) -> Schema:
    return Schema(
        TransactionValue,
        (
            ("producer_id", INT64),
            ("producer_epoch", INT16),
            ("transaction_timeout_ms", INT32),
            ("state", INT8),
            ("partitions", partitions),
            ("last_update_timestamp_ms", INT64),
            ("start_timestamp_ms", INT64),
        ),
        (
            Tagged(0, "previous_producer_id", INT64, -1),
            Tagged(1, "next_producer_id", INT64, -1),
            Tagged(2, "client_transaction_version", INT16, 0),
            Tagged(3, "next_producer_epoch", INT16, -1),
        ),
        is_flexible,
    )


_PLAIN_PARTITIONS: Final = Schema(
    TransactionPartitions, (("topic", PLAIN_TEXT), ("partition_ids", plain_array_of(INT32))), is_flexible=False
)
_PARTITIONS: Final = Schema(TransactionPartitions, (("topic", TEXT), ("partition_ids", array_of(INT32))))

_KEY: Final = Schema(TransactionKey, (("transactional_id", PLAIN_TEXT),), is_flexible=False)
_VALUES: Final = (
    _value_schema(_nullable(plain_array_of(_PLAIN_PARTITIONS.as_type()), INT32, -1), is_flexible=False),
    _value_schema(_nullable(array_of(_PARTITIONS.as_type()), VARINT, 0), is_flexible=True),
)


def encode_transaction_key(key: TransactionKey) -> bytes:
    return _encode(_KEY, _KEY_VERSION, key)


def encode_transaction_value(value: TransactionValue) -> bytes:
    """In the newest version known."""
    return _encode(_VALUES[-1], len(_VALUES) - 1, value)


def decode_transaction_key(key: Buffer) -> TransactionKey:
    """Raises CorruptRecordError, UnsupportedVersionError."""
    decoded: TransactionKey = _decode((_KEY,), memoryview(key))
    return decoded


def decode_transaction_value(value: Buffer) -> TransactionValue:
    """Raises CorruptRecordError, UnsupportedVersionError."""
    decoded: TransactionValue = _decode(_VALUES, memoryview(value))
    return decoded


def _encode(schema: Schema, version: int, record: object) -> bytes:
    out = bytearray()
    INT16.write(version, out)
    schema.write(record, out)
    return bytes(out)


def _decode(schemas: tuple[Schema, ...], view: memoryview) -> Any:
    if len(view) < 2:
        raise CorruptRecordError(f"transaction record of {len(view)} bytes; its version alone takes 2")
    version: int = INT16.read(view, 0)[0]
    if not 0 <= version < len(schemas):
        raise UnsupportedVersionError(f"transaction record has version {version}; 0 to {len(schemas) - 1} are known")
    return schemas[version].decode(view, 2)
