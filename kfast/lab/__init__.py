"""Measures: experiments, their results, and what may be said of them. What a notebook starts from is here.

load_results("a.jsonl", "class/")  -> the results of one person or of many
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kfast.lab.results import load_results

__all__ = ["load_results"]

_HOMES = {"load_results": "kfast.lab.results"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kfast.lab' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
