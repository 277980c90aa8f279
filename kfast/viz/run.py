"""One run of the dashboard, as its renderer thread does it: apply changes, sample, compare, show.

This thread alone talks to the workload and alone writes to pictures and texts.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from kfast.errors import KfastError
from kfast.lab.comparison_run import ComparisonRun
from kfast.lab.data_way import DataWay, data_way, sentences
from kfast.lab.mode_comparison import ComparisonPlan, ModeComparison
from kfast.lab.reading import Reading
from kfast.viz import style
from kfast.viz.controls import WORKLOADS, Controls, change_label
from kfast.viz.live import End
from kfast.viz.readout import Readout, live_sentence
from kfast.viz.time_figure import Change, Point, TimeFigure, Timeline
from kfast.viz.way_figure import WayFigure

WINDOW_S = 1.0
WORDS_PERIOD_S = 2.0
COMPARED_WORKLOAD = "reread"


class LiveWorkload(Protocol):
    """What the dashboard needs of a workload; `kfast.lab.workload.Workload` is one."""

    @property
    def directory(self) -> Path: ...

    def set(self, **settings: Any) -> None: ...

    def sample(self) -> Any: ...

    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Measuring:
    """How a run measures: what opens its workload, what reads two samples, and how long and in which turns."""

    open_workload: Callable[[Mapping[str, Any]], LiveWorkload]
    read: Callable[[Any, Any], Reading]
    copy_modes: Sequence[str]
    plan: ComparisonPlan
    limit_s: float
    seed: int


@dataclass(slots=True)
class Show:
    """Where a run shows itself."""

    controls: Controls
    readout: Readout = field(default_factory=Readout)
    time_figure: TimeFigure = field(default_factory=TimeFigure)
    way_figure: WayFigure = field(default_factory=WayFigure)


class DashboardRun:
    """The source of the dashboard's LivePlot: `begin`, `step` and `finish` run in its thread, the rest in any."""

    def __init__(self, show: Show, measuring: Measuring) -> None:
        self._show = show
        self._measuring = measuring
        self._lock = threading.Lock()
        self._wants_comparison = self._has_compared = False
        self._comparing: ComparisonRun[Any] | None = None
        self._workload: LiveWorkload | None = None
        self._samples: deque[Any] = deque()
        self._copy_mode = ""
        self._running = ""
        self._batch_records = 0
        self._words_due_s = 0.0
        self.on_compared: Callable[[], None] = lambda: None
        self.comparison: ModeComparison | None = None
        self.timeline = Timeline()
        self.way: DataWay | None = None

    def request_comparison(self) -> None:
        """Compare the copy modes from the next sample on."""
        with self._lock:
            self._wants_comparison = True
            self._has_compared = False

    @property
    def is_comparing(self) -> bool:
        """Whether a comparison is wanted or under way."""
        with self._lock:
            return self._wants_comparison or self._comparing is not None

    @property
    def has_compared(self) -> bool:
        """Whether a comparison was made, and what the controls stand at is shown again."""
        return self._has_compared and not self.is_comparing

    def begin(self) -> None:
        self.timeline, self.comparison, self._has_compared, self.way = Timeline(), None, False, None
        self._words_due_s = 0.0
        self._show.readout.status.value = "starting: a broker in a process of its own, a log to read, the clients"
        self._show.controls.take_changes()
        settings = self._show.controls.values
        self._copy_mode, self._running = settings["copy_mode"], settings["workload"]
        self._batch_records = settings["batch_records"]
        self._workload = self._measuring.open_workload(settings)
        self._show.readout.show_place(self._workload.directory)
        self._samples = deque([self._workload.sample()])

    def step(self, elapsed_s: float) -> Sequence[bool] | None:
        assert self._workload is not None
        changes = self._show.controls.take_changes()
        if changes:
            self._apply(elapsed_s, changes)
        self._begin_comparison(elapsed_s)
        sample = self._workload.sample()
        self._samples.append(sample)
        self._add_point(elapsed_s)
        was_measuring = self._comparing is not None and self._comparing.is_measuring
        self._step_comparison(elapsed_s, sample)
        if was_measuring and self._comparing is not None and self._comparing.is_measuring:
            return None  # drawing would take processor time from what is being measured
        return self._draw(elapsed_s)

    def finish(self, end: End, error: BaseException | None) -> None:
        workload, self._workload = self._workload, None
        with self._lock:
            self._comparing, self._wants_comparison = None, False
        self._show.readout.status.value = "stopping"
        if workload is not None:
            workload.stop()
        elapsed_s = self.timeline.points[-1].elapsed_s if self.timeline.points else 0.0
        reasons = {
            End.STOPPED: f"stopped after {elapsed_s:.0f} s",
            End.LIMIT: f"ended by itself after {self._measuring.limit_s:.0f} s; Start begins a new run",
            End.FAILED: f"failed: {error}",
        }
        self._show.readout.status.value = reasons[end]

    def _apply(self, elapsed_s: float, changes: Mapping[str, Any]) -> None:
        """Hand changes to the workload; each that was accepted gets its line in the picture."""
        if self._comparing is not None:
            self._end_comparison(elapsed_s, f"it was ended by a change of {', '.join(changes)}")
            changes = {name: value for name, value in changes.items() if name not in ("workload", "copy_mode")}
        for name, value in changes.items():
            try:
                self._set(elapsed_s, name, value)
            except KfastError as error:
                self._show.readout.show_finding(f"{change_label(name, value)} could not be set: {error}")

    def _set(self, elapsed_s: float, name: str, value: Any, label: str | None = None) -> None:
        assert self._workload is not None
        self._workload.set(**{name: value})
        if name == "copy_mode":
            self._copy_mode = value
        if name == "workload":
            self._running = value
        if name == "batch_records":
            self._batch_records = value
        self._samples.clear()  # no rate is taken across a change
        self._samples.append(self._workload.sample())
        if label is None:
            self.timeline.add_change(Change(elapsed_s, change_label(name, value), name))
        else:
            self.timeline.add_change(Change(elapsed_s, label))

    def _begin_comparison(self, elapsed_s: float) -> None:
        with self._lock:
            if not self._wants_comparison or self._comparing is not None:
                return
            self._wants_comparison = False
            measuring = self._measuring
            self._comparing = ComparisonRun(measuring.plan, measuring.copy_modes, measuring.read, measuring.seed)
        self.comparison = self._comparing.comparison
        self._set(elapsed_s, "workload", COMPARED_WORKLOAD, "comparison")

    def _step_comparison(self, elapsed_s: float, sample: Any) -> None:
        comparing = self._comparing
        if comparing is None:
            return
        copy_mode = comparing.step(elapsed_s, sample)
        if copy_mode is not None:
            self._set(elapsed_s, "copy_mode", copy_mode, "")
            self._show.readout.show_finding(comparing.comparison.sentence())
        if comparing.is_done:
            self._end_comparison(elapsed_s)

    def _end_comparison(self, elapsed_s: float, why: str = "") -> None:
        """Say what came out, and go back to what the controls stand at."""
        assert self._comparing is not None
        tail = f" The comparison is not complete: {why}." if why else ""
        self._show.readout.show_finding(self._comparing.comparison.sentence() + tail)
        values = self._show.controls.values
        self._set(elapsed_s, "workload", values["workload"], "")
        words = f"{style.mode_label(values['copy_mode'])}, {WORKLOADS[values['workload']]}"
        self._set(elapsed_s, "copy_mode", values["copy_mode"], words)
        with self._lock:
            self._comparing = None

    def _add_point(self, elapsed_s: float) -> None:
        if len(self._samples) < 2:
            return
        reading = self._measuring.read(self._samples[-2], self._samples[-1])
        self.timeline.points.append(
            Point(
                elapsed_s,
                reading.produce_bytes_per_s / 1e6,
                reading.consume_bytes_per_s / 1e6,
                reading.cpu_s_per_gb,
                self._copy_mode,
                self._batch_records,
                self._running,
            )
        )

    def _recent(self) -> Reading | None:
        """What the last second says, or the time since the last change where that is shorter."""
        while len(self._samples) > 2 and self._read_from(1).elapsed_s >= WINDOW_S:
            self._samples.popleft()
        return self._read_from(0) if len(self._samples) > 1 else None

    def _read_from(self, number: int) -> Reading:
        return self._measuring.read(self._samples[number], self._samples[-1])

    def _draw(self, elapsed_s: float) -> Sequence[bool]:
        readout = self._show.readout
        readout.status.value = self._status(elapsed_s)
        is_way_stale = False
        reading = self._recent()
        if reading is not None:
            way = self.way = data_way(reading.traffic)
            readout.show(reading, self._copy_mode)
            is_way_stale = self._show.way_figure.show(way)
            if elapsed_s >= self._words_due_s:
                self._words_due_s = elapsed_s + WORDS_PERIOD_S
                readout.show_words(sentences(way))
            if self.comparison is None and reading.elapsed_s >= WINDOW_S:
                readout.show_finding(live_sentence(reading, self._copy_mode))
            if self.comparison is not None and self._comparing is None and not self._has_compared:
                self._has_compared = True
                self.on_compared()
        return [self._show.time_figure.show(self.timeline), is_way_stale]

    def _status(self, elapsed_s: float) -> str:
        words = f"running: {elapsed_s:.0f} s of {self._measuring.limit_s:.0f} s, {style.mode_label(self._copy_mode)}"
        words += f", {change_label('batch_records', self._batch_records)}"
        if self._comparing is not None:
            comparison = self._comparing.comparison
            words += f", comparing: turn {len(comparison.results) + 1} of {len(comparison.turns)}"
        return words
