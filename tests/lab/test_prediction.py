import pytest

from kfast.lab.prediction import SMOKE, against, counted, factor, inverse, number
from kfast.lab.summary import Interval

MEASURED = Interval(4.0, 3.5, 5.0, 20)


@pytest.mark.parametrize(
    ("predicted", "words"),
    [
        (4.5, "within the interval"),
        (9.0, "less than you thought"),
        (1.0, "more than you thought"),
        (None, "predicted nothing"),
    ],
)
def test_a_prediction_is_held_against_the_interval(predicted, words):
    sentence = against("Larger chunks", predicted, MEASURED)
    assert words in sentence
    assert "4.00 times [3.50, 5.00]" in sentence


def test_a_smoke_run_is_no_finding():
    sentence = against("Larger chunks", 9.0, MEASURED, SMOKE)
    assert sentence.endswith(SMOKE)
    assert "4.00" not in sentence


def test_the_inverse_swaps_the_ends():
    assert inverse(MEASURED) == Interval(0.25, 0.2, 1 / 3.5, 20)
    assert factor(inverse(MEASURED)) == "0.25 times [0.2, 0.286]"


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1,234"), (14.23, "14.2"), (2.046, "2.05"), (0.03912, "0.0391"), (0.0, "0")]
)
def test_numbers_have_the_digits_they_bear(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("predicted", "words"),
    [
        (None, "Records lost: you predicted nothing; counted: 1,374."),
        (1374, "Records lost: you predicted 1,374; counted: 1,374, right."),
        (1, "Records lost: you predicted 1; counted: 1,374, more than you thought."),
        (2000, "Records lost: you predicted 2,000; counted: 1,374, less than you thought."),
    ],
)
def test_what_is_counted_needs_no_interval(predicted, words):
    assert counted("Records lost", predicted, 1374) == words
