"""Results as JSON: what goes from a child to its parent, and what `kfast bench --json` prints."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from kfast.lab.unavailable import Unavailable


def as_json(value: Any) -> Any:
    """Dataclasses become objects, tuples lists, and what is unavailable the words that say why."""
    if isinstance(value, Unavailable):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return value
