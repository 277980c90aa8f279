"""What is not in a directory and should be, and what is there for a while: named, and never where all is well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kfast.log.dump import dump, is_invalid, to_line


def errors_of(directory: Path) -> dict[str, str]:
    return {Path(e["file"]).name: e["reason"] for e in dump([directory]) if e["type"] == "error"}


def test_a_segment_that_is_missing_is_named_by_what_is_left_of_it(golden: Any, tmp_path: Path) -> None:
    directory = golden.extract("10-crash", tmp_path) / "crash" / "crash-0"
    (directory / f"{263:020d}.log").unlink()
    errors = errors_of(directory)
    gap = f"offsets 263 to before 560 are missing before this segment, and {263:020d}.snapshot says that there was one"
    assert errors[f"{560:020d}.log"] == gap
    for suffix in ("index", "timeindex"):
        assert f"its segment is gone: there is no {263:020d}.log" in errors.pop(f"{263:020d}.{suffix}")
        (directory / f"{263:020d}.{suffix}").unlink()
    assert errors == errors_of(directory) == {f"{560:020d}.log": gap}
    (directory / f"{263:020d}.snapshot").unlink()
    summary = list(dump([directory]))[-1]
    assert (summary["gaps"], summary["errors"]) == ([[263, 560]], 0)


def test_the_last_segment_that_is_missing_is_named_by_its_indexes(golden: Any, tmp_path: Path) -> None:
    directory = golden.extract("10-crash", tmp_path) / "crash" / "crash-0"
    (directory / f"{560:020d}.log").unlink()
    assert set(errors_of(directory)) == {f"{560:020d}.index", f"{560:020d}.timeindex"}


@pytest.mark.parametrize("suffix", [".swap", ".cleaned", ".deleted"])
def test_passing_files_are_counted_and_account_for_what_is_not_there(golden: Any, tmp_path: Path, suffix: str) -> None:
    directory = golden.extract("10-crash", tmp_path) / "crash" / "crash-0"
    path = directory / f"{263:020d}.log"
    path.rename(f"{path}{suffix}")
    summary = list(dump([directory]))[-1]
    assert (summary["errors"], summary["gaps"], summary["passing"]) == (0, [], {suffix: 1})
    assert f"besides 1 file {suffix}, " in to_line(summary)


def test_a_passing_file_that_is_asked_for_is_what_its_name_says_without_the_suffix(golden: Any) -> None:
    directory = golden("10-crash-swap") / "damaged" / "crash-0"
    whole = golden("10-crash") / "crash" / "crash-0"
    for suffix in ("log", "index", "timeindex"):
        shown = [{**entry, "file": ""} for entry in dump([directory / f"{0:020d}.{suffix}.swap"], deep=True)]
        assert shown == [{**entry, "file": ""} for entry in dump([whole / f"{0:020d}.{suffix}"], deep=True)]
    assert list(dump([directory]))[-1]["passing"] == {".swap": 3}


def test_an_index_is_held_against_the_log_with_its_suffix(golden: Any, tmp_path: Path) -> None:
    path = tmp_path / f"{0:020d}.index.deleted"
    whole = golden("10-crash") / "crash" / "crash-0"
    path.write_bytes((whole / f"{0:020d}.index").read_bytes())
    path.with_name(f"{0:020d}.log.deleted").write_bytes(b"")
    assert any(map(is_invalid, dump([path])))


def test_indexes_that_are_missing_are_noted(golden: Any) -> None:
    for suffix in ("index", "timeindex"):
        directory = golden(f"10-crash-no-{suffix}") / "damaged" / "crash-0"
        for indexes_only in (False, True):
            entries = list(dump([directory], indexes_only=indexes_only))
            notes = [(Path(entry["file"]).name, entry["reason"]) for entry in entries if entry["type"] == "note"]
            reason = f"it has no .{suffix}; kfast makes it anew at its next start"
            assert notes == [(f"{263:020d}.log", reason), (f"{560:020d}.log", reason)]
            assert entries[-1]["errors"] == 0


def test_what_compaction_leaves_out_is_nothing_wrong(golden: Any) -> None:
    entries = list(dump([golden("07-compaction") / "after-second"]))
    assert not any(map(is_invalid, entries))
    assert any(entry["gaps"] for entry in entries if entry["type"] == "summary")


def test_whether_a_log_directory_was_stopped_cleanly_is_said(golden: Any) -> None:
    was_clean = {name: list(dump([golden(name)]))[-2]["was_clean"] for name in ("12-kraft", "10-crash")}
    assert was_clean == {"12-kraft": True, "10-crash": False}
    assert list(dump([golden("12-kraft") / "log" / "bare-0"]))[-1]["was_clean"] is None


def test_a_directory_without_anything_of_kafkas_is_named(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "notes.txt").write_text("not ours")
    error, summary = [entry for entry in dump([tmp_path]) if entry.get("directory") != str(tmp_path / "inner")]
    assert (error["file"], error["reason"]) == (
        str(tmp_path),
        "no log directory and no partition: nothing of Kafka's is in it",
    )
    assert summary["errors"] == 1
