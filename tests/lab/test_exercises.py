import pytest

from kfast.lab import batching, exercises
from kfast.lab.experiment import Measurement
from kfast.lab.experiment_result import ExperimentResult, Run
from kfast.lab.unavailable import Unavailable

CHECKS = [
    (exercises.copied_by_mmap_send, 1 << 30, 2 << 30),
    (exercises.sendfile_calls, 16_384, 16_383),
    (exercises.random_read_s, 2097, 8),
    (exercises.even_block_size, 1.2e6, 150e6),
    (exercises.random_writes_per_s, 24, 120),
    (exercises.copied_over_tls, 3 << 30, 2 << 30),
    (exercises.tls_records, 65_536, 1024),
    (exercises.tls_record_overhead, 1_441_792, 22),
]


@pytest.mark.parametrize(("check", "right", "wrong"), CHECKS)
def test_right_and_wrong_numbers_are_told_apart(check, right, wrong):
    assert check(right).startswith("Right")
    assert check(wrong).startswith("Not yet")
    assert check(None) == "No answer yet."


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"sendfile", "splice"}, "Right"),
        (["splice", "sendfile"], "Right"),
        ({"sendfile"}, "splice"),
        ({"sendfile", "splice", "mmap_send"}, "mmap+send"),
        (None, "No answer yet."),
    ],
)
def test_the_modes_at_risk(answer, words):
    assert words in exercises.modes_at_risk(answer)


def test_headers_are_counted_by_batch():
    assert exercises.header_bytes(61_000, batch_count=1000).startswith("Right")
    assert exercises.header_bytes(122, batch_count=2).startswith("Right")
    assert "too large" in exercises.header_bytes(61_000, batch_count=2)
    assert exercises.header_bytes(None, batch_count=2) == "No answer yet."


def test_the_batch_size_that_pays_is_the_smallest_near_the_best(some_provenance):
    rates = {1: 1.0, 10: 79.0, 100: 81.0, 1_000: 100.0}
    arms = {count: batching.batch_arm(count) for count in rates}
    runs = [
        Run(0, arm, Measurement(1.0, {}, {batching.RECORDS: rates[count]}, "none"), Unavailable("not counted"))
        for count, arm in arms.items()
    ]
    result = ExperimentResult("E6", tuple(arms.values()), (), runs, (), some_provenance, {}, 0, False)
    assert exercises.batch_size_that_pays(100, result).startswith("Right, 100")
    assert exercises.batch_size_that_pays(10, result) == "Not yet: 10.0 is too small."
    assert exercises.batch_size_that_pays(None, result) == "No answer yet."
