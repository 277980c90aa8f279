"""`kfast experiment` as a user types it; what it measures is tested in tests/lab."""

import pytest

from kfast.cli import main
from kfast.lab.experiments import EXPERIMENTS
from kfast.lab.results import load_results


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


def test_unknown_names_and_clusters_where_none_is_taken_are_errors(capsys):
    assert main(["experiment", "run", "E99"]) == 1
    assert "there is no experiment 'E99'" in capsys.readouterr().err
    assert main(["experiment", "run", "E6", "--bootstrap-server", "localhost:9092"]) == 1
    assert "takes no --bootstrap-server" in capsys.readouterr().err


def test_there_is_help_with_examples(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["experiment", "run", "--help"])
    assert ended.value.code == 0
    assert "kfast experiment run E6" in capsys.readouterr().out
