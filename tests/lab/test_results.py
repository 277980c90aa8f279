import json
from dataclasses import replace

import numpy
import pytest

from kfast.lab.canary import CanaryResult
from kfast.lab.experiment import Arm
from kfast.lab.results import (
    ResultsFile,
    ResultsFileError,
    as_json,
    load_result,
    load_results,
    records,
    rows,
    shipped_directory,
    to_json,
)
from kfast.lab.unavailable import Unavailable


def test_objects_become_json():
    value = {"runs": (CanaryResult("splice", 3, 1, 2),), "device": Unavailable("none"), "is_smoke": True}
    assert as_json(value) == {
        "runs": [{"copy_mode": "splice", "size_bytes": 3, "old_bytes": 1, "new_bytes": 2}],
        "device": "unavailable: none",
        "is_smoke": True,
    }


SMALL, LARGE = Arm.of("small", size=1), Arm.of("large", size=1000, codec="zstd")


@pytest.fixture
def stored(fake_result, tmp_path):
    """A result of two blocks, and the file it was kept in."""
    result = fake_result({SMALL: [1.0, 2.0], LARGE: [Unavailable("no counter"), 4.0]})
    file = ResultsFile(result, "fake", tmp_path)
    file.add(result.runs, [(LARGE, Unavailable("not here"))])
    return result, file.path


def test_what_was_written_is_read_back(stored):
    result, path = stored
    loaded = load_result(path)
    assert as_json(replace(loaded, skipped=())) == as_json(result)
    assert loaded.skipped == ((LARGE, Unavailable("not here")),)
    assert isinstance(loaded.runs[2].value("records_per_s"), Unavailable)


def test_programs_get_one_object_with_what_follows_from_the_runs(fake_result):
    result = fake_result({SMALL: [1.0, 3.0], LARGE: [4.0, 4.0], SMALL.again(): [1.0, 3.0]})
    found = json.loads(json.dumps(to_json(result)))
    assert [run["arm"] for run in found["runs"]] == [0, 0, 1, 1, 2, 2]
    assert found["summaries"][0]["values"]["records_per_s"]["median"] == 2.0
    assert found["ratios"][0]["count"] == 2
    assert found["aa_resolution"] == {"records_per_s": 1.0}
    assert found["provenance"]["kernel"]


def test_a_file_is_never_written_over(stored, tmp_path):
    with pytest.raises(FileExistsError):
        ResultsFile(stored[0], "fake", tmp_path)


def test_a_line_that_a_crash_cut_off_is_left_out(stored):
    result, path = stored
    text = path.read_text()
    path.write_text(text[: text.rindex('"limited_by"')])
    assert len(load_result(path).runs) == len(result.runs) - 1


@pytest.mark.parametrize("text", ["", "{}\n", "[1]\n", "no json\n", '{"kind": "experiment", "schema": 99}\n'])
def test_a_file_that_is_no_result_is_refused_by_name(tmp_path, text):
    path = tmp_path / "E0.jsonl"
    path.write_text(text)
    with pytest.raises(ResultsFileError, match=r"E0\.jsonl"):
        load_result(path)


def test_the_results_of_a_class_are_merged(stored, tmp_path, monkeypatch):
    monkeypatch.setenv("KFAST_RESULTS", str(tmp_path))
    _, path = stored
    assert len(load_results(path, tmp_path)) == 2
    assert len(load_results()) == 1 + len(list(shipped_directory().glob("*.jsonl")))
    with pytest.raises(FileNotFoundError):
        load_results(tmp_path / "missing.jsonl")


def test_runs_become_flat_rows(stored):
    found = rows([load_result(stored[1])])
    assert [(row["arm"], row["block"], row["size"], row["records_per_s"]) for row in found] == [
        ("small", 0, 1, 1.0),
        ("small", 1, 1, 2.0),
        ("large", 0, 1000, None),
        ("large", 1, 1000, 4.0),
    ]


def test_rows_become_a_numpy_record_array(stored):
    table = records([load_result(stored[1])])
    assert len(table) == 4
    assert table.codec.tolist() == ["", "", "zstd", "zstd"]
    assert numpy.isnan(table.records_per_s[2])
    assert table.is_smoke.dtype == bool
