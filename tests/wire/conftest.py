"""What the tests of the protocol share: kio as the witness, and strategies for its classes."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import strategies as st
from kio.schema.errors import ErrorCode
from kio.serial import entity_reader, entity_writer

from kfast.wire.schemas import FieldLayout, field_layouts

_INTEGERS = {
    kafka_type: st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for kafka_type, bits in (("int8", 8), ("int16", 16), ("int32", 32), ("int64", 64))
}
_TEXT = st.text(st.characters(codec="utf-8"), max_size=12) | st.just("x" * 300)
_PRIMITIVES: dict[str | None, st.SearchStrategy[Any]] = {
    **_INTEGERS,
    "bool": st.booleans(),
    "string": _TEXT,
    "bytes": st.binary(max_size=12) | st.just(b"y" * 300),
    "error_code": st.sampled_from(ErrorCode),
    "timedelta_i32": _INTEGERS["int32"].map(lambda value: timedelta(milliseconds=value)),
    "timedelta_i64": st.integers(-(2**52), 2**52).map(lambda value: timedelta(milliseconds=value)),
    "uuid": st.integers(1, 2**128 - 1).map(lambda value: UUID(int=value)) | st.none(),
}


def _field(layout: FieldLayout) -> st.SearchStrategy[Any]:
    one = _entity(layout.entity_type) if layout.entity_type is not None else _PRIMITIVES[layout.kafka_type]
    if layout.is_array:
        one = st.lists(one, max_size=3).map(tuple)
    return st.none() | one if layout.is_nullable else one


def _entity(entity_type: Any) -> st.SearchStrategy[Any]:
    return st.builds(entity_type, **{layout.name: _field(layout) for layout in field_layouts(entity_type)})


@pytest.fixture(scope="session")
def entities() -> Callable[[Any], st.SearchStrategy[Any]]:
    """Strategy for entities of one of kio's classes."""
    return _entity


@pytest.fixture(scope="session")
def kio_bytes() -> Callable[[Any], bytes]:
    """What kio writes for an entity."""

    def write(entity: Any) -> bytes:
        out = io.BytesIO()
        entity_writer(type(entity))(out, entity)
        return out.getvalue()

    return write


@pytest.fixture(scope="session")
def kio_entity() -> Callable[[Any, bytes], Any]:
    """What kio reads from bytes, all of which must be used."""

    def read(entity_type: Any, data: bytes) -> Any:
        entity, size = entity_reader(entity_type)(bytes(data), 0)
        assert size == len(data)
        return entity

    return read
