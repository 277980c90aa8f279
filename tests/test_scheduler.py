import logging
import threading

import pytest

from kfast.clock import ManualClock, SystemClock
from kfast.scheduler import Scheduler


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(now_ms=0)


def test_a_task_runs_once_its_time_has_come(clock: ManualClock) -> None:
    ran: list[int] = []
    Scheduler(clock).schedule("once", lambda: ran.append(clock.now_ms()), delay_ms=10)
    clock.advance(9)
    assert ran == []
    clock.advance(1)
    clock.advance(100)
    assert ran == [10]


def test_a_periodic_task_runs_again_and_again(clock: ManualClock) -> None:
    ran: list[int] = []
    Scheduler(clock).schedule("often", lambda: ran.append(clock.now_ms()), delay_ms=10, period_ms=5)
    for _ in range(4):
        clock.advance(5)
    assert ran == [10, 15, 20]


def test_tasks_run_in_order_of_time(clock: ManualClock) -> None:
    ran: list[str] = []
    scheduler = Scheduler(clock)
    scheduler.schedule("late", lambda: ran.append("late"), delay_ms=20)
    scheduler.schedule("early", lambda: ran.append("early"), delay_ms=10)
    clock.advance(30)
    assert ran == ["early", "late"]


def test_a_cancelled_task_does_not_run(clock: ManualClock) -> None:
    ran: list[str] = []
    task = Scheduler(clock).schedule("never", lambda: ran.append("never"), delay_ms=10, period_ms=10)
    task.cancel()
    clock.advance(30)
    assert ran == []


def test_a_task_that_cancels_itself_is_over(clock: ManualClock) -> None:
    ran: list[int] = []

    def run() -> None:
        ran.append(clock.now_ms())
        task.cancel()

    task = Scheduler(clock).schedule("once", run, delay_ms=1, period_ms=1)
    clock.advance(1)
    clock.advance(1)
    assert ran == [1]


def test_a_failing_task_is_logged_and_stays_scheduled(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    ran: list[int] = []

    def fail() -> None:
        ran.append(clock.now_ms())
        raise OSError("disk on fire")

    Scheduler(clock).schedule("flush", fail, delay_ms=10, period_ms=10)
    with caplog.at_level(logging.ERROR):
        clock.advance(10)
        clock.advance(10)
    assert ran == [10, 20]
    assert "scheduled task flush failed" in caplog.text
    assert "disk on fire" in caplog.text


def test_after_shutdown_nothing_runs(clock: ManualClock) -> None:
    ran: list[int] = []
    scheduler = Scheduler(clock)
    scheduler.schedule("late", lambda: ran.append(1), delay_ms=10)
    scheduler.shutdown()
    clock.advance(20)
    assert ran == []


def test_with_the_system_clock_tasks_run_in_its_own_thread() -> None:
    ran = threading.Event()
    names: list[str] = []

    def run() -> None:
        names.append(threading.current_thread().name)
        ran.set()

    scheduler = Scheduler(SystemClock())
    scheduler.schedule("now", run, delay_ms=0)
    assert ran.wait(10)
    scheduler.shutdown()
    assert names == ["kfast-scheduler"]
