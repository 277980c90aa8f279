"""Indexes held against their logs: what is not so in the log is named, entry by entry."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from kfast.log import transaction_index
from kfast.log.dump import dump, is_invalid


def reasons(path: Path) -> list[tuple[int, str]]:
    return [(entry["position"], entry["reason"]) for entry in dump([path]) if entry["type"] == "error"]


def test_aborted_transactions_are_held_against_the_markers(golden: Any, tmp_path: Path) -> None:
    directory = shutil.copytree(golden("06-transactions") / "log" / "ledger-wide-0", tmp_path / "ledger-wide-0")
    path = next(path for path in directory.glob("*.txnindex") if path.stat().st_size == 4 * 34)
    first, second = path.read_bytes()[:34], path.read_bytes()[34:68]
    assert not any(map(is_invalid, dump([path])))
    entries = [transaction_index.AbortedTransaction(*fields) for fields in (
        (9, 0, 9, 10),  # of another producer
        (0, 10, 21, 23),  # where there is no marker
        (0, 10, 22, 23),
        (0, 10, 22, 23),  # again
        (2, 35, 34, 35),  # before it began
    )]  # fmt: skip
    path.write_bytes(b"".join(transaction_index.ENTRY.pack(0, *entry) for entry in entries) + b"\x00\x01" + first[2:9])
    found = reasons(path)
    assert [position for position, _ in found] == [0, 34, 102, 136, 170]
    assert found[0][1] == "no marker at offset 9 of the log aborts producer 9"
    assert found[1][1] == "no marker at offset 21 of the log aborts producer 0"
    assert "does not follow a marker at offset 22" in found[2][1]
    assert found[4][1] == "9 bytes are no entry of 34"
    path.write_bytes(b"\x00\x01" + second[2:])
    assert reasons(path) == [(0, "version 1; 0 is known")]


def test_without_a_log_an_index_is_held_against_itself(golden: Any, tmp_path: Path) -> None:
    for case, partition in (("06-transactions", "ledger-wide-0"), ("01-plain", "dense-0")):
        directory = shutil.copytree(golden(case) / "log" / partition, tmp_path / partition)
        for path in directory.glob("*.log"):
            path.unlink()
        assert not any(map(is_invalid, dump(directory.glob("*index"))))


def test_a_log_that_is_no_log_confirms_nothing(golden: Any, tmp_path: Path) -> None:
    directory = shutil.copytree(golden("06-transactions") / "log" / "ledger-wide-0", tmp_path / "ledger-wide-0")
    log = next(directory.glob("*.txnindex")).with_suffix(".log")
    log.write_bytes(bytes(100))
    for suffix, size in (("index", 8), ("timeindex", 12), ("txnindex", 34)):
        path = log.with_suffix(f".{suffix}")
        assert len(reasons(path)) == path.stat().st_size // size
