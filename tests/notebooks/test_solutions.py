"""What the teacher's file says is what the notebooks' checks accept."""

import pytest

import kfast
from kfast.lab import exercises
from kfast.lab.crashed_log import CrashedLog

SOLUTIONS = [
    ("**61,000 bytes**", lambda: exercises.header_bytes(61_000, 1000)),
    ("**122 bytes**", lambda: exercises.header_bytes(122, 2)),
    ("**1,073,741,824 bytes**", lambda: exercises.copied_by_mmap_send(1_073_741_824)),
    ("**16,384**", lambda: exercises.sendfile_calls(16_384)),
    ('`{"sendfile", "splice"}`', lambda: exercises.modes_at_risk({"sendfile", "splice"})),
    ("**2,097 seconds**", lambda: exercises.random_read_s(2097)),
    ("**1.2 MB**", lambda: exercises.even_block_size(1.2e6)),
    ("**24 a second**", lambda: exercises.random_writes_per_s(24)),
    ("**0.57**", lambda: exercises.ibm_mean_gain(0.57)),
    ("**500,000**", lambda: exercises.ibm_calls(500_000)),
    ("**200 requests**", lambda: exercises.requests_held_up(200)),
    ("**99 connections**", lambda: exercises.connections_held_up(99)),
    (
        '`{"read_send", "mmap_send", "sendfile", "splice"}`',
        lambda: exercises.modes_that_wait({"read_send", "mmap_send", "sendfile", "splice"}),
    ),
    ("**61,000,000 bytes**", lambda: exercises.header_bytes(61_000_000, 1_000_000)),
    ("**3,221,225,472 bytes**", lambda: exercises.copied_over_tls(3_221_225_472)),
    ("**65,536 records**", lambda: exercises.tls_records(65_536)),
    ("**1,441,792 bytes**", lambda: exercises.tls_record_overhead(1_441_792)),
    ("**5 checks**", lambda: exercises.checks_of_each_record(5)),
    ("**0.0488 s/GB**", lambda: exercises.checking_s(0.0488)),
    ("**0.5 s/GB**", lambda: exercises.checking_small_s(0.5)),
    ("**9 bytes**", lambda: exercises.header_bytes_unnoticed(9, CrashedLog())),
    ("**100 MB**", lambda: exercises.bytes_at_risk(100e6)),
    ("**501**", lambda: exercises.flush_messages_for(501)),
    ("**One machine**", lambda: exercises.machines_that_may_fail(1)),
]


@pytest.mark.parametrize(("words", "check"), SOLUTIONS, ids=[words for words, _ in SOLUTIONS])
def test_a_solution_is_accepted(words, check):
    assert words in kfast.data_path("data", "solutions.md").read_text(encoding="utf-8")
    assert check().startswith("Right")


def test_solutions_lie_apart_from_the_notebooks():
    for path in kfast.data_path("notebooks").iterdir():
        assert path.suffix != ".md"
