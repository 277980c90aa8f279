from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import timedelta
from uuid import UUID

import pytest

from kfast.wire import codec
from kfast.wire.api_versions import API_VERSIONS, ApiKey
from kfast.wire.schemas import build, field_layouts, message_type

BY_HAND = (ApiKey.PRODUCE, ApiKey.FETCH, ApiKey.API_VERSIONS)
COLD = [key for key in ApiKey if key not in BY_HAND]


def filled(entity_type):
    """An entity with one item in each array and a value in each field."""
    return build(entity_type, **{layout.name: _filled_field(layout) for layout in field_layouts(entity_type)})


def _filled_field(layout):
    values = {"bool": True, "string": "abc", "bytes": b"xyz", "uuid": UUID(int=7), "int8": 2, "int32": 3, "int64": 4}
    values |= {"int16": 1, "timedelta_i32": timedelta(0), "timedelta_i64": timedelta(0)}
    one = filled(layout.entity_type) if layout.entity_type is not None else values[layout.kafka_type]
    return (one,) if layout.is_array else one


def error_codes(entity):
    """All values of fields called error_code."""
    if isinstance(entity, tuple):
        return [code for item in entity for code in error_codes(item)]
    if not is_dataclass(entity):
        return []
    own = [entity.error_code] if hasattr(entity, "error_code") else []
    return own + [code for field in fields(entity) for code in error_codes(getattr(entity, field.name))]


@pytest.mark.parametrize("api_key", COLD)
def test_every_api_says_the_error_in_every_version(api_key, kio_entity):
    request = filled(codec.request_type(api_key))
    response = codec.error_response(api_key, request, 56, "disk")
    for version in range(API_VERSIONS[api_key].min, API_VERSIONS[api_key].max + 1):
        encoded = codec.encode_response(api_key, version, response)
        read = kio_entity(message_type(api_key, version, "response"), encoded)
        assert set(error_codes(read)) == {56}, version


@pytest.mark.parametrize("api_key", COLD)
def test_a_request_that_asked_for_nothing_gets_a_response_that_can_be_written(api_key):
    request = build(codec.request_type(api_key))
    response = codec.error_response(api_key, request, 56)
    codec.encode_response(api_key, API_VERSIONS[api_key].max, response)
    assert set(error_codes(response)) <= {56}


def test_each_partition_is_named_and_has_the_error():
    request = filled(codec.request_type(ApiKey.LIST_OFFSETS))
    (topic,) = codec.error_response(ApiKey.LIST_OFFSETS, request, 3).topics
    (partition,) = topic.partitions
    assert (topic.name, partition.partition_index) == ("abc", 3)
    assert (partition.error_code, partition.offset, partition.timestamp, partition.leader_epoch) == (3, -1, -1, -1)


def test_bare_names_and_numbers_are_named_too():
    request = filled(codec.request_type(ApiKey.OFFSET_FETCH))
    (group,) = codec.error_response(ApiKey.OFFSET_FETCH, request, 16).groups
    assert (group.group_id, group.topics[0].name, group.topics[0].partitions[0].partition_index) == ("abc", "abc", 3)
    assert (group.error_code, group.topics[0].partitions[0].committed_offset) == (16, -1)
    request = filled(codec.request_type(ApiKey.FIND_COORDINATOR))
    (coordinator,) = codec.error_response(ApiKey.FIND_COORDINATOR, request, 15).coordinators
    assert (coordinator.key, coordinator.node_id, coordinator.port) == ("abc", -1, -1)


def test_what_was_wanted_of_a_topic_is_not_reported_as_what_it_is():
    request = filled(codec.request_type(ApiKey.CREATE_TOPICS))
    (topic,) = codec.error_response(ApiKey.CREATE_TOPICS, request, 36, "topic abc exists").topics
    assert (topic.name, topic.error_message, topic.num_partitions, topic.replication_factor) == (
        "abc",
        "topic abc exists",
        -1,
        -1,
    )


def test_configs_name_the_resource():
    for api_key, name in ((ApiKey.DESCRIBE_CONFIGS, "results"), (ApiKey.INCREMENTAL_ALTER_CONFIGS, "responses")):
        response = codec.error_response(api_key, filled(codec.request_type(api_key)), 40, "no")
        (resource,) = getattr(response, name)
        assert (resource.resource_type, resource.resource_name, resource.error_message) == (2, "abc", "no")


def test_all_topics_are_no_topics_in_an_error():
    request = build(codec.request_type(ApiKey.METADATA), topics=None)
    response = codec.error_response(ApiKey.METADATA, request, -1)
    assert (response.topics, response.error_code) == ((), -1)
