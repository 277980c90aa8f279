"""The layout of kio's classes: kio has a dataclass for each message and version, generated from Kafka's schemas.

Only the classes are used. kio's own reader makes room for as many items as a peer announces before it looks for them,
and the process dies where that fails (four bytes ask for 16 GiB); and `kio.serial` takes 25 ms and 8 MB to import, for
it brings asyncio. The classes are imported on first use (10 ms for the first one, then 3 ms each).
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import timedelta
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

from kfast.wire.api_versions import API_VERSIONS, ApiKey

MessageKind = Literal["request", "response"]

EntityClass = Any
"""One of kio's dataclasses, of a message or of a struct in one."""

_ZEROS: dict[str | None, Any] = {
    "bool": False,
    "string": "",
    "bytes": b"",
    "timedelta_i32": timedelta(0),
    "timedelta_i64": timedelta(0),
}


@dataclass(frozen=True, slots=True)
class FieldLayout:
    """A field as it lies on the wire. `kafka_type` is None for a struct, whose class `entity_type` is then.

    `default` is what Kafka assumes where a version has no such field.
    """

    name: str
    kafka_type: str | None
    entity_type: EntityClass | None
    is_array: bool
    is_nullable: bool
    tag: int | None
    default: Any


@lru_cache(maxsize=256)
def message_type(api_key: int, version: int, kind: MessageKind) -> EntityClass:
    """kio's class of a message in one version."""
    from kio.index import load_request_schema, load_response_schema

    load = load_request_schema if kind == "request" else load_response_schema
    loaded: EntityClass = load(api_key, version)
    return loaded


def request_type(api_key: int) -> EntityClass:
    """The one form in which handlers see requests: kio's class of the newest version served."""
    return message_type(api_key, API_VERSIONS[ApiKey(api_key)].max, "request")


def response_type(api_key: int) -> EntityClass:
    """The one form in which handlers answer: kio's class of the newest version served."""
    return message_type(api_key, API_VERSIONS[ApiKey(api_key)].max, "response")


def is_flexible_entity(entity_type: EntityClass) -> bool:
    return bool(entity_type.__flexible__)


def item_type(entity_type: EntityClass, name: str) -> EntityClass:
    """Class of the structs in the array `name`."""
    found = next(layout.entity_type for layout in field_layouts(entity_type) if layout.name == name)
    assert found is not None, f"{entity_type.__name__}.{name} holds no structs"
    return found


def build(entity_type: EntityClass, **values: Any) -> Any:
    """An entity of `values`, and of Kafka's defaults for all other fields."""
    missing = {layout.name: layout.default for layout in field_layouts(entity_type) if layout.name not in values}
    return entity_type(**missing, **values)


@lru_cache(maxsize=1024)
def field_layouts(entity_type: EntityClass) -> tuple[FieldLayout, ...]:
    """The fields of a message or struct in the order of the wire."""
    layouts = []
    for field in fields(entity_type):
        inner, is_nullable = _without_none(field.type)
        is_array = get_origin(inner) is tuple
        if is_array:
            inner, _ = _without_none(get_args(inner)[0])
        entity = inner if is_dataclass(inner) else None
        kafka_type = field.metadata.get("kafka_type")
        default = field.default
        if default is MISSING:
            default = _implicit_default(kafka_type, is_array, is_nullable)
        layouts.append(
            FieldLayout(field.name, kafka_type, entity, is_array, is_nullable, field.metadata.get("tag"), default)
        )
    return tuple(layouts)


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if not isinstance(annotation, UnionType):
        return annotation, False
    (inner,) = (argument for argument in get_args(annotation) if argument is not NoneType)
    return inner, True


def _implicit_default(kafka_type: str | None, is_array: bool, is_nullable: bool) -> Any:
    if is_nullable:
        return None
    if is_array:
        return ()
    if kafka_type == "error_code":
        from kio.schema.errors import ErrorCode

        return ErrorCode.none
    return _ZEROS.get(kafka_type, 0)
