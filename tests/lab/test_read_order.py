"""Arms and comparisons exactly; the smoke form once, for its structure and what is counted alike on any machine."""

import pytest

from kfast.lab.experiment import Options
from kfast.lab.experiment_run import ExperimentRun
from kfast.lab.io_experiment import BLOCK_SIZES, ORDERS, read_arm
from kfast.lab.io_worker import AT_RANDOM, COLD, IN_ORDER, WARM
from kfast.lab.read_order import READ_ORDER, SMALL, SMOKE_FILE_SIZE, THREADS, read_arms
from kfast.lab.unavailable import Unavailable


@pytest.fixture(scope="module")
def result():
    return ExperimentRun(READ_ORDER, Options(is_smoke=True)).run()


def test_order_by_block_size_is_run_cold_and_warm():
    arms = read_arms(is_smoke=False)
    assert {read_arm(order, size, cache) for order in ORDERS for size in BLOCK_SIZES for cache in (COLD, WARM)} < set(
        arms
    )
    assert len(set(arms)) == len(arms) == 20 + 4 + 3 + 2


def test_advice_and_threads_are_run_on_small_cold_blocks():
    varied = [arm for arm in read_arms(is_smoke=False) if arm["advice"] != "normal" or arm["threads"] > 1]
    assert {(arm["block_size"], arm["cache"]) for arm in varied} == {(SMALL, COLD)}
    assert [arm["threads"] for arm in varied if arm["threads"] > 1] == list(THREADS)
    assert {(arm["advice"], arm["order"]) for arm in varied if arm["threads"] == 1} == {
        (advice, order) for advice in ("sequential", "random") for order in ORDERS
    }


@pytest.mark.parametrize("is_smoke", [False, True])
def test_the_order_of_small_cold_reads_is_the_headline_and_all_that_is_compared_is_run(is_smoke):
    plan = READ_ORDER.plan(Options(is_smoke=is_smoke))
    headline = plan.comparisons[0]
    assert (headline.over, headline.under) == (read_arm(IN_ORDER, SMALL), read_arm(AT_RANDOM, SMALL))
    assert headline.words == "reads of 4 KiB, cold: in order over at random, MB/s"
    assert {arm for one in plan.comparisons for arm in (one.over, one.under)} <= set(plan.arms)


def test_every_arm_ran_or_says_why_not(result):
    skipped = {arm for arm, reason in result.skipped if reason.reason}
    assert {run.arm for run in result.runs} == set(result.arms) - skipped
    assert all(arm["cache"] == COLD for arm in skipped)


def test_every_run_read_the_whole_file(result):
    assert {run.value("moved_bytes") for run in result.runs} == {SMOKE_FILE_SIZE}


def test_cold_began_with_nothing_cached_and_warm_with_everything(result):
    for run in result.runs:
        cached = run.value("cached_share_before")
        if not isinstance(cached, Unavailable):
            assert cached == (0.0 if run.arm["cache"] == COLD else 1.0)


def test_the_conditions_say_how_many_requests_are_under_way(result):
    assert "not io_uring" in result.conditions["requests under way"]
