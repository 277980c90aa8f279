import pytest

from kfast.lab import plans
from kfast.lab.copy_experiment import CopyArm
from kfast.lab.unavailable import Unavailable
from kfast.transfer.modes import COPY_MODES


@pytest.fixture(params=["0", "1"], ids=["full", "fast"])
def is_fast(request, monkeypatch):
    monkeypatch.setenv("KFAST_FAST", request.param)
    return request.param == "1"


def test_smoke_runs_and_only_they_are_marked_so(is_fast):
    experiments = [plans.zero_copy_experiment(1), plans.working_set_experiment(1), plans.sequential_experiment(1)]
    assert {experiment.is_smoke for experiment in experiments} == {is_fast}
    assert all(experiment.block_count >= 20 for experiment in experiments) != is_fast


def test_every_mode_is_measured_in_every_chunk_size_and_with_a_receiver_that_discards(is_fast):
    arms = plans.zero_copy_experiment(1).arms
    size = arms[0].working_set_size
    chunk_sizes = plans.SMOKE_CHUNK_SIZES if is_fast else plans.CHUNK_SIZES
    assert len(set(arms)) == len(arms) == 4 * len(chunk_sizes) + 2 + 4
    for mode in COPY_MODES:
        assert all(CopyArm(mode, chunk_size, size) in arms for chunk_size in chunk_sizes)
        assert CopyArm(mode, chunk_sizes[-1], size, is_discarded=True) in arms


def test_each_run_of_the_working_sets_goes_through_the_larger_one(is_fast):
    experiment = plans.working_set_experiment(1)
    assert experiment.run_size >= max(arm.working_set_size for arm in experiment.arms)


@pytest.mark.parametrize(
    ("cache_size", "working_set"),
    [
        (8 << 20, 64 << 20),
        (64 << 20, 128 << 20),
        (480 << 20, 512 << 20),
        (Unavailable("no cache is listed"), 256 << 20),
    ],
)
def test_the_large_working_set_is_twice_the_cache_within_bounds(cache_size, working_set, monkeypatch):
    monkeypatch.setenv("KFAST_FAST", "0")
    monkeypatch.setattr(plans, "last_level_cache_size", lambda: cache_size)
    assert plans.large_working_set() == working_set


def test_the_slider_measures_one_cold_pair():
    experiment = plans.block_size_experiment(4096, 1)
    assert [(arm.operation, arm.is_sequential, arm.is_cold) for arm in experiment.arms] == [
        ("read", True, True),
        ("read", False, True),
    ]
    assert experiment.block_count == 1
