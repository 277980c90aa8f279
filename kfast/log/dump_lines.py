"""Entries of a dump as lines for people."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, Final

from kfast.log.dump_entries import Entry
from kfast.log.names import CLEANED_SUFFIX, DELETED_SUFFIX, SWAP_SUFFIX
from kfast.record.layout import MAGIC

_SHOWN_ELSEWHERE: Final = ("type", "file")
_PASSING: Final = {
    SWAP_SUFFIX: f"{SWAP_SUFFIX}, of a compaction that a start finishes",
    CLEANED_SUFFIX: f"{CLEANED_SUFFIX}, of a compaction that was not finished",
    DELETED_SUFFIX: f"{DELETED_SUFFIX}, no part of the log any more",
}


def to_line(entry: Entry) -> str:
    """The entry as a line; which file it is of, its reader has to say."""
    return _LINES.get(entry["type"], _fields_line)(entry)


def _batch_line(entry: Entry) -> str:
    flags = "".join(f" {name.removeprefix('is_')}" for name in ("is_transactional", "is_control") if entry[name])
    producer = f" producer {entry['producer_id']}" if entry["producer_id"] >= 0 else ""
    verdict = "" if entry["is_valid"] else "  INVALID"
    count = "?" if entry["count"] is None else entry["count"]
    magic = "" if entry["magic"] == MAGIC else f" magic {entry['magic']}"
    return (
        f"batch  {entry['base_offset']}..{entry['last_offset']}  {count} records  "
        f"position {entry['position']}  {entry['size_bytes']} bytes  {entry['compression']}  "
        f"{entry['timestamp_type']} {entry['max_timestamp_ms']}{producer}{flags}{magic}{verdict}"
    )


def _record_line(entry: Entry) -> str:
    """What a record of Kafka's own topics says comes in place of its bytes."""
    content = entry.get("content")
    if content is not None:
        return f"  record  {entry['offset']}  {entry['timestamp_ms']}  {_fields(content)}"
    key, value = (_bytes(entry[name]) for name in ("key", "value"))
    headers = "".join(f"  {name}={_bytes(data)}" for name, data in entry["headers"])
    verdict = "" if entry.get("is_valid", True) else "  INVALID"
    return f"  record  {entry['offset']}  {entry['timestamp_ms']}  {key}  {value}{headers}{verdict}"


def _error_line(entry: Entry) -> str:
    where = "" if entry["position"] is None else f"  position {entry['position']}"
    return f"INVALID  {entry['file']}{where}: {entry['reason']}"


def _note_line(entry: Entry) -> str:
    return f"NOTE  {entry['file']}: {entry['reason']}"


def _summary_line(entry: Entry) -> str:
    parts = [entry["directory"], _count(entry["segments"], "segment")]
    if entry["first_offset"] is None:
        parts.insert(1, _count(entry["partitions"], "partition"))
    if entry["batches"] is not None:
        parts.append(_count(entry["batches"], "batch", "batches"))
    if entry["next_offset"] is not None:
        parts.append(f"offsets from {entry['first_offset']} to before {entry['next_offset']}")
    parts.append(f"{entry['size_bytes']} bytes")
    if entry["gaps"]:
        parts.append(
            f"{_count(len(entry['gaps']), 'gap')} between segments: of compaction, or of a segment that is lost"
        )
    parts += [f"besides {_count(count, 'file')} {_PASSING[suffix]}" for suffix, count in entry["passing"].items()]
    if entry["was_clean"] is not None:
        parts.append("stopped cleanly" if entry["was_clean"] else "not stopped cleanly, or running")
    verdict = f"INVALID in {_count(entry['errors'], 'place')}" if entry["errors"] else "nothing is wrong"
    return "  ".join([*parts, verdict])


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _fields_line(entry: Entry) -> str:
    return f"{entry['type'].replace('_', ' ')}  {_fields(entry)}"


def _fields(fields: dict[str, Any]) -> str:
    kind = [fields["kind"]] if "kind" in fields else []
    named = [f"{name}={_shown(value)}" for name, value in fields.items() if name not in (*_SHOWN_ELSEWHERE, "kind")]
    return "  ".join([*kind, *named])


def _shown(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value)


def _bytes(text: str | None) -> str:
    """Text in quotes as it is, other bytes as Python writes them."""
    if text is None:
        return "null"
    data = base64.b64decode(text)
    try:
        shown = data.decode()
    except UnicodeDecodeError:
        return repr(data)[1:]
    return repr(shown) if shown.isascii() or shown.isprintable() else repr(data)[1:]


_LINES: Final[dict[str, Callable[[Entry], str]]] = {
    "batch": _batch_line,
    "record": _record_line,
    "offset_index_entry": lambda entry: f"offset {entry['offset']}  at position {entry['position']}",
    "time_index_entry": lambda entry: f"timestamp {entry['timestamp_ms']}  up to offset {entry['offset']}",
    "error": _error_line,
    "note": _note_line,
    "summary": _summary_line,
}
