import threading
import time

import pytest

from kfast.clock import ManualClock, SystemClock


def test_the_system_clock_is_the_machines() -> None:
    before = time.time_ns() // 1_000_000
    assert before <= SystemClock().now_ms() <= time.time_ns() // 1_000_000
    first = SystemClock().monotonic_ns()
    assert SystemClock().monotonic_ns() >= first


def test_a_manual_clock_stands_still_until_advanced() -> None:
    clock = ManualClock(now_ms=1000)
    assert (clock.now_ms(), clock.monotonic_ns()) == (1000, 1_000_000_000)
    clock.advance(250)
    assert (clock.now_ms(), clock.monotonic_ns()) == (1250, 1_250_000_000)


def _wait_in_thread(
    clock: ManualClock, condition: threading.Condition, timeout_s: float
) -> tuple[threading.Thread, list[bool]]:
    outcome: list[bool] = []

    def wait() -> None:
        with condition:
            outcome.append(clock.wait(condition, timeout_s))

    thread = threading.Thread(target=wait)
    thread.start()
    clock.wait_for_waiters()
    return thread, outcome


def test_a_wait_ends_when_its_time_has_passed() -> None:
    clock, condition = ManualClock(), threading.Condition()
    thread, outcome = _wait_in_thread(clock, condition, 1.0)
    clock.advance(999)
    assert thread.is_alive()
    clock.advance(1)
    thread.join(10)
    assert outcome == [False]


def test_a_wait_ends_when_notified() -> None:
    clock, condition = ManualClock(), threading.Condition()
    thread, outcome = _wait_in_thread(clock, condition, 1.0)
    with condition:
        condition.notify_all()
    thread.join(10)
    assert outcome == [True]


def test_advancing_runs_what_was_hung_on_it() -> None:
    clock, seen = ManualClock(now_ms=0), []
    clock.on_advance.append(lambda: seen.append(clock.now_ms()))
    clock.advance(5)
    assert seen == [5]


def test_waiting_for_waiters_that_do_not_come_says_how_many() -> None:
    with pytest.raises(TimeoutError, match="0 of 2"):
        ManualClock().wait_for_waiters(2, timeout_s=0.01)
