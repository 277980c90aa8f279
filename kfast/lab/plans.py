"""Which experiments the notebooks run, and how large: in full, or as a smoke run where KFAST_FAST is 1.

A smoke run shows that everything works. It is marked as one, and nothing it measured is drawn as a finding.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from kfast.lab.copy_cost import (
    COPY_COST,
    SMALL_WORKING_SET,
    SMOKE_WORKING_SETS,
    WORKING_SET_SIZE,
    copy_arms,
    copy_plan,
    large_working_set,
    working_set_arms,
)
from kfast.lab.experiment import Arm, Options
from kfast.lab.experiment_run import ExperimentRun
from kfast.lab.io_experiment import IO_ORDER, MIB, ORDERS, io_plan, read_arm
from kfast.lab.zero_copy_proof import ZERO_COPY_PROOF

CHUNK_SIZES = (4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20)
COPY_RUN_SIZE = 128 * MIB


def is_fast() -> bool:
    """Whether smoke runs are asked for, as the tests of the notebooks do."""
    return os.environ.get("KFAST_FAST") == "1"


def canary_experiment(seed: int) -> ExperimentRun:
    """The canary, again and again. What it counts needs no more than a smoke run."""
    return ExperimentRun(ZERO_COPY_PROOF, Options(is_smoke=True), seed)


def zero_copy_experiment(seed: int) -> ExperimentRun:
    """Copy mode x chunk size; at the largest chunk also with a receiver that discards."""
    return zero_copy_run(CHUNK_SIZES, Options(is_smoke=is_fast()), seed)


def zero_copy_run(chunk_sizes: Sequence[int], options: Options, seed: int | None = None) -> ExperimentRun:
    """E2 in a minute: one working set, and runs that are short."""
    if options.is_smoke:
        return ExperimentRun(COPY_COST, options, seed)
    return _copy_run(copy_arms(chunk_sizes, WORKING_SET_SIZE, chunk_sizes[-1:]), COPY_RUN_SIZE, options, seed)


def working_set_experiment(seed: int) -> ExperimentRun:
    """read+send and sendfile on what fits the processor's caches and on what does not, in 1 MiB chunks."""
    options = Options(is_smoke=is_fast())
    sizes = SMOKE_WORKING_SETS if options.is_smoke else (SMALL_WORKING_SET, large_working_set())
    arms = working_set_arms(sizes)
    # Each run goes through the large set once at least, or it would hardly leave the cache.
    run_size = sizes[1] if options.is_smoke else max(2 * COPY_RUN_SIZE, sizes[1])
    return _copy_run([*arms, arms[1].again()], run_size, options, seed)


def _copy_run(arms: Sequence[Arm], run_size: int, options: Options, seed: int | None) -> ExperimentRun:
    return ExperimentRun(replace(COPY_COST, plan=lambda given: copy_plan(arms, run_size, given)), options, seed)


def sequential_experiment(seed: int) -> ExperimentRun:
    """Cold reads and writes under three sync policies, in order and at random."""
    return ExperimentRun(IO_ORDER, Options(is_smoke=is_fast()), seed)


def block_size_experiment(block_size: int, seed: int) -> ExperimentRun:
    """Once in order and once at random, both cold: what one move of the slider measures."""
    arms = [read_arm(order, block_size) for order in ORDERS]
    file_size = (2 if is_fast() else 16) * MIB
    one_pair = replace(IO_ORDER, plan=lambda options: io_plan(options, arms, [], file_size, 0.05, {}))
    return ExperimentRun(one_pair, Options(is_smoke=True, block_count=1), seed)
