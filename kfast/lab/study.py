"""An experiment in the background: it starts at once, is asked how far it is, and gives what it has measured so far.

    study = Study(ExperimentRun(...))
    study.start()        returns at once
    study.wait()         until it is through, or its time is up
    study.result()       of the blocks that are complete; never waits

Whole blocks alone count, so a study that is ended early has fewer blocks and none that is half. A second study ends the
first: running a cell again shall replace its older run, and two at a time would measure each other.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import ClassVar

from kfast.errors import KfastError
from kfast.lab.experiment_result import ExperimentResult, Run
from kfast.lab.experiment_run import ExperimentRun

LIMIT_S = 75.0


@dataclass(frozen=True, slots=True)
class StudyState:
    """How far it is: runs done of those planned, in words what it is at, and how long it has taken."""

    done: int
    total: int
    words: str
    block_count: int
    elapsed_s: float


class NothingMeasuredError(KfastError):
    """A study was asked for a result before its first block was complete."""


class _StoppedError(Exception):
    """Ends a block in the middle; nobody outside sees it."""


class Study:
    """Does `run` in a thread. No block begins that would, at the pace so far, end after `limit_s`."""

    _latest: ClassVar[Study | None] = None
    _latest_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, run: ExperimentRun, limit_s: float = LIMIT_S) -> None:
        self.limit_s = limit_s
        self._experiment_run = run
        self._blocks: list[list[Run]] = []
        self._state = (0, 0, "not started")
        self._start_s = self._end_s = 0.0
        self._error: BaseException | None = None
        self._stop = threading.Event()
        self._has_started = False
        self._over = threading.Event()
        """Not the thread's own end: a Ctrl-C in Thread.join makes Python 3.11 take a thread for ended that goes on."""
        self._thread = threading.Thread(target=self._run, name="kfast-study", daemon=True)

    def start(self) -> None:
        """Begin, once, and return. An older study is ended first."""
        with Study._latest_lock:
            older, Study._latest = Study._latest, self
        if older is not None:
            older.stop()
        self._start_s = time.monotonic()
        self._thread.start()
        self._has_started = True

    def wait(self, timeout_s: float | None = None) -> bool:
        """Return whether it is over. Ctrl-C ends the wait and the study; what was measured is kept."""
        try:
            return self._over.wait(timeout_s)
        except KeyboardInterrupt:
            self.stop()
            raise

    def stop(self) -> None:
        """End it, if it is still going on, and wait until its files and children are gone."""
        self._stop.set()
        if self.is_running:
            self._over.wait()

    def result(self) -> ExperimentResult:
        """What the blocks so far say. Raises what went wrong, or NothingMeasuredError."""
        if self._error is not None:
            raise self._error
        if not self._blocks:
            raise NothingMeasuredError("the first block is not complete yet: call wait() before result()")
        return self._experiment_run.result([run for block in list(self._blocks) for run in block])

    @property
    def state(self) -> StudyState:
        end_s = time.monotonic() if self.is_running else self._end_s
        return StudyState(*self._state, block_count=len(self._blocks), elapsed_s=end_s - self._start_s)

    @property
    def is_running(self) -> bool:
        return self._has_started and not self._over.is_set()

    def _run(self) -> None:
        blocks = self._experiment_run.blocks(self._note)
        try:
            for block in blocks:
                self._blocks.append(block)
                elapsed_s = time.monotonic() - self._start_s
                if elapsed_s * (1 + 1 / len(self._blocks)) > self.limit_s:
                    break
        except _StoppedError:
            pass
        except BaseException as error:  # nobody sees a thread's traceback: result() raises it
            self._error = error
        finally:
            blocks.close()  # the files and the children go with it
            self._end_s = time.monotonic()
            self._over.set()

    def _note(self, done: int, total: int, words: str) -> None:
        if self._stop.is_set():
            raise _StoppedError
        self._state = (done, total, words)

    def __repr__(self) -> str:
        state = "running" if self.is_running else "not running"
        return f"Study({self._experiment_run.experiment.name}, {state}, {len(self._blocks)} blocks)"
