"""A group as `__consumer_offsets` keeps it: made of a Group when it is saved, made into one when the broker starts."""

from __future__ import annotations

from kfast.broker.group import Group, GroupState
from kfast.broker.group_member import Joiner, Member
from kfast.record.group_records import GroupMember, GroupMetadataValue


def snapshot(group: Group, timestamp_ms: int) -> GroupMetadataValue:
    """What Kafka writes of a group when it becomes stable or empty. `timestamp_ms` is wall clock time."""
    members = tuple(
        GroupMember(
            member.member_id,
            member.group_instance_id,
            member.client_id,
            member.client_host,
            member.rebalance_timeout_ms,
            member.session_timeout_ms,
            member.metadata(group.protocol_name),
            member.assignment,
        )
        for member in group.members
    )
    return GroupMetadataValue(
        group.members.protocol_type or "",
        group.generation,
        group.protocol_name,
        group.members.leader,
        timestamp_ms,
        members,
    )


def restore(group: Group, value: GroupMetadataValue, now_ms: int) -> None:
    """Bring a fresh Group to the saved state. Its members have one session to show that they are still alive."""
    group.generation = value.generation
    group.protocol_name = value.protocol
    group.members.protocol_type = value.protocol_type or None
    for saved in value.members:
        member = _member(saved, value, now_ms)
        group.members.add(member, value.protocol_type)
        group.state = GroupState.STABLE
    if value.leader in group.members:
        group.members.leader = value.leader


def _member(saved: GroupMember, value: GroupMetadataValue, now_ms: int) -> Member:
    joiner = Joiner(
        saved.member_id,
        saved.member_id,
        saved.group_instance_id,
        saved.client_id,
        saved.client_host,
        saved.session_timeout_ms,
        saved.rebalance_timeout_ms,
        value.protocol_type,
        ((value.protocol or "", saved.subscription),),
    )
    member = Member(saved.member_id, joiner, now_ms)
    member.is_new = False
    member.assignment = saved.assignment
    member.touch(now_ms)
    return member
