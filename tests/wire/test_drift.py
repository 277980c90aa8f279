from __future__ import annotations

import struct
from datetime import timedelta

import pytest

from kfast.errors import InvalidRequestError
from kfast.wire import codec
from kfast.wire.api_versions import ApiKey
from kfast.wire.schemas import build, item_type


def an_item(entity_type, *path, **values):
    """An item of the array that lies at `path` below a message."""
    for name in path:
        entity_type = item_type(entity_type, name)
    return build(entity_type, **values)


def test_metadata_v0_asks_for_all_topics_by_naming_none():
    nothing = memoryview(bytes(4))
    assert codec.decode_request(ApiKey.METADATA, 0, nothing).topics is None
    assert codec.decode_request(ApiKey.METADATA, 1, nothing).topics == ()
    assert codec.decode_request(ApiKey.METADATA, 1, memoryview(b"\xff\xff\xff\xff")).topics is None


def test_join_group_v0_has_one_timeout_for_both():
    body = memoryview(struct.pack(">h1siHHi", 1, b"g", 6000, 0, 0, 0))
    request = codec.decode_request(ApiKey.JOIN_GROUP, 0, body)
    assert (request.session_timeout, request.rebalance_timeout) == (timedelta(seconds=6), timedelta(seconds=6))


@pytest.mark.parametrize("topics", [None, ("orders", "lines")])
def test_offset_fetch_of_one_group_becomes_an_array_of_groups(topics):
    newest = codec.request_type(ApiKey.OFFSET_FETCH)
    asked = topics and tuple(
        an_item(newest, "groups", "topics", name=name, partition_indexes=(1, 2)) for name in topics
    )
    request = build(newest, groups=(an_item(newest, "groups", group_id="g", topics=asked),), require_stable=True)
    for version in range(7, 10):
        body = memoryview(codec.encode_request(ApiKey.OFFSET_FETCH, version, request))
        assert codec.decode_request(ApiKey.OFFSET_FETCH, version, body) == request


def test_offset_fetch_answers_one_group_in_old_versions():
    newest = codec.response_type(ApiKey.OFFSET_FETCH)
    partition = an_item(newest, "groups", "topics", "partitions", partition_index=4, committed_offset=17, metadata="m")
    topic = an_item(newest, "groups", "topics", name="orders", partitions=(partition,))
    group = an_item(newest, "groups", group_id="g", topics=(topic,), error_code=16)
    encoded = codec.encode_response(ApiKey.OFFSET_FETCH, 2, build(newest, groups=(group,)))
    assert encoded == struct.pack(">ih6siiqh1shh", 1, 6, b"orders", 1, 4, 17, 1, b"m", 0, 16)


def test_several_groups_do_not_fit_an_old_version():
    newest = codec.request_type(ApiKey.OFFSET_FETCH)
    group = an_item(newest, "groups", group_id="g")
    with pytest.raises(InvalidRequestError, match="2 groups in a version that has room for one"):
        codec.encode_request(ApiKey.OFFSET_FETCH, 7, build(newest, groups=(group, group)))


@pytest.mark.parametrize("version", range(7))
def test_find_coordinator_has_one_key_or_many(version):
    request = build(codec.request_type(ApiKey.FIND_COORDINATOR), coordinator_keys=("g",), key_type=0)
    body = memoryview(codec.encode_request(ApiKey.FIND_COORDINATOR, version, request))
    assert codec.decode_request(ApiKey.FIND_COORDINATOR, version, body) == request
    newest = codec.response_type(ApiKey.FIND_COORDINATOR)
    coordinator = an_item(newest, "coordinators", key="g", node_id=1, host="localhost", port=9092, error_code=0)
    response = build(newest, coordinators=(coordinator,))
    body = memoryview(codec.encode_response(ApiKey.FIND_COORDINATOR, version, response))
    (read,) = codec.decode_response(ApiKey.FIND_COORDINATOR, version, body).coordinators
    assert (read.node_id, read.host, read.port, read.error_code) == (1, "localhost", 9092, 0)
    assert read.key == ("g" if version >= 4 else "")


@pytest.mark.parametrize("version", range(1, 7))
def test_delete_topics_names_them(version):
    newest = codec.request_type(ApiKey.DELETE_TOPICS)
    topics = tuple(an_item(newest, "topics", name=name, topic_id=None) for name in ("a", "b"))
    request = build(newest, topics=topics, timeout=timedelta(seconds=5))
    body = memoryview(codec.encode_request(ApiKey.DELETE_TOPICS, version, request))
    assert codec.decode_request(ApiKey.DELETE_TOPICS, version, body) == request


@pytest.mark.parametrize("version", range(6))
def test_leave_group_has_one_member_or_many(version):
    newest = codec.request_type(ApiKey.LEAVE_GROUP)
    request = build(newest, group_id="g", members=(an_item(newest, "members", member_id="m"),))
    body = memoryview(codec.encode_request(ApiKey.LEAVE_GROUP, version, request))
    assert codec.decode_request(ApiKey.LEAVE_GROUP, version, body) == request


@pytest.mark.parametrize(("group_error", "member_error", "expected"), [(0, 25, 25), (15, 25, 15), (0, 0, 0)])
def test_an_old_leave_group_gets_the_error_of_its_member(group_error, member_error, expected):
    newest = codec.response_type(ApiKey.LEAVE_GROUP)
    member = an_item(newest, "members", member_id="m", error_code=member_error)
    response = build(newest, error_code=group_error, members=(member,))
    assert codec.encode_response(ApiKey.LEAVE_GROUP, 0, response) == struct.pack(">h", expected)
    assert codec.encode_response(ApiKey.LEAVE_GROUP, 2, response) == struct.pack(">ih", 0, expected)
