"""The field types of Kafka's internal records, and schemas made of them: a format is drawn once and read both ways.

A field type is a pair of functions, `read(view, position) -> (value, position after it)` and `write(value, out)`. A
`Schema` is made of named ones in order; in a flexible schema optional, tagged fields follow (KIP-482): their count,
then tag, size and bytes of each. Compact texts and arrays carry their size plus one as an unsigned varint, 0 being
null; the older kind an i16 or i32, -1 being null. Not for batches and records, which are read by hand.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from kfast.errors import CorruptRecordError
from kfast.varint import read_unsigned, write_unsigned


class FieldType(NamedTuple):
    """How one kind of value is read from, and written to, bytes."""

    read: Callable[[memoryview, int], tuple[Any, int]]
    write: Callable[[Any, bytearray], None]


class Tagged(NamedTuple):
    """A field that is written only where it differs from its default."""

    tag: int
    name: str
    type: FieldType
    default: Any = None


@dataclass(frozen=True, slots=True)
class Schema:
    """`record_type(**fields)` as bytes: the named fields in order, then the tagged ones where it is flexible.

    Unknown tags are skipped, as Kafka does: they come from a newer writer that thinks they may be.
    """

    record_type: Callable[..., Any]
    fields: tuple[tuple[str, FieldType], ...] = ()
    tagged: tuple[Tagged, ...] = ()
    is_flexible: bool = True

    def read(self, view: memoryview, position: int) -> tuple[Any, int]:
        values: dict[str, Any] = {}
        for name, field in self.fields:
            values[name], position = field.read(view, position)
        if self.is_flexible:
            position = self._read_tagged(view, position, values)
        return self.record_type(**values), position

    def write(self, record: Any, out: bytearray) -> None:
        for name, field in self.fields:
            field.write(getattr(record, name), out)
        if self.is_flexible:
            self._write_tagged(record, out)

    def decode(self, view: memoryview, position: int = 0) -> Any:
        """The record that fills `view` from `position` to its end; CorruptRecordError where it does not."""
        try:
            record, end = self.read(view, position)
        except (struct.error, UnicodeDecodeError) as error:
            raise CorruptRecordError(f"{len(view)} bytes are no {self._name}: {error}") from None
        if end != len(view):
            raise CorruptRecordError(f"{self._name} ends at {end}; there are {len(view)} bytes")
        return record

    def as_type(self) -> FieldType:
        return FieldType(self.read, self.write)

    @property
    def _name(self) -> str:
        return getattr(self.record_type, "__name__", "record")

    def _read_tagged(self, view: memoryview, position: int, values: dict[str, Any]) -> int:
        known = {field.tag: field for field in self.tagged}
        count, position = read_unsigned(view, position)
        for _ in range(count):
            tag, position = read_unsigned(view, position)
            size, position = read_unsigned(view, position)
            end = _end_of(view, position, size)
            if field := known.get(tag):
                values[field.name], position = field.type.read(view, position)
                if position != end:
                    raise CorruptRecordError(f"tag {tag} of {self._name} says it ends at {end}, not {position}")
            position = end
        return position

    def _write_tagged(self, record: Any, out: bytearray) -> None:
        present = [field for field in self.tagged if getattr(record, field.name) != field.default]
        write_unsigned(len(present), out)
        for field in present:
            body = bytearray()
            field.type.write(getattr(record, field.name), body)
            write_unsigned(field.tag, out)
            write_unsigned(len(body), out)
            out += body


def array_of(item: FieldType) -> FieldType:
    """A compact array; a tuple in Python."""

    def read(view: memoryview, position: int) -> tuple[tuple[Any, ...], int]:
        count, position = read_unsigned(view, position)
        return _read_items(item, view, position, count - 1)

    def write(values: tuple[Any, ...], out: bytearray) -> None:
        write_unsigned(len(values) + 1, out)
        for value in values:
            item.write(value, out)

    return FieldType(read, write)


def plain_array_of(item: FieldType) -> FieldType:
    """An array with an i32 count; a tuple in Python."""

    def read(view: memoryview, position: int) -> tuple[tuple[Any, ...], int]:
        count, position = INT32.read(view, position)
        return _read_items(item, view, position, count)

    def write(values: tuple[Any, ...], out: bytearray) -> None:
        INT32.write(len(values), out)
        for value in values:
            item.write(value, out)

    return FieldType(read, write)


def _read_items(item: FieldType, view: memoryview, position: int, count: int) -> tuple[tuple[Any, ...], int]:
    _end_of(view, position, count)  # each takes a byte or more: no list is longer than what is left
    items = []
    for _ in range(count):
        value, position = item.read(view, position)
        items.append(value)
    return tuple(items), position


def _number(code: str) -> FieldType:
    form = struct.Struct(">" + code)

    def read(view: memoryview, position: int) -> tuple[int, int]:
        return form.unpack_from(view, position)[0], position + form.size

    def write(value: int, out: bytearray) -> None:
        out += form.pack(value)

    return FieldType(read, write)


def _sized(size: FieldType, is_compact: bool, is_text: bool, is_nullable: bool) -> FieldType:
    """Text or bytes after their size; `is_compact` sizes are one larger, so that 0 can be null."""
    shift = 1 if is_compact else 0

    def read(view: memoryview, position: int) -> tuple[str | bytes | None, int]:
        length, position = size.read(view, position)
        length -= shift
        if length == -1 and is_nullable:
            return None, position
        end = _end_of(view, position, length)
        data = bytes(view[position:end])
        return data.decode() if is_text else data, end

    def write(value: str | bytes | None, out: bytearray) -> None:
        if value is None:
            if not is_nullable:
                raise ValueError("null where Kafka's schema has none")
            size.write(shift - 1, out)
            return
        data = value.encode() if isinstance(value, str) else value
        size.write(len(data) + shift, out)
        out += data

    return FieldType(read, write)


def _end_of(view: memoryview, position: int, size: int) -> int:
    if size < 0 or position + size > len(view):
        raise CorruptRecordError(f"{size} bytes or items at position {position}; {len(view) - position} bytes are left")
    return position + size


def _read_uuid(view: memoryview, position: int) -> tuple[uuid.UUID, int]:
    end = _end_of(view, position, 16)
    return uuid.UUID(bytes=bytes(view[position:end])), end


def _write_uuid(value: uuid.UUID, out: bytearray) -> None:
    out += value.bytes


INT8: Final = _number("b")
INT16: Final = _number("h")
UINT16: Final = _number("H")
INT32: Final = _number("i")
INT64: Final = _number("q")
VARINT: Final = FieldType(read_unsigned, write_unsigned)
UUID: Final = FieldType(_read_uuid, _write_uuid)
TEXT: Final = _sized(VARINT, is_compact=True, is_text=True, is_nullable=False)
NULLABLE_TEXT: Final = _sized(VARINT, is_compact=True, is_text=True, is_nullable=True)
BYTES: Final = _sized(VARINT, is_compact=True, is_text=False, is_nullable=False)
PLAIN_TEXT: Final = _sized(INT16, is_compact=False, is_text=True, is_nullable=False)
NULLABLE_PLAIN_TEXT: Final = _sized(INT16, is_compact=False, is_text=True, is_nullable=True)
PLAIN_BYTES: Final = _sized(INT32, is_compact=False, is_text=False, is_nullable=False)
