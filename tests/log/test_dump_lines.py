"""Entries as lines for people."""

from __future__ import annotations

from typing import Any

import pytest

from kfast.log.dump import dump, to_line
from kfast.log.dump_entries import to_base64


def test_a_damaged_partition(golden: Any) -> None:
    directory = golden("10-crash-flip-last-segment") / "damaged" / "crash-0"
    lines = [to_line(entry) for entry in dump([directory], deep=True)]
    assert sum(line.endswith("  INVALID") for line in lines) == 1
    assert sum("00000000000000000560.log  position 6249: batch at offset 670" in line for line in lines) == 1
    assert any(line.startswith("batch  0..") for line in lines)
    assert any(line.startswith("  record  682  ") for line in lines)
    assert any(line.startswith("offset ") for line in lines)
    assert any(line.startswith("timestamp ") for line in lines)
    assert any(line.startswith("producer  producer_id=0  producer_epoch=0  ") for line in lines)
    assert "leader epoch  epoch=0  start_offset=0" in lines
    assert lines[-1] == (
        f"{directory}  3 segments  111 batches  offsets from 0 to before 683  46840 bytes  INVALID in 1 place"
    )


def test_what_kafkas_own_records_say_comes_in_place_of_their_bytes(golden: Any) -> None:
    lines = [to_line(entry) for entry in dump([golden("12-kraft") / "log"], deep=True)]
    assert "  record  2  1795392810701  FeatureLevelRecord  version=0  name=metadata.version  feature_level=27" in lines
    assert "  record  5  1795392801272  SnapshotFooter" in lines
    assert lines[-1].endswith(
        "log  8 partitions  8 segments  89 batches  16148 bytes  stopped cleanly  nothing is wrong"
    )


def test_where_only_indexes_were_read_nothing_is_said_of_batches(golden: Any) -> None:
    (summary,) = dump([golden("12-kraft") / "log" / "bare-0"], indexes_only=True)
    assert to_line(summary).endswith("bare-0  1 segment  1989 bytes  nothing is wrong")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (b"", "''"),
        ("naïve".encode(), "'naïve'"),
        (b"na\xc3", r"'na\xc3'"),
        (b"\x00a\n", r"'\x00a\n'"),
        ("\x85é".encode(), r"'\xc2\x85\xc3\xa9'"),
    ],
)
def test_text_is_shown_as_text_and_other_bytes_as_bytes(value: bytes | None, shown: str) -> None:
    entry = {"type": "record", "offset": 0, "timestamp_ms": 1, "key": None, "value": to_base64(value), "headers": []}
    assert to_line(entry) == f"  record  0  1  null  {shown}"
