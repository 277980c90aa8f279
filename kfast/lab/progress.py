"""How far an experiment is, on a terminal as a bar (tqdm, where it is installed), elsewhere as a line now and then."""

from __future__ import annotations

import importlib
from types import TracebackType
from typing import Any, Self, TextIO

LINE_SHARE = 10  # without a terminal: a line for each tenth


class ProgressMeter:
    """Call it with (done, total, words), as experiments do; leave the `with` block to end the bar."""

    def __init__(self, name: str, stream: TextIO, unit: str = "run") -> None:
        self._name = name
        self._unit = unit
        self._stream = stream
        self._tqdm = _tqdm() if stream.isatty() else None
        self._bar: Any = None
        self._lines = 0

    @property
    def is_bar(self) -> bool:
        """Whether it draws a bar: on a terminal, with tqdm."""
        return self._tqdm is not None

    def __call__(self, done: float, total: int, words: str) -> None:
        if self._tqdm is not None:
            self._show_bar(self._tqdm, done, total, words)
        elif done * LINE_SHARE >= total * (self._lines + 1) or done == total:
            self._lines = int(done * LINE_SHARE // total)
            self._stream.write(f"{self._name}: {done} of {total} {self._unit}s\n")
            self._stream.flush()

    def _show_bar(self, tqdm: Any, done: float, total: int, words: str) -> None:
        if self._bar is None:
            self._bar = tqdm(total=total, desc=self._name, unit=self._unit, file=self._stream, leave=False)
        self._bar.set_postfix_str(words, refresh=False)
        self._bar.update(done - self._bar.n)
        self._bar.refresh()  # for the words, where done is what it was

    def close(self) -> None:
        """Take the bar away, if there is one."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _tqdm() -> Any:
    try:
        return importlib.import_module("tqdm").tqdm
    except ImportError:
        return None
