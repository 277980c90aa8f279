"""Produce: hand each partition's batch to its log. No record is looked at and no byte is copied on the way.

What the answer means, with acks 1 or all: the records are in the page cache, so that no crash of the broker loses them,
kill -9 included. A loss of power can take what was not written back yet, unless flush.messages or flush.ms of the topic
had it on the disk: with flush.messages=1 it is there before the answer leaves. Against the loss of the machine there is
nothing here; that takes replication. With acks 0 nobody is told anything.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING

from kfast.errors import (
    InvalidRecordError,
    InvalidRequiredAcksError,
    InvalidTopicError,
    KafkaStorageError,
    KfastError,
    RecordValidationError,
)
from kfast.log.config import NEVER
from kfast.record.layout import (
    ATTRIBUTES_POSITION,
    BASE_SEQUENCE_POSITION,
    CONTROL_MASK,
    HEADER_SIZE,
    LENGTH_POSITION,
    LOG_OVERHEAD,
    NO_PRODUCER_ID,
    PRODUCER_ID_POSITION,
)
from kfast.wire.produce import (
    PartitionResult,
    ProducePartitionResponse,
    RecordError,
    TopicResults,
    read_produce_request,
    write_produce_response,
)

if TYPE_CHECKING:
    from kfast.broker.broker import Broker
    from kfast.broker.context import RequestContext
    from kfast.transfer.sender import Chunk

_ACKS = (-1, 0, 1)

_BATCH_LENGTH = struct.Struct(">i")
_CLIENTS_FIELDS = struct.Struct(
    f">q{ATTRIBUTES_POSITION - 8}xh{PRODUCER_ID_POSITION - ATTRIBUTES_POSITION - 2}xq"
    f"{BASE_SEQUENCE_POSITION - PRODUCER_ID_POSITION - 8}xi"
)
"""Of the header what only a broker may set as it likes: base offset, attributes, producer id, base sequence."""


def answer(broker: Broker, frame: memoryview, context: RequestContext) -> list[Chunk]:
    """Append what `frame` carries and return the response frame.

    With acks=0 there is no response; an error then closes the connection, as Apache Kafka does, for the producer would
    never learn of it otherwise.
    """
    header = context.header
    version = header.api_version
    _, acks, _, topics = read_produce_request(version, frame, header.size_bytes)
    results = []
    for topic, topic_id, data in topics:
        partitions = []
        for partition, records in data:
            partitions.append(_append(broker, topic, partition, records, acks, context))
        results.append((topic, topic_id, partitions))
    if acks == 0:
        _ensure_no_error(results)
        return []
    return [write_produce_response(version, header.correlation_id, results)]


def _append(
    broker: Broker, topic: str, partition: int, records: memoryview | None, acks: int, context: RequestContext
) -> PartitionResult:
    try:
        if acks not in _ACKS:
            raise InvalidRequiredAcksError(f"acks is {acks}, and -1, 0 and 1 are all there are")
        if topic in broker.metadata.internal_topics:
            raise InvalidTopicError(f"{topic} is written by the broker alone")
        log = broker.log(topic, partition)
        batch = _one_batch(records)
        if log.config.flush_messages != NEVER:
            context.before_wait()  # an fsync takes as long as a long poll
        info = log.append(batch, leader_epoch=broker.metadata.leader_epoch(topic, partition))
    except KfastError as error:
        if isinstance(error, KafkaStorageError):
            broker.faults.note(f"appending to {topic}-{partition}", error)
        record_errors = error.record_errors if isinstance(error, RecordValidationError) else ()
        return ProducePartitionResponse(
            partition,
            error.error_code,
            record_errors=[RecordError(*found) for found in record_errors],
            error_message=str(error),
        )
    if broker.faults.failing:
        broker.faults.end(f"appending to {topic}-{partition}")
    context.metrics.appended_bytes += len(batch)
    return partition, 0, info.first_offset, info.log_append_time_ms, info.log_start_offset, (), None


def _ensure_no_error(results: Iterable[TopicResults]) -> None:
    for topic, _, partitions in results:
        for partition, error_code, *_, error_message in partitions:
            if error_code:
                raise InvalidRequiredAcksError(f"acks=0 to {topic}-{partition}: {error_message}")


def _one_batch(records: memoryview | None) -> memoryview:
    """Return `records` if they are exactly one batch of data, which is all that a client may send (since Produce 3)."""
    if records is None or len(records) < HEADER_SIZE:
        size = 0 if records is None else len(records)
        raise InvalidRecordError(f"{size} bytes of records are less than a batch header of {HEADER_SIZE}")
    batch_size = LOG_OVERHEAD + _BATCH_LENGTH.unpack_from(records, LENGTH_POSITION)[0]
    if batch_size != len(records):
        raise InvalidRecordError(f"a partition takes one batch a request: its size is {batch_size} of {len(records)}")
    base_offset, attributes, producer_id, base_sequence = _CLIENTS_FIELDS.unpack_from(records)
    if attributes & CONTROL_MASK:
        raise InvalidRecordError("control batches are written by brokers alone")
    if base_offset != 0:
        raise InvalidRecordError(f"the base offset of a produced batch is 0; this one says {base_offset}")
    if producer_id > NO_PRODUCER_ID and base_sequence < 0:
        raise InvalidRecordError(f"producer {producer_id} sends a batch with sequence number {base_sequence}")
    return records
