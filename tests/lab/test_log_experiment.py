"""Arms and comparisons exactly; the smoke form once, for its structure and what is counted alike on any machine."""

import pytest

from kfast.lab.experiment import Options
from kfast.lab.experiment_run import ExperimentRun
from kfast.lab.log_experiment import (
    BARE,
    BATCH_SIZES,
    LOG,
    LOG_COST,
    MAX_BATCHES_A_RUN,
    RUN_SIZE,
    SMOKE_RUN_SIZE,
    log_arm,
    log_arms,
    log_comparisons,
)


@pytest.fixture(scope="module")
def result():
    return ExperimentRun(LOG_COST, Options(is_smoke=True)).run()


def test_an_arm_says_who_writes_and_how_much():
    assert str(log_arm(LOG, 16 << 10)) == "Log.append, 16 KiB batches"
    assert str(log_arm(BARE, 1 << 20)) == "a bare loop of CRC-32C and pwrite, 1 MiB batches"
    assert log_arm(LOG, 1 << 10)["size"] == MAX_BATCHES_A_RUN << 10
    assert log_arm(LOG, 1 << 20)["size"] == RUN_SIZE


def test_for_each_batch_size_there_is_the_log_the_loop_and_the_loop_again():
    arms = log_arms(RUN_SIZE)
    assert len(set(arms)) == len(arms) == 3 * 3
    for size in BATCH_SIZES:
        assert {log_arm(LOG, size), log_arm(BARE, size), log_arm(BARE, size).again()} <= set(arms)


def test_the_log_is_held_against_the_loop_by_its_speed_and_its_cpu():
    comparisons = log_comparisons(RUN_SIZE)
    assert comparisons[0].words == "1 KiB batches: Log.append over a bare loop of CRC-32C and pwrite, MB/s"
    assert len(comparisons) == 2 * len(BATCH_SIZES)
    for one in comparisons:
        assert {**dict(one.over.factors), "operation": BARE} == dict(one.under.factors)


def test_both_write_the_same_bytes_and_sync_nothing(result):
    assert {run.arm for run in result.runs} == set(result.arms)
    for size in BATCH_SIZES:
        runs = [run for run in result.runs if run.arm["block_size"] == size]
        (moved,) = {run.value("moved_bytes") for run in runs}
        assert moved == pytest.approx(SMOKE_RUN_SIZE, rel=0.01)
        assert {run.value("file_syncs_per_mib") for run in runs} == {0}


def test_the_conditions_name_the_sync_policy(result):
    assert result.conditions["sync policy"].startswith("none")
    assert result.conditions["file size"].startswith("new in each run: 4 MiB")
