import threading

import pytest

from kfast.lab.study import NothingMeasuredError, Study

WAIT_S = 10.0


class Counting:
    """An experiment of two runs a block; each block waits until it is let through."""

    def __init__(self, block_count=3, error=None):
        self.block_count, self.error = block_count, error
        self.may_go_on = threading.Semaphore(0)
        self.is_closed = False

    def blocks(self, progress=None):
        try:
            for block in range(self.block_count):
                assert self.may_go_on.acquire(timeout=WAIT_S)
                if self.error is not None:
                    raise self.error
                for run in (1, 2):
                    progress(2 * block + run, 2 * self.block_count, f"run {run} of block {block}")
                yield [(block, 1), (block, 2)]
        finally:
            self.is_closed = True

    def result(self, runs):
        return list(runs)


def test_it_runs_all_blocks_and_closes_the_experiment():
    experiment = Counting()
    experiment.may_go_on.release(3)
    study = Study(experiment)
    study.start()
    assert study.wait(WAIT_S)
    assert study.result() == [(block, run) for block in range(3) for run in (1, 2)]
    assert (study.state.done, study.state.total, study.state.block_count) == (6, 6, 3)
    assert experiment.is_closed


def test_the_result_so_far_holds_complete_blocks_alone_and_needs_no_end():
    experiment = Counting()
    study = Study(experiment)
    study.start()
    with pytest.raises(NothingMeasuredError, match="wait"):
        study.result()
    assert not study.wait(0)
    experiment.may_go_on.release(3)
    assert study.wait(WAIT_S)
    assert len(study.result()) == 6


def test_stopped_in_the_middle_of_a_block_it_keeps_the_ones_before():
    experiment = Counting()
    in_second_block = threading.Event()
    study = Study(experiment)
    note = study._note

    def stop_in_second_block(done, total, words):
        if done == 3:
            study._stop.set()
            in_second_block.set()
        note(done, total, words)

    study._note = stop_in_second_block
    experiment.may_go_on.release(3)
    study.start()
    assert in_second_block.wait(WAIT_S)
    study.stop()
    assert study.result() == [(0, 1), (0, 2)]
    assert experiment.is_closed


def test_no_block_begins_that_would_end_after_the_limit():
    experiment = Counting(block_count=100)
    experiment.may_go_on.release(100)
    study = Study(experiment, limit_s=0.0)
    study.start()
    assert study.wait(WAIT_S)
    assert study.state.block_count == 1
    assert experiment.is_closed


def test_what_went_wrong_is_raised_by_the_result():
    experiment = Counting(error=ValueError("no such arm"))
    experiment.may_go_on.release(1)
    study = Study(experiment)
    study.start()
    assert study.wait(WAIT_S)
    with pytest.raises(ValueError, match="no such arm"):
        study.result()


def test_a_second_study_ends_the_first():
    first, second = Counting(), Counting()
    first.may_go_on.release(1)  # into its first block, where it finds that it was stopped
    second.may_go_on.release(3)
    older, newer = Study(first), Study(second)
    older.start()
    first.may_go_on.release(2)
    newer.start()
    assert not older.is_running
    assert first.is_closed
    assert newer.wait(WAIT_S)
    assert len(newer.result()) == 6
