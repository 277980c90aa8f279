from dataclasses import replace

import pytest

from kfast.lab.crash_cost import (
    CRASH_COST,
    CUT,
    ELAPSED,
    LOST,
    TORN,
    CrashSession,
    crash_arm,
    crash_arms,
    is_killed,
    kill_sentences,
    killed_arm,
)
from kfast.lab.experiment import Options
from kfast.lab.experiment_findings import report_lines
from kfast.lab.experiment_run import ExperimentRun


def test_an_arm_says_what_it_is():
    assert crash_arm(64 << 20, flushed_share=0.5).name == "64 MiB, 64 KiB batches, 50% flushed"
    assert crash_arm(64 << 20, 1 << 10, is_torn=False).name == "64 MiB, 1 KiB batches, clean stop"
    assert killed_arm(64 << 20, 1 << 20).name == "64 MiB, 1 MiB batches, writer killed"


def test_the_full_form_varies_one_thing_at_a_time():
    arms = crash_arms(is_smoke=False)
    assert {arm["flushed_share"] for arm in arms} == {0.0, 0.5, 1.0}
    assert {arm["batch_size"] for arm in arms} == {1 << 10, 64 << 10, 1 << 20}
    assert {arm["batch_size"] for arm in arms if is_killed(arm)} == {64 << 10, 1 << 20}
    plan = CRASH_COST.plan(Options())
    assert plan.run_count * plan.run_s < 150
    twice = {replace(arm, replicate=0) for arm in arms if arm.replicate}
    assert all(twice & {one.over, one.under} for one in plan.comparisons)


@pytest.fixture(scope="module")
def smoke_result():
    run = ExperimentRun(CRASH_COST, Options(is_smoke=True))
    return run.result([one for block in run.blocks() for one in block])


def test_the_tear_is_cut_and_no_whole_batch_is_lost(smoke_result):
    for run in smoke_result.runs:
        assert run.value(LOST) == 0, run.arm
        assert run.value(TORN) == 0, run.arm
        assert run.value(ELAPSED) > 0
        if not is_killed(run.arm):
            assert run.value(CUT) == (32 << 10 if run.arm["is_torn"] else 0)


def test_a_killed_writer_is_among_the_smoke_runs(smoke_result):
    killed = [run for run in smoke_result.runs if is_killed(run.arm)]
    assert len(killed) == 2
    assert all(0 <= run.value(CUT) < 2 << 20 for run in killed)
    (sentence,) = kill_sentences(smoke_result)
    assert sentence.startswith("2 writers were killed: ")
    assert sentence.endswith("; 0 acknowledged batches were lost.")
    assert sentence in report_lines(CRASH_COST, smoke_result)


def test_nothing_is_left_behind(tmp_path):
    arm = killed_arm(8 << 20, 1 << 20)

    def interrupted():
        with CrashSession(tmp_path, [arm]) as session:
            session.run(arm)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []
