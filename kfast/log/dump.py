"""What is in segments and indexes, as plain objects, for files that kfast or Apache Kafka wrote, whole or damaged.

    {"type": "batch", "file", "base_offset", "last_offset", "count", ..., "is_valid"}       one a batch
    {"type": "record", "offset", "timestamp_ms", "key", "value", "headers"}                 after its batch, if deep
    {"type": "offset_index_entry", "file", "offset", "position"}
    {"type": "time_index_entry", "file", "timestamp_ms", "offset"}
    {"type": "error", "file", "position", "reason"}                                         what is wrong, and where

Everything that can be read is shown, whatever lies before it. Files are only read. Indexes are held against the log
beside them, as Kafka's DumpLogSegments does. Bytes are base64; index offsets are absolute.
"""

from __future__ import annotations

import base64
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

from kfast.errors import CorruptRecordError, KfastError
from kfast.log import offset_index, time_index
from kfast.log.file_pool import FilePool
from kfast.log.file_records import FileRecords
from kfast.log.index import size_without_zeros
from kfast.log.names import LOG_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, file_path, parse_file_name
from kfast.log.results import BatchPosition
from kfast.record.batch import RecordBatch
from kfast.record.layout import NO_TIMESTAMP

Entry: TypeAlias = dict[str, Any]

_KRAFT_SNAPSHOT_SUFFIX: Final = ".checkpoint"
"""The metadata log's snapshots hold batches too; shown when named, as they are no part of the log."""


def dump(paths: Iterable[str | os.PathLike[str]], deep: bool = False) -> Iterator[Entry]:
    """Yield the objects of the files in `paths`, in order; a directory stands for all that is in it.

    `deep` yields the records of each batch after it. What is wrong comes as an object too, so nothing is raised.
    """
    for path in paths:
        if os.path.isdir(path):
            for file in sorted(Path(path).rglob("*")):
                if file.is_file() and parse_file_name(file.name) and file.suffix in _READERS:
                    yield from _dump_file(file, deep)
        else:
            yield from _dump_file(Path(path), deep)


def is_invalid(entry: Entry) -> bool:
    """Whether it says that something is wrong."""
    return entry["type"] == "error" or entry.get("is_valid") is False


def to_line(entry: Entry) -> str:
    """The object as a line for people."""
    match entry["type"]:
        case "batch":
            flags = "".join(
                f" {name.removeprefix('is_')}" for name in ("is_transactional", "is_control") if entry[name]
            )
            producer = f" producer {entry['producer_id']}" if entry["producer_id"] >= 0 else ""
            verdict = "" if entry["is_valid"] else "  INVALID"
            return (
                f"batch  {entry['base_offset']}..{entry['last_offset']}  {entry['count']} records  "
                f"position {entry['position']}  {entry['size_bytes']} bytes  {entry['compression']}  "
                f"{entry['timestamp_type']} {entry['max_timestamp_ms']}{producer}{flags}{verdict}"
            )
        case "record":
            key, value = (_shown(entry[name]) for name in ("key", "value"))
            headers = "".join(f"  {name}={_shown(data)}" for name, data in entry["headers"])
            return f"  record  {entry['offset']}  {entry['timestamp_ms']}  {key}  {value}{headers}"
        case "offset_index_entry":
            return f"offset {entry['offset']}  at position {entry['position']}"
        case "time_index_entry":
            return f"timestamp {entry['timestamp_ms']}  up to offset {entry['offset']}"
        case _:
            where = "" if entry["position"] is None else f"  position {entry['position']}"
            return f"INVALID  {entry['file']}{where}: {entry['reason']}"


def _dump_file(path: Path, deep: bool) -> Iterator[Entry]:
    if not path.exists():
        yield _error(path, None, "there is no such file or directory")
        return
    reader = _READERS.get(path.suffix)
    parsed = parse_file_name(path.name)
    if reader is None or (parsed is None and path.suffix in (OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX)):
        names = ", ".join(f"BASE_OFFSET{suffix}" for suffix in _READERS)
        yield _error(path, None, f"its name is none of {names}")
        return
    try:
        yield from reader(path, parsed[0] if parsed else 0, deep)
    except OSError as error:
        yield _error(path, None, error.strerror or str(error))


# Batches and records


def _dump_log(path: Path, base_offset: int, deep: bool) -> Iterator[Entry]:
    records = _open(path)
    end, next_offset = 0, base_offset
    reason = None
    try:
        for position, batch in records.batches():
            yield from _dump_batch(path, position, batch, deep)
            if batch.base_offset < next_offset:
                reason = f"base offset {batch.base_offset} is below {next_offset}, which is where the log has come to"
                yield _error(path, position, reason)
            next_offset = batch.next_offset
            end = position + batch.size_bytes
        reason = f"{records.size_bytes - end} bytes are no whole batch"
    except CorruptRecordError as error:
        reason = f"{records.size_bytes - end} bytes are no batch: {error}"
    if end < records.size_bytes:
        yield _error(path, end, reason)


def _dump_batch(path: Path, position: int, batch: RecordBatch, deep: bool) -> Iterator[Entry]:
    reason = None
    try:
        batch.ensure_valid()
    except CorruptRecordError as error:
        reason = str(error)
    yield _batch_entry(path, position, batch, reason is None)
    if reason is not None:
        yield _error(path, position, reason)
    if deep:
        try:
            for record in batch.records():
                yield {
                    "type": "record",
                    "offset": record.offset,
                    "timestamp_ms": record.timestamp_ms,
                    "key": _text(record.key),
                    "value": _text(record.value),
                    "headers": [[name, _text(value)] for name, value in record.headers],
                }
        except KfastError as error:
            yield _error(path, position, str(error))


def _batch_entry(path: Path, position: int, batch: RecordBatch, is_valid: bool) -> Entry:
    return {
        "type": "batch",
        "file": str(path),
        "base_offset": batch.base_offset,
        "last_offset": batch.last_offset,
        "count": batch.count,
        "base_sequence": batch.base_sequence,
        "last_sequence": batch.last_sequence,
        "producer_id": batch.producer_id,
        "producer_epoch": batch.producer_epoch,
        "partition_leader_epoch": batch.partition_leader_epoch,
        "is_transactional": batch.is_transactional,
        "is_control": batch.is_control,
        "delete_horizon_ms": batch.delete_horizon_ms,
        "position": position,
        "timestamp_type": batch.timestamp_type.text,
        "max_timestamp_ms": batch.max_timestamp_ms,
        "size_bytes": batch.size_bytes,
        "magic": batch.magic,
        "compression": _compression(batch),
        "crc": batch.crc,
        "is_valid": is_valid,
    }


def _compression(batch: RecordBatch) -> str:
    try:
        return batch.compression.text
    except CorruptRecordError:
        return "unknown"


# Indexes


def _dump_offset_index(path: Path, base_offset: int, deep: bool) -> Iterator[Entry]:
    batches = _batches_by_last_offset(path, base_offset)
    last = (-1, -1)
    for place, (relative_offset, position) in _entries(path, offset_index.ENTRY):
        offset = base_offset + relative_offset
        yield {"type": "offset_index_entry", "file": str(path), "offset": offset, "position": position}
        if relative_offset <= last[0] or position <= last[1]:
            yield _error(path, place, f"({offset}, {position}) does not rise from ({base_offset + last[0]}, {last[1]})")
        elif batches is not None and (offset not in batches or batches[offset].position != position):
            yield _error(path, place, f"no batch at position {position} of the log ends at offset {offset}")
        last = (relative_offset, position)
    yield from _torn_entry(path, offset_index.ENTRY)


def _dump_time_index(path: Path, base_offset: int, deep: bool) -> Iterator[Entry]:
    batches = _batches_by_last_offset(path, base_offset)
    last = (NO_TIMESTAMP, 0)
    for place, (timestamp_ms, relative_offset) in _entries(path, time_index.ENTRY):
        offset = base_offset + relative_offset
        yield {"type": "time_index_entry", "file": str(path), "timestamp_ms": timestamp_ms, "offset": offset}
        if timestamp_ms <= last[0] or relative_offset < last[1]:
            yield _error(
                path, place, f"({timestamp_ms}, {offset}) does not rise from ({last[0]}, {base_offset + last[1]})"
            )
        elif batches is not None and (offset not in batches or batches[offset].max_timestamp_ms != timestamp_ms):
            yield _error(path, place, f"no batch of the log that ends at offset {offset} has timestamp {timestamp_ms}")
        last = (timestamp_ms, relative_offset)
    yield from _torn_entry(path, time_index.ENTRY)


def _entries(path: Path, entry: struct.Struct) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield (position, entry) of a file, up to the zeros that Kafka's preallocation leaves at its end.

    One entry of zeros alone is one: of a record of 1970 at the segment's base.
    """
    data = path.read_bytes()
    size = size_without_zeros(data, entry.size)
    if size == 0 and len(data) == entry.size == time_index.ENTRY.size:
        size = entry.size
    for place in range(0, size - entry.size + 1, entry.size):
        if place + entry.size <= len(data):
            yield place, entry.unpack_from(data, place)


def _torn_entry(path: Path, entry: struct.Struct) -> Iterator[Entry]:
    size = path.stat().st_size
    if size % entry.size:
        yield _error(path, size - size % entry.size, f"{size % entry.size} bytes are no entry of {entry.size}")


def _batches_by_last_offset(index_path: Path, base_offset: int) -> dict[int, BatchPosition] | None:
    """Return the batches of the log beside an index; None where there is no log to hold it against."""
    path = Path(file_path(str(index_path.parent), base_offset, LOG_SUFFIX))
    if not path.exists():
        return None
    batches = {}
    try:
        for batch in _open(path).headers():
            batches[batch.last_offset] = batch
    except CorruptRecordError:
        pass  # the log's own dump says so
    return batches


def _open(path: Path) -> FileRecords:
    return FileRecords(str(path), FilePool(limit=1, is_read_only=True), path.stat().st_size)


def _error(path: Path, position: int | None, reason: str) -> Entry:
    return {"type": "error", "file": str(path), "position": position, "reason": reason}


def _text(data: memoryview | bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _shown(text: str | None) -> str:
    return "null" if text is None else repr(base64.b64decode(text))[1:]


_READERS: Final = {
    LOG_SUFFIX: _dump_log,
    OFFSET_INDEX_SUFFIX: _dump_offset_index,
    TIME_INDEX_SUFFIX: _dump_time_index,
    _KRAFT_SNAPSHOT_SUFFIX: _dump_log,
}
