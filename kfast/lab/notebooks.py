"""`kfast lab`: put the notebooks where the reader can change them, and start JupyterLab there."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import kfast
from kfast.errors import KfastError

FIRST_NOTEBOOK = "00_start_here.ipynb"
DEFAULT_DIRECTORY = Path("kfast-notebooks")


class LabNotInstalledError(KfastError):
    """The notebooks need packages of the extra [lab]."""


def open_lab(directory: Path | None, arguments: Sequence[str], say: Callable[[str], None]) -> None:
    """Become a JupyterLab that shows the first notebook; `arguments` go on to it. Does not return.

    Without `directory`, a checkout's own notebooks/ are opened in place, and an installed package's are copied to
    ./kfast-notebooks. Raises LabNotInstalledError with the line to install it by.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise LabNotInstalledError("JupyterLab is not installed here; this installs it: pip install 'kfast[lab]'")
    source = kfast.data_path("notebooks")
    if directory is None and kfast.data_path("pyproject.toml").is_file():
        directory = source
    else:
        directory = directory or DEFAULT_DIRECTORY
        copied = copy_missing(source, directory)
        say(f"{len(copied)} notebooks copied to {directory}; what was there already is as it was")
    command = [sys.executable, "-m", "jupyterlab", str(directory / FIRST_NOTEBOOK)]
    if os.geteuid() == 0:
        say("running as root, so JupyterLab is started with --allow-root")
        command.append("--allow-root")
    os.execv(sys.executable, [*command, *arguments])


def copy_missing(source: Path, directory: Path) -> list[str]:
    """Copy the notebooks that `directory` does not have yet and return their names; never overwrite the reader's."""
    directory.mkdir(parents=True, exist_ok=True)
    missing = [path for path in sorted(source.glob("*.ipynb")) if not (directory / path.name).exists()]
    for path in missing:
        shutil.copy(path, directory / path.name)
    return [path.name for path in missing]


def linked_notebooks(path: Path) -> list[str]:
    """File names of the notebooks that the prose of the notebook at `path` links to, sorted."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return sorted(set(re.findall(r"\]\(([\w-]+\.ipynb)\)", prose)))
