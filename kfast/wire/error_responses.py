"""The response that says a request failed as a whole: the same error for each thing it asked for.

Kafka has no place for an error outside a message. Where a response has one at its top it is put there; where it has one
for each topic, partition, group or resource, those of the request are mirrored by name, each with the error.
"""

from __future__ import annotations

from typing import Any

from kfast.wire.schemas import EntityClass, FieldLayout, field_layouts, response_type

_ASKED_AS = {
    "topics": ("topics",),
    "partitions": ("partitions", "partition_indexes"),
    "groups": ("groups",),
    "members": ("members",),
    "coordinators": ("coordinator_keys",),
    "results": ("resources",),
    "responses": ("topics", "resources"),  # DeleteTopics, IncrementalAlterConfigs
}
"""What the request calls that which the response has one item each for."""

_BARE = frozenset({"key", "group_id", "partition_index"})
"""What the response calls an item that is a bare string or number in the request."""

_NAMING = _BARE | {
    "name", "topic", "topic_id", "partition", "member_id", "group_instance_id", "resource_type", "resource_name",
}  # fmt: skip
"""The fields that say which thing an item is about: these are copied, all others keep their defaults."""

_NOTHING = {
    "node_id": -1,
    "port": -1,
    "committed_offset": -1,
    "metadata": "",
    "producer_epoch": -1,
    "low_watermark": -1,
}
"""What Kafka writes beside an error where the schema has no default of its own."""


def error_response(api_key: int, request: Any, error_code: int, message: str | None = None) -> Any:
    """Response to `request`, both in the newest form. `message` goes wherever the response has a place for one."""
    from kio.schema.errors import ErrorCode

    return _mirror(response_type(api_key), request, ErrorCode(error_code), message)


def _mirror(entity_type: EntityClass, asked: Any, error_code: Any, message: str | None) -> Any:
    values: dict[str, Any] = {}
    for layout in field_layouts(entity_type):
        if layout.name == "error_code":
            values[layout.name] = error_code
        elif layout.name == "error_message":
            values[layout.name] = message
        elif layout.is_array and layout.entity_type is not None and _has_error_code(layout.entity_type):
            items = _asked_items(layout.name, asked)
            values[layout.name] = tuple(_mirror(layout.entity_type, item, error_code, message) for item in items)
        else:
            values[layout.name] = _name_or_default(layout, asked)
    return entity_type(**values)


def _name_or_default(layout: FieldLayout, asked: Any) -> Any:
    if layout.name in _BARE and isinstance(asked, str | int):
        return asked
    if layout.name in _NAMING and hasattr(asked, layout.name):
        return getattr(asked, layout.name)
    return _NOTHING.get(layout.name, layout.default)


def _asked_items(name: str, asked: Any) -> Any:
    """The items of the request; none where it asked for all there are (null), as with Metadata and OffsetFetch."""
    for candidate in _ASKED_AS[name]:
        if hasattr(asked, candidate):
            return getattr(asked, candidate) or ()
    return ()


def _has_error_code(entity_type: EntityClass) -> bool:
    return any(
        layout.name == "error_code" or (layout.entity_type is not None and _has_error_code(layout.entity_type))
        for layout in field_layouts(entity_type)
    )
