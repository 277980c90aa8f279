"""Structure, and what is true on any machine; speeds are not tested."""

import json

import pytest

from kfast.lab import bench
from kfast.lab.copy_cost import copy_arms
from kfast.lab.prediction import SMOKE
from kfast.lab.results import to_json


@pytest.fixture(scope="module", params=list(bench.EXPERIMENTS))
def benched(request):
    run, lines = bench.EXPERIMENTS[request.param]
    told = []
    result = run(1, True, lambda *words: told.append(words))
    return request.param, result, lines(result), told


def test_the_lines_name_the_conditions_before_any_number(benched):
    _, result, lines, _ = benched
    assert lines[0].startswith("SMOKE RUN, no finding: 1 blocks")
    assert result.provenance.measured_at in lines[1]
    assert lines[2].startswith("Data on ")


def test_a_smoke_run_ends_without_a_finding(benched):
    _, _, lines, _ = benched
    assert lines[-1].endswith(SMOKE)


def test_the_table_names_limits_and_what_belongs_to_the_experiment(benched):
    name, _, lines, _ = benched
    head = next(line for line in lines if line.endswith(("limit", "limited by")))
    columns = {
        "copy": ("sender CPU s/GB", "receiver CPU s/GB", "machine CPU s/GB", "GB/s"),
        "io": ("arm", "MB/s", "device requests per MiB"),
        "log": ("MB/s", "CPU us a batch", "us a look-up"),
    }
    assert all(column in head for column in columns[name])
    words = {"copy": "congestion control", "io": "The device: ", "log": "sync policy: none"}
    assert any(words[name] in line for line in lines)


def test_every_arm_has_a_row(benched):
    _, result, lines, _ = benched
    skipped = {arm for arm, _ in result.skipped}
    first_cells = [line.split("  ")[0] for line in lines]
    assert {str(arm) for arm in result.arms if arm not in skipped} <= set(first_cells)
    assert any(cell.endswith("again (A/A)") for cell in first_cells)


def test_a_measure_that_an_arm_does_not_have_is_a_dash(benched):
    name, _, lines, _ = benched
    if name == "log":
        append = next(line for line in lines if line.startswith("Log.append, 1 KiB"))
        look_up = next(line for line in lines if line.startswith("look-up"))
        assert append.split()[-2 if append.endswith("none") else -3] == "-"
        assert look_up.split("batches")[1].split()[:2] == ["-", "-"]


def test_json_holds_runs_summaries_and_provenance(benched):
    _, result, _, _ = benched
    found = json.loads(json.dumps(to_json(result)))
    assert found["is_smoke"] is True
    assert found["runs"]
    assert found["summaries"]
    assert found["provenance"]["kernel"]


def test_progress_is_told_to_the_end(benched):
    _, _, _, told = benched
    done, total, _ = told[-1]
    assert done == total > 0


@pytest.mark.parametrize("experiment", [bench.bench_copy, bench.bench_io, bench.bench_log])
def test_no_block_at_all_is_an_error(experiment):
    with pytest.raises(ValueError, match="not 0"):
        experiment(0, True)


def test_the_findings_of_a_full_run_end_the_lines(copy_result):
    cpu = {arm: [0.4, 0.5, 0.6, 0.4, 0.6] * 2 for arm in copy_arms([4096, 1 << 20], discarded_chunk_sizes=[1 << 20])}
    lines = bench.copy_lines(copy_result(cpu))
    assert lines[0].startswith("10 blocks")
    assert "times [" in lines[-4]
    assert "of a bare sendfile loop" in lines[-3]
    assert "0.5 [0.4, 0.6]" in "\n".join(lines)
