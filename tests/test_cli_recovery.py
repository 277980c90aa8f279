from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from kfast.cli_recovery import check_bar, recovery_bar
from kfast.clock import ManualClock
from kfast.log.recovery_progress import INTERVAL_MS, RecoveryProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    caplog.set_level(logging.INFO, "kfast.log.recovery_progress")
    return caplog


def load(log_count: int) -> None:
    """As a broker does whose logs have 2,000 MB to be checked each, and take twice the interval."""
    clock = ManualClock()
    progress = RecoveryProgress(clock, log_count)
    for number in range(log_count):
        progress.begin_check(f"orders-{number}", [2_000_000_000])
        for position in (1_000_000_000, 2_000_000_000):
            clock.advance(INTERVAL_MS)
            progress.note_position(position)
        progress.end_segment()
        progress.end_check()
        progress.end_log()
    progress.end()


def test_a_terminal_gets_a_bar_and_one_line_when_it_is_over(said: pytest.LogCaptureFixture) -> None:
    stream = Terminal()
    with recovery_bar(stream):
        load(2)
    drawn = stream.getvalue()
    assert "loading logs:  25%" in drawn
    assert "0.5/2" in drawn
    assert "2 remain, orders-0: segment 1 of 1, 1,000 of 2,000 MB" in drawn
    assert "1 remain, orders-1: segment 1 of 1, 2,000 of 2,000 MB" in drawn
    assert said.messages == [
        "loaded 2 of 2 logs in 12.0 s; the last stop was not clean: 2 checked, 4,000,000,000 bytes, nothing dropped"
    ]
    load(1)  # the next one is logged
    assert len(said.messages) == 4


@pytest.mark.parametrize("has_tqdm", [True, False])
def test_without_a_terminal_or_tqdm_it_is_logged(
    said: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, has_tqdm: bool
) -> None:
    if not has_tqdm:
        monkeypatch.setattr("kfast.lab.progress._tqdm", lambda: None)
    stream = io.StringIO() if has_tqdm else Terminal()
    with recovery_bar(stream):
        load(1)
    assert stream.getvalue() == ""
    assert said.messages[0] == (
        "loading logs: 0 of 1 loaded, 1 remain; checking orders-0: segment 1 of 1, 1,000 of 2,000 MB"
    )


def test_what_is_quick_draws_nothing(said: pytest.LogCaptureFixture) -> None:
    stream = Terminal()
    with recovery_bar(stream):
        RecoveryProgress(ManualClock(), 3).end()
    assert (stream.getvalue(), said.messages) == ("", [])


def check(stream: io.StringIO, step_ms: int) -> str:
    clock = ManualClock()
    with check_bar(stream, clock) as progress:
        for done_bytes in (1_000_000_000, 2_000_000_000):
            clock.advance(step_ms)
            progress(done_bytes, 4_000_000_000, "orders-0")
    return stream.getvalue()


def test_a_check_that_takes_long_says_how_far_it_is() -> None:
    drawn = check(Terminal(), INTERVAL_MS)
    assert "checking logs:  25%" in drawn
    assert "2000/4000" in drawn
    assert "orders-0" in drawn
    assert check(io.StringIO(), INTERVAL_MS) == (
        "checking logs: 1,000 of 4,000 MB, at orders-0\nchecking logs: 2,000 of 4,000 MB, at orders-0\n"
    )


def test_a_check_that_is_quick_says_nothing() -> None:
    assert check(Terminal(), 1) == ""
    assert check(io.StringIO(), 1) == ""
