"""One record of a batch: read from a position, written at the end of a buffer.

    length varint | attributes i8 | timestamp delta varlong | offset delta varint | key | value | header count | headers
    key, value, header value = size varint (-1 is null), bytes       header name = size varint, UTF-8

Offsets and timestamps are kept as differences to the batch's first, which is why a record can be moved in the log
without being touched. Source: Kafka's DefaultRecord.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from kfast.errors import CorruptRecordError
from kfast.varint import Buffer, read_signed, write_signed

Headers: TypeAlias = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One message: where it is, when it was, what it says.

    `key` and `value` are views into the batch (or into what it was decompressed to), not copies: they stay right as
    long as the batch's buffer is not reused. `bytes(record.value)` keeps one.
    """

    offset: int
    timestamp_ms: int
    key: memoryview | bytes | None
    value: memoryview | bytes | None
    headers: Headers = ()

    def __repr__(self) -> str:
        return (
            f"Record(offset={self.offset}, timestamp_ms={self.timestamp_ms}, key={_shown(self.key)}, "
            f"value={_shown(self.value)}, headers={self.headers!r})"
        )


def read_record(
    view: memoryview, position: int, base_offset: int, base_timestamp_ms: int, log_append_time_ms: int | None
) -> tuple[Record, int]:
    """Return (record, position after it). `log_append_time_ms` overrides the record's own timestamp.

    Raises CorruptRecordError where its parts do not add up to its length.
    """
    start = position
    size, position = read_signed(view, position)
    end = position + size
    if size < 0 or end > len(view):
        raise CorruptRecordError(f"record at position {start} says {size} bytes; {len(view) - position} are there")
    timestamp_delta, position = read_signed(view, position + 1)  # the attributes byte is unused
    offset_delta, position = read_signed(view, position)
    key, position = _read_bytes(view, position, end)
    value, position = _read_bytes(view, position, end)
    headers, position = _read_headers(view, position, end)
    if position != end:
        raise CorruptRecordError(f"record at position {start} says it ends at {end} but its parts end at {position}")
    timestamp_ms = log_append_time_ms
    if timestamp_ms is None:
        timestamp_ms = _wrap_int64(base_timestamp_ms + timestamp_delta)
    return Record(base_offset + offset_delta, timestamp_ms, key, value, headers), position


def write_record(
    out: bytearray,
    offset_delta: int,
    timestamp_delta: int,
    key: Buffer | None,
    value: Buffer | None,
    headers: Iterable[tuple[str, Buffer | None]] = (),
) -> None:
    """Append one record to `out`."""
    body = bytearray(1)  # attributes: 0
    write_signed(_wrap_int64(timestamp_delta), body)
    write_signed(offset_delta, body)
    _write_bytes(body, key)
    _write_bytes(body, value)
    headers = tuple(headers)
    write_signed(len(headers), body)
    for name, header_value in headers:
        _write_bytes(body, name.encode())
        _write_bytes(body, header_value)
    write_signed(len(body), out)
    out += body


def _read_bytes(view: memoryview, position: int, end: int) -> tuple[memoryview | None, int]:
    size, position = read_signed(view, position)
    if size < 0:
        return None, position
    if position + size > end:
        raise CorruptRecordError(f"field at position {position} says {size} bytes; the record ends at {end}")
    return view[position : position + size], position + size


def _read_headers(view: memoryview, position: int, end: int) -> tuple[Headers, int]:
    count, position = read_signed(view, position)
    if count == 0:
        return (), position
    if count < 0 or count > end - position:
        raise CorruptRecordError(f"{count} headers in the {end - position} bytes before position {end}")
    headers = []
    for _ in range(count):
        name, position = _read_bytes(view, position, end)
        if name is None:
            raise CorruptRecordError(f"a header before position {position} has no name")
        value, position = _read_bytes(view, position, end)
        # Names are read as Java reads them: what is no UTF-8 becomes U+FFFD.
        headers.append((str(name, "utf-8", "replace"), None if value is None else bytes(value)))
    return tuple(headers), position


def _write_bytes(out: bytearray, data: Buffer | None) -> None:
    if data is None:
        write_signed(-1, out)
    else:
        write_signed(len(data), out)
        out += data


def _wrap_int64(number: int) -> int:
    """As Java's long does: a batch may hold timestamps further apart than 2**63."""
    return number if -(2**63) <= number < 2**63 else (number + 2**63) % 2**64 - 2**63


def _shown(data: memoryview | bytes | None) -> str:
    if data is None:
        return "None"
    return repr(bytes(data)) if len(data) <= 40 else f"<{len(data)} bytes>"
