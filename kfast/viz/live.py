"""A picture that moves while the kernel stays free: widgets.Image fed with blitted frames by one renderer thread.

    cell, callbacks    start() returns at once · stop() · result() never waits · wait() is for continuous integration
    renderer thread    begin, then step four times a second, then finish; nobody else draws or writes to the images

Frames are dropped, never queued. A second LivePlot of the same name ends the first, so that running a cell again
replaces its older run. What the thread raised is kept and raised again by `result`. Nothing here uses pyplot.
"""

from __future__ import annotations

import atexit
import base64
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Protocol

import ipywidgets as widgets
from IPython.display import display, update_display
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from kfast.viz.frames import FrameRenderer, stack

FRAMES_PER_S = 4.0
LIMIT_S = 120.0
STOP_TIMEOUT_S = 20.0
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

_RUNNING: dict[str, LivePlot] = {}
_RUNNING_LOCK = threading.Lock()


@atexit.register
def stop_all() -> None:
    """End every run without a last frame, as the interpreter goes down and nobody could receive it."""
    for plot in list(_RUNNING.values()):
        plot.is_silent = True
        plot.stop()


class LiveRunError(RuntimeError):
    """What went wrong in the renderer thread; `__cause__` is the error itself."""


class End(Enum):
    """Why a run ended."""

    STOPPED = "stopped"
    LIMIT = "the time limit"
    FAILED = "an error"


class Picture(Protocol):
    """A figure of fixed size, and the artists in it that change from frame to frame."""

    @property
    def figure(self) -> Figure: ...

    def moving(self) -> Sequence[Artist]: ...


class Source(Protocol):
    """Where the data come from. All three are called in the renderer thread."""

    def begin(self) -> None: ...

    def step(self, elapsed_s: float) -> Sequence[bool] | None:
        """Sample, and set the artists. Says for each picture whether its background is stale; None draws nothing."""

    def finish(self, end: End, error: BaseException | None) -> None:
        """Let go of everything. Called once, however the run ended."""


class LivePlot:
    """Runs `source` and shows `pictures` until stopped, or for `limit_s`; `at_end` comes after the last frame.

    `start` may be called again afterwards.
    """

    def __init__(
        self,
        name: str,
        pictures: Sequence[Picture],
        source: Source,
        *,
        limit_s: float = LIMIT_S,
        frames_per_s: float = FRAMES_PER_S,
        at_end: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.limit_s = limit_s
        self.error: BaseException | None = None
        self.is_silent = False
        self._source = source
        self._period_s = 1 / frames_per_s
        self._at_end = at_end
        self._renderers = [FrameRenderer(picture.figure, picture.moving) for picture in pictures]
        self.images = [
            self._image(picture, renderer) for picture, renderer in zip(pictures, self._renderers, strict=True)
        ]
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._replace_older()

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin a run and return at once; a run that is going on is left alone."""
        if self.is_running:
            return
        self._stop = threading.Event()
        self.error = None
        self._thread = threading.Thread(target=self._run, name=f"kfast-live-{self.name}", daemon=True)
        self._thread.start()

    def request_stop(self) -> None:
        """Ask the run to end and return at once, as a widget's callback must."""
        self._stop.set()

    def stop(self) -> None:
        """End the run and wait until it let go of everything."""
        self.request_stop()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(STOP_TIMEOUT_S)

    def wait(self, is_done: Callable[[], bool] = lambda: False, timeout_s: float | None = None) -> bool:
        """Return True when the run has ended or `is_done`, False when the time is up. Ctrl-C ends the run as well."""
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            while self.is_running and not is_done():
                if deadline_s is not None and time.monotonic() > deadline_s:
                    return False
                assert self._thread is not None
                self._thread.join(0.05)
        except KeyboardInterrupt:
            self.stop()
            raise
        return True

    def raise_error(self) -> None:
        """Raise again what the renderer thread raised."""
        if self.error is not None:
            raise LiveRunError(f"the live run failed: {self.error!r}") from self.error

    def png(self) -> bytes:
        """The newest frames of all pictures, one below the other."""
        return stack([bytes(image.value) for image in self.images])

    def _run(self) -> None:
        end = End.STOPPED
        try:
            self._source.begin()
            end = self._loop()
        except BaseException as error:  # nobody sees a thread's traceback: it is kept for result()
            self.error, end = error, End.FAILED
        try:
            self._source.finish(end, self.error)
            if not self.is_silent:
                self._send([True] * len(self.images))
                self._at_end()
        except BaseException as error:
            self.error = self.error or error

    def _loop(self) -> End:
        start_s = time.monotonic()
        due_s = start_s
        while not self._stop.is_set():
            elapsed_s = time.monotonic() - start_s
            if elapsed_s >= self.limit_s:
                return End.LIMIT
            are_stale = self._source.step(elapsed_s)
            if are_stale is not None and not self.is_silent:
                self._send(are_stale)
            now_s = time.monotonic()
            due_s = max(due_s + self._period_s, now_s)  # late: the frame is dropped
            self._stop.wait(due_s - now_s)
        return End.STOPPED

    def _send(self, are_stale: Sequence[bool]) -> None:
        for image, renderer, is_stale in zip(self.images, self._renderers, are_stale, strict=True):
            image.value = renderer.frame(is_stale)

    def _image(self, picture: Picture, renderer: FrameRenderer) -> widgets.Image:
        width, height = picture.figure.canvas.get_width_height()
        layout = widgets.Layout(width="auto", max_width=f"{width}px", height="auto")
        return widgets.Image(value=renderer.frame(), format="png", width=width, height=height, layout=layout)

    def _replace_older(self) -> None:
        with _RUNNING_LOCK:
            older = _RUNNING.get(self.name)
            _RUNNING[self.name] = self
        if older is not None:
            older.stop()

    def __repr__(self) -> str:
        return f"LivePlot({self.name!r}, {'running' if self.is_running else 'not running'})"


class LiveOutput:
    """A cell's output that holds the live view, and a picture and words for those who open the notebook without it."""

    def __init__(self, view: widgets.Widget) -> None:
        self._view = view
        self._display_id = uuid.uuid4().hex
        self._is_shown = False

    def show(self, png: bytes, words: str) -> None:
        display(self.bundle(png, words), raw=True, display_id=self._display_id)
        self._is_shown = True

    def update(self, png: bytes, words: str) -> None:
        """Put the newest picture into the saved output."""
        if self._is_shown:
            update_display(self.bundle(png, words), raw=True, display_id=self._display_id)

    def bundle(self, png: bytes, words: str) -> dict[str, Any]:
        view = {"version_major": 2, "version_minor": 0, "model_id": self._view.model_id}
        return {WIDGET_VIEW: view, "image/png": base64.b64encode(png).decode(), "text/plain": words}
