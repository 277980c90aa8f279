"""Move the block size and see a file read in order and at random, cold, a moment later. For intuition: one run each.

    explorer = BlockSizeExplorer()          the slider and the picture; showing it is leaving it at the end of a cell
    explorer.set(block_size=64 << 10)       what moving the slider does; returns at once
    explorer.wait()                         until what was asked for is measured; for continuous integration
    explorer.result()                       the runs so far; never waits

One thread measures and draws, and is the only one to write to the picture. A slider dragged past several sizes measures
the one it stops at.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from kfast.lab.experiment_result import Run
from kfast.lab.experiment_run import ExperimentRun
from kfast.lab.io_experiment import BLOCK_SIZES
from kfast.lab.io_session import REQUESTS, SPEED
from kfast.lab.plans import block_size_experiment
from kfast.lab.prediction import number
from kfast.lab.sizes import size_text
from kfast.lab.unavailable import Unavailable
from kfast.viz import style
from kfast.viz.io_figures import AT_RANDOM, BLOCK_LABEL, IN_ORDER, REQUESTS_LABEL
from kfast.viz.live import LiveOutput, LiveRunError
from kfast.viz.size_axis import MARGIN, set_factor_axis, set_size_axis
from kfast.viz.spread import draw_dots

WIDTH_PX, HEIGHT_PX = 800, 300
NOTHING_YET = "Nothing has been measured yet: move the slider."


class BlockSizeExplorer:
    """The widget. `seed` orders the random reads."""

    def __init__(self, seed: int = 0, block_sizes: Sequence[int] = BLOCK_SIZES) -> None:
        self.runs: list[Run] = []
        self._seed = seed
        self._block_sizes = tuple(block_sizes)
        self._changed = threading.Condition()
        self._asked: int | None = None
        self._is_measuring = False
        self._error: BaseException | None = None
        self._words = NOTHING_YET
        options = [(size_text(size), size) for size in self._block_sizes]
        self.slider = widgets.SelectionSlider(
            options=options, value=self._block_sizes[-1], description="Block size", continuous_update=False
        )
        self.slider.add_class("kfast-control-block-size")
        self.slider.observe(self._moved, names="value")
        self._note = widgets.HTML(NOTHING_YET)
        self._note.add_class("kfast-note-block-size")
        layout = widgets.Layout(width="100%", max_width=f"{WIDTH_PX}px", height="auto")
        self._image = widgets.Image(value=self._draw(), format="png", width=WIDTH_PX, height=HEIGHT_PX, layout=layout)
        self.view = widgets.VBox([self.slider, self._note, self._image])
        self._output = LiveOutput(self.view)

    def set(self, *, block_size: int) -> None:
        """Move the slider, as the reader would, and measure; also where it stands there already."""
        if block_size not in self._block_sizes:
            raise ValueError(f"block_size is one of {', '.join(map(str, self._block_sizes))}, not {block_size}")
        if self.slider.value == block_size:
            self._ask(block_size)
        else:
            self.slider.value = block_size

    def wait(self, timeout_s: float = 60.0) -> None:
        """Return when nothing is being measured. Raises LiveRunError when that failed, TimeoutError when it lasts."""
        with self._changed:
            is_idle = self._changed.wait_for(lambda: not self._is_measuring, timeout_s)
        if not is_idle:
            raise TimeoutError(f"still measuring after {timeout_s:.0f} s")
        self._raise_error()

    def result(self) -> list[Run]:
        """The runs so far. Never waits; raises LiveRunError when measuring failed."""
        self._raise_error()
        return list(self.runs)

    def _moved(self, change: Mapping[str, Any]) -> None:
        self._ask(change["new"])

    def _ask(self, block_size: int) -> None:
        with self._changed:
            self._asked = block_size
            if not self._is_measuring:
                self._is_measuring, self._error = True, None
                threading.Thread(target=self._measure, name="kfast-block-size", daemon=True).start()

    def _measure(self) -> None:
        """Until nobody asks for more."""
        try:
            while (block_size := self._next()) is not None:
                experiment = block_size_experiment(block_size, self._seed + len(self.runs))
                runs = [run for block in experiment.blocks() for run in block]
                self.runs += runs
                self._show(experiment, runs, block_size)
        except BaseException as error:  # nobody sees a thread's traceback: wait() and result() raise it
            with self._changed:
                self._error, self._is_measuring = error, False
                self._changed.notify_all()

    def _next(self) -> int | None:
        with self._changed:
            block_size, self._asked = self._asked, None
            if block_size is None:
                self._is_measuring = False
                self._changed.notify_all()
            return block_size

    def _show(self, experiment: ExperimentRun, runs: Sequence[Run], block_size: int) -> None:
        skipped = dict.fromkeys(str(reason) for _, reason in experiment.result(runs).skipped)
        self._words = pair_sentence(runs) if not skipped else f"{size_text(block_size)}: {', '.join(skipped)}"
        self._note.value = f"<span style='line-height:1.3'>{self._words}</span>"
        self._image.value = self._draw()
        self._output.update(bytes(self._image.value), self._words)

    def _draw(self) -> bytes:
        with style.context():
            figure = style.new_figure(WIDTH_PX, HEIGHT_PX)
            speed, requests = figure.subplots(1, 2)
            figure.subplots_adjust(left=0.1, right=0.985, top=0.86, bottom=0.19, wspace=0.22)
            for axes, title in ((speed, "MB/s, cold reads"), (requests, REQUESTS_LABEL)):
                set_size_axis(axes, self._block_sizes, BLOCK_LABEL)
                axes.set_title(title, fontsize=11)
            values = [_mb_per_s(run) for run in self.runs]
            set_factor_axis(speed, min(values, default=10.0), max(values, default=10_000.0))
            counted = [value for run in self.runs if (value := _requests(run)) is not None]
            set_factor_axis(requests, min(counted, default=0.1), max(counted, default=100.0))
            for look in (AT_RANDOM, IN_ORDER):
                chosen = [run for run in self.runs if run.arm["order"] == look.label]
                draw_dots(speed, _places(chosen), [_mb_per_s(run) for run in chosen], look)
                seen = [run for run in chosen if _requests(run) is not None]
                draw_dots(requests, _places(seen), [_requests(run) or 0.0 for run in seen], look)
                speed.plot([], [], ls="", marker=look.marker, color=look.color, label=look.label)
            for line in (*speed.lines, *requests.lines):
                line.set(markersize=7, alpha=0.8)
            if self.runs:
                for axes in (speed, requests):
                    size = self.runs[-1].arm["block_size"]
                    axes.axvspan(size / MARGIN, size * MARGIN, color=style.LIGHT_GREY, alpha=0.3, lw=0)
            speed.legend(loc="lower right")
        return style.to_png(figure)

    def _raise_error(self) -> None:
        if self._error is not None:
            raise LiveRunError(f"measuring failed: {self._error!r}") from self._error

    def _ipython_display_(self) -> None:
        self._output.show(bytes(self._image.value), self._words)

    def __repr__(self) -> str:
        return f"BlockSizeExplorer({len(self.runs)} runs)"


def pair_sentence(runs: Sequence[Run]) -> str:
    """What one pair of runs says, and that it is no more than one."""
    in_order, at_random = sorted(runs, key=lambda run: run.arm["order"] != IN_ORDER.label)
    ratio = _mb_per_s(in_order) / _mb_per_s(at_random)
    return (
        f"{size_text(in_order.arm['block_size'])} blocks: in order {_words(in_order)}; at random {_words(at_random)}. "
        f"In order was {number(ratio)} times as fast, in one run of each: for intuition, not a finding."
    )


def _words(run: Run) -> str:
    requests = run.value(REQUESTS)
    counted = str(requests) if isinstance(requests, Unavailable) else f"{number(requests)} device requests per MiB"
    return f"{number(_mb_per_s(run))} MB/s with {counted}"


def _mb_per_s(run: Run) -> float:
    speed = run.value(SPEED)
    assert isinstance(speed, float), speed
    return speed / 1e6


def _requests(run: Run) -> float | None:
    """None where they were not counted, or none was: a logarithmic axis has no place for 0."""
    found = run.value(REQUESTS)
    return None if isinstance(found, Unavailable) or found <= 0 else found


def _places(runs: Sequence[Run]) -> list[float]:
    return [float(run.arm["block_size"]) for run in runs]
