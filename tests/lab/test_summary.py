import pytest

from kfast.lab.summary import Interval, interval, limiting_resource, paired_ratio, paired_share, resolution


def test_an_interval_holds_its_median_and_is_the_same_each_time():
    values = [1.0, 2.0, 3.0, 4.0, 100.0]
    found = interval(values)
    assert found.median == 3.0
    assert found.low <= found.median <= found.high
    assert found.count == 5
    assert interval(values) == found


def test_one_value_has_no_spread():
    assert interval([7.0]) == Interval(7.0, 7.0, 7.0, 1)


def test_more_agreement_makes_it_narrower():
    wide, narrow = interval([1.0, 2.0, 3.0, 4.0, 5.0]), interval([2.9, 3.0, 3.0, 3.0, 3.1])
    assert narrow.high - narrow.low < wide.high - wide.low


def test_nothing_cannot_be_summarized():
    with pytest.raises(ValueError, match="no values"):
        interval([])


def test_a_ratio_is_taken_within_each_block():
    assert paired_ratio([2.0, 20.0, 200.0], [1.0, 10.0, 100.0]) == Interval(2.0, 2.0, 2.0, 3)
    with pytest.raises(ValueError, match="2 values cannot be paired with 1"):
        paired_ratio([1.0, 2.0], [1.0])


def test_the_resolution_is_one_for_twins_and_never_less():
    assert resolution([1.0, 2.0], [1.0, 2.0]) == 1.0
    assert resolution([1.0, 1.0], [2.0, 2.0]) == 2.0
    assert resolution([2.0, 2.0], [1.0, 1.0]) == 2.0


def test_a_busy_process_is_the_limit():
    assert limiting_resource({"sender": 0.95, "receiver": 0.2}, 1.0) == "sender CPU"
    assert limiting_resource({"sender": 0.5, "receiver": 0.6}, 1.0) == "none"


def test_a_share_is_taken_of_the_differences_within_each_block():
    assert paired_share([1.0, 10.0], [2.0, 11.0], [5.0, 14.0]) == Interval(0.25, 0.25, 0.25, 2)
    assert paired_share([1.0], [1.0], [2.0]).median == 0
    assert paired_share([1.0], [2.0], [2.0]).median == 1


def test_what_adds_nothing_has_no_shares():
    with pytest.raises(ValueError, match="the whole was no more"):
        paired_share([1.0, 1.0], [2.0, 2.0], [3.0, 1.0])
    with pytest.raises(ValueError, match="2, 1 and 2 values"):
        paired_share([1.0, 1.0], [2.0], [3.0, 3.0])
