"""An experiment's notebook as a reader meets it: interrupted in the middle, run again, and nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

NOTEBOOK = "06_batching.ipynb"
SECONDS = 1000
CHILDREN = """
import os
from pathlib import Path
def children(pid):
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]
print(len([pid for pid in children(os.getpid()) if "kfast" in Path(f"/proc/{pid}/cmdline").read_text()]))
"""


def in_the_kernel(notebook: Any, code: str) -> str:
    """What `code` prints; asked again while the kernel still drops what was queued behind the cell that failed."""
    for _ in range(20):
        words: str = notebook.run_code(code)
        if words:
            return words
        notebook.page.wait_for_timeout(0.25 * SECONDS)
    return ""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_interrupt_and_run_again(open_notebook: Callable[..., Any], screenshots: Path, theme: str) -> None:
    notebook = open_notebook(NOTEBOOK, height=1250, theme=theme)
    page = notebook.page
    notebook.run_all()
    page.get_by_text("Measuring:").first.wait_for(timeout=60 * SECONDS)
    notebook.command("notebook:interrupt-kernel")
    page.get_by_text("KeyboardInterrupt").first.wait_for(timeout=30 * SECONDS)
    assert in_the_kernel(notebook, CHILDREN) == "0"
    assert in_the_kernel(notebook, "print(study.is_running)") == "False"

    page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    assert notebook.wait_until_run(60) is None
    assert notebook.run_code(CHILDREN) == "0"
    alternatives = page.evaluate("() => [...document.querySelectorAll('.jp-OutputArea img')].map(image => image.alt)")
    assert any("no finding" in words for words in alternatives), "the smoke run says that it is one"
    assert all(alternatives), "every figure is told in words as well"
    for number, figure in enumerate(page.locator(".jp-OutputArea img").all()):
        figure.scroll_into_view_if_needed()
        page.screenshot(path=screenshots / f"experiment-{theme}-{number}.png")
    assert notebook.problems == []
