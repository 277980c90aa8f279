"""What recovery decides is told as it is: every byte of the files before it has one fate."""

from __future__ import annotations

import logging

import pytest

from kfast.lab.recovery import Fate, recover
from kfast.log.config import LogConfig
from kfast.log.log import Log
from kfast.record.builder import RecordBatchBuilder

CONFIG = LogConfig(segment_bytes=1600)
RECORDS = 30


def fates(recovery):
    return {fate: [piece for piece in recovery.pieces if piece.fate is fate] for fate in Fate}


@pytest.fixture
def directory(tmp_path):
    """Ten batches of three records each, in several segments."""
    path = tmp_path / "orders-0"
    log = Log.open(path, CONFIG)
    for _ in range(RECORDS // 3):
        builder = RecordBatchBuilder()
        for _ in range(3):
            builder.append(None, bytes(100), 0)
        log.append(builder.build())
    assert len(log.segments) == 3
    log.close()
    return path


def last_segment(directory):
    return max(directory.glob("*.log"))


def test_a_whole_log_is_checked_and_kept(directory):
    recovery = recover(directory, RECORDS, CONFIG)
    assert [piece.fate for piece in recovery.pieces] == [Fate.CHECKED] * 10
    assert (recovery.lost, recovery.unreadable, recovery.cut_bytes, recovery.reports) == (0, 0, 0, ())
    assert recovery.sentence() == "All 30 records are there, and nothing is cut"
    assert recovery.segment_count == 3
    assert recovery.log_bytes == sum(piece.size_bytes for piece in recovery.pieces)


def test_a_flipped_bit_takes_what_lies_behind_it(directory):
    first = min(directory.glob("*.log"))
    data = bytearray(first.read_bytes())
    data[len(data) // 2 + 100] ^= 1
    first.write_bytes(data)
    recovery = recover(directory, RECORDS, CONFIG)
    (bad,) = fates(recovery)[Fate.BAD]
    assert recovery.end_offset == bad.base_offset
    assert bad.count == 3
    behind = fates(recovery)[Fate.BEHIND]
    assert recovery.lost == 3 + 3 * len(behind)
    assert recovery.sentence() == (
        f"{recovery.lost} of 30 records are gone: a batch of 3 is wrong, and {recovery.lost - 3} lay behind it"
    )
    assert "cut at position" in recovery.reports[0]
    assert len(recovery.reports) == 3, "two segments are put aside"
    assert not any("/" in report for report in recovery.reports)


def test_below_the_recovery_point_it_stays_and_is_not_found(directory):
    first = min(directory.glob("*.log"))
    data = bytearray(first.read_bytes())
    data[-1] ^= 1
    first.write_bytes(data)
    recovery = recover(directory, RECORDS, CONFIG, recovery_point=27)
    (missed,) = fates(recovery)[Fate.MISSED]
    assert (missed.file, missed.count) == (first.name, 3)
    assert {piece.file for piece in fates(recovery)[Fate.CHECKED]} == {last_segment(directory).name}
    assert recovery.sentence() == "Nothing is cut, but 3 of 30 records can no longer be read as they were"
    assert recovery.reports == ()


def test_an_offset_that_is_wrong_is_wrong_whatever_the_checksum_says(directory):
    last = last_segment(directory)
    data = bytearray(last.read_bytes())
    data[6] ^= 1
    last.write_bytes(data)
    recovery = recover(directory, RECORDS, CONFIG)
    assert len(fates(recovery)[Fate.MISSED]) == 1
    assert recovery.unreadable == 3


def test_an_offset_that_cannot_be_there_has_the_log_refused_and_left_alone(directory):
    last = last_segment(directory)
    data = bytearray(last.read_bytes())
    data[0] ^= 1
    last.write_bytes(data)
    recovery = recover(directory, RECORDS, CONFIG)
    assert recovery.is_refused
    assert recovery.sentence() == "The log is refused, and nothing in it changed: its 30 records are out of reach"
    assert "cannot hold" in recovery.reports[-1]
    assert "/" not in recovery.reports[-1]
    assert len(fates(recovery)[Fate.MISSED]) == 1
    assert not fates(recovery)[Fate.CHECKED]
    assert last.read_bytes() == data


def test_all_of_the_segment_that_holds_the_recovery_point_is_checked(directory):
    recovery = recover(directory, RECORDS, CONFIG, recovery_point=29)
    assert {piece.file for piece in fates(recovery)[Fate.CHECKED]} == {last_segment(directory).name}
    assert fates(recovery)[Fate.CHECKED][0].position == 0


def test_garbage_after_a_clean_stop_is_cut_and_nothing_checked(directory):
    with last_segment(directory).open("ab") as file:
        file.write(b"\xa5" * 100)
    recovery = recover(directory, RECORDS, CONFIG, recovery_point=RECORDS, was_clean=True)
    found = fates(recovery)
    assert len(found[Fate.BELIEVED]) == 10
    assert [(piece.count, piece.size_bytes) for piece in found[Fate.BAD]] == [(0, 100)]
    assert recovery.sentence() == "All 30 records are there; 100 bytes that are no batch are cut"


def test_a_torn_batch_is_said_to_be_none(directory):
    last = last_segment(directory)
    size = last.stat().st_size
    with last.open("r+b") as file:
        file.truncate(size - 1)
    recovery = recover(directory, RECORDS, CONFIG)
    (bad,) = fates(recovery)[Fate.BAD]
    assert recovery.sentence() == f"3 of 30 records are gone: at position {bad.position} of {last.name} no batch begins"


def test_a_file_that_ends_early_between_batches_is_told_by_what_is_missing(directory):
    last = last_segment(directory)
    last.write_bytes(b"")
    recovery = recover(directory, RECORDS, CONFIG)
    assert recovery.lost > 0
    assert recovery.sentence().endswith("their bytes are not in the files")


def test_nobody_else_hears_what_the_log_warns_of(directory, caplog):
    last_segment(directory).write_bytes(b"\xa5" * 100)
    with caplog.at_level(logging.WARNING):
        assert recover(directory, RECORDS, CONFIG).reports
    assert not caplog.records
    assert logging.getLogger("kfast.log").propagate
    assert not logging.getLogger("kfast.log").handlers
