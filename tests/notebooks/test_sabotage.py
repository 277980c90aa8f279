"""A copy mode that is not what it says must be found out: sendfile is replaced by read+send under notebook 02."""

import os
import subprocess
import sys

import pytest

import kfast

NOTEBOOK = kfast.data_path("notebooks", "02_zero_copy.ipynb")
TIMEOUT_S = 180
CANARY_VERDICT = "the canary: modes without copies sent references, the others copies"

# Python imports a module of this name when it starts: in the kernel, and in every child of the kernel.
SABOTAGE = """
from kfast.transfer import modes

modes.COPY_MODES["sendfile"] = modes.read_send
"""


def run_notebook(python_path: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KFAST_FAST": "1"}
    if python_path:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (python_path, environment.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "pytest", "-x", "-vv", "-p", "no:cacheprovider", "--color=no", str(NOTEBOOK)]
    return subprocess.run(
        command, cwd=kfast.data_path(), env=environment, capture_output=True, text=True, timeout=TIMEOUT_S
    )


def test_the_notebook_passes_as_it_is():
    run = run_notebook()
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout


def test_with_sendfile_replaced_by_read_send_it_fails_at_the_canary(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(SABOTAGE)
    run = run_notebook(str(tmp_path))
    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout + run.stderr
    failure = run.stdout.partition("= FAILURES =")[2]
    assert "Cell outputs differ" in failure
    assert f"{CANARY_VERDICT}: False" in failure
    assert "1 failed" in run.stdout
