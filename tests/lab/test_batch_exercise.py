from __future__ import annotations

import pytest

from kfast.lab.batch_exercise import check_batch_answer

MEASURED = {1: 2.0, 16: 30.0, 256: 170.0, 1024: 190.0, 16384: 200.0}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (256, "Right: 256 records a batch reached 85%"),
        (1024, "Not yet: 1,024 records a batch reached 95% of the best throughput you measured, but a smaller one"),
        (16, "Not yet: 16 records a batch reached 15% of the best throughput you measured, and 80% are wanted"),
        (64, "You have not measured 64 records a batch; measured: 1, 16, 256, 1,024, 16,384."),
        (None, "Now give your answer"),
    ],
)
def test_answers_are_held_against_what_was_measured(answer, words):
    assert words in check_batch_answer(answer, MEASURED)


def test_too_few_sizes_are_no_ground_for_an_answer():
    assert check_batch_answer(256, {256: 1.0}).startswith("Batch sizes measured so far: 256. Try at least 5")
    assert check_batch_answer(None, {}).startswith("Batch sizes measured so far: none.")
