from __future__ import annotations

import struct
import tracemalloc
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kio.schema.errors import ErrorCode

from kfast.errors import MalformedFrameError
from kfast.wire import codec
from kfast.wire.api_versions import API_VERSIONS, ApiKey
from kfast.wire.drift import DRIFTS
from kfast.wire.fields import MAX_ITEMS
from kfast.wire.schemas import build, field_layouts, item_type, message_type

BY_HAND = (ApiKey.PRODUCE, ApiKey.FETCH, ApiKey.API_VERSIONS)
COLD = [key for key in ApiKey if key not in BY_HAND]
VERSIONS = [(key, version) for key in COLD for version in range(API_VERSIONS[key].min, API_VERSIONS[key].max + 1)]
MESSAGES = [(key, version, kind) for key, version in VERSIONS for kind in ("request", "response")]
QUICK = settings(derandomize=True, deadline=None, max_examples=8, suppress_health_check=[HealthCheck.too_slow])

DECODE = {"request": codec.decode_request, "response": codec.decode_response}
ENCODE = {"request": codec.encode_request, "response": codec.encode_response}

GONE = {
    (ApiKey.METADATA, "request"): {"include_cluster_authorized_operations"},
    (ApiKey.METADATA, "response"): {"cluster_authorized_operations"},
    (ApiKey.OFFSET_COMMIT, "request"): {"retention_time"},
}
"""Fields that old versions have and the newest form does not."""


def without_gone_fields(api_key, kind, entity):
    gone = GONE.get((api_key, kind), set())
    defaults = {layout.name: layout.default for layout in field_layouts(type(entity)) if layout.name in gone}
    return replace(entity, **defaults)


def has_drifted(api_key, version, kind) -> bool:
    drift = DRIFTS.get((api_key, kind))
    return drift is not None and version <= drift.last_version


def agrees(old, new) -> bool:
    """Every field that both have is the same, structs compared alike."""
    if is_dataclass(old):
        names = {field.name for field in fields(old)} & {field.name for field in fields(new)}
        return all(agrees(getattr(old, name), getattr(new, name)) for name in names)
    if isinstance(old, tuple) and isinstance(new, tuple):
        return len(old) == len(new) and all(map(agrees, old, new))
    return old == new


@pytest.mark.parametrize(("api_key", "version", "kind"), MESSAGES)
@QUICK
@given(data=st.data())
def test_every_message_goes_to_the_newest_form_and_back(api_key, version, kind, entities, kio_bytes, kio_entity, data):
    """kio writes it, we read it into the newest form and write it again, kio reads that: nothing is lost on the way."""
    old_type = message_type(api_key, version, kind)
    old = without_gone_fields(api_key, kind, data.draw(entities(old_type)))
    newest = DECODE[kind](api_key, version, memoryview(kio_bytes(old)))
    assert type(newest) is message_type(api_key, API_VERSIONS[api_key].max, kind)
    assert has_drifted(api_key, version, kind) or agrees(old, newest)
    assert kio_entity(old_type, ENCODE[kind](api_key, version, newest)) == old


@pytest.mark.parametrize("kind", ["request", "response"])
@pytest.mark.parametrize("api_key", COLD)
@QUICK
@given(data=st.data())
def test_the_newest_version_has_kios_bytes(api_key, kind, entities, kio_bytes, data):
    version = API_VERSIONS[api_key].max
    entity = data.draw(entities(message_type(api_key, version, kind)))
    encoded = kio_bytes(entity)
    assert ENCODE[kind](api_key, version, entity) == encoded
    assert DECODE[kind](api_key, version, memoryview(encoded)) == entity
    assert DECODE[kind](api_key, version, memoryview(encoded + b"more")) == entity


def filled(entity_type):
    """An entity with two items in each array and a value in each field."""
    return entity_type(**{layout.name: _filled_field(layout) for layout in field_layouts(entity_type)})


def _filled_field(layout):
    values = {
        "bool": True,
        "string": "abc",
        "bytes": b"xyz",
        "uuid": UUID(int=7),
        "error_code": ErrorCode.unknown_topic_or_partition,
        "timedelta_i32": timedelta(milliseconds=300),
        "timedelta_i64": timedelta(milliseconds=300),
    }
    one = filled(layout.entity_type) if layout.entity_type is not None else values.get(layout.kafka_type, 3)
    return (one, one) if layout.is_array else one


@pytest.mark.parametrize(("api_key", "version", "kind"), MESSAGES)
def test_a_message_that_is_cut_anywhere_is_malformed(api_key, version, kind, kio_bytes):
    body = memoryview(kio_bytes(filled(message_type(api_key, version, kind))))
    DECODE[kind](api_key, version, body)
    for size in range(len(body)):
        with pytest.raises(MalformedFrameError, match=f"{api_key.name} {kind} v{version} of {size} bytes"):
            DECODE[kind](api_key, version, body[:size])


@pytest.mark.parametrize(("api_key", "version"), VERSIONS)
def test_huge_numbers_anywhere_in_a_request_cost_nothing(api_key, version, kio_bytes):
    """Each place overwritten by 2^31-1, as legacy and as compact size or count: read as something, or malformed."""
    body = kio_bytes(filled(message_type(api_key, version, "request")))
    tracemalloc.start()
    for huge in (b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff\x07", b"\x80\x00\x00\x00"):
        for position in range(len(body)):
            outcome_of(api_key, version, body[:position] + huge + body[position + len(huge) :])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def outcome_of(api_key, version, body):
    """The request, or what is said about bytes that are none."""
    try:
        return codec.decode_request(api_key, version, memoryview(body))
    except MalformedFrameError as error:
        return str(error)


@pytest.mark.parametrize(("api_key", "version"), VERSIONS)
@QUICK
@given(data=st.binary(max_size=60))
def test_random_bytes_are_read_or_malformed(api_key, version, data):
    outcome = outcome_of(api_key, version, data)
    assert type(outcome) is codec.request_type(api_key) or f"v{version} of {len(data)} bytes" in outcome


def test_the_items_of_a_message_are_limited_whatever_its_size():
    body = struct.pack(">i", MAX_ITEMS + 1) + b"\0\0" * (MAX_ITEMS + 1)
    with pytest.raises(MalformedFrameError, match=f"more than {MAX_ITEMS} array items"):
        codec.decode_request(ApiKey.METADATA, 1, memoryview(body))


def test_durations_outside_of_pythons_are_malformed():
    body = struct.pack(">h1sih1sqi", 1, b"g", 1, 1, b"m", 2**63 - 1, 0)
    with pytest.raises(MalformedFrameError, match="OFFSET_COMMIT request v2"):
        codec.decode_request(ApiKey.OFFSET_COMMIT, 2, memoryview(body))


def test_bytes_are_copied_out_of_the_receive_buffer(kio_bytes):
    request = filled(codec.request_type(ApiKey.SYNC_GROUP))
    buffer = bytearray(kio_bytes(request))
    decoded = codec.decode_request(ApiKey.SYNC_GROUP, API_VERSIONS[ApiKey.SYNC_GROUP].max, memoryview(buffer))
    buffer[:] = bytes(len(buffer))
    assert decoded == request


def test_what_an_old_version_lacks_gets_kafkas_default():
    request = codec.decode_request(ApiKey.METADATA, 1, memoryview(struct.pack(">ih1s", 1, 1, b"t")))
    assert request.topics[0].name == "t"
    assert request.topics[0].topic_id is None
    assert request.allow_auto_topic_creation is True
    assert request.include_topic_authorized_operations is False


def test_null_where_an_old_version_allows_none_becomes_empty():
    response = build(codec.response_type(ApiKey.JOIN_GROUP), protocol_name=None, protocol_type=None)
    old = codec.decode_response(ApiKey.JOIN_GROUP, 5, memoryview(codec.encode_response(ApiKey.JOIN_GROUP, 5, response)))
    assert old.protocol_name == ""


@pytest.mark.parametrize("version", [8, 9, 10])
def test_authorized_operations_that_nobody_asked_for_are_kafkas_smallest_integer(version, kio_entity):
    topic = build(item_type(codec.response_type(ApiKey.METADATA), "topics"), name="t")
    response = build(codec.response_type(ApiKey.METADATA), topics=(topic,))
    encoded = codec.encode_response(ApiKey.METADATA, version, response)
    old = kio_entity(message_type(ApiKey.METADATA, version, "response"), encoded)
    assert (old.cluster_authorized_operations, old.topics[0].topic_authorized_operations) == (-(2**31), -(2**31))


def test_error_codes_may_be_plain_numbers():
    response = build(codec.response_type(ApiKey.HEARTBEAT), error_code=27)
    assert codec.encode_response(ApiKey.HEARTBEAT, 1, response) == struct.pack(">ih", 0, 27)
