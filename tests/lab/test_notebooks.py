"""Notebooks are copied where the reader can change them, and the first one leads to all of them."""

from __future__ import annotations

import json

import pytest

import kfast
from kfast.lab.notebooks import FIRST_NOTEBOOK, copy_missing, linked_notebooks

NOTEBOOKS = kfast.data_path("notebooks")


def test_what_is_missing_is_copied_and_what_is_there_is_left_alone(tmp_path):
    copied = copy_missing(NOTEBOOKS, tmp_path / "mine")
    assert copied == sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))
    (tmp_path / "mine" / FIRST_NOTEBOOK).write_text("my own")
    (tmp_path / "mine" / copied[-1]).unlink()
    assert copy_missing(NOTEBOOKS, tmp_path / "mine") == [copied[-1]]
    assert (tmp_path / "mine" / FIRST_NOTEBOOK).read_text() == "my own"


def test_links_are_found_in_prose_only(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": ["[two](02_b.ipynb) and ", "[one](01_a.ipynb), [two](02_b.ipynb)"]},
        {"cell_type": "code", "source": ["'[three](03_c.ipynb)'"]},
        {"cell_type": "markdown", "source": ["[elsewhere](https://example.org/x.ipynb) [text](README.md)"]},
    ]
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    assert linked_notebooks(path) == ["01_a.ipynb", "02_b.ipynb"]


def test_the_first_notebook_leads_to_all_others():
    others = {path.name for path in NOTEBOOKS.glob("*.ipynb")} - {FIRST_NOTEBOOK}
    assert others <= set(linked_notebooks(NOTEBOOKS / FIRST_NOTEBOOK))


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_a_notebook_keeps_the_house_rules(path):
    notebook = json.loads(path.read_text())
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    first = "".join(notebook["cells"][0]["source"])
    assert 10 <= len(notebook["cells"]) <= 24, "one question, its full run beside it"
    assert max(source.count("\n") + 1 for source in code) <= 15
    assert sum("# NBVAL_CHECK_OUTPUT" in source for source in code) >= 3
    assert not any(line.startswith("def ") for source in code for line in source.splitlines())
    assert "?" in first.splitlines()[0]
    assert all(cell["execution_count"] for cell in notebook["cells"] if cell["cell_type"] == "code")
    assert "widgets" not in notebook["metadata"]
