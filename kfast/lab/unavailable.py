"""A number that could not be had, and why. It takes the number's place, so that nobody mistakes it for zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

PREFIX: Final = "unavailable: "


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Reads as `unavailable: reason`, in tables and in results."""

    reason: str

    def __str__(self) -> str:
        return f"{PREFIX}{self.reason}"

    def __bool__(self) -> Literal[False]:
        return False


def reason_of(error: Exception) -> str:
    """The words of an error, or its name when it has none."""
    return str(error) or type(error).__name__


def restored(value: Any) -> Any:
    """The value itself, or the Unavailable whose words it is, as JSON has it."""
    if isinstance(value, str) and value.startswith(PREFIX):
        return Unavailable(value.removeprefix(PREFIX))
    return value
