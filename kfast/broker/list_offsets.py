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
from kfast.log.results import TimestampAndOffset
from kfast.record.layout import NO_TIMESTAMP

if TYPE_CHECKING:
    from kfast.broker.broker import Broker
    from kfast.broker.context import RequestContext

_NO_THROTTLE: Final = datetime.timedelta(0)
_READ_COMMITTED: Final = 1
_NOTHING: Final = TimestampAndOffset(NO_TIMESTAMP, -1, NO_EPOCH)

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
            epoch = broker.metadata.leader_epoch(topic.name, number)
            found = _find(log, partition.timestamp, request.isolation_level, epoch, context) or _NOTHING
            results.append(
                ListOffsetsPartitionResponse(
                    partition_index=number,
                    error_code=ErrorCode.none,
                    timestamp=found.timestamp_ms,
                    offset=found.offset,
                    leader_epoch=found.leader_epoch,
                )
            )
        except KfastError as error:
            results.append(ListOffsetsPartitionResponse(partition_index=number, error_code=ErrorCode(error.error_code)))
    return results


def _find(
    log: Log, timestamp_ms: int, isolation_level: int, leader_epoch: int, context: RequestContext
) -> TimestampAndOffset | None:
    """The offset asked for by a time or by a name; None where there is none. `leader_epoch` is the current one."""
    end_offset = log.last_stable_offset if isolation_level == _READ_COMMITTED else log.high_watermark
    if timestamp_ms < 0:
        version = context.header.api_version
        if timestamp_ms not in _SINCE_VERSION or version < _SINCE_VERSION[timestamp_ms]:
            raise UnsupportedVersionError(f"timestamp {timestamp_ms} asks for nothing in ListOffsets {version}")
        if timestamp_ms == _LATEST:
            return TimestampAndOffset(NO_TIMESTAMP, end_offset, leader_epoch)
        if timestamp_ms in (_EARLIEST, _EARLIEST_LOCAL):  # without tiers all that there is lies here
            return _earliest(log, leader_epoch)
        if timestamp_ms == _LATEST_TIERED:
            return None
    found = log.max_timestamp() if timestamp_ms == _MAX_TIMESTAMP else log.offset_for_timestamp(timestamp_ms)
    return found if found is not None and found.offset < end_offset else None


def _earliest(log: Log, leader_epoch: int) -> TimestampAndOffset:
    """The log start offset; in an empty log the current leader will write the record there."""
    offset = log.log_start_offset
    epoch = log.leader_epochs.of(offset) if offset < log.log_end_offset else leader_epoch
    return TimestampAndOffset(NO_TIMESTAMP, offset, epoch)


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
