"""`kfast bench` as a user types it; what it measures is tested in tests/lab."""

import json

import pytest

from kfast.cli import main


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
    assert found["sync_policy"].startswith("none")


def test_no_experiment_is_an_error(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["bench"])
    assert ended.value.code == 2


def test_less_than_one_block_is_one_clear_line(capsys):
    assert main(["bench", "io", "--smoke", "--blocks", "0"]) == 1
    assert capsys.readouterr().err == "kfast bench: an experiment has at least 1 block, not 0\n"
