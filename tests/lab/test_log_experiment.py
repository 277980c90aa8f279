"""Arms and comparisons exactly; the smoke form once, for its structure and what is counted alike on any machine."""

import pytest

from kfast.lab.experiment import Options
from kfast.lab.experiment_run import ExperimentRun
from kfast.lab.io_session import CPU_A_BLOCK, LOOKUP_US, MOVED, SPEED
from kfast.lab.log_experiment import (
    BARE,
    BATCH_SIZES,
    COMPACT,
    LOG,
    LOG_COST,
    LOOK_UP,
    MAX_BATCHES_A_RUN,
    PREAD,
    RECOVER,
    RECOVERY_BATCH_SIZES,
    RUN_SIZE,
    SCAN,
    SEGMENT_SIZE,
    SMOKE_RUN_SIZE,
    log_arm,
    log_arms,
    log_comparisons,
    lookup_arm,
)
from kfast.lab.unavailable import Unavailable


@pytest.fixture(scope="module")
def result():
    return ExperimentRun(LOG_COST, Options(is_smoke=True)).run()


def runs_of(result, *operations):
    return [run for run in result.runs if run.arm["operation"] in operations]


def test_an_arm_says_who_does_what_and_how_much():
    assert str(log_arm(LOG, 16 << 10)) == "Log.append, 16 KiB batches"
    assert str(log_arm(BARE, 1 << 20)) == "a bare loop of CRC-32C and pwrite, 1 MiB batches"
    assert log_arm(LOG, 1 << 10)["size"] == MAX_BATCHES_A_RUN << 10
    assert log_arm(LOG, 1 << 20)["size"] == RUN_SIZE
    assert str(lookup_arm(LOOK_UP)) == "look-up of a random offset in a segment of 1 GiB, 4 KiB batches"
    assert lookup_arm(LOOK_UP)["size"] == SEGMENT_SIZE


def test_for_each_thing_the_log_does_there_is_the_loop_and_the_loop_again():
    arms = log_arms(RUN_SIZE)
    assert len(set(arms)) == len(arms) == 3 * (len(BATCH_SIZES) + 1 + len(RECOVERY_BATCH_SIZES)) + 1
    operations = [arm["operation"] for arm in arms]
    for log, bare in ((LOG, BARE), (LOOK_UP, PREAD), (RECOVER, SCAN)):
        assert operations.count(bare) == 2 * operations.count(log)
    assert operations.count(COMPACT) == 1
    assert {arm["operation"] for arm in arms if arm.replicate} == {BARE, PREAD, SCAN}


def test_the_log_is_held_against_the_loop_that_does_the_same():
    comparisons = log_comparisons(RUN_SIZE)
    assert comparisons[0].words == "1 KiB batches: Log.append over a bare loop of CRC-32C and pwrite, MB/s"
    assert [one.measure for one in comparisons] == [SPEED] * 3 + [CPU_A_BLOCK] * 3 + [LOOKUP_US] + [SPEED] * 2
    for one in comparisons:
        assert {**dict(one.over.factors), "operation": one.under["operation"]} == dict(one.under.factors)


def test_both_append_the_same_bytes_and_sync_nothing(result):
    assert {run.arm for run in result.runs} == set(result.arms)
    for size in BATCH_SIZES:
        runs = [run for run in runs_of(result, LOG, BARE) if run.arm["block_size"] == size]
        (moved,) = {run.value(MOVED) for run in runs}
        assert moved == pytest.approx(SMOKE_RUN_SIZE, rel=0.01)
        assert {run.value("file_syncs_per_mib") for run in runs} == {0}


def test_both_check_the_same_bytes(result):
    for size in RECOVERY_BATCH_SIZES:
        runs = [run for run in runs_of(result, RECOVER, SCAN) if run.arm["block_size"] == size]
        (moved,) = {run.value(MOVED) for run in runs}
        assert moved == pytest.approx(runs[0].arm["size"], rel=0.01)


def test_what_is_compacted_counts_once(result):
    for run in runs_of(result, COMPACT):
        assert run.value(MOVED) == pytest.approx(run.arm["size"], rel=0.02)


def test_a_look_up_has_a_time_of_its_own_and_no_speed(result):
    looked_up = runs_of(result, LOOK_UP, PREAD)
    assert all(run.value(LOOKUP_US) > 0 for run in looked_up)
    assert all(isinstance(run.value(SPEED), Unavailable) for run in looked_up)
    others = [run for run in result.runs if run not in looked_up]
    assert all(isinstance(run.value(LOOKUP_US), Unavailable) for run in others)


def test_the_conditions_name_the_sync_policy(result):
    assert result.conditions["sync policy"].startswith("none")
    assert result.conditions["file size"].startswith("new in each run: 4 MiB")
