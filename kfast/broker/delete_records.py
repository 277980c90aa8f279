"""DeleteRecords: move the start of a partition's log, so that the records below it are gone for every reader.

What is answered holds at once. The files go later: retention deletes the segments that hold nothing else, and the next
checkpoint writes the new start down, as in Apache Kafka; a broker that is killed before that has the old one again.
Source: Kafka's ReplicaManager.deleteRecords and Partition.deleteRecordsOnLeader.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, Final

from kio.schema.delete_records.v2.response import (
    DeleteRecordsPartitionResult,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)
from kio.schema.errors import ErrorCode

from kfast.errors import (
    InvalidTopicError,
    KafkaStorageError,
    KfastError,
    OffsetOutOfRangeError,
    PolicyViolationError,
    UnknownTopicOrPartitionError,
)

if TYPE_CHECKING:
    from kfast.broker.broker import Broker
    from kfast.broker.context import RequestContext
    from kfast.log.log import Log

_NO_THROTTLE: Final = datetime.timedelta(0)
_UP_TO_HIGH_WATERMARK: Final = -1
_NO_LOW_WATERMARK: Final = -1


def delete_records(broker: Broker, request: Any, context: RequestContext) -> DeleteRecordsResponse:
    """Of a partition that is named again and again the last offset counts."""
    asked: dict[str, dict[int, int]] = {}
    for topic in request.topics:
        partitions = asked.setdefault(topic.name, {})
        partitions.update((partition.partition_index, partition.offset) for partition in topic.partitions)
    return DeleteRecordsResponse(
        throttle_time=_NO_THROTTLE,
        topics=tuple(
            DeleteRecordsTopicResult(
                name=topic,
                partitions=tuple(_result(broker, topic, number, partitions[number]) for number in partitions),
            )
            for topic, partitions in asked.items()
        ),
    )


def _result(broker: Broker, topic: str, number: int, offset: int) -> DeleteRecordsPartitionResult:
    low_watermark, error_code = _NO_LOW_WATERMARK, ErrorCode.none
    try:
        low_watermark = _delete(_deletable_log(broker, topic, number), offset)
    except KfastError as error:
        if isinstance(error, KafkaStorageError):
            broker.faults.note(f"deleting records of {topic}-{number}", error)
        error_code = ErrorCode(error.error_code)
    else:
        broker.faults.end(f"deleting records of {topic}-{number}")
    return DeleteRecordsPartitionResult(partition_index=number, low_watermark=low_watermark, error_code=error_code)


def _deletable_log(broker: Broker, topic: str, number: int) -> Log:
    """Raises the KfastError of what stands against deleting from it."""
    if broker.metadata.topic(topic) is None:
        raise UnknownTopicOrPartitionError(f"there is no topic {topic}")
    if topic in broker.metadata.internal_topics:
        raise InvalidTopicError(f"{topic} is written by the broker alone")
    log = broker.log(topic, number)
    if not log.config.is_deleted:
        policy = ",".join(sorted(log.config.cleanup_policy))
        raise PolicyViolationError(f"{topic}-{number} has cleanup.policy={policy}, by which no record is deleted")
    return log


def _delete(log: Log, offset: int) -> int:
    """Hide the records below `offset` and return the low watermark: on one node, the log start offset."""
    if offset == _UP_TO_HIGH_WATERMARK:
        offset = log.high_watermark
    if offset < 0:
        raise OffsetOutOfRangeError(f"{log.directory.name}: {offset} is no offset")
    log.increment_log_start_offset(offset)
    return log.log_start_offset
