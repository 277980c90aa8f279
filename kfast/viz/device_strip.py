"""A live strip of what a disk is asked for: requests a second to read and to write, the last minute of them.

    strip = DeviceStrip()      showing it is leaving it at the end of a cell
    strip.start()              returns at once; the run ends by Stop, or by itself after 120 s
    strip.result()             all of it so far, as a figure that stays; never waits
    strip.stop()

The counters are those of the whole device, other programs' requests included. Watching costs processor time: no number
that is reported should be measured meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from kfast.lab.counters import DeviceIo, device_io
from kfast.lab.lab_directory import lab_parent
from kfast.lab.plans import is_fast
from kfast.lab.unavailable import Unavailable
from kfast.viz import style
from kfast.viz.live import LIMIT_S, End, LiveOutput, LivePlot
from kfast.viz.shown_figure import ShownFigure

WIDTH_PX, HEIGHT_PX = 800, 190
WINDOW_S = 60.0
FAST_LIMIT_S = 1.0
READ_COLOR, WRITE_COLOR = style.BLUE, style.VERMILLION

Reader = Callable[[], DeviceIo | Unavailable]


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests a second between two looks at the counters, the second of them at `elapsed_s`."""

    elapsed_s: float
    reads_per_s: float
    writes_per_s: float


class DeviceFigure:
    """Draws rates; `window_s` None shows all of them, as in the figure that stays when the run is over."""

    def __init__(self, window_s: float | None = WINDOW_S) -> None:
        self._window_s = window_s
        with style.context():
            self.figure = style.new_figure(WIDTH_PX, HEIGHT_PX)
            self._axes = self.figure.add_axes((0.085, 0.27, 0.83, 0.55))
            self._axes.set(xlim=(-WINDOW_S, 0), ylim=(0, 10))
            self._axes.set_xlabel("seconds ago" if window_s else "seconds since the start", labelpad=2)
            self._axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{abs(seconds):g}"))
            self._axes.set_title("device requests a second, whole device", fontsize=11, loc="left")
            self._axes.locator_params(axis="y", nbins=4)
            self._reads, self._writes = self._line(READ_COLOR, "-"), self._line(WRITE_COLOR, "--")
        self.figure.text(0.93, 0.66, "reads", color=READ_COLOR, fontsize=10.5)
        self.figure.text(0.93, 0.52, "writes", color=WRITE_COLOR, fontsize=10.5)

    def moving(self) -> Sequence[Artist]:
        return [self._reads, self._writes]

    def show(self, rates: Sequence[Rate]) -> bool:
        """Set the lines; True when a limit moved, so that the background is stale."""
        if not rates:
            return False
        now_s = rates[-1].elapsed_s
        start_s = 0.0
        if self._window_s:
            rates, start_s = [rate for rate in rates if rate.elapsed_s >= now_s - self._window_s], now_s
        else:
            self._axes.set_xlim(0, max(1.0, now_s))
        times = [rate.elapsed_s - start_s for rate in rates]
        self._reads.set_data(times, [rate.reads_per_s for rate in rates])
        self._writes.set_data(times, [rate.writes_per_s for rate in rates])
        return self._fit_top(max(max(rate.reads_per_s, rate.writes_per_s) for rate in rates))

    def _fit_top(self, top: float) -> bool:
        """Change the limit seldom: each change is a full drawing."""
        current = self._axes.get_ylim()[1]
        if top > current or (current > 10 and top < current / 4):
            self._axes.set_ylim(0, max(10.0, top * 1.4))
            return True
        return False

    def _line(self, color: str, linestyle: str) -> Line2D:
        return self._axes.plot([], [], color=color, ls=linestyle, lw=1.8)[0]


class DeviceRun:
    """The source of a live plot: looks at the counters with every step."""

    def __init__(self, figure: DeviceFigure, read: Reader, status: widgets.HTML) -> None:
        self.rates: list[Rate] = []
        self.total = (0, 0)
        self.device = ""
        self._figure, self._read, self._status = figure, read, status
        self._last: tuple[float, DeviceIo] | None = None

    def begin(self) -> None:
        self.rates, self.total, self._last = [], (0, 0), None
        self._status.value = "running"

    def step(self, elapsed_s: float) -> Sequence[bool] | None:
        found = self._read()
        if isinstance(found, Unavailable):
            self._status.value = str(found)
            return None
        last, self._last, self.device = self._last, (elapsed_s, found), found.device
        if last is None:
            return None
        reads = found.read_requests - last[1].read_requests
        writes = found.write_requests - last[1].write_requests
        self.total = (self.total[0] + reads, self.total[1] + writes)
        passed_s = elapsed_s - last[0]
        self.rates.append(Rate(elapsed_s, reads / passed_s, writes / passed_s))
        return [self._figure.show(self.rates)]

    def finish(self, end: End, error: BaseException | None) -> None:
        if self.rates or error:
            self._status.value = f"ended by {end.value}" if end is not End.STOPPED else "stopped"


class DeviceStrip:
    """The strip with its buttons. A second one ends the first one's run."""

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, read: Reader | None = None, limit_s: float | None = None
    ) -> None:
        place = lab_parent() if path is None else path
        self._status = widgets.HTML()
        figure = DeviceFigure()
        self._run = DeviceRun(figure, read or (lambda: device_io(place)), self._status)
        limit_s = limit_s if limit_s is not None else FAST_LIMIT_S if is_fast() else LIMIT_S
        self._plot = LivePlot("device", [figure], self._run, limit_s=limit_s, at_end=self._save)
        buttons = widgets.HBox(
            [_button("Start", self._plot.start), _button("Stop", self._plot.request_stop), self._status]
        )
        self.view = widgets.VBox([buttons, *self._plot.images])
        self._output = LiveOutput(self.view)

    def start(self) -> None:
        self._plot.start()

    def stop(self) -> None:
        """End the run and wait for it."""
        self._plot.stop()

    def wait(self, timeout_s: float | None = None) -> None:
        """Until the run is over. Raises what the run raised."""
        self._plot.wait(timeout_s=timeout_s)
        self._plot.raise_error()

    @property
    def is_running(self) -> bool:
        return self._plot.is_running

    def result(self) -> ShownFigure:
        """All of the newest run so far."""
        self._plot.raise_error()
        rates = list(self._run.rates)
        figure = DeviceFigure(window_s=None)
        figure.show(rates)
        return ShownFigure(figure.figure, self._words(rates))

    def _words(self, rates: Sequence[Rate]) -> str:
        if not rates:
            return self._status.value or "The device was not watched yet."
        reads, writes = self._run.total
        most = max(rate.reads_per_s for rate in rates), max(rate.writes_per_s for rate in rates)
        return (
            f"Requests to the whole device {self._run.device} in {rates[-1].elapsed_s:.0f} s: {reads:,} to read, "
            f"at most {most[0]:,.0f} a second; {writes:,} to write, at most {most[1]:,.0f} a second."
        )

    def _save(self) -> None:
        """Put the newest picture into the notebook's saved output."""
        self._output.update(self._plot.png(), self._words(self._run.rates))

    def _ipython_display_(self) -> None:
        self._output.show(self._plot.png(), self._words(self._run.rates))

    def __repr__(self) -> str:
        return f"DeviceStrip({'running' if self.is_running else 'not running'})"


def _button(description: str, action: Callable[[], Any]) -> widgets.Button:
    button = widgets.Button(description=description, layout=widgets.Layout(width="auto"))
    button.on_click(lambda _: action())
    return button
