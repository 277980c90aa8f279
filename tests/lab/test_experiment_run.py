from dataclasses import replace

import pytest

from kfast.child_process import ChildError
from kfast.lab.experiment import Arm, Options
from kfast.lab.experiment_run import EndedEarlyError, ExperimentRun, run_to_file
from kfast.lab.results import as_json, load_result
from kfast.lab.study import Study


def test_every_block_has_every_arm_once_in_an_order_of_its_own(fake_experiment, fake_session):
    run = ExperimentRun(fake_experiment(), Options(block_count=20), seed=1)
    blocks = list(run.blocks())
    assert [{one.arm for one in block} for block in blocks] == [set(run.plan.arms)] * 20
    assert len({tuple(one.arm for one in block) for block in blocks}) > 1
    assert len(fake_session.arms) == 3 * 21, "once through all arms before the first block"
    assert fake_session.is_closed


def test_a_plan_may_have_a_session_of_its_own_for_each_block(fake_experiment, fake_session):
    run = ExperimentRun(fake_experiment(), Options(block_count=3))
    opened = []
    run.plan = replace(run.plan, reopens=True, open_session=lambda directory: opened.append(directory) or fake_session)
    result = run.run()
    assert len(opened) == 3
    assert len(fake_session.arms) == 3 * 4 + 2, "blocks and warm-up, and one run that does not count after reopening"
    assert len(result.runs) == 3 * 3
    assert result.conditions["session"].endswith("made anew for each block")


def test_the_seed_decides_on_the_order(fake_experiment):
    first, second = (
        [one.arm for block in ExperimentRun(fake_experiment(), seed=3).blocks() for one in block] for _ in range(2)
    )
    assert first == second


def test_a_smoke_run_is_short_and_marked(fake_experiment, fake_session):
    run = ExperimentRun(fake_experiment(), Options(is_smoke=True))
    result = run.result([one for block in run.blocks() for one in block])
    assert result.is_smoke
    assert len(fake_session.arms) == 3 * 2


def test_an_arm_that_cannot_be_run_is_left_out_with_its_reason(fake_experiment, fake_session):
    arm = Arm.of("none", size=1)
    run = ExperimentRun(fake_experiment(arm))
    result = run.result([one for block in run.blocks() for one in block])
    assert [(skipped, reason.reason) for skipped, reason in result.skipped] == [(arm, "there is none here")]
    assert fake_session.arms.count(arm) == 1
    assert str(result.summary(arm, "records_per_s")) == "unavailable: there is none here"


def test_progress_is_told_of_every_run(fake_experiment):
    told = []
    run = ExperimentRun(fake_experiment(), Options(is_smoke=True))
    list(run.blocks(lambda *progress: told.append(progress)))
    assert [done for done, _, _ in told] == list(range(1, 7))
    assert {total for _, total, _ in told} == {run.plan.run_count} == {6}


def test_all_blocks_at_once_kept_in_no_file(fake_experiment):
    told = []
    result = ExperimentRun(fake_experiment()).run(lambda *progress: told.append(progress))
    assert {run.block for run in result.runs} == set(range(4))
    assert told[-1][0] == told[-1][1]


def test_blocks_are_kept_as_they_are_complete(fake_experiment, tmp_path):
    result, path = run_to_file(ExperimentRun(fake_experiment()), tmp_path)
    assert as_json(load_result(path)) == as_json(result)
    assert {run.block for run in result.runs} == set(range(4))


def test_ctrl_c_keeps_the_blocks_that_are_complete(fake_experiment, fake_session, tmp_path):
    def interrupt_in_the_third_block(done, total, words):
        if done == 3 * 3 + 1:  # the warm-up and two blocks are through
            raise KeyboardInterrupt

    result, path = run_to_file(ExperimentRun(fake_experiment()), tmp_path, interrupt_in_the_third_block)
    assert {run.block for run in result.runs} == {0, 1} == {run.block for run in load_result(path).runs}
    assert fake_session.is_closed


def test_ctrl_c_before_the_first_block_keeps_nothing(fake_experiment, fake_session, tmp_path):
    def interrupt(*progress):
        raise KeyboardInterrupt

    assert run_to_file(ExperimentRun(fake_experiment()), tmp_path, interrupt) is None
    assert list(tmp_path.iterdir()) == []
    assert fake_session.is_closed


def test_an_error_closes_the_session_and_is_told(fake_experiment, fake_session, tmp_path):
    fake_session.run = lambda arm: 1 / 0
    with pytest.raises(ZeroDivisionError):
        run_to_file(ExperimentRun(fake_experiment()), tmp_path)
    assert fake_session.is_closed


def test_an_error_in_a_later_block_says_where_the_others_are_kept(fake_experiment, fake_session, tmp_path):
    def fail_in_the_third_block(done, total, words):
        if done == 3 * 3 + 1:
            raise ChildError("the worker is gone")

    with pytest.raises(EndedEarlyError, match="the worker is gone; the 2 blocks before it are kept in") as failed:
        run_to_file(ExperimentRun(fake_experiment()), tmp_path, fail_in_the_third_block)
    (path,) = tmp_path.iterdir()
    assert str(path) in str(failed.value)
    assert {run.block for run in load_result(path).runs} == {0, 1}
    assert fake_session.is_closed


def test_a_result_says_how_many_blocks_were_planned(fake_experiment):
    run = ExperimentRun(fake_experiment(), Options(block_count=20))
    blocks = run.blocks()
    result = run.result(next(blocks))
    blocks.close()
    assert result.conditions == {"sync policy": "none", "blocks planned": "20"}


def test_a_study_runs_it_in_the_background(fake_experiment):
    study = Study(ExperimentRun(fake_experiment()))
    study.start()
    assert study.wait(10)
    assert study.result().block_count == 4
