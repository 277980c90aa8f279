import pytest

from kfast.lab import plans
from kfast.lab.copy_cost import SMOKE_CHUNK_SIZES, copy_arm
from kfast.transfer.modes import COPY_MODES


@pytest.fixture(params=["0", "1"], ids=["full", "fast"])
def is_fast(request, monkeypatch):
    monkeypatch.setenv("KFAST_FAST", request.param)
    return request.param == "1"


def test_smoke_runs_and_only_they_are_marked_so(is_fast):
    runs = [plans.zero_copy_experiment(1), plans.working_set_experiment(1), plans.sequential_experiment(1)]
    assert {run.options.is_smoke for run in runs} == {is_fast}
    assert all(run.plan.block_count >= 20 for run in runs) != is_fast


def test_every_mode_is_measured_in_every_chunk_size_and_with_a_receiver_that_discards(is_fast):
    arms = plans.zero_copy_experiment(1).plan.arms
    size = arms[0]["working_set_size"]
    chunk_sizes = SMOKE_CHUNK_SIZES if is_fast else plans.CHUNK_SIZES
    for mode in COPY_MODES:
        assert all(copy_arm(mode, chunk_size, size) in arms for chunk_size in chunk_sizes)
        assert copy_arm(mode, chunk_sizes[-1], size, is_discarded=True) in arms


def test_each_run_of_the_working_sets_goes_through_the_larger_one(is_fast):
    plan = plans.working_set_experiment(1).plan
    assert plan.open_session.keywords["run_size"] >= max(arm["working_set_size"] for arm in plan.arms)
    assert len({arm["working_set_size"] for arm in plan.arms}) == 2
    assert plan.arms[-1].replicate


def test_the_slider_measures_one_cold_pair():
    run = plans.block_size_experiment(4096, 1)
    assert [(arm["operation"], arm["order"], arm["cache"]) for arm in run.plan.arms] == [
        ("read", "in order", "cold"),
        ("read", "at random", "cold"),
    ]
    assert run.plan.run_count == 2


def test_the_order_of_a_file_is_measured_in_full_or_as_a_smoke_run(is_fast):
    run = plans.sequential_experiment(1)
    assert run.options.is_smoke == is_fast
    assert (run.plan.block_count >= 20) != is_fast
