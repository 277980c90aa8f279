"""The live dashboard: move a control and see what it does to throughput, to the broker's CPU and to the data's way.

    dashboard = Dashboard()          the controls and pictures; showing it is leaving it at the end of a cell
    dashboard.start()                returns at once; the run ends by itself after 120 s
    dashboard.set(batch_records=16, copy_mode="read_send")
    dashboard.compare_modes()        returns at once; the modes take turns in random order
    dashboard.result()               what was measured so far, as a figure that stays; never waits
    dashboard.wait()                 until the comparison or the run is over; for continuous integration
    dashboard.stop()

Every button and control has its twin in code, so that Run All needs no click.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets

from kfast.lab.lab_directory import lab_parent
from kfast.lab.mode_comparison import ComparisonPlan
from kfast.lab.plans import is_fast
from kfast.lab.reading import Reading
from kfast.lab.sampler import reading
from kfast.lab.workload import Workload
from kfast.lab.workload_settings import WorkloadSettings
from kfast.transfer.capability import probe
from kfast.viz.controls import Controls
from kfast.viz.live import FRAMES_PER_S, LIMIT_S, LiveOutput, LivePlot
from kfast.viz.result import DashboardResult, mode_sentences
from kfast.viz.run import DashboardRun, LiveWorkload, Measuring, Show
from kfast.viz.time_figure import Timeline

DEFAULTS: dict[str, Any] = {
    "batch_records": 1024,
    "copy_mode": "sendfile",
    "workload": "both",
    "consumer_count": 1,
    "fetch_bytes": 1 << 20,
    "record_size": 100,
    "compression": "none",
    "client": "raw",
    "flush": "never",
    "receive": "recv_into",
}
PLAN = ComparisonPlan(rounds=5, settle_s=0.2, measure_s=0.2)

# With KFAST_FAST=1, for continuous integration: shows that everything works, not how fast it is. The run ends with its
# comparison, after some two seconds, or more where the processors are busy with other things.
FAST_PLAN = ComparisonPlan(rounds=2, settle_s=0.05, measure_s=0.05)
FAST_LIMIT_S = 30.0
FAST_FRAMES_PER_S = 10.0


def open_workload(settings: Mapping[str, Any]) -> LiveWorkload:
    """A broker and its clients, each in a process of its own."""
    return Workload(WorkloadSettings(**settings))


class Dashboard:
    """Controls, pictures and texts of one live run after another. A second Dashboard ends the first one's run."""

    def __init__(
        self,
        *,
        open_workload: Callable[[Mapping[str, Any]], LiveWorkload] = open_workload,
        read: Callable[[Any, Any], Reading] = reading,
        limit_s: float | None = None,
        seed: int | None = None,
        **settings: Any,
    ) -> None:
        is_short = is_fast()
        limit_s = limit_s if limit_s is not None else FAST_LIMIT_S if is_short else LIMIT_S
        capabilities = probe(lab_parent())
        copy_modes = [mode for mode, capability in capabilities.items() if capability.is_available]
        measuring = Measuring(
            open_workload,
            read,
            copy_modes,
            FAST_PLAN if is_short else PLAN,
            limit_s,
            random.randrange(2**32) if seed is None else seed,
        )
        self._show = Show(Controls({**DEFAULTS, **settings}, copy_modes))
        self._run = DashboardRun(self._show, measuring)
        self._is_fast = is_short
        self._plot = LivePlot(
            "dashboard",
            [self._show.time_figure, self._show.way_figure],
            self._run,
            limit_s=limit_s,
            frames_per_s=FAST_FRAMES_PER_S if is_short else FRAMES_PER_S,
            at_end=self._save,
        )
        if is_short:
            self._run.on_compared = self._plot.request_stop
        self.view = self._arrange()
        self._output = LiveOutput(self.view)

    def start(self) -> None:
        """Begin a run with the settings the controls stand at; returns at once."""
        self._plot.start()

    def stop(self) -> None:
        """End the run; broker and clients are gone when this returns."""
        self._plot.stop()

    def set(self, **settings: Any) -> None:
        """Move controls: `set(batch_records=16, copy_mode="read_send")`. A run follows in mid-stream."""
        self.controls.set(**settings)

    def compare_modes(self) -> None:
        """Let the copy modes take turns in random order, starting a run if there is none; returns at once."""
        self._run.request_comparison()
        self._plot.start()

    def result(self) -> DashboardResult:
        """What was measured so far. Never waits; raises LiveRunError if the run failed."""
        self._plot.raise_error()
        timeline = self._run.timeline
        snapshot = Timeline(list(timeline.points), list(timeline.changes))
        remarks = ["A short run (KFAST_FAST=1) shows that everything works, not how fast."] if self._is_fast else []
        self._save()
        return DashboardResult(snapshot, copy.deepcopy(self._run.comparison), self._run.way, remarks)

    def wait(self, timeout_s: float = 60.0) -> None:
        """Return when the comparison that was asked for is over, or else the run. Raises what the run raised."""
        self._plot.wait(lambda: self._run.has_compared, timeout_s)
        self._plot.raise_error()

    @property
    def controls(self) -> Controls:
        return self._show.controls

    @property
    def is_running(self) -> bool:
        return self._plot.is_running

    def _arrange(self) -> widgets.Widget:
        readout = self._show.readout
        buttons = widgets.HBox(
            [
                _button("Start", "play", self._plot.start),
                _button("Stop", "stop", self._plot.request_stop),
                _button("Compare modes", "random", self.compare_modes),
                readout.status,
            ],
            layout=widgets.Layout(flex_flow="row wrap"),
        )
        words = widgets.Accordion([readout.words], selected_index=None)
        words.set_title(0, "The picture in words")
        view = widgets.VBox(
            [
                self.controls.first_row,
                self.controls.more,
                buttons,
                readout.numbers,
                readout.limit,
                readout.finding,
                *self._plot.images,
                readout.place,
                words,
            ]
        )
        view.add_class("kfast-dashboard")
        return view

    def _save(self) -> None:
        """Put the newest picture into the notebook's saved output."""
        self._output.update(self._plot.png(), self._description())

    def _description(self) -> str:
        return "\n".join(["The live dashboard.", *mode_sentences(self._run.timeline)])

    def _ipython_display_(self) -> None:
        self._output.show(self._plot.png(), self._description())

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return self._output.bundle(self._plot.png(), self._description())

    def __repr__(self) -> str:
        return f"Dashboard({'running' if self.is_running else 'not running'})"


def _button(description: str, icon: str, action: Callable[[], None]) -> widgets.Button:
    button = widgets.Button(description=description, icon=icon, layout=widgets.Layout(width="auto"))
    button.add_class(f"kfast-{description.split()[0].lower()}")
    button.on_click(lambda _: action())
    return button
