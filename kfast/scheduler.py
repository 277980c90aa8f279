"""A thread for periodic work: the broker has one for retention, flushes, checkpoints and expiry of group members.

Compaction, which takes long, has a second one of its own. Nothing else in log/ or broker/ keeps a thread or a timed
wait, so a test that advances a ManualClock sees all periodic work happen, in its own thread, in order of time.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from kfast.clock import Clock, ManualClock

logger = logging.getLogger(__name__)


@dataclass(order=True, slots=True)
class Task:
    """One piece of work and when it is due. `cancel` keeps it from running again."""

    due_ns: int
    number: int
    name: str = field(compare=False)
    function: Callable[[], object] = field(compare=False)
    period_ms: int | None = field(compare=False)
    is_cancelled: bool = field(compare=False, default=False)

    def cancel(self) -> None:
        self.is_cancelled = True


class Scheduler:
    """Runs tasks when they are due. With a SystemClock in a thread of its own; with a ManualClock inside `advance`.

    A task that raises is logged with its name and stays scheduled: one partition's trouble must not stop retention of
    the others. Thread-safe.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._tasks: list[Task] = []
        self._numbers = itertools.count()
        self._is_stopped = False
        self._thread: threading.Thread | None = None
        if isinstance(clock, ManualClock):
            clock.on_advance.append(self.run_due)

    def schedule(self, name: str, function: Callable[[], object], delay_ms: int, period_ms: int | None = None) -> Task:
        """Run `function` once after `delay_ms`, and then every `period_ms` if that is given."""
        due_ns = self._clock.monotonic_ns() + delay_ms * 1_000_000
        task = Task(due_ns, next(self._numbers), name, function, period_ms)
        with self._changed:
            heapq.heappush(self._tasks, task)
            if self._thread is None and not self._is_stopped and not isinstance(self._clock, ManualClock):
                self._thread = threading.Thread(target=self._loop, name="kfast-scheduler", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return task

    def run_due(self) -> None:
        """Run every task whose time has come, in order of time."""
        while (task := self._take_due()) is not None:
            self._run(task)

    def shutdown(self) -> None:
        """Stop; a task that is running finishes first. Calling it twice does no harm."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _take_due(self) -> Task | None:
        with self._changed:
            while self._tasks and (self._tasks[0].is_cancelled or self._tasks[0].due_ns <= self._clock.monotonic_ns()):
                task = heapq.heappop(self._tasks)
                if not task.is_cancelled and not self._is_stopped:
                    return task
        return None

    def _run(self, task: Task) -> None:
        try:
            task.function()
        except Exception:
            logger.exception("scheduled task %s failed", task.name)
        if task.period_ms is not None and not task.is_cancelled:
            task.due_ns = self._clock.monotonic_ns() + task.period_ms * 1_000_000
            with self._changed:
                heapq.heappush(self._tasks, task)

    def _loop(self) -> None:
        while not self._is_stopped:
            self.run_due()
            with self._changed:
                if self._is_stopped:
                    return
                wait_s = None
                if self._tasks:
                    wait_s = max(0.0, (self._tasks[0].due_ns - self._clock.monotonic_ns()) / 1e9)
                self._changed.wait(wait_s)
