"""Time as an argument. Code that asks for the time, or waits, is given a clock; tests give it one they move by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """What the broker needs of time."""

    def now_ms(self) -> int:
        """Wall clock, milliseconds since 1970 (UTC): what goes into records and checkpoints."""

    def monotonic_ns(self) -> int:
        """Never goes backwards; for measuring how long something took."""

    def wait(self, condition: threading.Condition, timeout_s: float | None) -> bool:
        """Wait on a held condition until notified (True) or the time is up (False). None waits without end."""


class SystemClock:
    """The machine's clocks. Stateless, so one instance serves all."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def wait(self, condition: threading.Condition, timeout_s: float | None) -> bool:
        return condition.wait(timeout_s)

    def __repr__(self) -> str:
        return "SystemClock()"


class ManualClock:
    """A clock that stands still until `advance` is called. Waits end by notification or by advancing past their end.

    `on_advance` functions (a Scheduler's `run_due`) run in the thread that advances, after the time has moved.
    """

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ns = now_ms * 1_000_000
        self._moved = threading.Condition()
        self._waiting: list[tuple[threading.Condition, int]] = []
        self.on_advance: list[Callable[[], None]] = []

    def now_ms(self) -> int:
        return self._now_ns // 1_000_000

    def monotonic_ns(self) -> int:
        return self._now_ns

    def wait(self, condition: threading.Condition, timeout_s: float | None) -> bool:
        if timeout_s is None:
            return condition.wait()
        entry = (condition, self._now_ns + int(timeout_s * 1e9))
        with self._moved:
            self._waiting.append(entry)
            self._moved.notify_all()
        try:
            condition.wait()
        finally:
            with self._moved:
                self._waiting.remove(entry)
        return self._now_ns < entry[1]

    def advance(self, milliseconds: int) -> None:
        """Move on, wake the waits that have run out, then run what is due."""
        with self._moved:
            self._now_ns += milliseconds * 1_000_000
            due = [condition for condition, end_ns in self._waiting if end_ns <= self._now_ns]
        for condition in due:
            with condition:
                condition.notify_all()
        for function in list(self.on_advance):
            function()

    def wait_for_waiters(self, count: int = 1, timeout_s: float = 10.0) -> None:
        """Return when `count` threads wait with a time-out: what a test needs before it advances."""
        with self._moved:
            if not self._moved.wait_for(lambda: len(self._waiting) >= count, timeout_s):
                raise TimeoutError(f"{len(self._waiting)} of {count} waiting threads after {timeout_s} s")

    def __repr__(self) -> str:
        return f"ManualClock(now_ms={self.now_ms()})"
