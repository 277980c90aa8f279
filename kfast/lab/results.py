"""Results as JSON lines: one file for each time an experiment was run, written as its blocks come, read back whole.

    line 1    {"kind": "experiment", "schema": 1, name, arms, comparisons, provenance, conditions, seed, is_smoke}
    then      {"kind": "run", block, arm, elapsed_s, cpu_s, values, limited_by, machine}, a line each
              {"kind": "skipped", arm, reason}

Arms are referred to by their place in the first line. Files are only ever made or appended to. Those shipped with the
package lie in its data/results; the reader's own go to $KFAST_RESULTS, or to ./kfast-results.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import kfast
from kfast.errors import KfastError
from kfast.lab.counters import MachineCpu
from kfast.lab.experiment import Arm, Comparison, Measurement
from kfast.lab.experiment_result import ExperimentResult, Run
from kfast.lab.provenance import Provenance
from kfast.lab.unavailable import Unavailable, restored

SCHEMA = 1
SUFFIX = ".jsonl"


class ResultsFileError(KfastError):
    """A file that is no result, or one of a newer kfast; the message has the file and the line."""


class ResultsFile:
    """The file that one run of an experiment is kept in; each block is in the file when `add` returns."""

    def __init__(self, result: ExperimentResult, slug: str, directory: Path | None = None) -> None:
        directory = results_directory() if directory is None else directory
        directory.mkdir(parents=True, exist_ok=True)
        stamp = "".join(character for character in result.provenance.measured_at[:19] if character.isalnum())
        kind = "-smoke" if result.is_smoke else ""
        self.path = directory / f"{result.name}-{slug}{kind}-{stamp}Z{SUFFIX}"
        self._arms = list(result.arms)
        self._skipped: set[Arm] = set()
        self._write("x", [_head(result)])

    def add(self, runs: Iterable[Run], skipped: Sequence[tuple[Arm, Unavailable]] = ()) -> None:
        """Append the runs of one block, and the arms that turned out not to run here."""
        new = [(arm, reason) for arm, reason in skipped if arm not in self._skipped]
        self._skipped.update(arm for arm, _ in new)
        self._write("a", [*_skipped_lines(new, self._arms), *(_run_line(run, self._arms) for run in runs)])

    def _write(self, mode: str, lines: Iterable[Mapping[str, Any]]) -> None:
        with open(self.path, mode, encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)


def results_directory() -> Path:
    """Where the reader's own results go; it need not exist yet."""
    return Path(os.environ.get("KFAST_RESULTS") or "kfast-results")


def load_result(path: str | os.PathLike[str]) -> ExperimentResult:
    """Read one file. Raises ResultsFileError, FileNotFoundError. A last line cut off by a crash is left out."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    if len(lines) > 1 and lines[-1]:
        lines.pop()
    try:
        entries = [json.loads(line) for line in lines if line]
        if not entries or entries[0]["kind"] != "experiment" or entries[0]["schema"] > SCHEMA:
            raise ResultsFileError(f"{os.fspath(path)}: line 1 is not that of a result of schema {SCHEMA}")
        return _result(entries)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ResultsFileError(f"{os.fspath(path)} is not a result of kfast: {error!r}") from error


def load_results(*paths: str | os.PathLike[str]) -> list[ExperimentResult]:
    """Read result files, and all that lie in directories, in order of their names: a class's or a team's, merged.

    Without arguments the reader's own and those shipped with kfast. Raises ResultsFileError, FileNotFoundError.
    """
    places = [Path(path) for path in paths] or [shipped_directory(), results_directory()]
    files: list[Path] = []
    for place in places:
        if place.is_dir():
            files += sorted(place.glob(f"*{SUFFIX}"))
        elif paths or place.exists():
            files.append(place)
    return [load_result(file) for file in files]


def shipped_directory() -> Path:
    return kfast.data_path("data", "results")


def shipped_results(name: str) -> list[ExperimentResult]:
    """The runs of experiment `name` ("E6") that come with kfast, oldest first."""
    return [load_result(path) for path in sorted(shipped_directory().glob(f"{name}-*{SUFFIX}"))]


def own_results(name: str) -> list[ExperimentResult]:
    """The reader's own runs of experiment `name` in full form, oldest first."""
    paths = sorted(results_directory().glob(f"{name}-*{SUFFIX}"))
    return [result for result in map(load_result, paths) if not result.is_smoke]


def rows(results: Iterable[ExperimentResult]) -> list[dict[str, Any]]:
    """A flat row for each run: experiment, machine, block, arm, its factors, its values. `pandas.DataFrame(rows(...))`.

    A value that could not be had is None.
    """
    found = []
    for number, result in enumerate(results):
        for run in result.runs:
            found.append(
                {
                    "experiment": result.name,
                    "result": number,
                    "machine": machine_name(result.provenance),
                    "measured_at": result.provenance.measured_at,
                    "is_smoke": result.is_smoke,
                    "block": run.block,
                    "is_dropped": run.block in result.dropped_blocks,
                    "arm": run.arm.name,
                    "replicate": run.arm.replicate,
                    **dict(run.arm.factors),
                    "elapsed_s": run.measurement.elapsed_s,
                    "limited_by": run.measurement.limited_by,
                    **{name: None if isinstance(v, Unavailable) else v for name, v in run.measurement.values.items()},
                }
            )
    return found


def records(results: Iterable[ExperimentResult]) -> Any:
    """The same rows as a numpy record array: a field for each key, NaN for a missing number, "" for a missing word."""
    import numpy

    found = rows(results)
    names = list(dict.fromkeys(name for row in found for name in row))
    columns = [[row.get(name) for row in found] for name in names]
    make: Any = numpy.rec.fromarrays
    return make([_column(values) for values in columns], names=names)


def _column(values: Sequence[Any]) -> Any:
    import numpy

    if any(isinstance(value, str) for value in values):
        return numpy.array(["" if value is None else str(value) for value in values])
    if all(isinstance(value, bool) for value in values):
        return numpy.array(values, dtype=bool)
    return numpy.array([numpy.nan if value is None else value for value in values], dtype=float)


def machine_name(provenance: Provenance) -> str:
    """What tells machines apart in merged results; nothing in it names a user or a host."""
    return f"{provenance.cpu_count} x {provenance.cpu}, {provenance.kernel}"


def to_json(result: ExperimentResult) -> dict[str, Any]:
    """One object for programs: the lines of the file, with what follows from them for each arm and comparison."""
    arms = list(result.arms)
    compared = dict.fromkeys(comparison.measure for comparison in result.comparisons)
    return {
        **_head(result),
        "dropped_blocks": list(result.dropped_blocks),
        "skipped": _skipped_lines(result.skipped, arms),
        "runs": [_run_line(run, arms) for run in result.runs],
        "summaries": [_summary(result, arm) for arm in arms if result.runs_of(arm)],
        "ratios": [as_json(result.ratio(comparison)) for comparison in result.comparisons],
        "aa_resolution": {measure: as_json(result.aa_resolution(measure)) for measure in compared},
    }


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


def _head(result: ExperimentResult) -> dict[str, Any]:
    arms = list(result.arms)
    return {
        "kind": "experiment",
        "schema": SCHEMA,
        "name": result.name,
        "arms": [{"name": arm.name, "factors": dict(arm.factors), "replicate": arm.replicate} for arm in arms],
        "comparisons": [
            {"words": one.words, "measure": one.measure, "over": arms.index(one.over), "under": arms.index(one.under)}
            for one in result.comparisons
        ],
        "provenance": as_json(result.provenance),
        "conditions": dict(result.conditions),
        "seed": result.seed,
        "is_smoke": result.is_smoke,
    }


def _run_line(run: Run, arms: list[Arm]) -> dict[str, Any]:
    place, measured = arms.index(run.arm), as_json(run.measurement)
    return {"kind": "run", "block": run.block, "arm": place, **measured, "machine": as_json(run.machine)}


def _skipped_lines(skipped: Iterable[tuple[Arm, Unavailable]], arms: list[Arm]) -> list[dict[str, Any]]:
    return [{"kind": "skipped", "arm": arms.index(arm), "reason": reason.reason} for arm, reason in skipped]


def _summary(result: ExperimentResult, arm: Arm) -> dict[str, Any]:
    measures = result.runs_of(arm)[0].measurement.values
    values = {measure: as_json(result.summary(arm, measure)) for measure in measures}
    return {"arm": result.arms.index(arm), "values": values, "limited_by": result.limited_by(arm)}


def _result(entries: Sequence[Mapping[str, Any]]) -> ExperimentResult:
    head = entries[0]
    arms = [Arm(arm["name"], tuple(arm["factors"].items()), arm["replicate"]) for arm in head["arms"]]
    return ExperimentResult(
        name=head["name"],
        arms=tuple(arms),
        comparisons=tuple(
            Comparison(one["words"], one["measure"], arms[one["over"]], arms[one["under"]])
            for one in head["comparisons"]
        ),
        runs=tuple(_run(entry, arms) for entry in entries[1:] if entry["kind"] == "run"),
        skipped=tuple(
            (arms[one["arm"]], Unavailable(one["reason"])) for one in entries[1:] if one["kind"] == "skipped"
        ),
        provenance=Provenance(**{name: restored(value) for name, value in head["provenance"].items()}),
        conditions=head["conditions"],
        seed=head["seed"],
        is_smoke=head["is_smoke"],
    )


def _run(entry: Mapping[str, Any], arms: Sequence[Arm]) -> Run:
    values = {name: restored(value) for name, value in entry["values"].items()}
    measurement = Measurement(entry["elapsed_s"], entry["cpu_s"], values, entry["limited_by"])
    machine = entry["machine"]
    return Run(
        entry["block"],
        arms[entry["arm"]],
        measurement,
        restored(machine) if isinstance(machine, str) else MachineCpu(**machine),
    )
