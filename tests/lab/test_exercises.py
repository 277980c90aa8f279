import pytest

from kfast.lab import ablation, batching, exercises
from kfast.lab.crashed_log import CrashedLog
from kfast.lab.experiment import Measurement
from kfast.lab.experiment_result import ExperimentResult, Run
from kfast.lab.unavailable import Unavailable

CHECKS = [
    (exercises.copied_by_mmap_send, 1 << 30, 2 << 30),
    (exercises.sendfile_calls, 16_384, 16_383),
    (exercises.random_read_s, 2097, 8),
    (exercises.even_block_size, 1.2e6, 150e6),
    (exercises.random_writes_per_s, 24, 120),
    (exercises.requests_held_up, 200, 100),
    (exercises.connections_held_up, 99, 100),
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


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"read_send", "mmap_send", "sendfile", "splice"}, "Right"),
        ({"sendfile"}, "Not yet"),
        (None, "No answer yet."),
    ],
)
def test_the_modes_that_wait_for_a_page(answer, words):
    assert words in exercises.modes_that_wait(answer)


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


def test_the_ingredient_that_matters_most_is_found_in_the_result(some_provenance):
    rates = {ablation.all_six("raw"): 100.0, ablation.none("raw"): 1.0}
    for one in ablation.INGREDIENTS:
        rates[ablation.all_but(one, "raw")] = 10.0 if one.name == "batching" else 50.0
        rates[ablation.only(one, "raw")] = 8.0 if one.name == "compression" else 2.0
    runs = [
        Run(0, arm, Measurement(1.0, {}, {ablation.ARRIVED: rate}, "none"), Unavailable("not counted"))
        for arm, rate in rates.items()
    ]
    result = ExperimentResult("E10", tuple(rates), (), runs, (), some_provenance, {}, 0, False)
    assert exercises.most_lost("batching", result) == "Right: 10.0 times [10.0, 10.0]."
    assert exercises.most_lost("zero copy", result).startswith("Not yet: zero copy is 2.00 times")
    assert exercises.most_gained("compression", result).startswith("Right")
    assert exercises.most_gained("luck", result).startswith("'luck' is none of batching, deferred write-back")
    assert exercises.most_gained(None, result) == "No answer yet."


def test_checks_of_records_cost_by_the_record():
    assert exercises.checks_of_each_record(5).startswith("Right, 5")
    assert exercises.checks_of_each_record(6) == "Not yet: 6.00 is too large."
    assert exercises.checking_s(0.05).startswith("Not yet")
    assert exercises.checking_small_s(None) == "No answer yet."


def test_what_a_crash_takes_is_counted_on_the_log_itself():
    log = CrashedLog()
    assert exercises.header_bytes_unnoticed(None, log) == "No answer yet."
    right = exercises.header_bytes_unnoticed(9, log)
    assert right.startswith("Right, 9.00: 4, 5, 6, 7, 12, 13, 14, 15, 16: the checksum")
    assert exercises.header_bytes_unnoticed(21, log) == "Not yet: 21.0 is too large."
    assert exercises.flush_messages_for(500) == "Not yet: 500 is too small."
    assert exercises.flush_messages_for(501).startswith("Right")
    assert exercises.bytes_at_risk(100_000_000).startswith("Right")
    assert exercises.machines_that_may_fail(2) == "Not yet: 2.00 is too large."
