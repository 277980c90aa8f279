"""The dashboard as a reader meets it: Run All, keys on both controls, Stop, and what is left of it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

NOTEBOOK = "01_dashboard.ipynb"
FIRST_SENTENCE_S = 20
RUN_S = 120
SECONDS = 1000
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


OVERFLOWING = """() => { const area = document.querySelector('.kfast-dashboard').getBoundingClientRect();
    return [...document.querySelectorAll('.kfast-dashboard :is(img, button, p, li)')]
        .filter(e => { const box = e.getBoundingClientRect(); return box.width && box.right > area.right + 1; })
        .map(e => e.outerHTML.slice(0, 80)); }"""


class DashboardPage:
    """The dashboard in a notebook page; texts are read by their CSS classes."""

    def __init__(self, notebook: Any) -> None:
        self.notebook = notebook
        self.page = notebook.page

    def text(self, name: str) -> str:
        words: str = self.page.locator(f".kfast-{name}").first.inner_text()
        return words

    def wait_for_text(self, name: str, words: str | re.Pattern[str], timeout_s: float = 30) -> None:
        self.page.locator(f".kfast-{name}").filter(has_text=words).first.wait_for(timeout=timeout_s * SECONDS)

    def pictures(self) -> list[str]:
        found: list[str] = self.page.evaluate(
            "() => [...document.querySelectorAll('.kfast-dashboard img')].map(image => image.src)"
        )
        return found

    def press(self, button: str) -> None:
        """As with the keyboard: focus, then Space."""
        self.page.locator(f"button.kfast-{button}").first.focus()
        self.page.keyboard.press("Space")

    def show(self, selector: str = ".kfast-dashboard") -> None:
        self.page.evaluate("(selector) => document.querySelector(selector).scrollIntoView()", selector)


@pytest.fixture
def dashboard(open_notebook: Callable[..., Any]) -> Callable[..., DashboardPage]:
    return lambda **how: DashboardPage(open_notebook(NOTEBOOK, **how))


def run_all(dashboard: DashboardPage) -> None:
    dashboard.notebook.run_all()
    dashboard.wait_for_text("status", "running", 60)
    assert dashboard.notebook.wait_until_run(RUN_S) is None


def test_run_all_then_keys_then_stop(dashboard: Callable[..., DashboardPage], screenshots: Path) -> None:
    live = dashboard(height=1250)
    started_s = time.monotonic()
    live.notebook.run_all()
    live.wait_for_text("finding", re.compile(r"sendfile \d"), FIRST_SENTENCE_S)
    assert time.monotonic() - started_s < FIRST_SENTENCE_S
    assert live.notebook.wait_until_run(RUN_S) is None
    live.wait_for_text("finding", "rounds in random order")

    before = live.pictures()
    live.page.wait_for_function(
        """(before) => [...document.querySelectorAll('.kfast-dashboard img')]
            .every((image, number) => image.src !== before[number])""",
        arg=before,
        timeout=5 * SECONDS,
    )

    live.page.locator(".kfast-control-copy-mode button").first.focus()
    live.page.keyboard.press("Space")
    live.wait_for_text("status", "read+send", 2)
    live.wait_for_text("numbers", "with read+send", 2)
    live.wait_for_text("note-copy-mode", "two copies")
    live.page.locator(".kfast-words li").filter(has_text="2.2 page cache to broker").wait_for(state="attached")

    live.page.locator(".kfast-control-batch-records .noUi-handle").first.focus()
    for _ in range(6):
        live.page.keyboard.press("ArrowLeft")
    live.wait_for_text("note-batch-records", "16 records of 100 B a batch")
    live.wait_for_text("status", re.compile(r"batch 16\b"), 2)
    assert live.notebook.run_code("print(dashboard._run._workload.settings.batch_records)") == "16"
    changes = live.notebook.run_code("print([change.label for change in dashboard._run.timeline.changes][-7:])")
    assert "read+send" in changes
    assert "batch 16'" in changes
    live.show()
    live.page.wait_for_timeout(3 * SECONDS)
    live.page.screenshot(path=screenshots / "keys.png")
    assert_nothing_is_cut_off(live, screenshots)

    assert int(live.notebook.count_children()) >= 3
    live.press("stop")
    live.wait_for_text("status", "stopped after")
    assert live.notebook.count_children() == "0"
    assert live.notebook.problems == []


def assert_nothing_is_cut_off(live: DashboardPage, screenshots: Path) -> None:
    """In both themes and both widths; the picture in the README is one of these."""
    for width, theme in ((1280, "light"), (900, "dark")):
        live.page.set_viewport_size({"width": width, "height": 1400})
        live.notebook.set_theme(theme)
        live.show()
        live.page.wait_for_timeout(2 * SECONDS)
        live.page.screenshot(path=screenshots / f"dashboard-{width}-{theme}.png")
        live.page.locator(".kfast-dashboard").first.screenshot(path=screenshots / f"widget-{width}-{theme}.png")
        live.page.locator(".kfast-dashboard .jupyter-widget-Collapse-header").first.click()
        live.page.wait_for_timeout(SECONDS)
        live.page.screenshot(path=screenshots / f"settings-{width}-{theme}.png")
        assert live.page.evaluate(OVERFLOWING) == []
        live.page.locator(".kfast-dashboard .jupyter-widget-Collapse-header").first.click()
        live.show(".jp-OutputArea-output img[alt]")
        live.page.wait_for_timeout(SECONDS)
        live.page.screenshot(path=screenshots / f"result-{width}-{theme}.png")


def test_a_second_run_replaces_the_first_and_is_saved_as_static_figures(
    dashboard: Callable[..., DashboardPage],
) -> None:
    live = dashboard()
    run_all(live)
    run_all(live)
    names = "print(sum(thread.name.startswith('kfast-live') for thread in threading.enumerate()))"
    assert live.notebook.run_code(f"import threading\n{names}") == "1"
    live.press("stop")
    live.wait_for_text("status", "stopped after")
    live.notebook.save()
    assert_figures_are_static(json.loads(live.notebook.path.read_text())["cells"])
    assert live.notebook.problems == []


def assert_figures_are_static(cells: list[Any]) -> None:
    """Whoever opens the file without a kernel sees a picture and words in place of each widget."""
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert not any(output["output_type"] == "error" for output in outputs)
    bundles = [output["data"] for output in outputs if "image/png" in output.get("data", {})]
    view = next(bundle for bundle in bundles if WIDGET_VIEW in bundle)
    assert "The live dashboard." in "".join(view["text/plain"])
    assert "MB/s consumed" in "".join(view["text/plain"])
    figure = next(bundle for bundle in bundles if "text/html" in bundle)
    assert "cost the broker" in "".join(figure["text/html"]) or "no difference" in "".join(figure["text/html"])


def test_interrupting_the_wait_ends_the_run(dashboard: Callable[..., DashboardPage]) -> None:
    live = dashboard()
    live.notebook.run_all()
    live.wait_for_text("status", "comparing", 60)
    live.notebook.command("notebook:interrupt-kernel")
    live.wait_for_text("status", "stopped after")
    assert live.notebook.count_children() == "0"
