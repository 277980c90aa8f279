"""A slider over all offsets of a log, and under it the way to the chosen one.

view = LookupView(log, 150)      showing it is leaving it at the end of a cell
view.look_up(430)                the slider's twin in code
view.result()                    the picture as it is now, as a figure that stays
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets

from kfast.lab.offset_lookup import OffsetLookup, look_up
from kfast.log.log import Log
from kfast.viz.live import LiveOutput
from kfast.viz.lookup_figure import HEIGHT_PX, WIDTH_PX, draw_lookup
from kfast.viz.shown_figure import ShownFigure


class LookupView:
    """Draws anew when the slider is let go. The log must not be empty."""

    def __init__(self, log: Log, offset: int | None = None) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._slider = widgets.IntSlider(
            value=log.log_start_offset if offset is None else offset,
            min=log.log_start_offset,
            max=log.log_end_offset - 1,
            description="fetch offset",
            continuous_update=False,
            readout=False,
            style={"description_width": "92px"},
            layout=widgets.Layout(width="min(640px, 60%)"),
        )
        self._sentence = widgets.HTML()
        layout = widgets.Layout(width="100%", max_width=f"{WIDTH_PX}px", height="auto")
        self._image = widgets.Image(format="png", width=WIDTH_PX, height=HEIGHT_PX, layout=layout)
        self._shown: ShownFigure
        self._slider.add_class("kfast-lookup-offset")
        self._sentence.add_class("kfast-lookup-finding")
        self._slider.observe(self._moved, names="value")
        self._draw(self._slider.value)
        self.view = widgets.VBox([self._slider, self._sentence, self._image])
        self.view.add_class("kfast-lookup")
        self._output = LiveOutput(self.view)

    def look_up(self, offset: int) -> OffsetLookup:
        """Move the slider to `offset` and return the steps to it. Raises ValueError for one the log does not have."""
        if not self._slider.min <= offset <= self._slider.max:
            raise ValueError(f"offset {offset} is not within {self._slider.min}..{self._slider.max}")
        self._slider.value = offset
        return look_up(self._log, offset)

    def result(self) -> ShownFigure:
        """The newest picture, for the saved notebook."""
        with self._lock:
            return self._shown

    def _moved(self, change: Mapping[str, Any]) -> None:
        # A tenth of a second of drawing, once the slider is let go: too short to be worth a thread of its own. The
        # output that the cell saved stays as it is: replacing it would take the keyboard's focus from the slider.
        self._draw(change["new"])

    def _draw(self, offset: int) -> None:
        with self._lock:  # the callback and look_up may come from two threads
            self._shown = draw_lookup(self._log, look_up(self._log, offset))
            self._image.value = self._shown.png()
            self._sentence.value = self._shown.finding

    def _ipython_display_(self) -> None:
        shown = self.result()
        self._output.show(shown.png(), shown.words)

    def __repr__(self) -> str:
        return f"LookupView({self._slider.value} of {self._slider.min}..{self._slider.max})"
