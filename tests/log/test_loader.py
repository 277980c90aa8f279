"""What an unclean stop leaves behind, and what is made of it: held against what Apache Kafka made of the same files."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kfast.errors import KafkaStorageError
from kfast.log.log import Log
from kfast.log.names import OFFSET_INDEX_SUFFIX, SNAPSHOT_SUFFIX, file_path
from kfast.record.batch import RecordBatch, stamp
from kfast.record.layout import MAGIC_POSITION

INDEX_INTERVAL = {"index_interval_bytes": 1000, "segment_bytes": 20000}

KAFKAS_TIME_MS = 1_795_395_600_000
"""About when Kafka opened them: by then most of their producers had been silent for a day."""

CRASHES = [
    "as-it-is",
    "bad-snapshot",
    "flip-last-segment",
    "flip-middle-segment",
    "garbage-index",
    "garbage-tail",
    "leftovers",
    "no-index",
    "no-snapshots",
    "no-timeindex",
    "short-index",
    "swap",
    "swap-and-original",
    "torn-12",
    "torn-header",
    "torn-records",
    "zero-tail",
]


@pytest.fixture
def crash(golden: Any, tmp_path: Path) -> Callable[[str], tuple[Path, dict[str, Any]]]:
    """`crash("torn-12")` is a copy of the damaged partition, and what Kafka made of it."""

    def extract(name: str) -> tuple[Path, dict[str, Any]]:
        case = golden.manifest["cases"][f"10-crash-{name}"]
        root = golden.extract(f"10-crash-{name}", tmp_path / name)
        return root / "damaged" / case["partition"], case["after_recovery"]

    return extract


def digests(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}


@pytest.mark.parametrize("name", CRASHES)
def test_recovery_leaves_the_same_bytes_as_kafkas(crash: Any, open_log: Any, clock: Any, name: str) -> None:
    directory, after = crash(name)
    before = digests(directory)
    clock._now_ns = KAFKAS_TIME_MS * 1_000_000

    log = open_log(directory, **INDEX_INTERVAL)
    assert log.log_end_offset == after["end_offset_on_disk"]
    assert log.size_bytes == after["log_bytes_kept"]
    assert {f"{segment.base_offset:020d}" for segment in log.segments} == set(after["segments"])
    log.close()

    now = digests(directory)
    expected = {
        file: before[file] if said == "same" else said["sha256"]
        for file, said in after["files_after_clean_stop"].items()
        if file.endswith((".log", ".index", ".timeindex", ".snapshot"))
    }
    assert {file: now.get(file) for file in expected} == expected
    assert {file for file in now if file.endswith(".snapshot")} == set(after["snapshots_after"])
    assert log.leader_epochs.entries == ((0, 0),)


def test_what_is_cut_is_said_with_file_position_and_bytes(
    crash: Any, open_log: Any, caplog: pytest.LogCaptureFixture
) -> None:
    directory, _ = crash("flip-middle-segment")
    with caplog.at_level(logging.WARNING, logger="kfast.log"):
        open_log(directory, **INDEX_INTERVAL)
    cut, dropped = (record.getMessage() for record in caplog.records)
    assert "00000000000000000263.log: cut at position 7203, 12415 bytes dropped: batch at offset 360" in cut
    assert "00000000000000000560.log: 7317 bytes dropped, renamed .deleted" in dropped
    assert {path.name for path in directory.glob("*.deleted")} >= {"00000000000000000560.log.deleted"}


def test_files_of_deleted_segments_are_gone_after_the_next_start(crash: Any, open_log: Any) -> None:
    directory, _ = crash("flip-middle-segment")
    open_log(directory, **INDEX_INTERVAL).close()
    assert list(directory.glob("*.deleted"))
    open_log(directory, **INDEX_INTERVAL)
    assert not list(directory.glob("*.deleted"))


def test_below_the_recovery_point_nothing_is_scanned(crash: Any, open_log: Any) -> None:
    """As in Kafka: a flipped bit there stays until a consumer meets it, and nothing after it is lost."""
    directory, _ = crash("flip-middle-segment")
    log = open_log(directory, {"recovery_point": 560}, **INDEX_INTERVAL)
    assert log.log_end_offset == 683


def test_the_segment_that_holds_the_recovery_point_is_checked_from_its_front(crash: Any, open_log: Any) -> None:
    """As in Kafka, also where all of it had been flushed."""
    for recovery_point in (600, 679, 683):
        directory, _ = crash("flip-last-segment")  # the damaged batch holds offset 670
        log = open_log(directory, {"recovery_point": recovery_point}, **INDEX_INTERVAL)
        assert (log.log_end_offset, log.recovery_point) == (670, min(recovery_point, 670))


def test_of_a_recovery_point_beyond_the_end_the_last_segment_is_checked(crash: Any, open_log: Any) -> None:
    """As in Kafka: what had been flushed before it is not dropped for damage in a segment further on."""
    directory, _ = crash("flip-middle-segment")
    log = open_log(directory, {"recovery_point": 10_000}, **INDEX_INTERVAL)
    assert (log.log_end_offset, log.recovery_point) == (683, 683)
    directory, _ = crash("flip-last-segment")
    log = open_log(directory, {"recovery_point": 10_000}, **INDEX_INTERVAL)
    assert (log.log_end_offset, log.recovery_point) == (670, 670)
    directory, _ = crash("zero-tail")
    assert open_log(directory, {"recovery_point": 10_000}, **INDEX_INTERVAL).log_end_offset == 683


def test_recovery_from_inside_a_segment_makes_the_same_indexes(open_log: Any, make_batch: Any, tmp_path: Path) -> None:
    log = open_log(index_interval_bytes=300)
    for number in range(60):
        log.append(make_batch(2, timestamp_ms=1000 + number * (-1) ** number))
    log.close()
    before = digests(log.directory)
    for recovery_point in (0, 37, 60, 119):
        again = open_log(index_interval_bytes=300, log_arguments={"recovery_point": recovery_point})
        again.close()
        assert digests(log.directory) == before


def test_after_a_clean_stop_the_tail_is_still_looked_at(
    crash: Any, open_log: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Kafka leaves a torn tail where it is, and does not start over a garbage one."""
    for name, end_offset in (("torn-records", 679), ("garbage-tail", 683)):
        directory, _ = crash(name)
        log = open_log(directory, {"was_clean": True, "recovery_point": 683}, **INDEX_INTERVAL)
        assert log.log_end_offset == end_offset
        assert "after a clean stop" in caplog.text


def test_after_a_clean_stop_no_whole_batch_is_cut_off(
    crash: Any, open_log: Any, make_batch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither one before half a batch, whatever its checksum says, nor those an index entry does not lead to."""
    directory, _ = crash("flip-last-segment")
    path = Path(directory, "00000000000000000560.log")
    os.truncate(path, path.stat().st_size - 1)
    log = open_log(directory, {"was_clean": True, "recovery_point": 683}, **INDEX_INTERVAL)
    assert log.log_end_offset == 679
    for missing in (1, 30):  # in the batch that the last index entry leads to
        other = open_log(index_interval_bytes=0)
        for _ in range(4):
            other.append(make_batch(2))
        other.close()
        path = Path(other.segments[0].records.path)
        os.truncate(path, path.stat().st_size - missing)
        again = open_log(index_interval_bytes=0, log_arguments={"was_clean": True, "recovery_point": 8})
        assert again.log_end_offset == 6
        again.append(make_batch(2))
        again.delete()
    assert "no whole batch" in caplog.text


def test_after_a_clean_stop_the_recovery_point_is_the_end(crash: Any, open_log: Any) -> None:
    log = open_log(crash("as-it-is")[0], {"was_clean": True, "recovery_point": 0}, **INDEX_INTERVAL)
    assert log.recovery_point == 683


def test_after_a_clean_stop_missing_indexes_are_made(crash: Any, open_log: Any) -> None:
    for name in ("no-index", "no-timeindex", "short-index"):
        directory, after = crash(name)
        log = open_log(directory, {"was_clean": True, "recovery_point": 683}, **INDEX_INTERVAL)
        log.close()
        assert log.log_end_offset == 683
        middle = file_path(str(directory), 263, OFFSET_INDEX_SUFFIX)
        assert os.path.getsize(middle) == 8 * after["segments"]["00000000000000000263"]["index_entries"]


def test_a_garbage_index_below_the_recovery_point_hides_nothing(
    crash: Any, open_log: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Kafka believes it, and is right by offset but wrong by timestamp."""
    directory, _ = crash("garbage-index")
    intact = open_log(crash("as-it-is")[0], **INDEX_INTERVAL)
    log = open_log(directory, {"was_clean": True, "recovery_point": 683}, **INDEX_INTERVAL)
    assert log.log_end_offset == 683
    for offset in range(683):
        found, expected = (one.read(offset, 1).records for one in (log, intact))
        assert (found.position, found.size) == (expected.position, expected.size)
        timestamp_ms = next(RecordBatch(found.read()).records()).timestamp_ms
        assert log.offset_for_timestamp(timestamp_ms) == intact.offset_for_timestamp(timestamp_ms)
    assert "look-ups scan its segment from the front" in caplog.text


def test_an_index_without_its_log_is_removed(open_log: Any, tmp_path: Path) -> None:
    directory = tmp_path / "orders-0"
    directory.mkdir()
    Path(file_path(str(directory), 7, OFFSET_INDEX_SUFFIX)).write_bytes(bytes(8))
    log = open_log()
    assert [segment.base_offset for segment in log.segments] == [0]
    assert not Path(file_path(str(directory), 7, OFFSET_INDEX_SUFFIX)).exists()


def test_a_log_start_offset_beyond_the_end_starts_a_new_log_there(open_log: Any, make_batch: Any) -> None:
    log = open_log()
    log.append(make_batch(3))
    log.close()
    again = open_log(log_arguments={"log_start_offset": 10})
    assert (again.log_start_offset, again.log_end_offset, again.size_bytes) == (10, 10, 0)
    assert (log.directory / "00000000000000000000.log.deleted").exists()


def test_snapshots_beyond_the_end_go_with_what_was_cut(crash: Any, open_log: Any) -> None:
    directory, _ = crash("torn-records")
    beyond = Path(file_path(str(directory), 683, SNAPSHOT_SUFFIX))
    beyond.write_bytes(b"")
    open_log(directory, **INDEX_INTERVAL)
    assert not beyond.exists()
    assert Path(file_path(str(directory), 560, SNAPSHOT_SUFFIX)).exists()


def test_an_incomplete_swap_is_undone(open_log: Any, make_batch: Any) -> None:
    """Kafka renames .cleaned to .swap from the last file to the first: while one .cleaned is left, nothing is final."""
    log = open_log()
    log.append(make_batch(3))
    log.close()
    first, second = (log.directory / f"{offset:020d}.log" for offset in (0, 2))
    Path(f"{first}.cleaned").write_bytes(b"")
    Path(f"{second}.swap").write_bytes(b"")
    again = open_log()
    assert (again.log_end_offset, len(again.segments)) == (3, 1)
    assert sorted(path.suffix for path in log.directory.iterdir()) == ["", ".index", ".log", ".snapshot", ".timeindex"]


def test_a_directory_that_is_missing_is_made(tmp_path: Path) -> None:
    log = Log.open(tmp_path / "new" / "orders-0", log_start_offset=5)
    assert (log.log_start_offset, log.log_end_offset, log.size_bytes) == (5, 5, 0)


def test_a_magic_that_is_too_high_is_passed_over_as_kafka_does(open_log: Any, make_batch: Any) -> None:
    log = open_log()
    for _ in range(3):
        log.append(make_batch(2))
    log.close()
    path = Path(log.segments[0].records.path)
    data = bytearray(path.read_bytes())
    data[len(make_batch(2)) + MAGIC_POSITION] = 9
    path.write_bytes(data)
    assert open_log().log_end_offset == 6


@pytest.mark.parametrize("base_offset", [-5, 2 + 2**32])
def test_an_offset_that_a_segment_cannot_hold_is_refused_and_nothing_cut(
    open_log: Any, make_batch: Any, base_offset: int
) -> None:
    """No checksum covers it. Kafka does not open such a log either."""
    log = open_log()
    for _ in range(3):
        log.append(make_batch(2))
    log.close()
    path = Path(log.segments[0].records.path)
    data = bytearray(path.read_bytes())
    stamp(data, len(make_batch(2)), base_offset, 0)
    path.write_bytes(data)
    with pytest.raises(KafkaStorageError, match=rf"position {len(make_batch(2))} ends at offset {base_offset + 1}, "):
        open_log()
    assert path.read_bytes() == data
