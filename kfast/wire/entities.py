"""Bytes <-> entities of kio's classes, by plans made once for each class and version.

A reader reads the layout of one version and builds the newest one; a writer takes the newest and writes the layout of
one version. Fields are matched by name: what an old version lacks gets Kafka's default, what it has beyond the newest
is dropped, and a null where it allows none becomes the default. Structs in arrays are treated alike.

What a peer announces is checked before it is believed: no more items than bytes for them, and a limited number of them
in one message.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from kfast.errors import MalformedFrameError
from kfast.wire import fields
from kfast.wire.schemas import EntityClass, FieldLayout, field_layouts, is_flexible_entity

_MILLISECOND = timedelta(milliseconds=1)


class Body:
    """The bytes of one message while it is read, and how many array items have come."""

    __slots__ = ("buffer", "item_count")

    def __init__(self, buffer: memoryview, item_count: int = 0) -> None:
        self.buffer = buffer
        self.item_count = item_count

    def take_items(self, count: int, position: int) -> None:
        self.item_count += count
        fields.ensure_few(self.item_count, position)


Reader = Callable[[Body, int], tuple[Any, int]]
Writer = Callable[[Any, bytearray], None]
AdaptValues = Callable[[dict[str, Any]], None]
AdaptEntity = Callable[[Any], Any]


def entity_reader(layout_type: EntityClass, target_type: EntityClass, adapt: AdaptValues | None = None) -> Reader:
    """Reader of the bytes of `layout_type` that returns a `target_type`.

    `adapt` changes the values read, by name, into those of the target, for messages whose shape changed.
    """
    targets = {layout.name: layout for layout in field_layouts(target_type)}
    layouts = field_layouts(layout_type)
    names = {layout.name for layout in layouts}
    missing = {name: target.default for name, target in targets.items() if name not in names}
    missing |= {layout.name: layout.default for layout in layouts if layout.tag is not None}
    surplus = [name for name in names if name not in targets]
    flexible = is_flexible_entity(layout_type)
    plain: list[tuple[str, Reader]] = []
    tagged: dict[int, tuple[str, Reader]] = {}
    for layout in layouts:
        read_field = _field_reader(layout, targets.get(layout.name), flexible)
        if layout.tag is None:
            plain.append((layout.name, read_field))
        else:
            tagged[layout.tag] = layout.name, read_field

    def read(body: Body, position: int) -> tuple[Any, int]:
        values = dict(missing)
        for name, read_field in plain:
            values[name], position = read_field(body, position)
        if flexible:
            position = _read_tags(body, position, tagged, values)
        if adapt is not None:
            adapt(values)
        for name in surplus:
            values.pop(name, None)
        return target_type(**values), position

    return read


def _read_tags(body: Body, position: int, tagged: dict[int, tuple[str, Reader]], values: dict[str, Any]) -> int:
    if not body.buffer[position]:
        return position + 1
    tags, end = fields.read_tags(body.buffer, position)
    for tag, data in tags.items():
        if tag in tagged:
            name, read_field = tagged[tag]
            inner = Body(data, body.item_count)
            values[name], _ = read_field(inner, 0)
            body.item_count = inner.item_count
    return end


def _field_reader(layout: FieldLayout, target: FieldLayout | None, flexible: bool) -> Reader:
    if layout.entity_type is not None:
        into = target.entity_type if target is not None and target.entity_type is not None else layout.entity_type
        read_one = entity_reader(layout.entity_type, into)
    else:
        nullable = layout.is_nullable and not layout.is_array
        read_one = _primitive_reader(layout.kafka_type, flexible, nullable)
    if layout.is_array:
        return _array_reader(read_one, _least_size(layout, flexible), flexible, layout.is_nullable)
    return read_one


def _array_reader(read_one: Reader, item_size: int, flexible: bool, nullable: bool) -> Reader:
    read_count = {
        (False, False): fields.read_count,
        (False, True): fields.read_nullable_count,
        (True, False): fields.read_compact_count,
        (True, True): fields.read_compact_nullable_count,
    }[flexible, nullable]

    def read(body: Body, position: int) -> tuple[Any, int]:
        count, position = read_count(body.buffer, position, item_size)
        if count < 0:
            return None, position
        body.take_items(count, position)
        items = []
        for _ in range(count):
            item, position = read_one(body, position)
            items.append(item)
        return tuple(items), position

    return read


def _primitive_reader(kafka_type: str | None, flexible: bool, nullable: bool) -> Reader:
    if kafka_type in _NUMBERS:
        return _number_reader(*_NUMBERS[kafka_type])
    read_field = _READERS[kafka_type, flexible, nullable]
    return lambda body, position: read_field(body.buffer, position)


def _number_reader(code: struct.Struct, convert: Callable[[Any], Any] | None) -> Reader:
    size = code.size

    def read(body: Body, position: int) -> tuple[Any, int]:
        (value,) = code.unpack_from(body.buffer, position)
        return (value if convert is None else convert(value)), position + size

    return read


def _least_size(layout: FieldLayout, flexible: bool) -> int:
    """The fewest bytes that one item of the array `layout` takes."""
    if layout.entity_type is None:
        return _least_primitive_size(layout.kafka_type, flexible)
    size = int(flexible)  # the tags
    for inner in field_layouts(layout.entity_type):
        if inner.tag is not None:
            continue
        if inner.is_array:
            size += 1 if flexible else 4
        elif inner.entity_type is not None:
            size += _least_size(inner, flexible)
        else:
            size += _least_primitive_size(inner.kafka_type, flexible)
    return size


def _least_primitive_size(kafka_type: str | None, flexible: bool) -> int:
    if kafka_type in _NUMBERS:
        return _NUMBERS[kafka_type][0].size
    if kafka_type == "uuid":
        return fields.UUID_SIZE
    return 1 if flexible else 2 if kafka_type == "string" else 4


def entity_writer(layout_type: EntityClass, adapt: AdaptEntity | None = None) -> Writer:
    """Writer of an entity of the newest version in the layout of `layout_type`.

    `adapt` turns the entity into something with the attributes of `layout_type`, for messages whose shape changed.
    """
    flexible = is_flexible_entity(layout_type)
    plain = []
    tagged = []
    for layout in field_layouts(layout_type):
        writer = _field_writer(layout, flexible)
        if layout.tag is None:
            plain.append((layout.name, layout.default, layout.is_nullable, writer))
        else:
            tagged.append((layout.tag, layout.name, layout.default, writer))
    tagged.sort(key=lambda entry: entry[0])

    def write(entity: Any, out: bytearray) -> None:
        if adapt is not None:
            entity = adapt(entity)
        for name, default, nullable, write_field in plain:
            value = getattr(entity, name, default)
            write_field(default if value is None and not nullable else value, out)
        if flexible:
            _write_tags(entity, tagged, out)

    return write


def _write_tags(entity: Any, tagged: list[tuple[int, str, Any, Writer]], out: bytearray) -> None:
    present = [entry for entry in tagged if getattr(entity, entry[1], entry[2]) != entry[2]]
    out.append(len(present))
    for tag, name, _, write_field in present:
        data = bytearray()
        write_field(getattr(entity, name), data)
        out.append(tag)
        fields.write_compact_count(len(data) - 1, out)
        out += data


def _field_writer(layout: FieldLayout, flexible: bool) -> Writer:
    if layout.entity_type is not None:
        write_one = entity_writer(layout.entity_type)
    elif layout.kafka_type in _NUMBERS:
        write_one = _NUMBER_WRITERS[layout.kafka_type]
    else:
        write_one = _WRITERS[layout.kafka_type, flexible, layout.is_nullable and not layout.is_array]
    if not layout.is_array:
        return write_one
    write_count = fields.write_compact_count if flexible else fields.write_count

    def write(items: Any, out: bytearray) -> None:
        if items is None:
            write_count(-1, out)
            return
        write_count(len(items), out)
        for item in items:
            write_one(item, out)

    return write


def _error_code(value: int) -> Any:
    from kio.schema.errors import ErrorCode

    return ErrorCode(value)


def _milliseconds(value: int) -> timedelta:
    return timedelta(milliseconds=value)


_NUMBERS: dict[str | None, tuple[struct.Struct, Callable[[Any], Any] | None]] = {
    "int8": (struct.Struct(">b"), None),
    "int16": (struct.Struct(">h"), None),
    "int32": (struct.Struct(">i"), None),
    "int64": (struct.Struct(">q"), None),
    "uint16": (struct.Struct(">H"), None),
    "bool": (struct.Struct(">?"), None),
    "error_code": (struct.Struct(">h"), _error_code),
    "timedelta_i32": (struct.Struct(">i"), _milliseconds),
    "timedelta_i64": (struct.Struct(">q"), _milliseconds),
}


def _number_writer(kafka_type: str | None, code: struct.Struct) -> Writer:
    pack = code.pack

    def write(value: Any, out: bytearray) -> None:
        out += pack(value)

    def write_milliseconds(value: timedelta, out: bytearray) -> None:
        out += pack(value // _MILLISECOND)

    return write_milliseconds if kafka_type in ("timedelta_i32", "timedelta_i64") else write


_NUMBER_WRITERS = {kafka_type: _number_writer(kafka_type, code) for kafka_type, (code, _) in _NUMBERS.items()}


def _read_required(read: fields.BytesReader) -> Callable[[memoryview, int], tuple[bytes, int]]:
    def read_required(buffer: memoryview, position: int) -> tuple[bytes, int]:
        data, end = read(buffer, position)
        if data is None:
            raise MalformedFrameError(f"bytes at position {position} are null")
        return bytes(data), end  # small, and kept: group metadata outlives the receive buffer

    return read_required


def _read_nullable(read: fields.BytesReader) -> Callable[[memoryview, int], tuple[bytes | None, int]]:
    def read_nullable(buffer: memoryview, position: int) -> tuple[bytes | None, int]:
        data, end = read(buffer, position)
        return None if data is None else bytes(data), end

    return read_nullable


def _bytes_writer(write_count: Callable[[int, bytearray], None]) -> Writer:
    def write(value: bytes | None, out: bytearray) -> None:
        write_count(-1 if value is None else len(value), out)
        out += value or b""

    return write


_READERS: dict[tuple[str | None, bool, bool], Callable[[memoryview, int], tuple[Any, int]]] = {
    ("string", False, False): fields.read_string,
    ("string", False, True): fields.read_nullable_string,
    ("string", True, False): fields.read_compact_string,
    ("string", True, True): fields.read_compact_nullable_string,
    ("bytes", False, False): _read_required(fields.read_bytes),
    ("bytes", False, True): _read_nullable(fields.read_bytes),
    ("bytes", True, False): _read_required(fields.read_compact_bytes),
    ("bytes", True, True): _read_nullable(fields.read_compact_bytes),
    **{("uuid", flexible, nullable): fields.read_uuid for flexible in (False, True) for nullable in (False, True)},
}

_WRITERS: dict[tuple[str | None, bool, bool], Callable[[Any, bytearray], None]] = {
    ("string", False, False): fields.write_string,
    ("string", False, True): fields.write_nullable_string,
    ("string", True, False): fields.write_compact_string,
    ("string", True, True): fields.write_compact_nullable_string,
    **{("bytes", False, nullable): _bytes_writer(fields.write_count) for nullable in (False, True)},
    **{("bytes", True, nullable): _bytes_writer(fields.write_compact_count) for nullable in (False, True)},
    **{("uuid", flexible, nullable): fields.write_uuid for flexible in (False, True) for nullable in (False, True)},
}
