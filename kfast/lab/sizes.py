"""Sizes as people read them."""

from __future__ import annotations

KIB = 1 << 10


def size_text(size_bytes: int) -> str:
    """100 B, 4 KiB, 1.5 MiB, 1,023 KiB."""
    for unit, size in (("GiB", KIB**3), ("MiB", KIB**2), ("KiB", KIB)):
        if size_bytes >= size:
            value = size_bytes / size
            return f"{value:.3g} {unit}" if value < 999.5 else f"{value:,.0f} {unit}"
    return f"{size_bytes} B"


def tick_text(size_bytes: int) -> str:
    """As beside an axis, whose label says "bytes": 64, 4 Ki, 1 Mi."""
    return size_text(size_bytes).removesuffix("B").removesuffix(" ")
