"""Results as JSON lines, append-only: one line a run, with its provenance. Negative results stay.

Those shipped with the package (data/results) are read-only. The reader's own go to $KFAST_RESULTS, or ./kfast-results.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kfast
from kfast.lab.provenance import Provenance
from kfast.lab.unavailable import Unavailable

Json = dict[str, Any]


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


def results_directory() -> Path:
    """Where the reader's own results go; it may not exist yet."""
    return Path(os.environ.get("KFAST_RESULTS") or "kfast-results")


def append_result(experiment: str, result: Json, provenance: Provenance, directory: Path | None = None) -> Path:
    """Add one line to `<experiment>.jsonl` and return the file. Refuses the folder of the shipped results."""
    directory = directory or results_directory()
    if directory.resolve() == kfast.data_path("data", "results").resolve():
        raise ValueError(f"{directory} holds the shipped results, which are read-only: choose another by KFAST_RESULTS")
    directory.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"experiment": experiment, "provenance": as_json(provenance), "result": result})
    path = directory / f"{experiment}.jsonl"
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    return path


def read_results(experiment: str, directory: Path | None = None) -> Iterator[Json]:
    """The lines of one experiment, oldest first: the shipped ones, unless a directory is named. None is no error."""
    path = (directory or kfast.data_path("data", "results")) / f"{experiment}.jsonl"
    if path.is_file():
        with path.open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)
