"""Fetch, by hand: versions 4 to 16, both directions. A response is a list of chunks, and a chunk is bytes or records.

    request    replica_id int32 (to v14, then a tag), max_wait_ms, min_bytes, max_bytes int32, isolation_level int8,
               session_id, session_epoch int32 (v7), [topic: name (to v12) or id, [partition]],
               [forgotten topic: name or id, [partition int32]] (v7), rack (v11)
    response   throttle_time_ms int32, error_code int16, session_id int32 (v7), [topic: name or id, [partition]]

The numbers of a partition grew with the versions: the structs below show how. From v12 on fields are compact and each
struct ends with tags. Records are anything with a len(): they are framed by their size and passed on, nobody here looks
at them. Bytes after the last field are ignored, as in Kafka.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence, Sized
from typing import NamedTuple, TypeAlias
from uuid import UUID

from kfast.errors import MalformedFrameError
from kfast.wire import fields, framing

API_KEY = 1
FIRST_SESSION_VERSION = 7
FIRST_RACK_VERSION = 11
FIRST_FLEXIBLE_VERSION = 12
FIRST_TOPIC_ID_VERSION = 13
FIRST_VERSION_WITHOUT_REPLICA_ID = 15

_REPLICA_STATE_TAG = 1

_WAIT = struct.Struct(">iiib")  # max_wait_ms, min_bytes, max_bytes, isolation_level
_SESSION = struct.Struct(">ii")  # session_id, session_epoch
_REPLICA_STATE = struct.Struct(">iq")  # replica_id, replica_epoch

_PARTITION_V4 = struct.Struct(">iqi")  # partition, fetch_offset, max_bytes
_PARTITION_V5 = struct.Struct(">iqqi")  # partition, fetch_offset, log_start_offset, max_bytes
_PARTITION_V9 = struct.Struct(">iiqqi")  # partition, current_leader_epoch, fetch_offset, log_start_offset, max_bytes
_PARTITION_V12 = struct.Struct(">iiqiqi")  # the same with last_fetched_epoch before log_start_offset

_RESPONSE_PARTITION_V4 = struct.Struct(">ihqq")  # partition, error_code, high_watermark, last_stable_offset
_RESPONSE_PARTITION_V5 = struct.Struct(">ihqqq")  # the same, log_start_offset
_ABORTED = struct.Struct(">qq")

_HEAD_V4 = struct.Struct(">iii")  # size, correlation_id, throttle_time_ms
_HEAD_V7 = struct.Struct(">iiihi")  # the same, error_code, session_id
_HEAD_V12 = struct.Struct(">iiBihi")  # the same with the tags of the header before throttle_time_ms

Chunk = Sized
"""bytes, bytearray, memoryview or FileSlice."""


class FetchPartition(NamedTuple):
    """`log_start_offset` and `last_fetched_epoch` are those of a follower; consumers send -1."""

    partition: int
    fetch_offset: int
    max_bytes: int
    current_leader_epoch: int = -1
    last_fetched_epoch: int = -1
    log_start_offset: int = -1


class FetchTopic(NamedTuple):
    """Named up to v12, identified by `topic_id` from v13 on; the other one is None."""

    name: str | None
    topic_id: UUID | None
    partitions: Sequence[FetchPartition]


class ForgottenTopic(NamedTuple):
    name: str | None
    topic_id: UUID | None
    partitions: Sequence[int]


class FetchRequest(NamedTuple):
    """`isolation_level` is 0 (read uncommitted) or 1 (read committed); session 0 with epoch -1 is no session."""

    max_wait_ms: int
    min_bytes: int
    max_bytes: int
    isolation_level: int
    session_id: int
    session_epoch: int
    topics: Sequence[FetchTopic]
    forgotten_topics: Sequence[ForgottenTopic] = ()
    rack_id: str = ""
    replica_id: int = -1


class AbortedTransaction(NamedTuple):
    producer_id: int
    first_offset: int


class FetchPartitionResponse(NamedTuple):
    """None for `aborted_transactions` is null: what a consumer that reads uncommitted gets.

    None for `records` is written as empty: librdkafka refuses a negative size.
    """

    partition: int
    error_code: int = 0
    high_watermark: int = -1
    last_stable_offset: int = -1
    log_start_offset: int = -1
    aborted_transactions: Sequence[AbortedTransaction] | None = None
    records: Chunk | None = None


PartitionData: TypeAlias = tuple[int, int, int, int, int, Sequence[AbortedTransaction] | None, Chunk | None]
"""A FetchPartitionResponse, as a plain tuple or not."""


class FetchTopicResponse(NamedTuple):
    name: str | None
    topic_id: UUID | None
    partitions: Sequence[FetchPartitionResponse]


TopicData: TypeAlias = tuple[str | None, UUID | None, Sequence[PartitionData]]
"""A FetchTopicResponse, as a plain tuple or not: those of the broker are made in a tenth of the time."""


class FetchResponse(NamedTuple):
    """`session_id` 0 declines a session: the client goes on with full requests."""

    topics: Sequence[TopicData]
    error_code: int = 0
    session_id: int = 0
    throttle_time_ms: int = 0


def read_fetch_request(version: int, body: memoryview, position: int = 0) -> FetchRequest:
    """Request that begins at `position` of `body`; raises MalformedFrameError."""
    try:
        return _read_request(version, body, position)
    except fields.DECODE_ERRORS as error:
        raise MalformedFrameError(f"Fetch request v{version} of {len(body) - position} bytes: {error}") from None


def _read_request(version: int, body: memoryview, position: int) -> FetchRequest:
    flexible = version >= FIRST_FLEXIBLE_VERSION
    replica_id = -1
    if version < FIRST_VERSION_WITHOUT_REPLICA_ID:
        (replica_id,) = fields.INT32.unpack_from(body, position)
        position += 4
    max_wait_ms, min_bytes, max_bytes, isolation_level = _WAIT.unpack_from(body, position)
    position += 13
    session_id, session_epoch = 0, -1
    if version >= FIRST_SESSION_VERSION:
        session_id, session_epoch = _SESSION.unpack_from(body, position)
        position += 8
    topics, position = _read_topics(version, flexible, body, position)
    forgotten: Sequence[ForgottenTopic] = ()
    if version >= FIRST_SESSION_VERSION:
        forgotten, position = _read_forgotten_topics(version, flexible, body, position)
    rack_id = ""
    if version >= FIRST_RACK_VERSION:
        rack_id, position = (fields.read_compact_string if flexible else fields.read_string)(body, position)
    if flexible and body[position]:
        tags, position = fields.read_tags(body, position)
        if _REPLICA_STATE_TAG in tags and version >= FIRST_VERSION_WITHOUT_REPLICA_ID:
            (replica_id, _) = _REPLICA_STATE.unpack_from(tags[_REPLICA_STATE_TAG], 0)
    elif flexible:
        position += 1
    return FetchRequest(
        max_wait_ms, min_bytes, max_bytes, isolation_level, session_id, session_epoch, topics, forgotten, rack_id,
        replica_id,
    )  # fmt: skip


def _read_topics(version: int, flexible: bool, body: memoryview, position: int) -> tuple[Sequence[FetchTopic], int]:
    read_count: fields.CountReader = fields.read_compact_count if flexible else fields.read_count
    code = _partition_struct(version)
    topics = []
    topic_count, position = read_count(body, position, 3)
    item_count = topic_count
    for _ in range(topic_count):
        name, topic_id, position = _read_topic_name(version, body, position)
        partition_count, position = read_count(body, position, code.size + flexible)
        item_count += partition_count
        fields.ensure_few(item_count, position)
        partitions = []
        for _ in range(partition_count):
            partitions.append(_read_partition(version, code, body, position))
            position += code.size
            if flexible:
                position = fields.skip_tags(body, position)
        if flexible:
            position = fields.skip_tags(body, position)
        topics.append(FetchTopic(name, topic_id, partitions))
    return topics, position


def _read_topic_name(version: int, body: memoryview, position: int) -> tuple[str | None, UUID | None, int]:
    if version >= FIRST_TOPIC_ID_VERSION:
        topic_id, position = fields.read_uuid(body, position)
        return None, topic_id, position
    read_string = fields.read_compact_string if version >= FIRST_FLEXIBLE_VERSION else fields.read_string
    name, position = read_string(body, position)
    return name, None, position


def _partition_struct(version: int) -> struct.Struct:
    if version >= 12:
        return _PARTITION_V12
    if version >= 9:
        return _PARTITION_V9
    return _PARTITION_V5 if version >= 5 else _PARTITION_V4


def _read_partition(version: int, code: struct.Struct, body: memoryview, position: int) -> FetchPartition:
    if version >= 12:
        partition, leader_epoch, offset, fetched_epoch, log_start_offset, max_bytes = code.unpack_from(body, position)
        return FetchPartition(partition, offset, max_bytes, leader_epoch, fetched_epoch, log_start_offset)
    if version >= 9:
        partition, leader_epoch, offset, log_start_offset, max_bytes = code.unpack_from(body, position)
        return FetchPartition(partition, offset, max_bytes, leader_epoch, -1, log_start_offset)
    if version >= 5:
        partition, offset, log_start_offset, max_bytes = code.unpack_from(body, position)
        return FetchPartition(partition, offset, max_bytes, -1, -1, log_start_offset)
    return FetchPartition(*code.unpack_from(body, position))


def _read_forgotten_topics(
    version: int, flexible: bool, body: memoryview, position: int
) -> tuple[Sequence[ForgottenTopic], int]:
    read_count: fields.CountReader = fields.read_compact_count if flexible else fields.read_count
    topics = []
    topic_count, position = read_count(body, position, 3)
    item_count = topic_count
    for _ in range(topic_count):
        name, topic_id, position = _read_topic_name(version, body, position)
        count, position = read_count(body, position, 4)
        item_count += count
        fields.ensure_few(item_count, position)
        partitions = struct.unpack_from(f">{count}i", body, position)
        position += 4 * count
        if flexible:
            position = fields.skip_tags(body, position)
        topics.append(ForgottenTopic(name, topic_id, partitions))
    return topics, position


def write_fetch_response(version: int, correlation_id: int, response: FetchResponse) -> list[Chunk]:
    """A whole frame as chunks: bytes (size, header and the first fields), records, bytes, records, ..., bytes.

    Empty records are no chunk. The bytes are new, the records are those of the response.
    """
    flexible = version >= FIRST_FLEXIBLE_VERSION
    write_count = fields.write_compact_count if flexible else fields.write_count
    chunks: list[Chunk] = []
    size = 0
    head = out = _write_head(version, correlation_id, response)
    write_count(len(response.topics), out)
    for name, topic_id, partitions in response.topics:
        _write_topic_name(version, name, topic_id, out)
        write_count(len(partitions), out)
        for partition in partitions:
            _write_partition(version, flexible, partition, out)
            records = partition[6]
            records_size = 0 if records is None else len(records)
            write_count(records_size, out)
            if records_size:
                size += len(out) + records_size
                chunks += (out, records)  # type: ignore[arg-type]
                out = bytearray()
            if flexible:
                out.append(0)
        if flexible:
            out.append(0)
    if flexible:
        out.append(0)
    if out:
        chunks.append(out)
        size += len(out)
    fields.INT32.pack_into(head, 0, size - framing.SIZE_PREFIX)
    return chunks


def _write_head(version: int, correlation_id: int, response: FetchResponse) -> bytearray:
    _, error_code, session_id, throttle_time_ms = response
    if version >= FIRST_FLEXIBLE_VERSION:
        return bytearray(_HEAD_V12.pack(0, correlation_id, 0, throttle_time_ms, error_code, session_id))
    if version >= FIRST_SESSION_VERSION:
        return bytearray(_HEAD_V7.pack(0, correlation_id, throttle_time_ms, error_code, session_id))
    return bytearray(_HEAD_V4.pack(0, correlation_id, throttle_time_ms))


def _write_topic_name(version: int, name: str | None, topic_id: UUID | None, out: bytearray) -> None:
    if version >= FIRST_TOPIC_ID_VERSION:
        fields.write_uuid(topic_id, out)
    elif version >= FIRST_FLEXIBLE_VERSION:
        fields.write_compact_string(name or "", out)
    else:
        fields.write_string(name or "", out)


def _write_partition(version: int, flexible: bool, partition: PartitionData, out: bytearray) -> None:
    """All of a partition before its records."""
    aborted = partition[5]
    if version >= 5:
        out += _RESPONSE_PARTITION_V5.pack(*partition[:5])
    else:
        out += _RESPONSE_PARTITION_V4.pack(*partition[:4])
    (fields.write_compact_count if flexible else fields.write_count)(-1 if aborted is None else len(aborted), out)
    for transaction in aborted or ():
        out += _ABORTED.pack(*transaction)
        if flexible:
            out.append(0)
    if version >= FIRST_RACK_VERSION:
        out += b"\xff\xff\xff\xff"  # preferred_read_replica: there is no other replica


def write_fetch_request(version: int, correlation_id: int, client_id: str | None, request: FetchRequest) -> bytes:
    """A whole frame: size, header, body."""
    flexible = version >= FIRST_FLEXIBLE_VERSION
    out = bytearray()
    if version < FIRST_VERSION_WITHOUT_REPLICA_ID:
        out += fields.INT32.pack(request.replica_id)
    out += _WAIT.pack(request.max_wait_ms, request.min_bytes, request.max_bytes, request.isolation_level)
    if version >= FIRST_SESSION_VERSION:
        out += _SESSION.pack(request.session_id, request.session_epoch)
    _write_request_topics(version, flexible, request, out)
    if version >= FIRST_RACK_VERSION:
        (fields.write_compact_string if flexible else fields.write_string)(request.rack_id, out)
    if flexible:
        out.append(0)
    return framing.frame_request(API_KEY, version, correlation_id, client_id, bytes(out))


def _write_request_topics(version: int, flexible: bool, request: FetchRequest, out: bytearray) -> None:
    write_count = fields.write_compact_count if flexible else fields.write_count
    code = _partition_struct(version)
    write_count(len(request.topics), out)
    for name, topic_id, partitions in request.topics:
        _write_topic_name(version, name, topic_id, out)
        write_count(len(partitions), out)
        for partition in partitions:
            out += code.pack(*_partition_values(version, partition))
            if flexible:
                out.append(0)
        if flexible:
            out.append(0)
    if version < FIRST_SESSION_VERSION:
        return
    write_count(len(request.forgotten_topics), out)
    for name, topic_id, numbers in request.forgotten_topics:
        _write_topic_name(version, name, topic_id, out)
        write_count(len(numbers), out)
        out += struct.pack(f">{len(numbers)}i", *numbers)
        if flexible:
            out.append(0)


def _partition_values(version: int, partition: FetchPartition) -> tuple[int, ...]:
    number, offset, max_bytes, leader_epoch, fetched_epoch, log_start_offset = partition
    if version >= 12:
        return number, leader_epoch, offset, fetched_epoch, log_start_offset, max_bytes
    if version >= 9:
        return number, leader_epoch, offset, log_start_offset, max_bytes
    if version >= 5:
        return number, offset, log_start_offset, max_bytes
    return number, offset, max_bytes


def read_fetch_response(version: int, body: memoryview, position: int = 0) -> FetchResponse:
    """Response body that begins at `position`; records are views of it, None for null. Raises MalformedFrameError."""
    try:
        return _read_response(version, body, position)
    except fields.DECODE_ERRORS as error:
        raise MalformedFrameError(f"Fetch response v{version} of {len(body) - position} bytes: {error}") from None


def _read_response(version: int, body: memoryview, position: int) -> FetchResponse:
    flexible = version >= FIRST_FLEXIBLE_VERSION
    read_count: fields.CountReader = fields.read_compact_count if flexible else fields.read_count
    (throttle_time_ms,) = fields.INT32.unpack_from(body, position)
    position += 4
    error_code = session_id = 0
    if version >= FIRST_SESSION_VERSION:
        error_code, session_id = struct.unpack_from(">hi", body, position)
        position += 6
    topics = []
    topic_count, position = read_count(body, position, 3)
    for _ in range(topic_count):
        name, topic_id, position = _read_topic_name(version, body, position)
        partition_count, position = read_count(body, position, _RESPONSE_PARTITION_V4.size)
        partitions = []
        for _ in range(partition_count):
            partition, position = _read_response_partition(version, flexible, body, position)
            partitions.append(partition)
        if flexible:
            position = fields.skip_tags(body, position)
        topics.append(FetchTopicResponse(name, topic_id, partitions))
    if flexible:
        fields.skip_tags(body, position)
    return FetchResponse(topics, error_code, session_id, throttle_time_ms)


def _read_response_partition(
    version: int, flexible: bool, body: memoryview, position: int
) -> tuple[FetchPartitionResponse, int]:
    code = _RESPONSE_PARTITION_V5 if version >= 5 else _RESPONSE_PARTITION_V4
    number, error_code, high_watermark, last_stable_offset, *rest = code.unpack_from(body, position)
    log_start_offset = rest[0] if rest else -1
    read_count = fields.read_compact_nullable_count if flexible else fields.read_nullable_count
    count, position = read_count(body, position + code.size, _ABORTED.size + flexible)
    aborted: list[AbortedTransaction] | None = None if count < 0 else []
    for _ in range(count):
        assert aborted is not None
        aborted.append(AbortedTransaction(*_ABORTED.unpack_from(body, position)))
        position += _ABORTED.size
        if flexible:
            position = fields.skip_tags(body, position)
    if version >= FIRST_RACK_VERSION:
        position += 4  # preferred_read_replica
    records, position = (fields.read_compact_bytes if flexible else fields.read_bytes)(body, position)
    if flexible:
        position = fields.skip_tags(body, position)
    partition = FetchPartitionResponse(
        number, error_code, high_watermark, last_stable_offset, log_start_offset, aborted, records
    )
    return partition, position
