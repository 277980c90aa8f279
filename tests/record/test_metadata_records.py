from __future__ import annotations

import dataclasses
import json
import re
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfast.errors import CorruptRecordError, KfastError, UnsupportedVersionError
from kfast.record.batches import iter_batches
from kfast.record.metadata_records import (
    METADATA_TOPIC_ID,
    AbortTransactionRecord,
    BeginTransactionRecord,
    ConfigRecord,
    EndTransactionRecord,
    FeatureLevelRecord,
    MetadataRecord,
    NoOpRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RemoveTopicRecord,
    TopicRecord,
    UnknownMetadataRecord,
    decode,
    encode,
    random_uuid,
    uuid_from_text,
    uuid_to_text,
)

TOPIC_ID = uuid.UUID(bytes=bytes(range(16)))
DIRECTORY_ID = uuid.UUID(bytes=bytes(range(16, 32)))
TOPIC_HEX, DIRECTORY_HEX = TOPIC_ID.hex, DIRECTORY_ID.hex

KNOWN = [
    (FeatureLevelRecord("metadata.version", 25), "01 0c 00 11 6d657461646174612e76657273696f6e 0019 00"),
    (TopicRecord("events", TOPIC_ID), f"01 02 00 07 6576656e7473 {TOPIC_HEX} 00"),
    (
        PartitionRecord(0, TOPIC_ID, (1,), (1,), 1, directories=(DIRECTORY_ID,)),
        f"01 03 02 00000000 {TOPIC_HEX} 02 00000001 02 00000001 01 01 00000001 00000000 00000000 02 {DIRECTORY_HEX} 00",
    ),
    (
        PartitionRecord(1, TOPIC_ID, (1,), (), -1, 3, 5, (), (2,), (4,), 1, (1,), ()),
        f"01 03 02 00000001 {TOPIC_HEX} 02 00000001 01 02 00000002 02 00000004 ffffffff 00000003 00000005 01"
        "03 00 01 01 01 05 02 00000001 02 01 01",
    ),
    (PartitionChangeRecord(2, TOPIC_ID), f"01 05 02 00000002 {TOPIC_HEX} 00"),
    (
        PartitionChangeRecord(2, TOPIC_ID, isr=(1,), leader=1),
        f"01 05 02 00000002 {TOPIC_HEX} 02 00 05 02 00000001 01 04 00000001",
    ),
    (
        ConfigRecord(2, "events", "retention.ms", "-1"),
        "01 04 00 02 07 6576656e7473 0d 726574656e74696f6e2e6d73 03 2d31 00",
    ),
    (ConfigRecord(4, "", "retention.ms", None), "01 04 00 04 01 0d 726574656e74696f6e2e6d73 00 00"),
    (ProducerIdsRecord(1, 0, 1000), "01 0f 00 00000001 0000000000000000 00000000000003e8 00"),
    (BeginTransactionRecord("x"), "01 17 00 01 00 02 0278"),
    (BeginTransactionRecord(), "01 17 00 00"),
    (EndTransactionRecord(), "01 18 00 00"),
    (AbortTransactionRecord("why"), "01 19 00 01 00 04 04776879"),
    (NoOpRecord(), "01 14 00 00"),
    (RemoveTopicRecord(TOPIC_ID), f"01 09 00 {TOPIC_HEX} 00"),
    (UnknownMetadataRecord(17, 3, b"\1\2\3"), "01 11 03 010203"),
]
NODES = st.lists(st.integers(-1, 2**31 - 1), max_size=4).map(tuple)
UUIDS = st.uuids()
TEXT = st.text(max_size=300)


@pytest.mark.parametrize(("record", "value"), KNOWN)
def test_bytes_are_those_kafka_boots_on(record: MetadataRecord, value: str) -> None:
    assert encode(record).hex(" ") == bytes.fromhex(value).hex(" ")
    assert decode(bytes.fromhex(value)) == record


@pytest.mark.parametrize(
    ("record", "value"), [known for known in KNOWN if not isinstance(known[0], UnknownMetadataRecord)]
)
def test_a_cut_or_extended_record_is_corrupt(record: MetadataRecord, value: str) -> None:
    data = bytes.fromhex(value)
    for wrong in (*(data[:size] for size in range(len(data))), data + b"\0"):
        with pytest.raises(CorruptRecordError):
            decode(wrong)


# The metadata log of an Apache Kafka


def shown_by_kafka(lines: list[str]) -> dict[int, dict[str, Any]]:
    """The JSON of each data record, by offset, as DumpLogSegments prints it."""
    found = (re.match(r"\| offset: (\d+) .* payload: (\{.*\})$", line) for line in lines)
    return {int(match[1]): json.loads(match[2]) for match in found if match}


def as_shown(record: MetadataRecord) -> dict[str, Any] | None:
    """`record` in Kafka's names, None for the kinds kfast does not look into."""
    names = {
        "partition": "partitionId",
        "eligible_leader_replicas": "eligibleLeaderReplicas",
        "last_known_elr": "lastKnownElr",
    }
    if isinstance(record, UnknownMetadataRecord):
        return None
    shown = {}
    for field in (field.name for field in dataclasses.fields(record)):
        value = getattr(record, field)
        head, *rest = field.split("_")
        name = names.get(field, head + "".join(word.capitalize() for word in rest))
        if isinstance(value, tuple):
            value = [uuid_to_text(item) if isinstance(item, uuid.UUID) else item for item in value]
        shown[name] = uuid_to_text(value) if isinstance(value, uuid.UUID) else value
    return shown


@pytest.mark.parametrize("name", ["__cluster_metadata-0/00000000000000000000.log", "bootstrap.checkpoint"])
def test_kafkas_records_say_what_its_tool_shows_and_are_written_back_byte_for_byte(name: str, golden: Any) -> None:
    shown = shown_by_kafka(golden.manifest["cases"]["12-kraft"]["metadata_records"][name.split("/")[-1]])
    data = (golden("12-kraft") / "log" / name).read_bytes()
    kinds = set()
    checked = 0
    for batch in iter_batches(data):
        if batch.is_control:
            continue
        for record in batch.records():
            decoded = decode(record.value)
            assert encode(decoded) == record.value
            kinds.add(type(decoded).__name__)
            if decoded == NoOpRecord():
                continue  # the manifest leaves these out
            expected = shown.pop(record.offset)
            values = as_shown(decoded)
            if values is None:
                continue
            # Kafka's tool leaves out what has its default
            assert {key: values[key] for key in expected["data"]} == expected["data"]
            left_out = {key: value for key, value in values.items() if key not in expected["data"]}
            assert all(value in (None, 0) for value in left_out.values()), left_out
            checked += 1
    assert shown == {}
    assert checked >= 4
    assert name.startswith("boot") or {"TopicRecord", "PartitionRecord", "RemoveTopicRecord", "ConfigRecord"} <= kinds


# What later or damaged writers leave


def test_older_partition_records_have_no_directories() -> None:
    value = bytes.fromhex(f"01 03 00 00000000 {TOPIC_HEX} 02 00000001 02 00000001 01 01 00000001 00000000 00000000 00")
    assert decode(value) == PartitionRecord(0, TOPIC_ID, (1,), (1,), 1)


def test_unknown_tags_are_skipped() -> None:
    value = bytes.fromhex(f"01 02 00 07 6576656e7473 {TOPIC_HEX} 02 05 01 ff 07 02 abcd")
    assert decode(value) == TopicRecord("events", TOPIC_ID)


def test_a_later_version_of_a_known_kind_is_not_guessed() -> None:
    with pytest.raises(UnsupportedVersionError, match="record 2 has version 1; those up to 0 are known"):
        decode(b"\x01\x02\x01\x00")


def test_a_later_frame_is_not_guessed() -> None:
    with pytest.raises(CorruptRecordError, match="frame version 2"):
        decode(b"\x02\x14\x00\x00")


def test_a_list_longer_than_its_record_takes_no_memory() -> None:
    value = bytes.fromhex(f"01 03 02 00000000 {TOPIC_HEX} ff ff ff ff 0f")
    with pytest.raises(CorruptRecordError, match="4294967294 bytes or items at position 28; 0 bytes are left"):
        decode(value)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([2, 3, 4, 5, 9, 12, 15, 20, 23, 24, 25]), st.integers(0, 2), st.binary(max_size=80))
def test_any_bytes_give_a_record_or_a_kfast_error(api_key: int, version: int, body: bytes) -> None:
    try:
        record = decode(bytes([1, api_key, version]) + body)
    except KfastError:
        return
    assert decode(encode(record)) == record


@settings(max_examples=100, deadline=None)
@given(
    st.one_of(
        st.builds(TopicRecord, TEXT, UUIDS),
        st.builds(ConfigRecord, st.integers(-128, 127), TEXT, TEXT, st.none() | TEXT),
        st.builds(PartitionRecord, st.integers(0, 2**31 - 1), UUIDS, NODES, NODES, st.integers(-1, 9)),
        st.builds(PartitionChangeRecord, st.integers(0, 9), UUIDS, st.none() | NODES, st.none() | st.integers(-1, 9)),
        st.builds(AbortTransactionRecord, st.none() | TEXT),
    )
)
def test_what_is_written_is_read_back(record: MetadataRecord) -> None:
    assert decode(encode(record)) == record


# Ids


def test_ids_are_22_characters() -> None:
    assert uuid_to_text(METADATA_TOPIC_ID) == "AAAAAAAAAAAAAAAAAAAAAQ"
    assert uuid_from_text("AAAAAAAAAAAAAAAAAAAAAQ") == METADATA_TOPIC_ID
    assert uuid_to_text(uuid.UUID(bytes=b"\xfb\xef\xff" * 5 + b"\xff")) == "--__--__--__--__--___w"


@pytest.mark.parametrize("text", ["", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAQ==", "AAAAAAAAAA+AAAAAAAAAAQ"])
def test_other_texts_are_no_ids(text: str) -> None:
    with pytest.raises(ValueError):
        uuid_from_text(text)


@given(UUIDS)
def test_ids_are_read_back(value: uuid.UUID) -> None:
    assert uuid_from_text(uuid_to_text(value)) == value


def test_a_new_id_does_not_look_like_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([uuid.UUID(bytes=b"\xfb" * 16), TOPIC_ID])
    monkeypatch.setattr(uuid, "uuid4", lambda: next(drawn))
    assert uuid_to_text(uuid.UUID(bytes=b"\xfb" * 16)).startswith("-")
    assert random_uuid() == TOPIC_ID
