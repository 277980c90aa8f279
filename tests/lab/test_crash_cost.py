import pytest

from kfast.lab.crash_cost import CRASH_COST, ELAPSED, LOST, TORN, crash_arm, crash_arms
from kfast.lab.experiment import Options
from kfast.lab.experiment_run import ExperimentRun


def test_an_arm_says_what_it_is():
    assert crash_arm(64 << 20, flushed_share=0.5).name == "64 MiB, 64 KiB batches, 50% flushed"
    assert crash_arm(64 << 20, 1 << 10, is_torn=False).name == "64 MiB, 1 KiB batches, clean stop"


def test_the_full_form_varies_one_thing_at_a_time():
    arms = crash_arms(is_smoke=False)
    assert {arm["flushed_share"] for arm in arms} == {0.0, 0.5, 1.0}
    assert {arm["batch_size"] for arm in arms} == {1 << 10, 64 << 10, 1 << 20}


@pytest.fixture(scope="module")
def smoke_result():
    run = ExperimentRun(CRASH_COST, Options(is_smoke=True))
    return run.result([one for block in run.blocks() for one in block])


def test_the_tear_is_cut_and_no_whole_batch_is_lost(smoke_result):
    for run in smoke_result.runs:
        assert run.value(LOST) == 0, run.arm
        assert run.value(TORN) == 0, run.arm
        assert run.value(ELAPSED) > 0
