"""Consumer groups on the wire: requests of members and administrators, handed to the coordinator and answered.

Handlers get and return the newest form of each message. What goes wrong with one of several things asked for is
answered beside that one; what goes wrong with all of them is raised, or answered at the top where a client needs more
than the error code.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from kio.schema.describe_groups.v6 import response as describe_groups_v6
from kio.schema.errors import ErrorCode
from kio.schema.find_coordinator.v6 import response as find_coordinator_v6
from kio.schema.heartbeat.v4 import response as heartbeat_v4
from kio.schema.join_group.v9 import response as join_group_v9
from kio.schema.leave_group.v5 import response as leave_group_v5
from kio.schema.list_groups.v5 import response as list_groups_v5
from kio.schema.offset_commit.v9 import response as offset_commit_v9
from kio.schema.offset_fetch.v9 import response as offset_fetch_v9
from kio.schema.sync_group.v5 import response as sync_group_v5

from kfast.broker.advertised import advertised_address
from kfast.broker.group import GroupState
from kfast.broker.group_coordinator import MAX_TEXT_SIZE, GroupDescription, TopicPartition
from kfast.broker.group_member import Joiner
from kfast.errors import InvalidRequestError, KfastError, RecordTooLargeError
from kfast.record.group_records import OffsetCommitValue

if TYPE_CHECKING:
    from kfast.broker.broker import Broker
    from kfast.broker.context import RequestContext

_NO_THROTTLE: Final = datetime.timedelta(0)
_MILLISECOND: Final = datetime.timedelta(milliseconds=1)
_GROUP_KEY, _TRANSACTION_KEY = 0, 1
_CLASSIC: Final = "classic"
_UUID_SIZE: Final = 37  # of a member's id, with the dash before it
_NO_OFFSET: Final = OffsetCommitValue(-1)


def find_coordinator(broker: Broker, request: Any, context: RequestContext) -> Any:
    """One node coordinates everything; of the kinds of keys it does not know it says so."""
    if request.key_type in (_GROUP_KEY, _TRANSACTION_KEY):
        host, port = advertised_address(broker, context)
        node = {"node_id": broker.metadata.node_id, "host": host, "port": port}
        error = {"error_code": ErrorCode.none, "error_message": None}
    else:
        node = {"node_id": -1, "host": "", "port": -1}
        message = f"there are no coordinators of key type {request.key_type}"
        error = {"error_code": ErrorCode.invalid_request, "error_message": message}
    return find_coordinator_v6.FindCoordinatorResponse(
        throttle_time=_NO_THROTTLE,
        coordinators=tuple(
            find_coordinator_v6.Coordinator(key=key, **node, **error) for key in request.coordinator_keys
        ),
    )


# Members


def join_group(broker: Broker, request: Any, context: RequestContext) -> Any:
    try:
        result = broker.groups.join(request.group_id, _joiner(request, context))
    except KfastError as error:
        return join_group_v9.JoinGroupResponse(
            throttle_time=_NO_THROTTLE,
            error_code=ErrorCode(error.error_code),
            protocol_name=None,
            leader="",
            member_id=request.member_id,
            members=(),
        )
    return join_group_v9.JoinGroupResponse(
        throttle_time=_NO_THROTTLE,
        error_code=ErrorCode(result.error_code),
        generation_id=result.generation,
        protocol_type=result.protocol_type,
        protocol_name=result.protocol_name,
        leader=result.leader,
        skip_assignment=result.skip_assignment,
        member_id=result.member_id,
        members=tuple(
            join_group_v9.JoinGroupResponseMember(
                member_id=member.member_id, group_instance_id=member.group_instance_id, metadata=member.metadata
            )
            for member in result.members
        ),
    )


def _joiner(request: Any, context: RequestContext) -> Joiner:
    header = context.header
    session_timeout_ms = request.session_timeout // _MILLISECOND
    rebalance_timeout_ms = request.rebalance_timeout // _MILLISECOND
    client_id = header.client_id or ""
    names = (client_id, request.group_instance_id or "", request.protocol_type, *(p.name for p in request.protocols))
    if max(map(len, names)) > MAX_TEXT_SIZE - _UUID_SIZE:
        raise InvalidRequestError(f"a name of {max(map(len, names))} characters in a JoinGroup")
    return Joiner(
        member_id=request.member_id,
        new_member_id=f"{request.group_instance_id or client_id}-{uuid.uuid4()}",
        group_instance_id=request.group_instance_id,
        client_id=client_id,
        client_host=f"/{context.client_host}",  # as Java writes an address
        session_timeout_ms=session_timeout_ms,
        rebalance_timeout_ms=rebalance_timeout_ms if rebalance_timeout_ms > 0 else session_timeout_ms,
        protocol_type=request.protocol_type,
        protocols=tuple((protocol.name, protocol.metadata) for protocol in request.protocols),
        requires_known_member_id=header.api_version >= 4,
        supports_skipping_assignment=header.api_version >= 9,
    )


def sync_group(broker: Broker, request: Any, context: RequestContext) -> Any:
    result = broker.groups.sync(
        request.group_id,
        request.member_id,
        request.group_instance_id,
        request.generation_id,
        (request.protocol_type, request.protocol_name),
        {assigned.member_id: assigned.assignment for assigned in request.assignments},
    )
    return sync_group_v5.SyncGroupResponse(
        throttle_time=_NO_THROTTLE,
        error_code=ErrorCode(result.error_code),
        protocol_type=result.protocol_type,
        protocol_name=result.protocol_name,
        assignment=result.assignment,
    )


def heartbeat(broker: Broker, request: Any, context: RequestContext) -> Any:
    broker.groups.heartbeat(request.group_id, request.member_id, request.group_instance_id, request.generation_id)
    return heartbeat_v4.HeartbeatResponse(throttle_time=_NO_THROTTLE, error_code=ErrorCode.none)


def leave_group(broker: Broker, request: Any, context: RequestContext) -> Any:
    members = tuple(
        leave_group_v5.MemberResponse(
            member_id=member.member_id,
            group_instance_id=member.group_instance_id,
            error_code=_leave(broker, request.group_id, member),
        )
        for member in request.members
    )
    return leave_group_v5.LeaveGroupResponse(throttle_time=_NO_THROTTLE, error_code=ErrorCode.none, members=members)


def _leave(broker: Broker, group_id: str, member: Any) -> ErrorCode:
    try:
        broker.groups.leave(group_id, member.member_id, member.group_instance_id)
    except KfastError as error:
        return ErrorCode(error.error_code)
    return ErrorCode.none


# Offsets


def offset_commit(broker: Broker, request: Any, context: RequestContext) -> Any:
    """Partitions that do not exist and metadata that are too long are refused one by one, all else together."""
    now_ms = broker.clock.now_ms()
    refused: dict[TopicPartition, ErrorCode] = {}
    offsets: dict[TopicPartition, OffsetCommitValue] = {}
    for topic in request.topics:
        for partition in topic.partitions:
            place = (topic.name, partition.partition_index)
            refused[place] = _check_commit(broker, topic.name, partition)
            if not refused[place]:
                metadata = partition.committed_metadata or ""
                offsets[place] = OffsetCommitValue(
                    partition.committed_offset, partition.committed_leader_epoch, metadata, now_ms
                )
    error_code = _commit(broker, request, offsets)
    topics = tuple(
        offset_commit_v9.OffsetCommitResponseTopic(
            name=topic.name,
            partitions=tuple(
                offset_commit_v9.OffsetCommitResponsePartition(
                    partition_index=partition.partition_index,
                    error_code=refused[topic.name, partition.partition_index] or error_code,
                )
                for partition in topic.partitions
            ),
        )
        for topic in request.topics
    )
    return offset_commit_v9.OffsetCommitResponse(throttle_time=_NO_THROTTLE, topics=topics)


def _check_commit(broker: Broker, topic: str, partition: Any) -> ErrorCode:
    if broker.logs.get(topic, partition.partition_index) is None:
        return ErrorCode.unknown_topic_or_partition
    if len(partition.committed_metadata or "") > broker.config.get("offset.metadata.max.bytes"):
        return ErrorCode.offset_metadata_too_large
    return ErrorCode.none


def _commit(broker: Broker, request: Any, offsets: Mapping[TopicPartition, OffsetCommitValue]) -> ErrorCode:
    try:
        broker.groups.commit_offsets(
            request.group_id,
            request.member_id,
            request.group_instance_id,
            request.generation_id_or_member_epoch,
            offsets,
        )
    except RecordTooLargeError:
        return ErrorCode.invalid_commit_offset_size
    except KfastError as error:
        return ErrorCode(error.error_code)
    return ErrorCode.none


def offset_fetch(broker: Broker, request: Any, context: RequestContext) -> Any:
    """Null topics are all that the group has committed; of those named, -1 is the offset of one never committed.

    What is asked for twice is answered once, here and by `describe_groups`: a few bytes may ask for a lot.
    """
    asked = {(group.group_id, group.topics): group for group in request.groups}
    groups = tuple(_fetch_group(broker, group) for group in asked.values())
    return offset_fetch_v9.OffsetFetchResponse(throttle_time=_NO_THROTTLE, groups=groups)


def _fetch_group(broker: Broker, group: Any) -> Any:
    offsets = broker.groups.offsets(group.group_id)
    wanted: dict[str, list[int]] = {}
    if group.topics is None:
        for topic, partition in sorted(offsets):
            wanted.setdefault(topic, []).append(partition)
    else:
        wanted = {topic.name: topic.partition_indexes for topic in group.topics}
    topics = tuple(
        offset_fetch_v9.OffsetFetchResponseTopics(
            name=name,
            partitions=tuple(
                _fetched(partition, offsets.get((name, partition), _NO_OFFSET)) for partition in partitions
            ),
        )
        for name, partitions in wanted.items()
    )
    return offset_fetch_v9.OffsetFetchResponseGroup(group_id=group.group_id, topics=topics)


def _fetched(partition: int, committed: OffsetCommitValue) -> Any:
    return offset_fetch_v9.OffsetFetchResponsePartitions(
        partition_index=partition,
        committed_offset=committed.offset,
        committed_leader_epoch=committed.leader_epoch,
        metadata=committed.metadata,
        error_code=ErrorCode.none,
    )


# Administrators


def describe_groups(broker: Broker, request: Any, context: RequestContext) -> Any:
    groups = tuple(
        _described(group_id, broker.groups.describe(group_id), context.header.api_version)
        for group_id in dict.fromkeys(request.groups)
    )
    return describe_groups_v6.DescribeGroupsResponse(throttle_time=_NO_THROTTLE, groups=groups)


def _described(group_id: str, group: GroupDescription | None, api_version: int) -> Any:
    if group is None:
        # Before version 6 a group that does not exist is a dead one, and no error.
        is_error = api_version >= 6
        return describe_groups_v6.DescribedGroup(
            error_code=ErrorCode.group_id_not_found if is_error else ErrorCode.none,
            error_message=f"Group {group_id} not found." if is_error else None,
            group_id=group_id,
            group_state=GroupState.DEAD,
            protocol_type="",
            protocol_data="",
            members=(),
        )
    is_stable = group.state is GroupState.STABLE
    members = tuple(
        describe_groups_v6.DescribedGroupMember(
            member_id=member.member_id,
            group_instance_id=member.group_instance_id,
            client_id=member.client_id,
            client_host=member.client_host,
            member_metadata=member.subscription if is_stable else b"",
            member_assignment=member.assignment if is_stable else b"",
        )
        for member in group.metadata.members
    )
    return describe_groups_v6.DescribedGroup(
        error_code=ErrorCode.none,
        error_message=None,
        group_id=group_id,
        group_state=group.state,
        protocol_type=group.metadata.protocol_type,
        protocol_data=(group.metadata.protocol or "") if is_stable else "",
        members=members,
    )


def list_groups(broker: Broker, request: Any, context: RequestContext) -> Any:
    """An empty filter lets everything through."""
    states = {state.lower() for state in request.states_filter}
    types = {group_type.lower() for group_type in request.types_filter}
    groups = []
    for group_id in broker.groups.group_ids():
        group = broker.groups.describe(group_id)
        if group is None or (states and group.state.lower() not in states) or (types and _CLASSIC not in types):
            continue
        listed = list_groups_v5.ListedGroup(
            group_id=group_id,
            protocol_type=group.metadata.protocol_type,
            group_state=group.state,
            group_type=_CLASSIC,
        )
        groups.append(listed)
    return list_groups_v5.ListGroupsResponse(
        throttle_time=_NO_THROTTLE, error_code=ErrorCode.none, groups=tuple(groups)
    )
