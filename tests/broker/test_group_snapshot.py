"""Groups as they are saved: what Apache Kafka wrote, restored and saved again, is the same."""

from __future__ import annotations

import pytest

from kfast.broker.group import Group, GroupState
from kfast.broker.group_member import Joiner
from kfast.broker.group_snapshot import restore, snapshot
from kfast.errors import RebalanceInProgressError
from kfast.record.batches import iter_batches
from kfast.record.group_records import (
    GroupMetadataKey,
    GroupMetadataValue,
    decode_group_metadata_value,
    decode_key,
    encode_value,
)


def kafkas_groups(golden) -> list[tuple[str, bytes]]:
    """Group id and value of every group record in the directory that Kafka wrote."""
    return [
        (key.group, bytes(record.value))
        for path in sorted((golden("09-groups") / "log").glob("__consumer_offsets-*/*.log"))
        for batch in iter_batches(path.read_bytes())
        if not batch.is_control
        for record in batch.records()
        if isinstance(key := decode_key(record.key), GroupMetadataKey) and record.value is not None
    ]


def restored(group_id: str, value: GroupMetadataValue, now_ms: int = 0) -> Group:
    group = Group(group_id)
    restore(group, value, now_ms)
    return group


def test_kafkas_groups_restored_and_saved_are_the_same_bytes(golden) -> None:
    records = kafkas_groups(golden)
    assert {len(decode_group_metadata_value(value).members) for _, value in records} == {0, 1, 2}
    for group_id, data in records:
        value = decode_group_metadata_value(data)
        assert encode_value(snapshot(restored(group_id, value), value.state_timestamp_ms)) == data


def test_a_restored_group_goes_on_where_it_was(golden) -> None:
    value = next(value for _, data in kafkas_groups(golden) if (value := decode_group_metadata_value(data)).members)
    group = restored("g", value)
    [member] = group.members
    assert (group.state, group.generation, group.protocol_name) == (GroupState.STABLE, 1, value.protocol)
    group.heartbeat(member.member_id, member.group_instance_id, 1, 0)
    synced = group.sync(member.member_id, member.group_instance_id, 1, ("consumer", value.protocol), {}, 0)
    assert synced.result is not None
    assert synced.result.assignment == value.members[0].assignment
    assert not group.is_unsaved


def test_the_members_of_a_restored_group_have_one_session_to_come_back(golden) -> None:
    value = next(value for _, data in kafkas_groups(golden) if (value := decode_group_metadata_value(data)).members)
    group = restored("g", value, now_ms=1000)
    assert group.next_deadline_ms == 1000 + value.members[0].session_timeout_ms
    group.expire(group.next_deadline_ms)
    assert (group.state, group.generation) == (GroupState.EMPTY, 2)


def test_a_newcomer_to_a_restored_group_rebalances_it(golden) -> None:
    value = next(
        value for _, data in kafkas_groups(golden) if len((value := decode_group_metadata_value(data)).members) == 2
    )
    group = restored("g", value)
    joiner = Joiner("", "new", None, "c", "/127.0.0.1", 10_000, 10_000, "consumer", ((value.protocol or "", b""),))
    assert group.join(joiner, 10).result is None
    with pytest.raises(RebalanceInProgressError):
        group.heartbeat(value.members[0].member_id, None, value.generation, 20)


def test_a_group_never_joined_is_saved_as_kafka_saves_it(golden) -> None:
    empty = next(data for _, data in kafkas_groups(golden) if not decode_group_metadata_value(data).generation)
    timestamp_ms = decode_group_metadata_value(empty).state_timestamp_ms
    assert encode_value(snapshot(Group("new"), timestamp_ms)) == empty
