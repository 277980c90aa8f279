import pytest

from kfast.lab import exercises

CHECKS = [
    (exercises.copied_by_mmap_send, 1 << 30, 2 << 30),
    (exercises.sendfile_calls, 16_384, 16_383),
    (exercises.random_read_s, 2097, 8),
    (exercises.even_block_size, 1.2e6, 150e6),
    (exercises.random_writes_per_s, 24, 120),
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
