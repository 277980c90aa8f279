"""`kfast bench copy | io | log`: run one experiment and say what came out, as lines for people or as JSON.

A line of a table holds medians with their intervals, and what limited the arm; the sentences below it hold the ratios,
each beside the resolution, without which a ratio means nothing. What a smoke run measured is shown and called so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kfast.lab import copy_cost, copy_findings, io_findings, plans
from kfast.lab.copy_cost import COPY_COST
from kfast.lab.experiment import Options
from kfast.lab.experiment_findings import arm_table, head_lines, no_finding, resolution_sentence, sentences
from kfast.lab.experiment_result import ExperimentResult
from kfast.lab.experiment_run import ExperimentRun, Progress
from kfast.lab.io_experiment import IO_ORDER
from kfast.lab.io_session import SPEED
from kfast.lab.log_experiment import LOG_COST


def bench_copy(blocks: int | None, is_smoke: bool, progress: Progress | None = None) -> ExperimentResult:
    """Copy mode x chunk size, at the largest chunk with a receiver that discards too; a bare loop, and an A/A pair."""
    return plans.zero_copy_run(copy_cost.CHUNK_SIZES, Options(is_smoke, blocks)).run(progress)


def bench_io(blocks: int | None, is_smoke: bool, progress: Progress | None = None) -> ExperimentResult:
    """In order and at random: cold reads, writes under three sync policies; and an A/A pair."""
    return ExperimentRun(IO_ORDER, Options(is_smoke, blocks)).run(progress)


def bench_log(blocks: int | None, is_smoke: bool, progress: Progress | None = None) -> ExperimentResult:
    """Append, look-up and recovery, each beside a loop that does no more than it must, which runs twice; compaction."""
    return ExperimentRun(LOG_COST, Options(is_smoke, blocks)).run(progress)


def copy_lines(result: ExperimentResult) -> list[str]:
    """The table and the sentences of a copy result."""
    return [
        *head_lines(result),
        "",
        *arm_table(COPY_COST, result),
        "",
        *copy_findings.counters_lines(result),
        "",
        *_distinct(
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
        *_distinct(
            [
                *io_findings.read_sentences(result),
                *io_findings.write_sentences(result),
                io_findings.slogan_sentence(result),
            ]
        ),
    ]


def log_lines(result: ExperimentResult) -> list[str]:
    """The table and the sentences of a log result."""
    found = sentences(result)
    return [
        *head_lines(result),
        "",
        *arm_table(LOG_COST, result),
        "",
        *(found if no_finding(result) else [*found, resolution_sentence(result, SPEED)]),
    ]


def _distinct(found: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(found))  # a smoke run says the same of everything


EXPERIMENTS: dict[str, tuple[Callable[..., ExperimentResult], Callable[[ExperimentResult], list[str]]]] = {
    "copy": (bench_copy, copy_lines),
    "io": (bench_io, io_lines),
    "log": (bench_log, log_lines),
}
"""By name: what runs it, and what says its result in lines; `results.to_json` says it all."""
