"""What a dump is made of: plain dictionaries with a "type", ready for JSON; bytes as base64, ids as Kafka's text."""

from __future__ import annotations

import base64
import uuid
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeAlias

from kfast.record.metadata_records import uuid_to_text

Entry: TypeAlias = dict[str, Any]


def error_entry(path: Path, position: int | None, reason: str) -> Entry:
    """Something is wrong at byte `position` of a file; None where it is with the file as a whole."""
    return {"type": "error", "file": str(path), "position": position, "reason": reason}


def note_entry(path: Path, reason: str) -> Entry:
    """Nothing is wrong with a file, and something is good to know."""
    return {"type": "note", "file": str(path), "reason": reason}


def is_invalid(entry: Entry) -> bool:
    """Whether it says that something is wrong."""
    return entry["type"] == "error" or entry.get("is_valid") is False


def to_base64(data: memoryview | bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def to_plain(value: Any) -> Any:
    """A decoded record, or a part of one, in the types that JSON has; parts that are None are left out."""
    if is_dataclass(value):
        parts = ((field.name, getattr(value, field.name)) for field in fields(value))
        return {name: to_plain(part) for name, part in parts if part is not None}
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, uuid.UUID):
        return uuid_to_text(value)
    return to_base64(value) if isinstance(value, bytes | memoryview) else value
