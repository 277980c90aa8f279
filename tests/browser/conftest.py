"""Real JupyterLab in a real browser: Debian's Chromium, driven by playwright; skipped with a reason without them.

Screenshots go to $KFAST_SCREENSHOTS, or else to a temporary folder. They are there to be looked at, not compared.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import kfast

CHROMIUM = os.environ.get("KFAST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_S = 90
_NUMBERS = itertools.count(1)
CHILDREN = """
import os
from pathlib import Path
def children(pid):
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]
print(len([pid for pid in children(os.getpid()) if "kfast" in Path(f"/proc/{pid}/cmdline").read_text()]))
"""
SETTINGS = {
    "apputils-extension/notification.jupyterlab-settings": '{"fetchNews": "false", "checkForUpdates": false}',
    "notebook-extension/tracker.jupyterlab-settings": '{"windowingMode": "none"}',
}


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab and where its files lie."""

    url: str
    token: str
    root: Path
    pid: int


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab with settings, kernels and notebooks of its own."""
    home = tmp_path_factory.mktemp("lab")
    root = home / "notebooks"
    shutil.copytree(kfast.data_path("notebooks"), root, ignore=shutil.ignore_patterns("conftest.py", "__pycache__"))
    for name, text in SETTINGS.items():
        path = home / "settings" / "@jupyterlab" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    port, token = _free_port(), secrets.token_hex(16)
    with open(home / "lab.log", "w") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
                *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}"),
                "--LabApp.expose_app_in_browser=True",
            ],
            env=_environment(home),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_until_it_answers(process, f"{url}/api?token={token}", home / "lab.log")
            yield Lab(url, token, root, process.pid)
        finally:
            process.terminate()  # the server shuts its kernels down
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Gone with the module: playwright leaves an event loop running, in which no other test could run its own."""
    if CHROMIUM is None:
        pytest.skip("no chromium or google-chrome on PATH; KFAST_CHROMIUM may name one")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wanted = os.environ.get("KFAST_SCREENSHOTS")
    folder = Path(wanted) if wanted else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def open_notebook(lab: Lab, chromium: Any) -> Iterator[Callable[..., NotebookPage]]:
    """Opens a notebook with a kernel that is ready; kernels and pages are gone after the test."""
    pages: list[NotebookPage] = []

    def opener(name: str, *, width: int = 1280, height: int = 1000, theme: str = "light") -> NotebookPage:
        context = chromium.new_context(viewport={"width": width, "height": height})
        copied = name.replace(".ipynb", f"-{next(_NUMBERS)}.ipynb")  # what one test saves, another must not find
        shutil.copy(lab.root / name, lab.root / copied)
        page = NotebookPage(lab, context, copied)
        pages.append(page)
        page.open()
        page.set_theme(theme)
        return page

    yield opener
    for page in pages:
        page.close()


class NotebookPage:
    """One notebook in one browser page. `problems` are the errors of its console."""

    def __init__(self, lab: Lab, context: Any, name: str) -> None:
        self._lab = lab
        self._context = context
        self.name = name
        self.page = context.new_page()
        self.problems: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))

    @property
    def path(self) -> Path:
        return self._lab.root / self.name

    def open(self) -> None:
        self.page.goto(f"{self._lab.url}/lab/tree/{self.name}?token={self._lab.token}&reset")
        self.page.wait_for_selector(".jp-Notebook", timeout=START_S * 1000)
        # The status circle says idle before there is a kernel: the app itself knows.
        self.page.evaluate(
            """async () => { const panel = window.jupyterapp.shell.currentWidget;
            await panel.context.ready; await panel.sessionContext.ready;
            await panel.sessionContext.session.kernel.info; }"""
        )

    def set_theme(self, theme: str) -> None:
        self.page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
            {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}[theme],
        )
        is_light = "true" if theme == "light" else "false"
        self.page.wait_for_selector(f"body[data-jp-theme-light='{is_light}']", state="attached")

    def command(self, name: str) -> None:
        self.page.evaluate("(name) => { window.jupyterapp.commands.execute(name); }", name)

    def run_all(self) -> None:
        """Start to run all cells."""
        self.command("notebook:run-all-cells")

    def wait_until_run(self, timeout_s: float = 120) -> str | None:
        """Wait until every code cell has run; return the first error's words, or None."""
        self.page.wait_for_function(
            """() => { const panel = window.jupyterapp.shell.currentWidget;
            const hasCode = w => w.model.type === 'code' && w.model.sharedModel.source.trim();
            const cells = panel.content.widgets.filter(hasCode);
            const failed = cells.some(w => w.model.outputs.toJSON().some(o => o.output_type === 'error'));
            return failed || cells.every(w => w.model.executionCount && !w.node.classList.contains('jp-mod-running'))
                && panel.sessionContext.session.kernel.status === 'idle'; }""",
            timeout=timeout_s * 1000,
        )
        words: str | None = self.page.evaluate(
            """() => { for (const w of window.jupyterapp.shell.currentWidget.content.widgets)
            if (w.model.type === 'code') for (const o of w.model.outputs.toJSON())
            if (o.output_type === 'error') return o.ename + ': ' + o.evalue; return null; }"""
        )
        return words

    def run_code(self, code: str) -> str:
        """Run code in the notebook's kernel, outside its cells; return what it printed."""
        text: str = self.page.evaluate(
            """async (code) => { const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            let text = ''; const future = kernel.requestExecute({code, store_history: false});
            future.onIOPub = m => { text += m.content.text || m.content.ename || ''; };
            await future.done; return text; }""",
            code,
        )
        return text.strip()

    def count_children(self) -> str:
        """How many processes of kfast the kernel has; "" while it drops what is asked, behind a cell that failed."""
        return self.run_code(CHILDREN)

    def save(self) -> None:
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        self._context.close()

    def _heard(self, message: Any) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.problems.append(message.text)


def _environment(home: Path) -> dict[str, str]:
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    own = {name: str(home / folder) for name, folder in folders.items()}
    # At full length, as the reader's: the short runs are for nbval.
    return {**os.environ, **own, "JUPYTER_NO_CONFIG": "1", "KFAST_FAST": "0"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_until_it_answers(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline_s = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).read()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline_s:
                pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")
            time.sleep(0.2)
