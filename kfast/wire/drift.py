"""Messages whose shape changed between versions, beyond fields that came and went: one pair of functions each.

`up` gets the values read, by name, and the newest class; it puts those of the newest form in. `down` gets an entity in
the newest form and returns something with the attributes of the old one.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

from kfast.errors import InvalidRequestError
from kfast.wire.api_versions import ApiKey
from kfast.wire.schemas import EntityClass, MessageKind, build, field_layouts, item_type


class Drift(NamedTuple):
    """`last_version` is the last one that differs from the newest form."""

    last_version: int
    up: Callable[[dict[str, Any], EntityClass], None]
    down: Callable[[Any], Any]


def _only(items: Any, what: str) -> Any:
    """The one item that an old version has room for."""
    if len(items) != 1:
        raise InvalidRequestError(f"{len(items)} {what} in a version that has room for one")
    return items[0]


def _offset_fetch_request_up(values: dict[str, Any], newest: EntityClass) -> None:
    group_type = item_type(newest, "groups")
    topic_type = item_type(group_type, "topics")
    topics = values.pop("topics")
    if topics is not None:
        topics = tuple(
            build(topic_type, name=topic.name, partition_indexes=topic.partition_indexes) for topic in topics
        )
    values["groups"] = (build(group_type, group_id=values.pop("group_id"), topics=topics),)


def _offset_fetch_request_down(request: Any) -> Any:
    group = _only(request.groups, "groups")
    return SimpleNamespace(group_id=group.group_id, topics=group.topics, require_stable=request.require_stable)


def _offset_fetch_response_up(values: dict[str, Any], newest: EntityClass) -> None:
    group_type = item_type(newest, "groups")
    topic_type = item_type(group_type, "topics")
    partition_type = item_type(topic_type, "partitions")
    topics = []
    for topic in values.pop("topics"):
        partitions = tuple(_renamed(partition, partition_type) for partition in topic.partitions)
        topics.append(build(topic_type, name=topic.name, partitions=partitions))
    errors = {"error_code": values.pop("error_code")} if "error_code" in values else {}
    values["groups"] = (build(group_type, topics=tuple(topics), **errors),)


def _renamed(entity: Any, entity_type: EntityClass) -> Any:
    """The same fields in a class of another name."""
    names = {layout.name for layout in field_layouts(entity_type)}
    return build(entity_type, **{name: getattr(entity, name) for name in names if hasattr(entity, name)})


def _offset_fetch_response_down(response: Any) -> Any:
    group = _only(response.groups, "groups")
    return SimpleNamespace(throttle_time=response.throttle_time, topics=group.topics, error_code=group.error_code)


def _find_coordinator_request_up(values: dict[str, Any], newest: EntityClass) -> None:
    values["coordinator_keys"] = (values.pop("key"),)


def _find_coordinator_request_down(request: Any) -> Any:
    return SimpleNamespace(key=_only(request.coordinator_keys, "coordinator keys"), key_type=request.key_type)


_COORDINATOR_FIELDS = ("node_id", "host", "port", "error_code", "error_message")


def _find_coordinator_response_up(values: dict[str, Any], newest: EntityClass) -> None:
    coordinator = {name: values.pop(name) for name in _COORDINATOR_FIELDS if name in values}
    values["coordinators"] = (build(item_type(newest, "coordinators"), **coordinator),)


def _find_coordinator_response_down(response: Any) -> Any:
    coordinator = _only(response.coordinators, "coordinators")
    values = {name: getattr(coordinator, name) for name in _COORDINATOR_FIELDS}
    return SimpleNamespace(throttle_time=response.throttle_time, **values)


def _delete_topics_request_up(values: dict[str, Any], newest: EntityClass) -> None:
    topic_type = item_type(newest, "topics")
    values["topics"] = tuple(build(topic_type, name=name) for name in values.pop("topic_names"))


def _delete_topics_request_down(request: Any) -> Any:
    return SimpleNamespace(topic_names=tuple(topic.name for topic in request.topics), timeout=request.timeout)


def _leave_group_request_up(values: dict[str, Any], newest: EntityClass) -> None:
    values["members"] = (build(item_type(newest, "members"), member_id=values.pop("member_id")),)


def _leave_group_request_down(request: Any) -> Any:
    return SimpleNamespace(group_id=request.group_id, member_id=_only(request.members, "members").member_id)


def _leave_group_response_up(values: dict[str, Any], newest: EntityClass) -> None:
    """Nothing to do: there is one error code, and no member to give it to."""


def _leave_group_response_down(response: Any) -> Any:
    """The member's error where the group has none: the old form has one error code for both."""
    errors = [response.error_code, *(member.error_code for member in response.members)]
    error_code = next((code for code in errors if code), 0)
    return SimpleNamespace(throttle_time=getattr(response, "throttle_time", None), error_code=error_code)


def _metadata_request_up(values: dict[str, Any], newest: EntityClass) -> None:
    """In v0 no topics are all topics; from v1 on that is null, and no topics are none."""
    values["topics"] = values["topics"] or None


def _join_group_request_up(values: dict[str, Any], newest: EntityClass) -> None:
    """v0 has one timeout for both."""
    values["rebalance_timeout"] = values["session_timeout"]


def _unchanged(entity: Any) -> Any:
    return entity


DRIFTS: dict[tuple[ApiKey, MessageKind], Drift] = {
    (ApiKey.METADATA, "request"): Drift(0, _metadata_request_up, _unchanged),
    (ApiKey.OFFSET_FETCH, "request"): Drift(7, _offset_fetch_request_up, _offset_fetch_request_down),
    (ApiKey.OFFSET_FETCH, "response"): Drift(7, _offset_fetch_response_up, _offset_fetch_response_down),
    (ApiKey.FIND_COORDINATOR, "request"): Drift(3, _find_coordinator_request_up, _find_coordinator_request_down),
    (ApiKey.FIND_COORDINATOR, "response"): Drift(3, _find_coordinator_response_up, _find_coordinator_response_down),
    (ApiKey.JOIN_GROUP, "request"): Drift(0, _join_group_request_up, _unchanged),
    (ApiKey.LEAVE_GROUP, "request"): Drift(2, _leave_group_request_up, _leave_group_request_down),
    (ApiKey.LEAVE_GROUP, "response"): Drift(2, _leave_group_response_up, _leave_group_response_down),
    (ApiKey.DELETE_TOPICS, "request"): Drift(5, _delete_topics_request_up, _delete_topics_request_down),
}
