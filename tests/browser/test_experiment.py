"""An experiment's notebook as a reader meets it: interrupted in the middle, run again, and nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

NOTEBOOK = "06_batching.ipynb"
SECONDS = 1000


def answer_of(notebook: Any, ask: Callable[[], str]) -> str:
    """What the kernel answers; asked again while the kernel still drops what was queued behind the cell that failed."""
    for _ in range(20):
        words = ask()
        if words:
            return words
        notebook.page.wait_for_timeout(0.25 * SECONDS)
    return ""


def test_interrupt_and_run_again(open_notebook: Callable[..., Any], screenshots: Path) -> None:
    notebook = open_notebook(NOTEBOOK, height=1250)
    page = notebook.page
    notebook.run_all()
    page.get_by_text("Measuring:").first.wait_for(timeout=60 * SECONDS)
    notebook.command("notebook:interrupt-kernel")
    page.get_by_text("KeyboardInterrupt").first.wait_for(timeout=30 * SECONDS)
    assert answer_of(notebook, notebook.count_children) == "0"
    assert answer_of(notebook, lambda: notebook.run_code("print(study.is_running)")) == "False"

    page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    assert notebook.wait_until_run(60) is None
    assert notebook.count_children() == "0"
    alternatives = page.evaluate("() => [...document.querySelectorAll('.jp-OutputArea img')].map(image => image.alt)")
    assert any("no finding" in words for words in alternatives), "the smoke run says that it is one"
    assert all(alternatives), "every figure is told in words as well"
    for theme in ("light", "dark"):
        notebook.set_theme(theme)
        for number, figure in enumerate(page.locator(".jp-OutputArea img").all()):
            figure.scroll_into_view_if_needed()
            page.screenshot(path=screenshots / f"experiment-{theme}-{number}.png")
    assert notebook.problems == []
