"""ListOffsets and OffsetForLeaderEpoch: which offset lies where, in time and by epoch."""

from __future__ import annotations

import datetime
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from kio.schema.errors import ErrorCode
from kio.schema.list_offsets.v9.response import (
    ListOffsetsPartitionResponse,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)
from kio.schema.offset_for_leader_epoch.v4.response import (
    EpochEndOffset,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderTopicResult,
)

from kfast.errors import InvalidRequestError, KfastError, UnsupportedVersionError
from kfast.log.leader_epochs import NO_EPOCH
from kfast.log.log import Log
from kfast.log.results import NO_TIMESTAMP_OFFSET, TimestampOffset
from kfast.record.layout import NO_TIMESTAMP

if TYPE_CHECKING:
    from kfast.broker.broker import Broker
    from kfast.broker.context import RequestContext

_NO_THROTTLE: Final = datetime.timedelta(0)
_READ_COMMITTED: Final = 1

# What a negative timestamp asks for (ListOffsetsRequest), and the request version since which it may
_LATEST, _EARLIEST, _MAX_TIMESTAMP, _EARLIEST_LOCAL, _LATEST_TIERED = -1, -2, -3, -4, -5
_SINCE_VERSION: Final = {_LATEST: 0, _EARLIEST: 0, _MAX_TIMESTAMP: 7, _EARLIEST_LOCAL: 8, _LATEST_TIERED: 9}


def list_offsets(broker: Broker, request: Any, context: RequestContext) -> ListOffsetsResponse:
    return ListOffsetsResponse(
        throttle_time=_NO_THROTTLE,
        topics=tuple(
            ListOffsetsTopicResponse(name=topic.name, partitions=tuple(_list_offsets(broker, request, topic, context)))
            for topic in request.topics
        ),
    )


def _list_offsets(
    broker: Broker, request: Any, topic: Any, context: RequestContext
) -> list[ListOffsetsPartitionResponse]:
    times = Counter(partition.partition_index for partition in topic.partitions)
    results = []
    for partition in topic.partitions:
        number = partition.partition_index
        try:
            if times[number] > 1:
                raise InvalidRequestError(f"{topic.name}-{number} is asked for {times[number]} times in one request")
            broker.metadata.check_leader_epoch(topic.name, number, partition.current_leader_epoch)
            log = broker.log(topic.name, number)
            found = _find(log, partition.timestamp, request.isolation_level, context)
            epoch = _epoch_of(broker, topic.name, number, log, found.offset) if found.offset >= 0 else NO_EPOCH
            results.append(
                ListOffsetsPartitionResponse(
                    partition_index=number,
                    error_code=ErrorCode.none,
                    timestamp=found.timestamp_ms,
                    offset=found.offset,
                    leader_epoch=epoch,
                )
            )
        except KfastError as error:
            results.append(ListOffsetsPartitionResponse(partition_index=number, error_code=ErrorCode(error.error_code)))
    return results


def _epoch_of(broker: Broker, topic: str, number: int, log: Log, offset: int) -> int:
    """Of the leader that wrote the record at `offset`; the current one's where that is to come, or not known."""
    known = log.leader_epochs.of(offset) if offset < log.log_end_offset else NO_EPOCH
    return broker.metadata.leader_epoch(topic, number) if known == NO_EPOCH else known


def _find(log: Log, timestamp_ms: int, isolation_level: int, context: RequestContext) -> TimestampOffset:
    """The offset asked for by a time or by a name; NO_TIMESTAMP_OFFSET where there is none."""
    end_offset = log.last_stable_offset if isolation_level == _READ_COMMITTED else log.high_watermark
    if timestamp_ms < 0:
        version = context.header.api_version
        if timestamp_ms not in _SINCE_VERSION or version < _SINCE_VERSION[timestamp_ms]:
            raise UnsupportedVersionError(f"timestamp {timestamp_ms} asks for nothing in ListOffsets {version}")
        if timestamp_ms == _LATEST:
            return TimestampOffset(NO_TIMESTAMP, end_offset)
        if timestamp_ms in (_EARLIEST, _EARLIEST_LOCAL):  # without tiers all that there is lies here
            return TimestampOffset(NO_TIMESTAMP, log.log_start_offset)
        if timestamp_ms == _LATEST_TIERED:
            return NO_TIMESTAMP_OFFSET
    found = log.max_timestamp() if timestamp_ms == _MAX_TIMESTAMP else log.offset_for_timestamp(timestamp_ms)
    return found if found is not None and found.offset < end_offset else NO_TIMESTAMP_OFFSET


def offset_for_leader_epoch(broker: Broker, request: Any, context: RequestContext) -> OffsetForLeaderEpochResponse:
    return OffsetForLeaderEpochResponse(
        throttle_time=_NO_THROTTLE,
        topics=tuple(
            OffsetForLeaderTopicResult(
                topic=topic.topic,
                partitions=tuple(_epoch_end(broker, topic.topic, partition) for partition in topic.partitions),
            )
            for topic in request.topics
        ),
    )


def _epoch_end(broker: Broker, topic: str, partition: Any) -> EpochEndOffset:
    """Where an epoch of the leader ended: a client that has read beyond that finds out that the log was cut."""
    number = partition.partition
    try:
        broker.metadata.check_leader_epoch(topic, number, partition.current_leader_epoch)
        log = broker.log(topic, number)
        current = broker.metadata.leader_epoch(topic, number)
    except KfastError as error:
        return EpochEndOffset(error_code=ErrorCode(error.error_code), partition=number)
    epoch, end_offset = log.leader_epochs.end_of(partition.leader_epoch, current, log.log_end_offset)
    return EpochEndOffset(error_code=ErrorCode.none, partition=number, leader_epoch=epoch, end_offset=end_offset)
