import json

import pytest

import kfast
from kfast.lab.canary import CanaryResult
from kfast.lab.provenance import provenance
from kfast.lab.results import append_result, as_json, read_results, results_directory
from kfast.lab.unavailable import Unavailable


def test_objects_become_json():
    value = {"runs": (CanaryResult("splice", 3, 1, 2),), "device": Unavailable("none"), "is_smoke": True}
    assert as_json(value) == {
        "runs": [{"copy_mode": "splice", "size_bytes": 3, "old_bytes": 1, "new_bytes": 2}],
        "device": "unavailable: none",
        "is_smoke": True,
    }


def test_results_are_appended_with_their_provenance(tmp_path):
    for number in (1, 2):
        path = append_result("copy", {"number": number}, provenance(tmp_path), tmp_path / "results")
    assert path.name == "copy.jsonl"
    lines = list(read_results("copy", tmp_path / "results"))
    assert [line["result"] for line in lines] == [{"number": 1}, {"number": 2}]
    assert all(line["experiment"] == "copy" and line["provenance"]["cpu_count"] for line in lines)
    assert len(path.read_text().splitlines()) == 2
    assert json.loads(path.read_text().splitlines()[0]) == lines[0]


def test_nothing_measured_yet_is_no_error(tmp_path):
    assert list(read_results("copy", tmp_path)) == []


def test_the_shipped_results_are_read_only(tmp_path):
    with pytest.raises(ValueError, match="read-only"):
        append_result("copy", {}, provenance(tmp_path), kfast.data_path("data", "results"))


def test_the_reader_says_where_results_go(monkeypatch, tmp_path):
    monkeypatch.delenv("KFAST_RESULTS", raising=False)
    assert str(results_directory()) == "kfast-results"
    monkeypatch.setenv("KFAST_RESULTS", str(tmp_path))
    assert results_directory() == tmp_path
