from __future__ import annotations

import re
import uuid
from typing import Any

import pytest

from kfast.errors import CorruptRecordError, UnsupportedVersionError
from kfast.record.batches import iter_batches
from kfast.record.control_records import (
    AbortMarker,
    CommitMarker,
    ControlRecord,
    ControlRecordType,
    KRaftVersion,
    KRaftVoters,
    LeaderChange,
    QuorumVoter,
    SnapshotFooter,
    SnapshotHeader,
    Voter,
    VoterEndpoint,
    control_key,
    decode_control,
    encode_control,
    read_control_type,
)

DIRECTORY = uuid.UUID(bytes=bytes(range(16, 32)))

KNOWN = [
    (AbortMarker(7), "0000 0000", "0000 00000007"),
    (CommitMarker(7), "0000 0001", "0000 00000007"),
    (
        LeaderChange(1, (QuorumVoter(1),), (QuorumVoter(1),)),
        "0000 0002",
        "0000 00000001 02 00000001 00 02 00000001 00 00",
    ),
    (SnapshotHeader(258), "0000 0003", "0000 0000000000000102 00"),
    (SnapshotFooter(), "0000 0004", "0000 00"),
    (KRaftVersion(1), "0000 0005", "0000 0001 00"),
    (
        KRaftVoters((Voter(1, DIRECTORY, (VoterEndpoint("CONTROLLER", "localhost", 59093),)),)),
        "0000 0006",
        "0000 02 00000001 101112131415161718191a1b1c1d1e1f 02 0b434f4e54524f4c4c4552 0a6c6f63616c686f7374 e6d5 00"
        "0000 0001 00 00 00",
    ),
]


@pytest.mark.parametrize(("record", "key", "value"), KNOWN)
def test_bytes_are_those_of_kafkas_schemas(record: ControlRecord, key: str, value: str) -> None:
    assert encode_control(record) == (bytes.fromhex(key), bytes.fromhex(value))
    assert decode_control(bytes.fromhex(key), bytes.fromhex(value)) == record


@pytest.mark.parametrize(("record", "key", "value"), KNOWN)
def test_a_cut_or_extended_value_is_corrupt(record: ControlRecord, key: str, value: str) -> None:
    data = bytes.fromhex(value)
    for wrong in (*(data[:size] for size in range(len(data))), data + b"\0"):
        with pytest.raises(CorruptRecordError):
            decode_control(bytes.fromhex(key), wrong)


def test_types_are_read_from_keys_and_later_ones_passed_over() -> None:
    for known in range(7):
        assert read_control_type(control_key(ControlRecordType(known))) is ControlRecordType(known)
    assert read_control_type(b"\0\0\0\x07") is ControlRecordType.UNKNOWN
    with pytest.raises(CorruptRecordError, match="this one has 3"):
        read_control_type(b"\0\0\0")


def test_later_types_and_versions_are_not_guessed() -> None:
    with pytest.raises(UnsupportedVersionError):
        decode_control(b"\0\0\0\x07", b"\0\0\0")
    with pytest.raises(UnsupportedVersionError, match="version 1"):
        decode_control(b"\0\0\0\x05", b"\0\x01\0\x01\0")


def test_kafkas_control_records_are_read_and_written_byte_for_byte(golden: Any, read_segments: Any) -> None:
    seen: list[ControlRecord] = []
    directories = [golden("06-transactions") / "log" / name for name in ("ledger-0", "__cluster_metadata-0")]
    checkpoint = (golden("12-kraft") / "log" / "bootstrap.checkpoint").read_bytes()
    batches = [batch for directory in directories for batch in read_segments(directory)]
    for batch in [*batches, *iter_batches(checkpoint)]:
        if not batch.is_control:
            continue
        for record in batch.records():
            decoded = decode_control(record.key, record.value)
            assert encode_control(decoded) == (record.key, record.value)
            seen.append(decoded)
    assert {type(record) for record in seen} == {
        AbortMarker,
        CommitMarker,
        LeaderChange,
        SnapshotHeader,
        SnapshotFooter,
    }


def test_the_leader_change_says_what_kafkas_tool_shows(golden: Any, read_segments: Any) -> None:
    lines = golden.manifest["cases"]["12-kraft"]["metadata_records"]["00000000000000000000.log"]
    assert re.search(r'LeaderChange: .*"leaderId":1,"voters":\[{"voterId":1}\]', lines[0])
    batch = next(read_segments(golden("12-kraft") / "log" / "__cluster_metadata-0"))
    record = next(batch.records())
    assert decode_control(record.key, record.value) == LeaderChange(1, (QuorumVoter(1),), (QuorumVoter(1),))
