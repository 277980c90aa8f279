"""Segments and metadata snapshots as entries: one a batch, and if deep one a record after it.

    {"type": "batch", "file", "base_offset", "last_offset", "count", ..., "is_valid"}
    {"type": "record", "offset", "timestamp_ms", "key", "value", "headers", and "content" where a decoder reads it}
                       and of messages of versions 0 and 1, which have a checksum each: "crc", "is_valid"

A message of version 0 or 1 is a batch; "count" is None where those in a compressed one cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kfast.errors import CorruptRecordError, KfastError
from kfast.log.dump_entries import Entry, error_entry, to_base64
from kfast.log.dump_records import Decoder, content_of
from kfast.log.file_pool import FilePool
from kfast.log.file_records import FileRecords
from kfast.record.batch import RecordBatch
from kfast.record.control_records import ControlRecordType, read_control_type
from kfast.record.legacy_batch import LegacyRecord, LegacyRecordBatch
from kfast.record.record import Record


def dump_batches(path: Path, base_offset: int, deep: bool, decoder: Decoder | None) -> Iterator[Entry]:
    """Every batch of a segment, checked: size, magic, CRC, and that offsets do not go back."""
    records = open_records(path)
    end, next_offset = 0, base_offset
    reason = None
    try:
        for position, batch in records.batches():
            yield from _dump_batch(path, position, batch, deep, decoder)
            if batch.base_offset < next_offset:
                yield error_entry(path, position, _goes_back(batch.base_offset, next_offset))
            next_offset = batch.next_offset
            end = position + batch.size_bytes
    except CorruptRecordError as error:
        reason = str(error)
    yield from _rest(path, end, records.size_bytes, reason)


def dump_metadata_snapshot(path: Path, deep: bool, decoder: Decoder | None) -> Iterator[Entry]:
    """A snapshot of the metadata log: batches between a header and a footer, without which it is unfinished."""
    yield from dump_batches(path, 0, deep, decoder)
    batches = [(position, batch) for position, batch in _readable(path) if batch.is_control]
    ends = [batches[0][1], batches[-1][1]] if batches else []
    expected = (ControlRecordType.SNAPSHOT_HEADER, ControlRecordType.SNAPSHOT_FOOTER)
    found = [_control_types(batch) for batch in ends]
    if not found or found[0][:1] != [expected[0]] or found[1][-1:] != [expected[1]]:
        yield error_entry(path, None, "it does not go from a snapshot's header to its footer: it is not complete")


def open_records(path: Path) -> FileRecords:
    """For reading only."""
    return FileRecords(str(path), FilePool(limit=1, is_read_only=True), path.stat().st_size)


def _goes_back(base_offset: int, next_offset: int) -> str:
    return f"base offset {base_offset} is below {next_offset}, which is where the log has come to"


def _rest(path: Path, end: int, size_bytes: int, reason: str | None) -> Iterator[Entry]:
    """What lies after the last whole batch."""
    if end < size_bytes:
        what = "no whole batch" if reason is None else f"no batch: {reason}"
        yield error_entry(path, end, f"{size_bytes - end} bytes are {what}")


def _readable(path: Path) -> Iterator[tuple[int, RecordBatch]]:
    try:
        yield from open_records(path).batches()
    except CorruptRecordError:
        return  # said already


def _control_types(batch: RecordBatch) -> list[ControlRecordType]:
    try:
        return [read_control_type(record.key or b"") for record in batch.records()]
    except KfastError:
        return []


def _dump_batch(path: Path, position: int, batch: RecordBatch, deep: bool, decoder: Decoder | None) -> Iterator[Entry]:
    reason = None
    try:
        batch.ensure_valid()
    except CorruptRecordError as error:
        reason = str(error)
    yield _batch_entry(path, position, batch, reason is None)
    if reason is not None:
        yield error_entry(path, position, reason)
    if deep:
        yield from _dump_records(path, position, batch, decoder)


def _dump_records(path: Path, position: int, batch: RecordBatch, decoder: Decoder | None) -> Iterator[Entry]:
    """A record whose content cannot be read is shown without it, and the next ones are."""
    try:
        for record in batch.records():
            entry = _record_entry(record)
            if isinstance(record, LegacyRecord):
                entry |= {"crc": record.crc, "is_valid": record.is_valid}
            reason = None
            try:
                content = content_of(record, batch.is_control, decoder)
                entry |= {} if content is None else {"content": content}
            except CorruptRecordError as error:
                reason = f"record at offset {record.offset}: {error}"
            yield entry
            if reason is not None:
                yield error_entry(path, position, reason)
    except KfastError as error:
        yield error_entry(path, position, str(error))


def _batch_entry(path: Path, position: int, batch: RecordBatch, is_valid: bool) -> Entry:
    base_offset: int = batch.base_offset
    count: int | None = batch.count
    if isinstance(batch, LegacyRecordBatch) and batch.is_compressed:
        base_offset, count = _unpacked(batch)
    return {
        "type": "batch",
        "file": str(path),
        "base_offset": base_offset,
        "last_offset": batch.last_offset,
        "count": count,
        "base_sequence": batch.base_sequence,
        "last_sequence": batch.last_sequence,
        "producer_id": batch.producer_id,
        "producer_epoch": batch.producer_epoch,
        "partition_leader_epoch": batch.partition_leader_epoch,
        "is_transactional": batch.is_transactional,
        "is_control": batch.is_control,
        "delete_horizon_ms": batch.delete_horizon_ms,
        "position": position,
        "timestamp_type": batch.timestamp_type.text if batch.magic else "NoTimestampType",
        "max_timestamp_ms": batch.max_timestamp_ms,
        "size_bytes": batch.size_bytes,
        "magic": batch.magic,
        "compression": _compression(batch),
        "crc": batch.crc,
        "is_valid": is_valid,
    }


def _unpacked(batch: RecordBatch) -> tuple[int, int | None]:
    """Base offset and count of a compressed message of an old version."""
    try:
        offsets = [record.offset for record in batch.records()]
    except KfastError:
        return batch.base_offset, None
    return offsets[0], len(offsets)


def _record_entry(record: Record) -> Entry:
    return {
        "type": "record",
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
        "key": to_base64(record.key),
        "value": to_base64(record.value),
        "headers": [[name, to_base64(value)] for name, value in record.headers],
    }


def _compression(batch: RecordBatch) -> str:
    try:
        return batch.compression.text
    except CorruptRecordError:
        return "unknown"
