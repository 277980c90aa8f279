"""What every notebook keeps: pytest runs all its cells, compares some, and the saved file is fit to be published."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import kfast

NOTEBOOKS = sorted(kfast.data_path("notebooks").glob("*.ipynb"))
CHECK = "# NBVAL_CHECK_OUTPUT"
MIN_CHECKED_CELLS, MAX_CELL_LINES = 3, 15
MACHINE_PATH = re.compile(r"(?<![\w.~/])/(?:home|root|tmp|var|work|mnt|opt|Users|usr|private)/[\w.-]")


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def checked_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in code_cells(path) if CHECK in cell.source.splitlines()]


def output_texts(cell: nbformat.NotebookNode) -> list[str]:
    """Everything a reader sees as text; pictures are left out, also those within HTML."""
    texts = []
    for output in cell.outputs:
        texts.append(output.get("text", ""))
        texts += [str(value) for kind, value in output.get("data", {}).items() if not kind.startswith("image/")]
    return [re.sub(r"data:image/png;base64,[\w+/=]+", "", text) for text in texts]


@pytest.fixture(scope="module")
def collected() -> list[str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "notebooks"]
    environment = {**os.environ, "KFAST_FAST": "1"}
    run = subprocess.run(command, cwd=kfast.data_path(), env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout.splitlines()


def test_there_are_notebooks():
    assert {"02_zero_copy.ipynb", "03_sequential.ipynb"} <= {path.name for path in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestNotebook:
    def test_pytest_collects_all_its_code_cells(self, path, collected):
        ours = [line for line in collected if path.name in line and "::Cell" in line]
        assert len(ours) == len(code_cells(path)) > 0

    def test_at_least_three_cells_have_outputs_that_are_compared(self, path):
        cells = checked_cells(path)
        assert len(cells) >= MIN_CHECKED_CELLS
        for cell in cells:  # nbval compares nothing in a cell that was never run
            assert cell.execution_count is not None, cell.source
            assert cell.outputs, cell.source

    def test_cells_are_short_and_define_nothing(self, path):
        for cell in code_cells(path):
            assert len(cell.source.splitlines()) <= MAX_CELL_LINES, cell.source
            defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
            assert not any(isinstance(node, defined) for node in ast.walk(ast.parse(cell.source))), cell.source

    def test_the_saved_outputs_hold_no_error_and_no_place_on_a_machine(self, path):
        for cell in code_cells(path):
            assert all(output.output_type != "error" for output in cell.outputs), cell.source
            assert all(output.get("name") != "stderr" for output in cell.outputs), cell.source
            for text in output_texts(cell):
                assert not MACHINE_PATH.search(text), text

    def test_what_widgets_and_front_ends_leave_behind_is_stripped(self, path):
        notebook = nbformat.read(path, as_version=4)
        assert "widgets" not in notebook.metadata
        assert "version" not in notebook.metadata.get("language_info", {})
        assert all("execution" not in cell.metadata for cell in notebook.cells)


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("saved in /home/reader/kafka", True),
        ("see '/tmp/kfast-lab-1'", True),
        ("https://example.org/home/x", False),
        ("~/kafka-data and 4 KiB/s", False),
    ],
)
def test_places_on_a_machine_are_recognized(text, is_found):
    assert bool(MACHINE_PATH.search(text)) == is_found
