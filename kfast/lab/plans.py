"""Which experiments the notebooks run, and how large: in full, or as a smoke run where KFAST_FAST is 1.

A smoke run shows that everything works. It is marked as one, and nothing it measured is drawn as a finding.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from kfast.lab.copy_experiment import CopyArm, CopyExperiment, copy_arms
from kfast.lab.copy_sender import BARE_SENDFILE
from kfast.lab.io_experiment import MIB, IoExperiment, io_arms
from kfast.lab.io_worker import NO_SYNC, SYNC_AT_END
from kfast.lab.provenance import last_level_cache_size
from kfast.lab.unavailable import Unavailable
from kfast.transfer.modes import COPY_MODES

CHUNK_SIZES = (4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20)
SMOKE_CHUNK_SIZES = (4 << 10, 1 << 20)
BLOCK_SIZES = (4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20)
SYNC_POLICIES = (NO_SYNC, SYNC_AT_END, MIB)
SMOKE_BLOCK_COUNT = 2

SMALL_WORKING_SET = MIB  # no more than a processor's own caches
MAX_WORKING_SET = 512 << 20  # an upper bound for what a reader's disk and patience shall bear


def is_fast() -> bool:
    """Whether smoke runs are asked for, as the tests of the notebooks do."""
    return os.environ.get("KFAST_FAST") == "1"


def zero_copy_experiment(seed: int) -> CopyExperiment:
    """Copy mode x chunk size; at the largest chunk also with a receiver that discards."""
    chunk_sizes = SMOKE_CHUNK_SIZES if is_fast() else CHUNK_SIZES
    working_set_size = 4 * MIB if is_fast() else 64 * MIB
    arms = zero_copy_arms(chunk_sizes, working_set_size)
    if is_fast():
        return CopyExperiment(arms, SMOKE_BLOCK_COUNT, run_size=4 * MIB, seed=seed, is_smoke=True)
    return CopyExperiment(arms, seed=seed)


def zero_copy_arms(chunk_sizes: Sequence[int], working_set_size: int) -> list[CopyArm]:
    """Every mode in every chunk size; in the largest also with a receiver that discards; a bare loop, an A/A pair."""
    arms = copy_arms(chunk_sizes=chunk_sizes, working_set_sizes=[working_set_size])
    return arms + [CopyArm(mode, max(chunk_sizes), working_set_size, is_discarded=True) for mode in COPY_MODES]


def working_set_experiment(seed: int) -> CopyExperiment:
    """read+send and sendfile on what fits the processor's caches and on what does not, in 1 MiB chunks."""
    sizes = (SMALL_WORKING_SET, large_working_set())
    arms = [arm for arm in copy_arms(["read_send", "sendfile"], [1 << 20], sizes) if arm.copy_mode != BARE_SENDFILE]
    if is_fast():
        return CopyExperiment(arms, SMOKE_BLOCK_COUNT, run_size=sizes[1], seed=seed, is_smoke=True)
    # Each run goes through the large set twice at least, or would find in the cache what the last one left there.
    return CopyExperiment(arms, 20, run_size=max(256 * MIB, sizes[1]), seed=seed)


def large_working_set() -> int:
    """Twice the last-level cache as announced, at most MAX_WORKING_SET; in a smoke run no more than shows the way."""
    cache_size = last_level_cache_size()
    if is_fast() or isinstance(cache_size, Unavailable):
        return 8 * MIB if is_fast() else 256 * MIB
    return min(MAX_WORKING_SET, max(64 * MIB, 2 * cache_size))


def sequential_experiment(seed: int) -> IoExperiment:
    """Cold reads and writes under three sync policies, in order and at random."""
    if is_fast():
        arms = io_arms(BLOCK_SIZES[::4], sync_policies=SYNC_POLICIES)
        return IoExperiment(arms, SMOKE_BLOCK_COUNT, file_size=2 * MIB, seed=seed, is_smoke=True)
    return IoExperiment(io_arms(BLOCK_SIZES, sync_policies=SYNC_POLICIES), file_size=32 * MIB, seed=seed)


def block_size_experiment(block_size: int, seed: int) -> IoExperiment:
    """Once in order and once at random, both cold: what one move of the slider measures."""
    arms = io_arms([block_size], sync_policies=())[:-1]  # without the twin
    return IoExperiment(arms, 1, file_size=(2 if is_fast() else 16) * MIB, seed=seed, is_smoke=True)
