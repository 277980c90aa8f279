"""How far an experiment is, on a terminal as a bar (tqdm, where it is installed), elsewhere as a line now and then."""

from __future__ import annotations

import importlib
from types import TracebackType
from typing import Any, Self, TextIO

LINE_SHARE = 10  # without a terminal: a line for each tenth


class ProgressMeter:
    """Call it with (done, total, words), as experiments do; leave the `with` block to end the bar."""

    def __init__(self, name: str, stream: TextIO) -> None:
        self._name = name
        self._stream = stream
        self._tqdm = _tqdm() if stream.isatty() else None
        self._bar: Any = None
        self._lines = 0

    def __call__(self, done: int, total: int, words: str) -> None:
        if self._tqdm is not None:
            self._show_bar(self._tqdm, done, total, words)
        elif done * LINE_SHARE >= total * (self._lines + 1) or done == total:
            self._lines = done * LINE_SHARE // total
            self._stream.write(f"{self._name}: {done} of {total} runs\n")
            self._stream.flush()

    def _show_bar(self, tqdm: Any, done: int, total: int, words: str) -> None:
        if self._bar is None:
            self._bar = tqdm(total=total, desc=self._name, unit="run", file=self._stream, leave=False)
        self._bar.set_postfix_str(words, refresh=False)
        self._bar.update(done - self._bar.n)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def _tqdm() -> Any:
    try:
        return importlib.import_module("tqdm").tqdm
    except ImportError:
        return None
