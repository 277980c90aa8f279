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
from kfast.lab import copy_experiment, copy_findings, io_experiment, io_findings, log_experiment, plans
from kfast.lab.conditions import condition_lines
from kfast.lab.copy_experiment import CopyExperiment, CopyResult, CopySummary
from kfast.lab.io_experiment import IoExperiment, IoResult, IoSummary, io_arms
from kfast.lab.lab_directory import lab_parent
from kfast.lab.log_experiment import LogRun, LogSummary, run_log_experiment, summarize
from kfast.lab.memory import TouchedMemory
from kfast.lab.prediction import SMOKE, factor, number
from kfast.lab.provenance import Provenance, provenance
from kfast.lab.results import as_json
from kfast.lab.sizes import size_text
from kfast.lab.summary import BUSY_SHARE, Interval
from kfast.lab.unavailable import Unavailable

SMOKE_SIZE = 4 << 20

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class LogResult:
    """The runs of the log experiment, which are a list, with what the other experiments' results hold as well."""

    runs: Sequence[LogRun]
    provenance: Provenance
    sync_policy: str
    is_smoke: bool

    def to_json(self) -> Json:
        found: Json = as_json(self)
        found["summaries"] = as_json(summarize(self.runs))
        return found


def bench_copy(block_count: int | None, is_smoke: bool, progress: Progress | None = None) -> CopyResult:
    """Copy mode x chunk size, at the largest chunk with a receiver that discards too; a bare loop, and an A/A pair."""
    chunk_sizes = plans.SMOKE_CHUNK_SIZES if is_smoke else copy_experiment.CHUNK_SIZES
    working_set_size = SMOKE_SIZE if is_smoke else copy_experiment.WORKING_SET_SIZE
    arms = plans.zero_copy_arms(chunk_sizes, working_set_size)
    run_size = SMOKE_SIZE if is_smoke else copy_experiment.RUN_SIZE
    blocks = _block_count(block_count, is_smoke, copy_experiment.BLOCK_COUNT)
    return CopyExperiment(arms, blocks, run_size=run_size, is_smoke=is_smoke).run(progress)


def bench_io(block_count: int | None, is_smoke: bool, progress: Progress | None = None) -> IoResult:
    """In order and at random: cold reads, writes under three sync policies; and an A/A pair."""
    arms = io_arms(io_experiment.BLOCK_SIZES[::4]) if is_smoke else io_arms()
    blocks = _block_count(block_count, is_smoke, io_experiment.BLOCK_COUNT)
    size = SMOKE_SIZE if is_smoke else io_experiment.FILE_SIZE
    return IoExperiment(arms, blocks, file_size=size, is_smoke=is_smoke).run(progress)


def bench_log(block_count: int | None, is_smoke: bool, progress: Progress | None = None) -> LogResult:
    """`Log.append` beside a loop of CRC-32C and pwrite; and an A/A pair."""
    run_size = SMOKE_SIZE if is_smoke else log_experiment.RUN_SIZE
    found = provenance(lab_parent(), TouchedMemory(run_size))
    blocks = _block_count(block_count, is_smoke, log_experiment.BLOCK_COUNT)
    runs = run_log_experiment(block_count=blocks, run_size=run_size, progress=progress)
    return LogResult(runs, found, log_experiment.SYNC_POLICY, is_smoke)


def copy_lines(result: CopyResult) -> list[str]:
    """The table and the sentences of a copy result."""
    blocks = copy_findings.counted_blocks(result)
    head = ["copy mode", "chunk", "receiver", "sender CPU s/GB", "receiver CPU s/GB", "GB/s", "limit"]
    rows = [_copy_row(summary) for summary in result.summaries()]
    return [
        *_conditions(result.provenance, blocks, result.dropped_blocks, result.is_smoke),
        f"Warm file, working set {size_text(result.arms[0].working_set_size)}, {size_text(result.run_size)} a run in "
        f"fetches of {size_text(result.fetch_size)}, loopback TCP, congestion control {result.congestion_control}.",
        "",
        *_table(head, rows),
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


def io_lines(result: IoResult) -> list[str]:
    """The table and the sentences of an input/output result."""
    head = ["", "block", "order", "sync policy / cache", "MB/s", "device requests/MiB", "limit"]
    blocks = io_findings.counted_blocks(result)
    return [
        *_conditions(result.provenance, blocks, result.dropped_blocks, result.is_smoke),
        f"A file of {size_text(result.file_size)}, each block once; one thread, one request at a time.",
        io_findings.device_sentence(result),
        "",
        *_table(head, [_io_row(summary) for summary in result.summaries()]),
        *(f"skipped: {arm}: {reason.reason}" for arm, reason in result.skipped),
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
    sentences = [SMOKE] if result.is_smoke else [_log_sentence(summary) for summary in summaries]
    return [
        *_conditions(result.provenance, blocks, (), result.is_smoke),
        f"Batches that are in memory already, appended to a new file. Sync policy: {result.sync_policy}.",
        "",
        *_table(head, [_log_row(result.runs, summary) for summary in summaries]),
        "",
        *sentences,
    ]


def _block_count(asked: int | None, is_smoke: bool, usual: int) -> int:
    if asked is not None and asked < 1:
        raise ValueError(f"an experiment has at least 1 block, not {asked}")
    return asked or (plans.SMOKE_BLOCK_COUNT if is_smoke else usual)


def _conditions(found: Provenance, blocks: int, dropped: Sequence[int], is_smoke: bool) -> list[str]:
    lost = f", {len(dropped)} more dropped for stolen processor time" if dropped else ""
    kind = "SMOKE RUN, no finding: " if is_smoke else ""
    return [
        f"{kind}{blocks} blocks, every arm once in each, in random order{lost}. Medians [95 % intervals].",
        *condition_lines(found),
    ]


def _copy_row(summary: CopySummary) -> list[str]:
    arm = summary.arm
    label = copy_findings.ARM_LABELS[arm.copy_mode] + (" again (A/A)" if arm.replicate else "")
    return [
        label,
        size_text(arm.chunk_size),
        "discards" if arm.is_discarded else "copies",
        _cell(summary.sender_cpu_s_per_gb),
        _cell(summary.receiver_cpu_s_per_gb),
        _cell(summary.throughput_bytes_per_s, 1e9),
        summary.limited_by,
    ]


def _io_row(summary: IoSummary) -> list[str]:
    arm = summary.arm
    return [
        arm.operation + (" again (A/A)" if arm.replicate else ""),
        size_text(arm.block_size),
        arm.order,
        arm.condition,
        _cell(summary.throughput_bytes_per_s, 1e6),
        _cell(summary.device_requests_per_mib),
        io_findings.limited_by(summary),
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
        _cell(summary.share_of_bare),
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


def _cell(values: Interval | Unavailable, unit: float = 1.0) -> str:
    if isinstance(values, Unavailable):
        return str(values)
    middle, low, high = (number(value / unit) for value in (values.median, values.low, values.high))
    return f"{middle} [{low}, {high}]"


def _sentences(sentences: Sequence[str | Unavailable]) -> list[str]:
    return list(dict.fromkeys(map(str, sentences)))  # a smoke run says the same of everything


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    ]


EXPERIMENTS: dict[str, tuple[Callable[..., Any], Callable[[Any], list[str]]]] = {
    "copy": (bench_copy, copy_lines),
    "io": (bench_io, io_lines),
    "log": (bench_log, log_lines),
}
"""By name: what runs it, and what says its result in lines; `to_json` of a result says it all."""
