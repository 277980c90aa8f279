"""Structure, and what is true on any machine; speeds are not tested."""

import pytest

from kfast.lab.experiment import Options
from kfast.lab.experiment_run import ExperimentRun
from kfast.lab.io_experiment import (
    IO_ORDER,
    MIB,
    SMOKE_FILE_SIZE,
    at_random,
    condition,
    io_arms,
    order_comparison,
    read_arm,
    write_arm,
)
from kfast.lab.io_work import NO_SYNC, SYNC_AT_END
from kfast.lab.io_worker import AT_RANDOM, COLD, IN_ORDER, WARM
from kfast.lab.unavailable import Unavailable

BLOCK_SIZES = (16 << 10, 256 << 10)


@pytest.fixture(scope="module")
def result():
    return ExperimentRun(IO_ORDER, Options(is_smoke=True)).run()


def counted(runs, name):
    return [value for run in runs if not isinstance(value := run.value(name), Unavailable)]


def test_the_arms_are_pairs_that_differ_in_order_alone_and_a_twin():
    *arms, twin = io_arms(BLOCK_SIZES, sync_policies=(NO_SYNC,))
    assert len(arms) == 2 * 2 + 2 * 2
    in_order = [arm for arm in arms if arm["order"] == IN_ORDER]
    assert {at_random(arm) for arm in in_order} == set(arms) - set(in_order)
    assert twin == read_arm(IN_ORDER, BLOCK_SIZES[1]).again()


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        (read_arm(IN_ORDER, 4096), "read in order, 4 KiB blocks, cold"),
        (read_arm(AT_RANDOM, MIB, WARM), "read at random, 1 MiB blocks, warm"),
        (read_arm(AT_RANDOM, 4096, advice="random"), "read at random, 4 KiB blocks, cold, advice random"),
        (read_arm(AT_RANDOM, 4096, threads=16), "read at random, 4 KiB blocks, cold, 16 threads"),
        (write_arm(IN_ORDER, 4096), "write in order, 4 KiB blocks, no sync: page cache only"),
        (write_arm(IN_ORDER, 4096, SYNC_AT_END), "write in order, 4 KiB blocks, fdatasync at the end"),
        (write_arm(IN_ORDER, 4096, MIB), "write in order, 4 KiB blocks, fdatasync every 1 MiB"),
    ],
)
def test_an_arm_names_its_order_its_block_and_its_condition(arm, words):
    assert str(arm) == words


def test_a_comparison_is_of_arms_that_differ_in_order_alone():
    found = order_comparison(write_arm(IN_ORDER, 4096, SYNC_AT_END))
    assert (found.over["order"], found.under["order"]) == (IN_ORDER, AT_RANDOM)
    assert condition(found.over) == condition(found.under) == "fdatasync at the end"
    assert found.words == "writes of 4 KiB, fdatasync at the end: in order over at random, MB/s"


def test_the_full_form_compares_every_pair_and_a_smoke_form_some():
    full, smoke = (IO_ORDER.plan(Options(is_smoke=is_smoke)) for is_smoke in (False, True))
    assert len(full.comparisons) * 2 + 1 == len(full.arms)
    assert 0 < len(smoke.arms) < len(full.arms)
    assert (full.warms_up, smoke.warms_up) == (True, False)


def test_every_arm_ran_in_every_block_or_says_why_not(result):
    skipped = {arm for arm, reason in result.skipped if reason.reason}
    for block in (0, 1):
        assert {run.arm for run in result.runs if run.block == block} == set(result.arms) - skipped


def test_every_arm_moved_the_same_bytes(result):
    assert {run.value("moved_bytes") for run in result.runs} == {SMOKE_FILE_SIZE}


def test_cold_reads_began_with_nothing_cached_and_needed_the_device(result):
    cold = [run for run in result.runs if run.arm["operation"] == "read" and run.arm["cache"] == COLD]
    assert not any(run.value("cached_share_before") for run in cold)
    assert all(size >= SMOKE_FILE_SIZE for size in counted(cold, "process_device_read_bytes"))


def test_a_synced_write_left_nothing_dirty(result):
    synced = [run for run in result.runs if run.arm["operation"] == "write" and run.arm["sync_bytes"]]
    assert not any(counted(synced, "dirty_share_after"))
