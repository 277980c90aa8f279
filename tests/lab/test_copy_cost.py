"""Arms, comparisons and the smoke form; speeds are not tested."""

import pytest

from kfast.lab import copy_cost
from kfast.lab.copy_cost import (
    COPY_COST,
    changed,
    copy_arm,
    copy_arms,
    copy_comparisons,
    working_set_arms,
    working_set_words,
)
from kfast.lab.copy_sender import BARE_SENDFILE
from kfast.lab.experiment import Options
from kfast.lab.experiment_run import ExperimentRun
from kfast.lab.unavailable import Unavailable
from kfast.transfer.modes import COPY_MODES

SMALL, LARGE, SET = 4096, 1 << 20, 64 << 20


def test_an_arm_says_what_it_is_but_for_what_is_usual():
    assert copy_arm("read_send", SMALL).name == "read+send, 4 KiB chunks"
    arm = copy_arm(BARE_SENDFILE, LARGE, 1 << 20, is_discarded=True)
    assert arm.name == "bare sendfile loop, 1 MiB chunks, 1 MiB working set, receiver discards"


def test_an_arm_with_another_factor_is_the_arm_of_that_name():
    assert changed(copy_arm("splice", SMALL), copy_mode="sendfile", is_discarded=True) == copy_arm(
        "sendfile", SMALL, is_discarded=True
    )
    assert changed(copy_arm("splice", SMALL).again()).replicate == 0


def test_the_full_form_varies_each_factor_where_it_can_be_seen():
    arms = COPY_COST.plan(Options()).arms
    assert len(set(arms)) == len(arms) == 4 * 6 + 4 * 2 + 2 + 2 * 2
    for mode in COPY_MODES:
        assert all(copy_arm(mode, size) in arms for size in copy_cost.CHUNK_SIZES)
        assert all(copy_arm(mode, size, is_discarded=True) in arms for size in (LARGE, 4 * LARGE))
    assert copy_arm(BARE_SENDFILE, LARGE) in arms
    assert copy_arm("sendfile", LARGE).again() in arms
    assert {arm["working_set_size"] for arm in arms} == {1 << 20, SET, copy_cost.large_working_set()}


def test_the_headline_is_the_copy_mode_and_every_factor_is_compared():
    comparisons = COPY_COST.plan(Options()).comparisons
    words = [comparison.words for comparison in comparisons]
    assert words[0] == "read+send over sendfile, 1 MiB chunks, sender CPU a GB"
    assert words[1] == "read+send in chunks of 4 KiB over 1 MiB, sender CPU a GB"
    assert "sendfile over bare sendfile loop, 1 MiB chunks, sender CPU a GB" in words
    assert "sendfile over read+send, 1 MiB chunks, GB/s" in words
    assert len(set(words)) == len(words) == 15
    for comparison in comparisons:
        factors = [dict(arm.factors).items() for arm in (comparison.over, comparison.under)]
        assert len({name for name, _ in factors[0] ^ factors[1]}) == 1, "one factor at a time"


@pytest.mark.parametrize("is_smoke", [True, False])
def test_what_is_compared_is_run(is_smoke):
    plan = COPY_COST.plan(Options(is_smoke=is_smoke))
    assert {arm for one in plan.comparisons for arm in (one.over, one.under)} <= set(plan.arms)
    measures = {measure.name for measure in COPY_COST.measures}
    assert {comparison.measure for comparison in plan.comparisons} <= measures


def test_working_sets_alone_are_compared_with_each_other():
    comparisons = copy_comparisons(working_set_arms((1 << 20, SET)))
    assert [(one.over["working_set_size"], one.under["working_set_size"]) for one in comparisons[-2:]] == [
        (SET, 1 << 20)
    ] * 2


def test_where_the_large_working_set_is_the_usual_one_no_arm_is_run_twice(monkeypatch):
    monkeypatch.setattr(copy_cost, "last_level_cache_size", lambda: 8 << 20)
    plan = COPY_COST.plan(Options())
    assert len(set(plan.arms)) == len(plan.arms) == 4 * 6 + 4 * 2 + 2 + 2
    assert plan.comparisons[-1].words.startswith("sendfile on a working set of 64 MiB over one of 1 MiB")


def test_each_run_goes_through_the_largest_working_set_twice():
    plan = COPY_COST.plan(Options())
    assert plan.open_session.keywords["run_size"] >= 2 * max(arm["working_set_size"] for arm in plan.arms)


@pytest.mark.parametrize(
    ("cache_size", "working_set"),
    [(8 << 20, SET), (SET, 2 * SET), (480 << 20, 512 << 20), (Unavailable("no cache is listed"), 256 << 20)],
)
def test_the_large_working_set_is_twice_the_cache_within_bounds(cache_size, working_set, monkeypatch):
    monkeypatch.setattr(copy_cost, "last_level_cache_size", lambda: cache_size)
    assert copy_cost.large_working_set() == working_set


@pytest.mark.parametrize(
    ("cache_size", "words"),
    [
        (8 << 20, "1 MiB within, 64 MiB above the last-level cache: 8 MiB, as announced; guests of a host share it"),
        (Unavailable("none listed"), "1 MiB, 64 MiB; the size of the last-level cache is unavailable: none listed"),
    ],
)
def test_the_conditions_hold_the_working_sets_beside_the_cache(cache_size, words, monkeypatch):
    assert working_set_words((1 << 20, SET), cache_size) == words
    monkeypatch.setattr(copy_cost, "last_level_cache_size", lambda: cache_size)
    sizes = COPY_COST.plan(Options()).open_session.keywords["working_sets"]
    assert sizes.startswith("1 MiB")
    assert "64 MiB" in sizes


def test_the_arms_are_all_combinations_with_a_control_and_a_twin():
    arms = copy_arms([4096, 65536], 1 << 20, [65536])
    assert arms[-2] == copy_arm(BARE_SENDFILE, 65536, 1 << 20)
    assert arms[-1] == copy_arm("sendfile", 65536, 1 << 20).again()
    assert len(set(arms)) == len(arms) == 4 * 2 + 4 + 2


def test_the_smoke_form_runs_every_arm_and_moves_every_byte():
    result = ExperimentRun(COPY_COST, Options(is_smoke=True, block_count=1)).run()
    assert result.is_smoke
    assert {run.arm for run in result.runs} == set(result.arms)
    assert {run.value("sent_bytes") for run in result.runs} == {run.value("received_bytes") for run in result.runs}
    assert {measure.name for measure in COPY_COST.measures} <= set(result.runs[0].measurement.values)
    calls = {run.arm: run.value("syscalls_per_gb") for run in result.runs}
    bare = next(arm for arm in calls if arm["copy_mode"] == BARE_SENDFILE)
    assert calls[bare] == calls[changed(bare, copy_mode="sendfile")], "kfast makes no more calls than the bare loop"
