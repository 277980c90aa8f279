"""How far a study is, in the cell that waits for it: one line, replaced a few times a second.

It is plain text, written by the cell's own thread: it shows in every front end, and stays in the saved notebook.
"""

from __future__ import annotations

from typing import Any

from IPython.display import display

from kfast.lab.study import Study, StudyState

PERIOD_S = 0.5  # nbval loses messages when a cell sends thousands


class _Line:
    """What IPython shows as text."""

    def __init__(self, words: str) -> None:
        self._words = words

    def __repr__(self) -> str:
        return self._words


def watch(study: Study) -> None:
    """Wait for a study that was started, showing how far it is. The Stop button ends both; complete blocks are kept."""
    handle: Any = display(_Line(state_words(study.state)), display_id=True)
    while not study.wait(PERIOD_S):
        handle.update(_Line(state_words(study.state)))
    handle.update(_Line(state_words(study.state, is_over=True)))


def state_words(state: StudyState, is_over: bool = False) -> str:
    """Runs and blocks so far, and the time they took."""
    blocks = f"{state.block_count} complete {'block' if state.block_count == 1 else 'blocks'}"
    so_far = f"{state.done} of {state.total} runs, {blocks}, {state.elapsed_s:.0f} s"
    return f"Measured: {so_far}." if is_over else f"Measuring: {so_far}; last: {state.words}"
