"""The header of a record batch, version 2: one table of (field, struct code), and what follows from it.

    0 base_offset q | 8 batch_length i | 12 partition_leader_epoch i | 16 magic b | 17 crc I | 21 attributes h
    23 last_offset_delta i | 27 base_timestamp q | 35 max_timestamp q | 43 producer_id q | 51 producer_epoch h
    53 base_sequence i | 57 count i | 61 records

The checksum covers everything from the attributes on. What a broker stamps, base offset and leader epoch, lies before
it: that is why a batch can be given its place in the log without being read. Big-endian throughout, as all of Kafka.
Source: Kafka's DefaultRecordBatch.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final

FIELDS: Final = (
    ("base_offset", "q"),
    ("batch_length", "i"),
    ("partition_leader_epoch", "i"),
    ("magic", "b"),
    ("crc", "I"),
    ("attributes", "h"),
    ("last_offset_delta", "i"),
    ("base_timestamp", "q"),
    ("max_timestamp", "q"),
    ("producer_id", "q"),
    ("producer_epoch", "h"),
    ("base_sequence", "i"),
    ("count", "i"),
)


def _position_of(name: str) -> int:
    names = [field for field, _ in FIELDS]
    return struct.calcsize(">" + "".join(code for _, code in FIELDS[: names.index(name)]))


HEADER: Final = struct.Struct(">" + "".join(code for _, code in FIELDS))
HEADER_SIZE: Final = HEADER.size

BASE_OFFSET_POSITION: Final = _position_of("base_offset")
LENGTH_POSITION: Final = _position_of("batch_length")
LEADER_EPOCH_POSITION: Final = _position_of("partition_leader_epoch")
MAGIC_POSITION: Final = _position_of("magic")
CRC_POSITION: Final = _position_of("crc")
ATTRIBUTES_POSITION: Final = _position_of("attributes")
LAST_OFFSET_DELTA_POSITION: Final = _position_of("last_offset_delta")
BASE_TIMESTAMP_POSITION: Final = _position_of("base_timestamp")
MAX_TIMESTAMP_POSITION: Final = _position_of("max_timestamp")
PRODUCER_ID_POSITION: Final = _position_of("producer_id")
PRODUCER_EPOCH_POSITION: Final = _position_of("producer_epoch")
BASE_SEQUENCE_POSITION: Final = _position_of("base_sequence")
COUNT_POSITION: Final = _position_of("count")

LOG_OVERHEAD: Final = LEADER_EPOCH_POSITION
"""Bytes before those that `batch_length` counts."""

assert (HEADER_SIZE, LOG_OVERHEAD, CRC_POSITION, ATTRIBUTES_POSITION) == (61, 12, 17, 21)

MAGIC: Final = 2
"""The only version that is written, since Kafka 4.0 (KIP-724). 0 and 1 are read: see legacy_batch.py."""

COMPRESSION_MASK: Final = 0x07
TIMESTAMP_TYPE_MASK: Final = 0x08
TRANSACTIONAL_MASK: Final = 0x10
CONTROL_MASK: Final = 0x20
DELETE_HORIZON_MASK: Final = 0x40

NO_TIMESTAMP: Final = -1
NO_PRODUCER_ID: Final = -1
NO_PRODUCER_EPOCH: Final = -1
NO_SEQUENCE: Final = -1
NO_LEADER_EPOCH: Final = -1

MAX_SEQUENCE: Final = 2**31 - 1
"""After it the sequence numbers of a producer start again at 0."""


class TimestampType(IntEnum):
    """Who says when a record happened: its producer, or the broker that appended it."""

    CREATE_TIME = 0
    LOG_APPEND_TIME = 1

    @property
    def text(self) -> str:
        """As Kafka's configuration `message.timestamp.type` spells it."""
        return "LogAppendTime" if self else "CreateTime"
