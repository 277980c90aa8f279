import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

import kfast
from kfast.cli import COPY_MODES, main
from kfast.lab import notebooks
from kfast.record.builder import RecordBatchBuilder
from kfast.transfer import modes


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    log = kfast.Log.open(tmp_path / "orders-0")
    builder = RecordBatchBuilder()
    builder.append(b"key", b"value", 1_700_000_000_000, [("name", b"header")])
    builder.append(None, None, 1_700_000_000_001)
    log.append(builder.build())
    log.close()
    return tmp_path / "orders-0" / f"{0:020d}.log"


@pytest.mark.parametrize("command", ["lab", "serve", "dump-log", "graduate", "doctor", "bench"])
def test_every_command_has_help_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"kfast {command}" in capsys.readouterr().out.partition("examples:")[2]


def test_serve_offers_the_copy_modes_there_are() -> None:
    assert tuple(modes.COPY_MODES) == COPY_MODES


def test_no_command_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert "usage: kfast" in capsys.readouterr().err


def test_dump_log_prints_one_json_object_a_line(log_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dump-log", "--json", "--deep", str(log_file)]) == 0
    batch, *records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (batch["type"], batch["count"], batch["position"], batch["is_valid"]) == ("batch", 2, 0, True)
    assert [record["value"] for record in records] == ["dmFsdWU=", None]
    assert records[0]["headers"] == [["name", "aGVhZGVy"]]


def test_dump_log_of_a_damaged_file_prints_what_is_readable_and_ends_with_1(
    log_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = log_file.read_bytes()
    log_file.write_bytes(whole + whole[:70])
    assert main(["dump-log", "--json", str(log_file)]) == 1
    output = capsys.readouterr()
    first = json.loads(output.out.splitlines()[0])
    assert (first["type"], first["is_valid"]) == ("batch", True)
    assert str(log_file) in output.out + output.err
    assert str(len(whole)) in output.out + output.err


def test_dump_log_for_people_names_offsets_and_position(log_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dump-log", "--deep", str(log_file)]) == 0
    text = capsys.readouterr().out
    assert "position" in text
    assert "value" in text


def test_dump_log_of_a_directory_ends_with_a_line_about_it(log_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = log_file.parent
    assert main(["dump-log", str(directory)]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert last.startswith(f"{directory}  1 segment  1 batch  offsets from 0 to before 2  ")
    assert last.endswith("  nothing is wrong")


def test_dump_log_verifies_indexes_and_prints_no_more(log_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dump-log", "--verify-index-only", str(log_file.parent)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    log_file.with_suffix(".timeindex").write_bytes(bytes(11) + b"\x01")
    assert main(["dump-log", "--verify-index-only", str(log_file.parent)]) == 1
    assert "position 0: no batch of the log that ends at offset 1 has timestamp 0" in capsys.readouterr().out


def test_dump_log_decodes_a_segment_that_lies_elsewhere(
    golden: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = shutil.copy(golden("06-transactions") / "log" / "__transaction_state-0" / f"{0:020d}.log", tmp_path)
    assert main(["dump-log", "--deep", str(path)]) == 0
    assert "Transaction" not in capsys.readouterr().out
    assert main(["dump-log", "--transaction-log-decoder", str(path)]) == 0
    assert 'Transaction  key={"transactional_id": "txn-c"}' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--files", "x.log"], "unrecognized arguments: --files; for --files: kfast dump-log takes paths without"),
        (["x.log", "--print-data-log"], "; for --print-data-log: kfast dump-log --deep"),
        (["x.log", "--nonsense"], "unrecognized arguments: --nonsense\n"),
    ],
)
def test_options_of_kafkas_tool_are_answered_by_kfasts(
    capsys: pytest.CaptureFixture[str], arguments: list[str], hint: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["dump-log", *arguments])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "usage: kfast dump-log" in said
    assert hint in said


def test_dump_log_of_nothing_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nothing.log"
    assert main(["dump-log", str(path)]) == 1
    assert f"INVALID  {path}: there is no such file" in capsys.readouterr().out


def test_graduate_prints_the_whole_file_or_writes_it_but_over_none(
    golden: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = str(golden("12-kraft") / "log")
    assert main(["graduate", directory]) == 0
    printed = capsys.readouterr().out
    assert f"log.dirs={directory}\n" in printed
    file = tmp_path / "server.properties"
    assert main(["graduate", directory, "--write-config", str(file)]) == 0
    assert f"bin/kafka-server-start.sh {file}" in capsys.readouterr().out
    assert file.read_text() == printed.replace("server-start.sh server.properties", f"server-start.sh {file}")
    assert main(["graduate", directory, "--write-config", str(file)]) == 1
    assert f"kfast graduate: {file} exists, and stays as it is" in capsys.readouterr().err


def test_graduate_of_what_is_not_for_kafka_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graduate", str(tmp_path)]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert "no log directory" in output.err


def test_doctor_says_what_this_machine_can_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "copy mode sendfile" in text
    assert main(["doctor", "--json"]) == 0
    findings = {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert findings["copy mode read_send"]["is_available"] is True
    assert findings["Python"]["detail"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}")


class BecameJupyterLab(Exception):
    """What os.execv is replaced by, for it does not return."""


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    commands: list[list[str]] = []

    def execv(program: str, command: list[str]) -> None:
        commands.append(command)
        raise BecameJupyterLab

    monkeypatch.setattr(os, "execv", execv)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return commands


def test_lab_in_a_checkout_opens_its_notebooks_in_place(became: list[list[str]]) -> None:
    with pytest.raises(BecameJupyterLab):
        main(["lab"])
    assert became == [[sys.executable, "-m", "jupyterlab", str(kfast.data_path("notebooks", "00_start_here.ipynb"))]]


def test_lab_copies_what_is_missing_and_leaves_the_readers_own(
    became: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "00_start_here.ipynb").write_text("mine")
    with pytest.raises(BecameJupyterLab):
        main(["lab", str(tmp_path), "--", "--no-browser", "--port=0"])
    assert became[0][-3:] == [str(tmp_path / "00_start_here.ipynb"), "--no-browser", "--port=0"]
    assert (tmp_path / "00_start_here.ipynb").read_text() == "mine"
    assert (tmp_path / "02_zero_copy.ipynb").is_file()
    assert not (tmp_path / "conftest.py").exists()
    assert "copied to" in capsys.readouterr().out


def test_lab_as_root_says_that_it_allows_root(
    became: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(BecameJupyterLab):
        main(["lab"])
    assert became[0][-1] == "--allow-root"
    assert "--allow-root" in capsys.readouterr().out


def test_lab_without_jupyterlab_prints_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(notebooks.importlib.util, "find_spec", lambda name: None)
    assert main(["lab"]) == 1
    assert "pip install 'kfast[lab]'" in capsys.readouterr().err


def test_arguments_after_two_dashes_are_for_the_lab_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--", "--no-browser"])
    assert ended.value.code == 2
    assert "doctor starts none" in capsys.readouterr().err


def test_bench_produce_and_consume_print_the_lines_of_kafkas_tools(capsys: pytest.CaptureFixture[str]) -> None:
    with kfast.Broker() as broker:
        cluster = ["--bootstrap-server", broker.bootstrap_servers, "--topic", "t", "--num-records", "500"]
        assert main(["bench", "produce", *cluster, "--record-size", "10", "--acks", "1"]) == 0
        assert capsys.readouterr().out.startswith("500 records sent, ")
        assert main(["bench", "consume", *cluster]) == 0
        header, line = capsys.readouterr().out.splitlines()
        assert header.startswith("start.time, end.time, data.consumed.in.MB, ")
        assert line.split(", ")[4] == "500"
        assert main(["bench", "produce", *cluster, "--json", "--throughput", "5000", "--batch-records", "50"]) == 0
        assert json.loads(capsys.readouterr().out)["records"] == 500
        assert main(["bench", "consume", *cluster, "--json", "--client", "confluent"]) == 0
        assert json.loads(capsys.readouterr().out)["records"] >= 500


def test_bench_says_in_one_line_what_it_cannot_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "produce", "--bootstrap-server", "nowhere"]) == 1
    assert capsys.readouterr().err == "kfast bench: 'nowhere' is not HOST:PORT\n"
    assert main(["bench", "produce", "--bootstrap-server", "b:1", "--num-records", "0"]) == 1
    assert "0 records" in capsys.readouterr().err
