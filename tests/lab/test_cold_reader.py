import pytest

from kfast.lab.cold_reader import (
    COLD_READER,
    cold_effect,
    reader_arm,
    reader_arms,
    reader_comparisons,
)
from kfast.lab.cold_reader_session import CACHED, COLD, CONSUMED, NOBODY, P50, P99, PER_CONNECTION, SHARED, WARM
from kfast.lab.experiment import Options
from kfast.lab.experiment_run import ExperimentRun
from kfast.lab.unavailable import Unavailable


def test_an_arm_says_what_it_is():
    assert reader_arm(SHARED, NOBODY).name == "one shared thread, no consumer"
    assert reader_arm(SHARED, COLD, warms_up=True).name == "one shared thread, cold consumer, warmed up"


def test_each_server_meets_each_consumer_and_the_claim_has_its_a_a_pairs():
    arms = reader_arms(is_smoke=False)
    assert {(arm["server"], arm["consumer"]) for arm in arms if not arm["warms_up"]} == {
        (server, consumer) for server in (SHARED, PER_CONNECTION) for consumer in (NOBODY, WARM, COLD)
    }
    claims = (cold_effect(SHARED), cold_effect(PER_CONNECTION))
    assert [arm for arm in arms if arm.replicate] == [
        arm.again() for claim in claims for arm in (claim.under, claim.over)
    ]


@pytest.mark.parametrize("is_smoke", [True, False])
def test_the_claim_is_compared_first(is_smoke):
    arms = reader_arms(is_smoke)
    comparisons = reader_comparisons(arms)
    assert comparisons[0] == cold_effect(SHARED)
    assert len(comparisons) == (3 if is_smoke else 6)
    assert all({one.over, one.under} <= set(arms) and one.measure == P99 for one in comparisons)


@pytest.fixture(scope="module")
def smoke_result():
    run = ExperimentRun(COLD_READER, Options(is_smoke=True, block_count=1))
    return run.result([one for block in run.blocks() for one in block])


def test_every_arm_runs_or_says_why_not(smoke_result):
    skipped = {arm for arm, _ in smoke_result.skipped}
    assert {run.arm for run in smoke_result.runs} | skipped == set(smoke_result.arms)
    assert all(arm["consumer"] == COLD for arm in skipped), "only coldness depends on the machine"


def test_the_producer_was_answered_and_the_consumer_read_what_was_not_in_the_cache(smoke_result):
    for run in smoke_result.runs:
        assert 0 < run.value(P50) <= run.value(P99)
        if run.arm["consumer"] == COLD:
            assert run.value(CACHED) == 0
            assert run.value(CONSUMED) > 0
        else:
            assert run.value(CONSUMED) == Unavailable("there is no consumer")
