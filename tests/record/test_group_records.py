from __future__ import annotations

import base64
import json
import re
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfast.errors import CorruptRecordError, KfastError, UnsupportedVersionError
from kfast.record.group_records import (
    GroupMember,
    GroupMetadataKey,
    GroupMetadataValue,
    OffsetCommitKey,
    OffsetCommitValue,
    UnknownGroupKey,
    decode_group_metadata_value,
    decode_key,
    decode_offset_commit_value,
    encode_key,
    encode_value,
    partition_for_group,
)

TEXT = st.text(max_size=50)
INT64 = st.integers(-(2**63), 2**63 - 1)


@pytest.mark.parametrize(("group", "partition"), [("billing", 9), ("größe-😀", 21), ("polygenelubricants", 0), ("", 0)])
def test_a_group_lives_where_java_puts_it(group: str, partition: int) -> None:
    assert partition_for_group(group, 50) == partition


def test_bytes_are_those_of_kafkas_schemas() -> None:
    assert encode_key(OffsetCommitKey("g", "t", 3)).hex(" ", 2) == "0001 0001 6700 0174 0000 0003"
    assert encode_key(GroupMetadataKey("g")).hex() == "0002" + "0001" + "67"
    assert encode_value(OffsetCommitValue(5, -1, "m", 6)) == bytes.fromhex(
        "0004 0000000000000005 ffffffff 026d 0000000000000006 00"
    )
    assert encode_value(OffsetCommitValue(5, 2, "", 6, uuid.UUID(int=1))) == bytes.fromhex(
        "0004 0000000000000005 00000002 01 0000000000000006 01 00 10 00000000000000000000000000000001"
    )
    assert encode_value(GroupMetadataValue("", 0, None, None, 7)) == bytes.fromhex(
        "0003 0000 00000000 ffff ffff 0000000000000007 00000000"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0000 0000000000000005 0001 6d 0000000000000006", OffsetCommitValue(5, -1, "m", 6)),
        ("0001 0000000000000005 0001 6d 0000000000000006 0000000000000007", OffsetCommitValue(5, -1, "m", 6, None, 7)),
        ("0002 0000000000000005 0001 6d 0000000000000006", OffsetCommitValue(5, -1, "m", 6)),
        ("0003 0000000000000005 00000009 0001 6d 0000000000000006", OffsetCommitValue(5, 9, "m", 6)),
    ],
)
def test_offsets_of_older_brokers_are_read(value: str, expected: OffsetCommitValue) -> None:
    assert decode_offset_commit_value(bytes.fromhex(value)) == expected


@pytest.mark.parametrize("version", range(5))
def test_groups_of_any_version_are_read(version: int) -> None:
    member = {
        0: "0001 6d 0001 63 0001 68 0000000a 00000001 01 00000000",
        1: "0001 6d 0001 63 0001 68 00000014 0000000a 00000001 01 00000000",
        2: "0001 6d 0001 63 0001 68 00000014 0000000a 00000001 01 00000000",
        3: "0001 6d 0001 69 0001 63 0001 68 00000014 0000000a 00000001 01 00000000",
        4: "02 6d 02 69 02 63 02 68 00000014 0000000a 02 01 01 00",
    }[version]
    head = "02 70 00000003 00 02 6d" if version == 4 else "0001 70 00000003 ffff 0001 6d"
    timestamp = "0000000000000008" if version >= 2 else ""
    members = f"02 {member} 00" if version == 4 else f"00000001 {member}"
    value = decode_group_metadata_value(bytes.fromhex(f"000{version} {head} {timestamp} {members}"))
    expected = GroupMember("m", "i" if version >= 3 else None, "c", "h", 20 if version else 10, 10, b"\1", b"")
    assert value == GroupMetadataValue("p", 3, None, "m", 8 if version >= 2 else -1, (expected,))


def test_kinds_kfast_does_not_read_are_passed_over() -> None:
    assert decode_key(b"\0\x03rest") == UnknownGroupKey(3, b"rest")


def test_later_versions_are_not_guessed() -> None:
    with pytest.raises(UnsupportedVersionError, match="version 5; 0 to 4 are known"):
        decode_offset_commit_value(b"\0\x05" + bytes(30))
    with pytest.raises(UnsupportedVersionError, match="version -1"):
        decode_group_metadata_value(b"\xff\xff")


def test_a_cut_or_extended_record_is_corrupt() -> None:
    member = GroupMember("m", None, "c", "h", 1, 2, b"\1", b"\2")
    samples = [
        (decode_key, encode_key(OffsetCommitKey("group", "topic", 1))),
        (decode_key, encode_key(GroupMetadataKey("group"))),
        (decode_offset_commit_value, encode_value(OffsetCommitValue(1, 2, "three", 4, uuid.UUID(int=5)))),
        (decode_offset_commit_value, encode_value(OffsetCommitValue(1, -1, "three", 4, None, 5))),
        (decode_group_metadata_value, encode_value(GroupMetadataValue("a", 1, "b", "c", 2, (member,)))),
    ]
    for decode, data in samples:
        for wrong in (*(data[:size] for size in range(len(data))), data + b"\0"):
            with pytest.raises(CorruptRecordError):
                decode(wrong)


@settings(max_examples=100, deadline=None)
@given(st.integers(-1, 5), st.binary(max_size=80))
def test_any_bytes_give_a_record_or_a_kfast_error(version: int, body: bytes) -> None:
    data = version.to_bytes(2, "big", signed=True) + body
    for decode in (decode_key, decode_offset_commit_value, decode_group_metadata_value):
        try:
            decoded = decode(data)
        except KfastError:
            continue
        assert decoded is not None


@settings(max_examples=100, deadline=None)
@given(INT64, st.integers(-1, 100), TEXT, INT64, st.none() | st.uuids())
def test_offsets_are_read_back(offset: int, epoch: int, metadata: str, timestamp: int, topic_id: Any) -> None:
    value = OffsetCommitValue(offset, epoch, metadata, timestamp, topic_id)
    assert decode_offset_commit_value(encode_value(value)) == value


# The groups of an Apache Kafka


def test_kafkas_records_say_what_its_tool_shows_and_are_written_back_byte_for_byte(
    golden: Any, read_segments: Any
) -> None:
    seen = set()
    for name, lines in golden.manifest["cases"]["09-groups"]["consumer_offsets"].items():
        shown = {int(re.search(r"offset: (\d+)", line)[1]): line for line in lines}  # type: ignore[index]
        for batch in read_segments(golden("09-groups") / "log" / name.split("/")[0]):
            for record in () if batch.is_control else batch.records():
                seen.add(check(record, shown[record.offset]))
    assert seen == {
        (OffsetCommitKey, OffsetCommitValue),
        (OffsetCommitKey, type(None)),
        (GroupMetadataKey, GroupMetadataValue),
        (GroupMetadataKey, type(None)),
        (UnknownGroupKey, type(None)),
    }


def check(record: Any, line: str) -> tuple[type, type]:
    """Hold one record against its line, `... key: JSON payload: JSON`; return what it was."""
    match = re.search(r" key: (\{.*?\}\}) payload: (.*)$", line)
    assert match
    shown_key = json.loads(match[1])
    key = decode_key(record.key)
    if isinstance(key, UnknownGroupKey):
        assert str(key.key_type) == shown_key["type"]
        return UnknownGroupKey, type(None)
    assert encode_key(key) == record.key
    assert {name: getattr(key, name) for name in shown_key["data"]} == shown_key["data"]
    if record.value is None:
        return type(key), type(None)
    shown_value = json.loads(match[2])
    is_offset = isinstance(key, OffsetCommitKey)
    value = decode_offset_commit_value(record.value) if is_offset else decode_group_metadata_value(record.value)
    assert encode_value(value) == record.value
    assert str(record.value[1]) == shown_value["version"]
    if isinstance(value, OffsetCommitValue):
        check_offset(value, shown_value["data"])
    else:
        check_group(value, shown_value["data"])
    return type(key), type(value)


def check_offset(value: OffsetCommitValue, shown: dict[str, Any]) -> None:
    assert (value.offset, value.metadata, value.commit_timestamp_ms) == (
        shown["offset"],
        shown["metadata"],
        shown["commitTimestamp"],
    )
    assert value.leader_epoch == shown.get("leaderEpoch", -1)
    assert value.expire_timestamp_ms == shown.get("expireTimestamp")


def check_group(value: GroupMetadataValue, shown: dict[str, Any]) -> None:
    assert (value.protocol_type, value.generation, value.protocol, value.leader, value.state_timestamp_ms) == (
        shown["protocolType"],
        shown["generation"],
        shown["protocol"],
        shown["leader"],
        shown["currentStateTimestamp"],
    )
    assert [
        (
            member.member_id,
            member.group_instance_id,
            member.client_id,
            member.client_host,
            member.rebalance_timeout_ms,
            member.session_timeout_ms,
        )
        for member in value.members
    ] == [
        tuple(
            member[name]
            for name in (
                "memberId",
                "groupInstanceId",
                "clientId",
                "clientHost",
                "rebalanceTimeout",
                "sessionTimeout",
            )
        )
        for member in shown["members"]
    ]
    for member, shown_member in zip(value.members, shown["members"], strict=True):
        user_data = shown_member["subscription"]["userData"]
        assert user_data is None or base64.b64decode(user_data) in member.subscription
