"""Produce, by hand: versions 3 to 12, both directions. Records are views of the receive buffer, never copied here.

    request    transactional_id, acks int16, timeout_ms int32, [topic: name, [partition int32, records]]
    response   [topic: name, [partition int32, error_code int16, base_offset int64, log_append_time_ms int64,
               log_start_offset int64 (v5), [record errors] and error_message (v8)]], throttle_time_ms int32

From v9 on fields are compact and each struct ends with tags. Bytes after the last field are ignored, as in Kafka.
The classes are named tuples, for those who write by name; what the broker reads of each request, and what it answers
with, are plain tuples of the same shape, which are made in a tenth of the time.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias
from uuid import UUID

from kfast.errors import MalformedFrameError
from kfast.wire import fields, framing

FIRST_FLEXIBLE_VERSION = 9
API_KEY = 0

_ACKS_TIMEOUT = struct.Struct(">hi")
_FRAME_HEAD = struct.Struct(">ii")
_RESULT_V3 = struct.Struct(">ihqq")
_RESULT_V5 = struct.Struct(">ihqqq")
# What follows a result without errors: no record errors and no message since v8, and the tags since v9.
_RESULT_ENDS = (*[b""] * 8, b"\x00\x00\x00\x00\xff\xff", *[b"\x01\x00\x00"] * 4)


class ProducePartition(NamedTuple):
    """`records` is a view of one or more batches; None if the client sent null."""

    partition: int
    records: memoryview | None


class ProduceTopic(NamedTuple):
    name: str
    topic_id: UUID | None
    partitions: Sequence[ProducePartition]


TopicData: TypeAlias = tuple[str, UUID | None, Sequence[tuple[int, memoryview | None]]]
"""A ProduceTopic and its ProducePartitions, as plain tuples or not."""


class ProduceRequest(NamedTuple):
    """`acks` is 0 (no response is sent at all), 1 or -1."""

    transactional_id: str | None
    acks: int
    timeout_ms: int
    topics: Sequence[TopicData]


class RecordError(NamedTuple):
    """`batch_index` counts the records of the batch that was refused."""

    batch_index: int
    message: str | None


class ProducePartitionResponse(NamedTuple):
    partition: int
    error_code: int = 0
    base_offset: int = -1
    log_append_time_ms: int = -1
    log_start_offset: int = -1
    record_errors: Sequence[RecordError] = ()
    error_message: str | None = None


class ProduceTopicResponse(NamedTuple):
    name: str
    topic_id: UUID | None
    partitions: Sequence[ProducePartitionResponse]


PartitionResult: TypeAlias = tuple[int, int, int, int, int, Sequence[RecordError], str | None]
"""A ProducePartitionResponse, as a plain tuple or not."""

TopicResults: TypeAlias = tuple[str, UUID | None, Sequence[PartitionResult]]


class ProduceResponse(NamedTuple):
    topics: Sequence[ProduceTopicResponse]
    throttle_time_ms: int = 0


def read_produce_request(version: int, body: memoryview, position: int = 0) -> ProduceRequest:
    """Request that begins at `position` of `body`; raises MalformedFrameError."""
    try:
        if version >= FIRST_FLEXIBLE_VERSION:
            return _read_flexible_request(body, position)
        return _read_legacy_request(body, position)
    except fields.DECODE_ERRORS as error:
        raise MalformedFrameError(f"Produce request v{version} of {len(body) - position} bytes: {error}") from None


def _read_legacy_request(body: memoryview, position: int) -> ProduceRequest:
    transactional_id, position = fields.read_nullable_string(body, position)
    acks, timeout_ms = _ACKS_TIMEOUT.unpack_from(body, position)
    topic_count, position = fields.read_count(body, position + 6, 6)
    topics = []
    for _ in range(topic_count):
        name, position = fields.read_string(body, position)
        partition_count, position = fields.read_count(body, position, 8)
        partitions = []
        for _ in range(partition_count):
            (partition,) = fields.INT32.unpack_from(body, position)
            records, position = fields.read_bytes(body, position + 4)
            partitions.append((partition, records))
        topics.append((name, None, partitions))
    return ProduceRequest(transactional_id, acks, timeout_ms, topics)


def _read_flexible_request(body: memoryview, position: int) -> ProduceRequest:
    transactional_id, position = fields.read_compact_nullable_string(body, position)
    acks, timeout_ms = _ACKS_TIMEOUT.unpack_from(body, position)
    topic_count, position = fields.read_compact_count(body, position + 6, 3)
    topics = []
    for _ in range(topic_count):
        name, position = fields.read_compact_string(body, position)
        partition_count, position = fields.read_compact_count(body, position, 6)
        partitions = []
        for _ in range(partition_count):
            (partition,) = fields.INT32.unpack_from(body, position)
            records, position = fields.read_compact_bytes(body, position + 4)
            position = fields.skip_tags(body, position) if body[position] else position + 1
            partitions.append((partition, records))
        position = fields.skip_tags(body, position) if body[position] else position + 1
        topics.append((name, None, partitions))
    if body[position]:
        fields.skip_tags(body, position)
    return ProduceRequest(transactional_id, acks, timeout_ms, topics)


def write_produce_response(
    version: int, correlation_id: int, topics: Sequence[TopicResults], throttle_time_ms: int = 0
) -> bytearray:
    """A whole frame: size, header, body."""
    flexible = version >= FIRST_FLEXIBLE_VERSION
    write_count = fields.write_compact_count if flexible else fields.write_count
    write_string = fields.write_compact_string if flexible else fields.write_string
    result_end = _RESULT_ENDS[version]
    out = bytearray(9 if flexible else 8)
    write_count(len(topics), out)
    for name, _, partitions in topics:
        write_string(name, out)
        write_count(len(partitions), out)
        for partition, error_code, base_offset, append_time_ms, start_offset, record_errors, message in partitions:
            if version >= 5:
                out += _RESULT_V5.pack(partition, error_code, base_offset, append_time_ms, start_offset)
            else:
                out += _RESULT_V3.pack(partition, error_code, base_offset, append_time_ms)
            if version >= 8 and (record_errors or message is not None):
                _write_record_errors(record_errors, message, flexible, out)
            else:
                out += result_end
        if flexible:
            out.append(0)
    out += fields.INT32.pack(throttle_time_ms)
    if flexible:
        out.append(0)
    _FRAME_HEAD.pack_into(out, 0, len(out) - framing.SIZE_PREFIX, correlation_id)
    return out


def _write_record_errors(
    record_errors: Sequence[RecordError], error_message: str | None, flexible: bool, out: bytearray
) -> None:
    write_string = fields.write_compact_nullable_string if flexible else fields.write_nullable_string
    (fields.write_compact_count if flexible else fields.write_count)(len(record_errors), out)
    for batch_index, message in record_errors:
        out += fields.INT32.pack(batch_index)
        write_string(message, out)
        if flexible:
            out.append(0)
    write_string(error_message, out)
    if flexible:
        out.append(0)


def write_produce_request(
    version: int, correlation_id: int, client_id: str | None, request: ProduceRequest
) -> list[bytes | bytearray | memoryview]:
    """A whole frame as chunks, [bytes, records, bytes, ...]: the records are the caller's, not copied."""
    flexible = version >= FIRST_FLEXIBLE_VERSION
    write_count = fields.write_compact_count if flexible else fields.write_count
    write_string = fields.write_compact_string if flexible else fields.write_string
    chunks: list[bytes | bytearray | memoryview] = []
    head = out = bytearray(framing.SIZE_PREFIX)
    out += framing.write_request_header(API_KEY, version, correlation_id, client_id)
    (fields.write_compact_nullable_string if flexible else fields.write_nullable_string)(request.transactional_id, out)
    out += _ACKS_TIMEOUT.pack(request.acks, request.timeout_ms)
    write_count(len(request.topics), out)
    for name, _, partitions in request.topics:
        write_string(name, out)
        write_count(len(partitions), out)
        for partition, records in partitions:
            out += fields.INT32.pack(partition)
            write_count(-1 if records is None else len(records), out)
            if records:
                chunks += (out, records)
                out = bytearray()
            if flexible:
                out.append(0)
        if flexible:
            out.append(0)
    if flexible:
        out.append(0)
    if out:
        chunks.append(out)
    fields.INT32.pack_into(head, 0, sum(map(len, chunks)) - framing.SIZE_PREFIX)
    return chunks


def read_produce_response(version: int, body: memoryview, position: int = 0) -> ProduceResponse:
    """Response body that begins at `position` of `body`; raises MalformedFrameError."""
    try:
        return _read_response(version, body, position)
    except fields.DECODE_ERRORS as error:
        raise MalformedFrameError(f"Produce response v{version} of {len(body) - position} bytes: {error}") from None


def _read_response(version: int, body: memoryview, position: int) -> ProduceResponse:
    flexible = version >= FIRST_FLEXIBLE_VERSION
    read_count: fields.CountReader = fields.read_compact_count if flexible else fields.read_count
    read_string: fields.StringReader = fields.read_compact_string if flexible else fields.read_string
    result = _RESULT_V5 if version >= 5 else _RESULT_V3
    topics = []
    topic_count, position = read_count(body, position, 3 if flexible else 6)
    for _ in range(topic_count):
        name, position = read_string(body, position)
        partition_count, position = read_count(body, position, result.size)
        partitions = []
        for _ in range(partition_count):
            number, error_code, base_offset, append_time_ms, *rest = result.unpack_from(body, position)
            position += result.size
            log_start_offset = rest[0] if rest else -1
            record_errors: list[RecordError] = []
            message = None
            if version >= 8:
                record_errors, message, position = _read_record_errors(flexible, body, position)
            if flexible:
                position = fields.skip_tags(body, position)
            partitions.append(
                ProducePartitionResponse(
                    number, error_code, base_offset, append_time_ms, log_start_offset, record_errors, message
                )
            )
        if flexible:
            position = fields.skip_tags(body, position)
        topics.append(ProduceTopicResponse(name, None, partitions))
    (throttle_time_ms,) = fields.INT32.unpack_from(body, position)
    if flexible:
        fields.skip_tags(body, position + 4)
    return ProduceResponse(topics, throttle_time_ms)


def _read_record_errors(flexible: bool, body: memoryview, position: int) -> tuple[list[RecordError], str | None, int]:
    read_count: fields.CountReader = fields.read_compact_count if flexible else fields.read_count
    read_string: fields.NullableStringReader = (
        fields.read_compact_nullable_string if flexible else fields.read_nullable_string
    )
    record_errors = []
    count, position = read_count(body, position, 6)
    for _ in range(count):
        (batch_index,) = fields.INT32.unpack_from(body, position)
        message, position = read_string(body, position + 4)
        if flexible:
            position = fields.skip_tags(body, position)
        record_errors.append(RecordError(batch_index, message))
    message, position = read_string(body, position)
    return record_errors, message, position
