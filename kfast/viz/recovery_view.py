"""Break a log where you like, as you like, and see what recovery makes of it.

view = RecoveryView(CrashedLog())                     showing it is leaving it at the end of a cell
view.break_at(20_000, FLIPPED, believed=OLDER)        the controls' twin in code
view.result()                                         the picture as it is now, as a figure that stays
"""

from __future__ import annotations

import threading
from typing import Any

import ipywidgets as widgets

from kfast.lab.crashed_log import BELIEFS, NOTHING, CrashedLog
from kfast.lab.damage import DAMAGES, FLIPPED
from kfast.lab.recovery import Recovery
from kfast.viz.live import LiveOutput
from kfast.viz.recovery_figure import HEIGHT_PX, WIDTH_PX, draw_recovery
from kfast.viz.shown_figure import ShownFigure


class RecoveryView:
    """A slider over the bytes of a log, the kind of damage, and how the broker went down before it was opened again."""

    def __init__(self, log: CrashedLog, position: int | None = None) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._is_set_at_once = False
        self._place = widgets.IntSlider(
            value=log.size_bytes // 2 if position is None else position,
            min=0,
            max=log.size_bytes,
            description="where, byte",
            continuous_update=False,
            style={"description_width": "92px"},
            layout=widgets.Layout(width="min(760px, 92%)"),
        )
        self._damage = _toggles("damage", list(DAMAGES), FLIPPED)
        self._believed = _toggles("after", list(BELIEFS), NOTHING)
        self._sentence = widgets.HTML()
        layout = widgets.Layout(width="100%", max_width=f"{WIDTH_PX}px", height="auto", margin="0")
        self._image = widgets.Image(format="png", width=WIDTH_PX, height=HEIGHT_PX, layout=layout)
        self._shown: ShownFigure
        self._recovery: Recovery
        for name, control in (("place", self._place), ("damage", self._damage), ("believed", self._believed)):
            control.add_class(f"kfast-recovery-{name}")
            control.observe(self._changed, names="value")
        self._sentence.add_class("kfast-recovery-finding")
        self._draw()
        self.view = widgets.VBox([self._place, self._damage, self._believed, self._sentence, self._image])
        self.view.add_class("kfast-recovery")
        self._output = LiveOutput(self.view)

    def break_at(self, position: int, damage: str = FLIPPED, believed: str = NOTHING) -> Recovery:
        """Set the controls, and return what came out. Raises ValueError for what they do not have."""
        self._log.place(position)
        if damage not in DAMAGES or believed not in BELIEFS:
            raise ValueError(f"{damage!r}, {believed!r}: there are {', '.join(DAMAGES)}; and {', '.join(BELIEFS)}")
        self._is_set_at_once = True
        try:
            self._place.value, self._damage.value, self._believed.value = position, damage, believed
        finally:
            self._is_set_at_once = False
        self._draw()
        return self._recovery

    def result(self) -> ShownFigure:
        """The newest picture, for the saved notebook."""
        with self._lock:
            return self._shown

    def _changed(self, _: Any) -> None:
        # Copying, recovering and drawing takes a fifth of a second, once the slider is let go: no thread of its own.
        if not self._is_set_at_once:
            self._draw()

    def _draw(self) -> None:
        with self._lock:  # callbacks and break_at may come from two threads
            position, damage, believed = self._place.value, self._damage.value, self._believed.value
            self._recovery = self._log.break_at(position, damage, believed)
            self._shown = draw_recovery(self._recovery, self._log.place(position), damage, believed)
            self._image.value = self._shown.png()
            self._sentence.value = self._shown.finding

    def _ipython_display_(self) -> None:
        shown = self.result()
        self._output.show(shown.png(), shown.words)

    def __repr__(self) -> str:
        return f"RecoveryView({self._damage.value!r} at {self._place.value}, {self._believed.value!r})"


def _toggles(description: str, options: list[str], value: str) -> Any:
    style = {"description_width": "92px", "button_width": "auto"}
    layout = widgets.Layout(width="auto")
    return widgets.ToggleButtons(options=options, value=value, description=description, style=style, layout=layout)
