"""Breaking a log as a reader does it: keys on the slider, a button for the damage, another for how the broker went."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

NOTEBOOK = "11_crash_and_recovery.ipynb"
SECONDS = 1000
OVERFLOWING = """() => { const area = document.querySelector('.kfast-recovery').getBoundingClientRect();
    return [...document.querySelectorAll('.kfast-recovery :is(img, button)')]
        .filter(e => { const box = e.getBoundingClientRect(); return box.width && box.right > area.right + 1; })
        .map(e => e.outerHTML.slice(0, 80)); }"""


def test_break_a_log_by_keyboard(open_notebook: Callable[..., Any], screenshots: Path) -> None:
    notebook = open_notebook(NOTEBOOK, width=1280, height=1100)
    page = notebook.page

    def wait_for(words: str | re.Pattern[str]) -> None:
        found = page.locator(".kfast-recovery .kfast-recovery-finding").filter(has_text=words)
        found.first.wait_for(timeout=10 * SECONDS)

    def press(control: str, number: int) -> None:
        page.locator(f".kfast-recovery-{control} button").nth(number).focus()
        page.keyboard.press("Space")

    notebook.run_all()
    assert notebook.wait_until_run(90) is None
    page.evaluate("() => document.querySelector('.kfast-recovery').scrollIntoView()")
    wait_for("5 of 683 records can no longer be read")  # where the cells after it left the controls

    press("believed", 0)
    wait_for("371 of 683 records are gone: a batch of 5 is wrong, and 366 lay behind it")
    before = page.locator(".kfast-recovery img").get_attribute("src")
    page.locator(".kfast-recovery-place .noUi-handle").focus()
    page.keyboard.press("End")
    wait_for("4 of 683 records are gone: a batch of 4 is wrong")
    assert page.locator(".kfast-recovery img").get_attribute("src") != before
    press("damage", 3)
    wait_for("100 bytes that are no batch are cut")
    for width, theme in ((1280, "light"), (900, "dark")):
        page.set_viewport_size({"width": width, "height": 1100})
        notebook.set_theme(theme)
        page.screenshot(path=screenshots / f"recovery-{width}-{theme}.png")
        assert page.evaluate(OVERFLOWING) == []
    assert notebook.count_children() == "0", "no broker is left of those that were killed"
    assert notebook.problems == []
