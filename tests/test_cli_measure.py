"""`kfast bench` and `kfast experiment` as a user types them; what they measure is tested in tests/lab."""

import json
import os
import subprocess
import sys
from subprocess import PIPE

import pytest

from kfast.cli import main
from kfast.lab.experiments import EXPERIMENTS
from kfast.lab.results import load_results


@pytest.mark.parametrize("experiment", ["copy", "io", "log"])
def test_every_experiment_has_help_with_examples(experiment, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["bench", experiment, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert f"kfast bench {experiment}" in text.partition("examples:")[2]
    assert all(option in text for option in ("--json", "--blocks N", "--smoke"))


def test_people_get_a_table_and_progress_on_the_other_stream(capsys):
    assert main(["bench", "copy", "--smoke", "--blocks", "1"]) == 0
    output = capsys.readouterr()
    assert "sender CPU s/GB" in output.out
    assert "read+send" in output.out
    assert output.err.splitlines()[-1].startswith("kfast bench copy: ")
    assert "runs" in output.err


def test_programs_get_one_json_object(capsys):
    assert main(["bench", "log", "--smoke", "--blocks", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {run["block"] for run in found["runs"]} == {0, 1}
    assert found["is_smoke"] is True
    assert found["conditions"]["sync policy"].startswith("none")


def test_no_experiment_is_an_error(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["bench"])
    assert ended.value.code == 2


def test_less_than_one_block_is_one_clear_line(capsys):
    assert main(["bench", "io", "--smoke", "--blocks", "0"]) == 1
    assert capsys.readouterr().err == "kfast bench: an experiment has at least 1 block, not 0\n"


def test_all_experiments_are_listed_with_the_time_they_take(capsys):
    assert main(["experiment", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(EXPERIMENTS)
    assert all("smoke run" in line for line in lines)


def test_a_run_shows_its_progress_and_its_findings_and_is_kept(capsys, tmp_path):
    assert main(["experiment", "run", "batching", "--smoke", "--blocks", "1", "--results", str(tmp_path)]) == 0
    output = capsys.readouterr()
    assert "What this shows:" in output.out
    assert "To check it without kfast:" in output.out
    assert output.err.splitlines()[-1].startswith("kfast experiment E6: ")
    (result,) = load_results(tmp_path)
    assert (result.name, result.is_smoke, result.block_count) == ("E6", True, 1)


def test_kill_ends_a_run_as_ctrl_c_does(tmp_path):
    command = [sys.executable, "-m", "kfast", "experiment", "run", "E1", "--smoke", "--blocks", "500"]
    places = {"TMPDIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "KFAST_RESULTS": str(tmp_path / "results")}
    with subprocess.Popen(command, env=os.environ | places, stdout=PIPE, stderr=PIPE, text=True) as run:
        assert "kfast experiment E1: " in run.stderr.readline()
        run.terminate()
        output, _ = run.communicate(timeout=30)
    assert run.returncode == 130
    assert " of 500 blocks are kept in " in output
    (result,) = load_results(tmp_path / "results")
    assert 0 < result.block_count < 500
    assert [path.name for path in tmp_path.rglob("kfast-lab-*")] == []


def test_unknown_names_and_clusters_where_none_is_taken_are_errors(capsys):
    assert main(["experiment", "run", "E99"]) == 1
    assert "there is no experiment 'E99'" in capsys.readouterr().err
    assert main(["experiment", "run", "E6", "--bootstrap-server", "localhost:9092"]) == 1
    assert "takes no --bootstrap-server" in capsys.readouterr().err


def test_experiments_have_help_with_examples(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["experiment", "run", "--help"])
    assert ended.value.code == 0
    assert "kfast experiment run E6" in capsys.readouterr().out
