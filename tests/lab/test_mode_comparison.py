import pytest

from kfast.lab.mode_comparison import ComparisonPlan, ModeComparison, TurnResult

MODES = ["read_send", "mmap_send", "sendfile", "splice"]
PLAN = ComparisonPlan(rounds=3, settle_s=0.2, measure_s=0.5)


def compared(cpu_s_per_gb, *, count=None, limited_by="consumer CPU", moved_bytes=10**9, consumed_bytes=10**9):
    """A comparison whose turns cost what `cpu_s_per_gb(turn)` says."""
    comparison = ModeComparison(PLAN.turns(MODES, seed=1))
    for turn in comparison.turns[:count]:
        cost = cpu_s_per_gb(turn)
        comparison.results.append(TurnResult(turn, 0.5, cost, moved_bytes, consumed_bytes, limited_by))
    return comparison


def clear_effect(turn):
    base = {"read_send": 0.9, "mmap_send": 0.8, "sendfile": 0.3, "splice": 0.35}[turn.copy_mode]
    return base * (1 + 0.02 * turn.round_number)


def no_effect(turn):
    return 0.5 + 0.1 * ((turn.round_number + turn.is_repeat + MODES.index(turn.copy_mode)) % 2)


def test_each_round_holds_every_mode_once_and_sendfile_twice():
    turns = PLAN.turns(MODES, seed=3)
    for number in range(3):
        of_round = sorted(turn.copy_mode for turn in turns if turn.round_number == number)
        assert of_round == sorted([*MODES, "sendfile"])


def test_order_follows_from_the_seed_and_differs_between_rounds():
    turns = PLAN.turns(MODES, seed=3)
    assert turns == PLAN.turns(MODES, seed=3)
    orders = {tuple(turn.copy_mode for turn in turns[start : start + 5]) for start in (0, 5, 10)}
    assert len(orders) > 1


def test_a_clear_effect_is_told_with_spread_resolution_and_limit():
    comparison = compared(clear_effect)
    sentence = comparison.sentence()
    assert comparison.has_effect()
    assert "sendfile 0.31 (0.30 to 0.31)" in sentence
    assert "read+send cost the broker 3.00 times the CPU of sendfile (3.00 to 3.00 over the rounds)" in sentence
    assert "measured twice differed by up to 1.00 times" in sentence
    assert sentence.endswith("The limit was consumer CPU.")
    assert comparison.headline() == "read+send cost the broker 3.00 times the CPU of sendfile"


def test_the_cheaper_mode_may_be_the_one_that_copies():
    comparison = compared(lambda turn: {"read_send": 0.2}.get(turn.copy_mode, 0.4))
    assert "sendfile cost the broker 2.00 times the CPU of read+send" in comparison.sentence()


def test_no_effect_is_called_no_effect():
    comparison = compared(no_effect)
    assert not comparison.has_effect()
    assert "no difference larger than chance: sendfile measured twice differed by up to 1.20 times" in (
        comparison.sentence()
    )
    assert "no difference" in comparison.headline()


def test_nothing_consumed_says_that_no_mode_was_at_work():
    assert "no copy mode was at work" in compared(clear_effect, consumed_bytes=0).sentence()


def test_a_broken_off_comparison_sums_up_its_whole_rounds_only():
    assert compared(clear_effect, count=0).sentence() == "No copy mode has been measured yet."
    assert compared(clear_effect, count=4).sentence().startswith("4 of 15 turns measured")
    one = compared(clear_effect, count=9)
    assert one.complete_rounds == 1
    assert "One round says nothing about chance yet." in one.sentence()
    assert compared(clear_effect, count=14).complete_rounds == 2


def test_a_turn_that_moved_nothing_takes_its_round_out():
    comparison = compared(clear_effect)
    broken = comparison.results[0]
    comparison.results[0] = TurnResult(broken.turn, 0.5, 0.1, 0, 10, "none")
    assert comparison.complete_rounds == 2
    assert len(comparison.cpu_s_per_gb("splice")) == 2


@pytest.mark.parametrize(
    ("prediction", "words"),
    [(5.0, "less than you thought"), (1.5, "more than you thought"), (3.0, "lies within")],
)
def test_prediction_is_held_against_the_measurement(prediction, words):
    assert words in compared(clear_effect).against(prediction)


def test_prediction_waits_for_two_rounds():
    assert "has not measured" in compared(clear_effect, count=6).against(2.0)


def test_limits_name_the_most_frequent_first():
    comparison = compared(clear_effect)
    first = comparison.results[0]
    comparison.results[0] = TurnResult(first.turn, 0.5, first.broker_cpu_s, 10**9, 10**9, "broker CPU")
    assert comparison.limits() == ["consumer CPU", "broker CPU"]
    assert comparison.sentence().endswith("The limit was consumer CPU or broker CPU.")
    second = comparison.results[1]
    comparison.results[1] = TurnResult(second.turn, 0.5, second.broker_cpu_s, 10**9, 10**9, "none")
    assert comparison.sentence().endswith("The limit was consumer CPU or broker CPU; in some turns nothing was.")
    assert compared(clear_effect, limited_by="none").sentence().endswith("No resource was the limit.")
