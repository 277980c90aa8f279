"""`kfast bench copy | io | log`: run one experiment and say what came out, as lines for people or as JSON.

A line of a table holds medians with their intervals, and what limited the arm; the sentences below it hold the ratios,
each beside the resolution, without which a ratio means nothing. What a smoke run measured is shown and called so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from kfast.child_process import Json
from kfast.lab import copy_cost, copy_findings, io_findings, log_experiment, plans, results
from kfast.lab.conditions import condition_lines
from kfast.lab.copy_cost import COPY_COST
from kfast.lab.engine_paces import RECORD_SIZE, SEGMENT_SIZE, EnginePaces, measure_paces
from kfast.lab.experiment import Options, block_count
from kfast.lab.experiment_findings import arm_table, cell, head_lines, table_lines
from kfast.lab.experiment_result import ExperimentResult
from kfast.lab.experiment_run import ExperimentRun
from kfast.lab.io_experiment import IO_ORDER
from kfast.lab.lab_directory import lab_parent
from kfast.lab.log_experiment import LogRun, LogSummary, run_log_experiment, summarize
from kfast.lab.memory import TouchedMemory
from kfast.lab.prediction import SMOKE, factor, number
from kfast.lab.provenance import Provenance, provenance
from kfast.lab.results import as_json
from kfast.lab.sizes import size_text
from kfast.lab.summary import BUSY_SHARE
from kfast.lab.unavailable import Unavailable

SMOKE_SIZE = 4 << 20

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class LogResult:
    """The runs of the log experiment, which are a list, with what the other experiments' results hold as well."""

    runs: Sequence[LogRun]
    paces: EnginePaces
    provenance: Provenance
    sync_policy: str
    is_smoke: bool

    def to_json(self) -> Json:
        found: Json = as_json(self)
        found["summaries"] = as_json(summarize(self.runs))
        return found


def bench_copy(blocks: int | None, is_smoke: bool, progress: Progress | None = None) -> ExperimentResult:
    """Copy mode x chunk size, at the largest chunk with a receiver that discards too; a bare loop, and an A/A pair."""
    return plans.zero_copy_run(copy_cost.CHUNK_SIZES, Options(is_smoke, blocks)).run(progress)


def bench_io(blocks: int | None, is_smoke: bool, progress: Progress | None = None) -> ExperimentResult:
    """In order and at random: cold reads, writes under three sync policies; and an A/A pair."""
    return ExperimentRun(IO_ORDER, Options(is_smoke, blocks)).run(progress)


def bench_log(blocks: int | None, is_smoke: bool, progress: Progress | None = None) -> LogResult:
    """`Log.append` beside a loop of CRC-32C and pwrite; and an A/A pair. Then what the log does seldom, once each."""
    run_size = SMOKE_SIZE if is_smoke else log_experiment.RUN_SIZE
    found = provenance(lab_parent(), TouchedMemory(run_size))
    count = block_count(Options(is_smoke, blocks), log_experiment.BLOCK_COUNT)
    runs = run_log_experiment(block_count=count, run_size=run_size, progress=progress)
    paces = measure_paces(SMOKE_SIZE / SEGMENT_SIZE if is_smoke else 1.0)
    return LogResult(runs, paces, found, log_experiment.SYNC_POLICY, is_smoke)


def copy_lines(result: ExperimentResult) -> list[str]:
    """The table and the sentences of a copy result."""
    return [
        *head_lines(result),
        "",
        *arm_table(COPY_COST, result),
        "",
        *copy_findings.counters_lines(result),
        "",
        *_sentences(
            [
                copy_findings.main_sentence(result),
                copy_findings.bare_sentence(result),
                copy_findings.throughput_sentence(result),
                copy_findings.receiver_sentence(result),
            ]
        ),
    ]


def io_lines(result: ExperimentResult) -> list[str]:
    """The table and the sentences of an input/output result."""
    return [
        *head_lines(result),
        io_findings.device_sentence(result),
        "",
        *arm_table(IO_ORDER, result),
        "",
        *_sentences(
            [
                *io_findings.read_sentences(result),
                *io_findings.write_sentences(result),
                io_findings.slogan_sentence(result),
            ]
        ),
    ]


def log_lines(result: LogResult) -> list[str]:
    """The table and the sentences of a log result."""
    blocks = len({run.block for run in result.runs})
    head = ["batch", "Log.append GB/s", "bare loop GB/s", "share of bare", "A/A resolution", "limit"]
    summaries = summarize(result.runs)
    sentences = [*map(_log_sentence, summaries), *_pace_sentences(result.paces)]
    return [
        *_conditions(result.provenance, blocks, (), result.is_smoke),
        f"Batches that are in memory already, appended to a new file. Sync policy: {result.sync_policy}.",
        "",
        *table_lines([head, *(_log_row(result.runs, summary) for summary in summaries)]),
        "",
        *([SMOKE] if result.is_smoke else sentences),
    ]


def _conditions(found: Provenance, blocks: int, dropped: Sequence[int], is_smoke: bool) -> list[str]:
    lost = f", {len(dropped)} more dropped for stolen processor time" if dropped else ""
    kind = "SMOKE RUN, no finding: " if is_smoke else ""
    return [
        f"{kind}{blocks} blocks, every arm once in each, in random order{lost}. Medians [95 % intervals].",
        *condition_lines(found),
    ]


def _log_row(runs: Sequence[LogRun], summary: LogSummary) -> list[str]:
    rates = []
    for name in ("log", "bare"):
        chosen = [run for run in runs if run.arm == name and run.batch_size == summary.batch_size]
        rates.append(f"{median(run.throughput_bytes_per_s for run in chosen) / 1e9:.3g}")
        if name == "log":
            share = median(run.cpu_s / run.elapsed_s for run in chosen)
    return [
        size_text(summary.batch_size),
        *rates,
        cell(summary.share_of_bare),
        f"{summary.aa_resolution:.2f}x",
        "CPU" if share >= BUSY_SHARE else "none",
    ]


def _log_sentence(summary: LogSummary) -> str:
    return (
        f"Batches of {size_text(summary.batch_size)}: Log.append had {factor(summary.share_of_bare)} the "
        "throughput of a bare loop of CRC-32C and pwrite; "
        f"its best run took {number(summary.log_cpu_us_a_batch)} microseconds of CPU a batch, "
        f"the loop's {number(summary.bare_cpu_us_a_batch)}. "
        f"The bare loop run twice differed by up to {summary.aa_resolution:.2f} times."
    )


def _pace_sentences(paces: EnginePaces) -> list[str]:
    return [
        f"A random offset in a segment of {size_text(paces.segment_size)} was found in {number(paces.lookup_us)} "
        "microseconds.",
        *(
            f"Recovery checked batches of {size_text(pace.batch_size)} at {number(pace.bytes_per_s / 1e6)} MB/s; a "
            f"bare loop of pread and CRC-32C went at {number(pace.bare_bytes_per_s / 1e6)} MB/s."
            for pace in paces.recoveries
        ),
        f"Compaction went through records of {size_text(RECORD_SIZE)} at "
        f"{number(paces.compaction_bytes_per_s / 1e6)} MB/s, half of them kept.",
    ]


def _sentences(sentences: Sequence[str | Unavailable]) -> list[str]:
    return list(dict.fromkeys(map(str, sentences)))  # a smoke run says the same of everything


def to_json(result: Any) -> Json:
    """All of a result for programs: summaries, single runs, provenance."""
    return results.to_json(result) if isinstance(result, ExperimentResult) else result.to_json()


EXPERIMENTS: dict[str, tuple[Callable[..., Any], Callable[[Any], list[str]]]] = {
    "copy": (bench_copy, copy_lines),
    "io": (bench_io, io_lines),
    "log": (bench_log, log_lines),
}
"""By name: what runs it, and what says its result in lines; `to_json` says it all."""
