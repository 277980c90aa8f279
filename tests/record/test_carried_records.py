"""Kinds of record that are only read: Kafka's bytes, and what is refused."""

from __future__ import annotations

import struct
import uuid
from typing import Any

import pytest

from kfast.errors import CorruptRecordError, UnsupportedVersionError
from kfast.record.batches import iter_batches
from kfast.record.carried_records import _GROUP_SCHEMAS, _METADATA_SCHEMAS, decode_carried, decode_carried_group
from kfast.record.fields import Schema
from kfast.record.group_records import UnknownGroupKey, decode_key
from kfast.record.metadata_records import UnknownMetadataRecord, decode


def written(schema: Schema, record: Any) -> bytes:
    out = bytearray()
    schema.write(record, out)
    return bytes(out)


def test_kafkas_registrations_are_read_whole(golden: Any) -> None:
    log = golden("12-kraft") / "log" / "__cluster_metadata-0" / f"{0:020d}.log"
    kinds = set()
    for batch in iter_batches(log.read_bytes()):
        for record in batch.records() if not batch.is_control else ():
            unknown = decode(record.value or b"")
            if isinstance(unknown, UnknownMetadataRecord):
                known = decode_carried(unknown.api_key, unknown.version, unknown.data)
                assert written(_METADATA_SCHEMAS[unknown.api_key][unknown.version], known) == unknown.data
                kinds.add(type(known).__name__)
    assert kinds == {"RegisterBrokerRecord", "RegisterControllerRecord", "BrokerRegistrationChangeRecord"}


def test_kafkas_groups_of_the_newer_protocol_are_read_whole(golden: Any) -> None:
    kinds = set()
    for log in (golden("09-groups") / "log").glob("__consumer_offsets-*/*.log"):
        for batch in iter_batches(log.read_bytes()):
            for record in batch.records() if not batch.is_control else ():
                found = decode_key(record.key or b"")
                if isinstance(found, UnknownGroupKey):
                    key, value = decode_carried_group(found.key_type, found.data, record.value)
                    assert written(_GROUP_SCHEMAS[found.key_type][0], key) == found.data
                    assert (value is None) == (record.value is None)
                    kinds.add(type(key).__name__)
    assert len(kinds) == 5


def test_a_quota_and_an_acl() -> None:
    quota = decode_carried(14, 0, b"\x02\x05user\x00\x00\x0eproducer_rate" + struct.pack(">d", 1024.5) + b"\x00\x00")
    assert (quota.entity[0].entity_type, quota.entity[0].entity_name) == ("user", None)
    assert (quota.key, quota.value, quota.remove) == ("producer_rate", 1024.5, False)
    acl_id = uuid.UUID(int=7)
    acl = decode_carried(18, 0, acl_id.bytes + b"\x02\x02t\x03\x07User:x\x02*\x03\x03\x00")
    assert (acl.id, acl.resource_name, acl.principal, acl.host) == (acl_id, "t", "User:x", "*")


def test_a_member_that_came_from_the_older_protocol() -> None:
    head = b"\x00\x00" + b"\x00\x00\x02c\x02h\x01\x00" + struct.pack(">i", 5) + b"\x00"
    classic = b"\x01" + struct.pack(">i", 45000) + b"\x02\x06range\x03ab\x00\x00"
    key, value = decode_carried_group(5, b"\x00\x01g\x00\x01m", head + b"\x01\x00" + bytes([len(classic)]) + classic)
    assert (key.group_id, key.member_id) == ("g", "m")
    assert value.classic_member_metadata.session_timeout_ms == 45000
    assert value.classic_member_metadata.supported_protocols[0].metadata == b"ab"


@pytest.mark.parametrize(("api_key", "version"), [(11, 0), (10, 0), (99, 0), (0, 4), (17, -1)])
def test_what_is_not_read(api_key: int, version: int) -> None:
    with pytest.raises(UnsupportedVersionError, match=f"kind {api_key}, version {version}"):
        decode_carried(api_key, version, b"")


def test_groups_that_are_not_read_or_are_none() -> None:
    with pytest.raises(UnsupportedVersionError, match="key type 10"):
        decode_carried_group(10, b"", None)
    with pytest.raises(UnsupportedVersionError, match="version 1"):
        decode_carried_group(3, b"\x00\x01g", b"\x00\x01\x00\x00\x00\x01\x00")
    with pytest.raises(CorruptRecordError, match="1 bytes"):
        decode_carried_group(3, b"\x00\x01g", b"\x00")
    assert decode_carried_group(3, b"\x00\x01g", None)[1] is None
