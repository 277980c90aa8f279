import pytest

from kfast.lab.counters import MachineCpu
from kfast.lab.experiment import Arm
from kfast.lab.unavailable import Unavailable

SMALL, LARGE = Arm.of("small", size=1), Arm.of("large", size=1000, codec="zstd")


def test_ratios_are_taken_block_by_block(fake_result):
    result = fake_result({SMALL: [1.0, 10.0, 100.0], LARGE: [3.0, 30.0, 300.0]})
    ratio = result.ratio(result.comparisons[0])
    assert (ratio.median, ratio.low, ratio.high, ratio.count) == (3.0, 3.0, 3.0, 3)


def test_a_block_that_lacks_one_of_the_arms_is_left_out(fake_result):
    result = fake_result({SMALL: [1.0, 1.0, 1.0], LARGE: [3.0, 3.0]})
    assert result.ratio(result.comparisons[0]).count == 2


def test_the_resolution_is_how_far_the_same_arm_run_twice_differs(fake_result):
    result = fake_result({SMALL: [1.0, 1.0], SMALL.again(): [1.25, 1.25], LARGE: [1.0, 1.0]})
    assert result.aa_resolution("records_per_s") == pytest.approx(1.25)
    assert isinstance(fake_result({SMALL: [1.0]}).aa_resolution("records_per_s"), Unavailable)


def test_a_comparison_has_the_resolution_of_its_own_arms(fake_result):
    other = Arm.of("other", size=5)
    values = {SMALL: [1.0, 1.0], SMALL.again(): [1.25, 1.25], other: [1.0, 1.0], other.again(): [2.0, 2.0]}
    result = fake_result({**values, LARGE: [1.0, 1.0]})
    assert result.aa_resolution("records_per_s") == pytest.approx(2.0)
    assert result.aa_resolution("records_per_s", result.comparisons[0]) == pytest.approx(1.25)


def test_a_pair_without_the_measure_leaves_the_resolution_of_the_others(fake_result):
    other, missing = Arm.of("other", size=5), Unavailable("it has none")
    without = {other: [missing], other.again(): [missing]}
    result = fake_result({SMALL: [1.0, 1.0], SMALL.again(): [1.25, 1.25], **without})
    assert result.aa_resolution("records_per_s") == pytest.approx(1.25)
    assert fake_result(without).aa_resolution("records_per_s") == missing


def test_a_missing_value_says_why(fake_result):
    result = fake_result({SMALL: [1.0], LARGE: [Unavailable("no counter")]})
    assert str(result.summary(LARGE, "records_per_s")) == "unavailable: no counter"
    assert str(result.ratio(result.comparisons[0])) == "unavailable: no counter"
    assert result.summary(SMALL, "records_per_s").median == 1.0


def test_blocks_that_lost_too_much_to_other_guests_do_not_count(fake_result):
    stolen = MachineCpu(user_s=0.5, system_s=0, interrupt_s=0, idle_s=0, io_wait_s=0, steal_s=0.5)
    result = fake_result({SMALL: [1.0, 2.0]}, machine=stolen)
    assert result.dropped_blocks == (0, 1)
    assert result.block_count == 0
    assert result.runs_of(SMALL) == []
    assert fake_result({SMALL: [1.0, 2.0]}, machine=stolen, is_smoke=True).dropped_blocks == ()


def test_the_limit_of_an_arm_is_that_of_most_of_its_runs(fake_result):
    assert fake_result({SMALL: [1.0]}, limited_by="disk").limited_by(SMALL) == "disk"
    assert fake_result({SMALL: [1.0]}).limited_by(LARGE) == "none"
