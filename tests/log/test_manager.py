"""Many logs in a directory: opened with what the checkpoints know, deleted, kept in order, closed."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from kfast.clock import ManualClock
from kfast.errors import KafkaStorageError, LogDirectoryError
from kfast.log.checkpoints import read_partition_metadata
from kfast.log.clean_shutdown import CLEAN_SHUTDOWN_FILE
from kfast.log.config import DAY_MS, LogConfig
from kfast.log.log import Log
from kfast.log.manager import (
    CHECKPOINT_INTERVAL_MS,
    PRODUCER_CHECK_INTERVAL_MS,
    RETENTION_CHECK_INTERVAL_MS,
    LogManager,
)
from kfast.record.builder import RecordBatchBuilder
from kfast.scheduler import Scheduler

TOPIC_ID = uuid.UUID(int=7)

OpenManager = Callable[[], LogManager]


@pytest.fixture
def open_manager(tmp_path: Path, clock: ManualClock, scheduler: Scheduler) -> Iterator[OpenManager]:
    managers = []

    def open_() -> LogManager:
        managers.append(LogManager(tmp_path / "data", clock=clock, scheduler=scheduler))
        return managers[-1]

    yield open_
    for manager in managers:
        manager.shutdown()


def too_many_files(*_: object) -> NoReturn:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def recovery_points(directory: Path) -> str:
    return (directory / "recovery-point-offset-checkpoint").read_text()


def test_logs_are_made_found_and_reopened(open_manager: OpenManager, make_batch: Any) -> None:
    manager = open_manager()
    log = manager.create("a.b-c", 3, TOPIC_ID)
    assert manager.create("a.b-c", 3, TOPIC_ID) is manager.get("a.b-c", 3) is log
    assert manager.get("a.b-c", 4) is None
    assert manager.logs == [log]
    assert manager.partition_directories() == ["a.b-c-3"]
    assert read_partition_metadata(log.directory) == TOPIC_ID
    log.append(make_batch(3))
    manager.shutdown()
    again = open_manager().create("a.b-c", 3, TOPIC_ID)
    assert (again.log_end_offset, again.recovery_point, again.unflushed_bytes) == (3, 3, 0)


def test_a_clean_stop_writes_the_recovery_points_and_the_marker(open_manager: OpenManager, make_batch: Any) -> None:
    manager = open_manager()
    manager.create("orders", 1, TOPIC_ID).append(make_batch(2))
    manager.create("orders", 0, TOPIC_ID)
    manager.shutdown()
    manager.shutdown()
    assert recovery_points(manager.directory) == "0\n2\norders 0 0\norders 1 2\n"
    high_watermarks = (manager.directory / "replication-offset-checkpoint").read_text()
    assert high_watermarks == recovery_points(manager.directory)
    assert (manager.directory / CLEAN_SHUTDOWN_FILE).read_text() == '{"version":0,"brokerEpoch":-1}'
    with pytest.raises(KafkaStorageError, match="shut down"):
        manager.create("orders", 2, TOPIC_ID)


def test_the_marker_is_gone_before_anything_is_written_and_a_clean_start_checks_nothing(
    open_manager: OpenManager, make_batch: Any
) -> None:
    manager = open_manager()
    log = manager.create("orders", 0, TOPIC_ID)
    log.append(make_batch(2))
    log.append(make_batch(2))
    manager.shutdown()
    marker = manager.directory / CLEAN_SHUTDOWN_FILE
    data = bytearray(Path(log.segments[0].records.path).read_bytes())
    data[100] ^= 1  # which a check would find
    Path(log.segments[0].records.path).write_bytes(data)
    manager = open_manager()
    assert marker.exists()
    assert manager.create("orders", 0, TOPIC_ID).log_end_offset == 4
    assert not marker.exists()


def test_many_logs_are_closed_some_at_a_time(
    open_manager: OpenManager, make_batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a log that cannot be closed costs the marker, and no other log its recovery point."""
    monkeypatch.setattr("kfast.log.closing.MANY_LOGS", 10)
    manager = open_manager()
    logs = [manager.create("orders", number, TOPIC_ID) for number in range(10)]
    for log in logs:
        log.append(make_batch(2))
    monkeypatch.setattr(logs[4], "close", lambda: (_ for _ in ()).throw(KafkaStorageError("full")))
    manager.shutdown()
    points = "".join(f"orders {number} {0 if number == 4 else 2}\n" for number in range(10))
    assert recovery_points(manager.directory) == f"0\n10\n{points}"
    assert not (manager.directory / CLEAN_SHUTDOWN_FILE).exists()
    manager = open_manager()
    for number in range(10):
        assert manager.create("orders", number, TOPIC_ID).log_end_offset == 2
    manager.shutdown()
    assert (manager.directory / CLEAN_SHUTDOWN_FILE).exists()


def test_no_marker_where_a_log_was_not_closed_or_not_known(
    open_manager: OpenManager, make_batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = open_manager()
    manager.create("orders", 0, TOPIC_ID).append(make_batch(2))
    with monkeypatch.context() as patch:
        patch.setattr(Log, "close", lambda self: (_ for _ in ()).throw(KafkaStorageError("full")))
        manager.shutdown()
    assert not (manager.directory / CLEAN_SHUTDOWN_FILE).exists()
    manager = open_manager()
    manager.create("orders", 1, TOPIC_ID)
    manager.shutdown()  # orders-0 was not opened: nobody has checked it
    assert not (manager.directory / CLEAN_SHUTDOWN_FILE).exists()
    manager = open_manager()
    for number in range(2):
        manager.create("orders", number, TOPIC_ID)
    manager.shutdown()
    assert (manager.directory / CLEAN_SHUTDOWN_FILE).exists()
    manager = open_manager()
    manager.create("orders", 0, TOPIC_ID)
    manager.shutdown()  # orders-1 is as the clean stop left it
    assert (manager.directory / CLEAN_SHUTDOWN_FILE).exists()


def test_kafkas_clean_marker_is_believed_and_removed_before_the_first_write(
    open_manager: OpenManager, golden: Any, tmp_path: Path
) -> None:
    golden.extract("01-plain", tmp_path)
    (tmp_path / "log").rename(tmp_path / "data")
    marker = tmp_path / "data" / CLEAN_SHUTDOWN_FILE
    manager = open_manager()
    assert marker.exists()
    facts = golden.manifest["cases"]["01-plain"]
    for name, partition in facts["logdirs"]["log"]["partitions"].items():
        topic, _, number = name.rpartition("-")
        if topic in facts["topics"]:
            topic_id = read_partition_metadata(tmp_path / "data" / name)
            log = manager.create(topic, int(number), topic_id)
            assert (log.log_end_offset, log.recovery_point) == (partition["end_offset"], partition["end_offset"])
    assert not marker.exists()


def test_a_refused_directory_is_left_as_it_is(tmp_path: Path, clock: ManualClock, scheduler: Scheduler) -> None:
    (tmp_path / "log-start-offset-checkpoint").write_text("junk")
    (tmp_path / CLEAN_SHUTDOWN_FILE).touch()
    for _ in range(2):
        with pytest.raises(LogDirectoryError, match="log-start-offset-checkpoint"):
            LogManager(tmp_path, clock=clock, scheduler=scheduler)
    assert (tmp_path / CLEAN_SHUTDOWN_FILE).exists()


def test_a_directory_is_locked_while_it_is_open(open_manager: OpenManager) -> None:
    manager = open_manager()
    with pytest.raises(LogDirectoryError, match="in use"):
        open_manager()
    manager.shutdown()
    open_manager()


def test_a_directory_that_is_a_file_is_refused(tmp_path: Path, clock: ManualClock, scheduler: Scheduler) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LogDirectoryError, match="file cannot be used"):
        LogManager(tmp_path / "file", clock=clock, scheduler=scheduler)


def test_unreadable_recovery_points_cost_a_full_check(
    open_manager: OpenManager, make_batch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    manager = open_manager()
    manager.create("orders", 0, TOPIC_ID).append(make_batch(2))
    manager.shutdown()
    (manager.directory / "recovery-point-offset-checkpoint").write_text("junk")
    log = open_manager().create("orders", 0, TOPIC_ID)
    assert (log.log_end_offset, log.recovery_point) == (2, 0)
    assert "checking all logs in full" in caplog.text


def test_a_directory_that_the_checkpoints_know_and_that_is_gone_is_reported(
    open_manager: OpenManager, make_batch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    manager = open_manager()
    log = manager.create("orders", 0, TOPIC_ID)
    log.append(make_batch(25))
    manager.create("deleted", 0, TOPIC_ID).append(make_batch(3))
    manager.shutdown()
    shutil.rmtree(log.directory)
    again = open_manager()
    again.delete("deleted", 0)
    for topic in ("orders", "deleted", "new"):
        assert again.create(topic, 0, TOPIC_ID).log_end_offset == 0
    (line,) = caplog.messages
    assert line.startswith(f"{log.directory} is missing, by the checkpoints a log up to offset 25")


def test_the_log_start_survives_a_restart(open_manager: OpenManager, make_batch: Any) -> None:
    manager = open_manager()
    log = manager.create("orders", 0, TOPIC_ID)
    log.append(make_batch(5))
    manager.create("orders", 1, TOPIC_ID).append(make_batch(5))
    log.increment_log_start_offset(3)
    manager.shutdown()
    assert (manager.directory / "log-start-offset-checkpoint").read_text() == "0\n1\norders 0 3\n"
    manager = open_manager()
    manager.create("orders", 1, TOPIC_ID)
    manager.shutdown()  # partition 0 was not opened: what is known of it stays
    assert open_manager().create("orders", 0, TOPIC_ID).log_start_offset == 3


def test_the_log_start_survives_a_disk_that_did_not_rename_what_was_deleted(
    open_manager: OpenManager, make_batch: Any, monkeypatch: pytest.MonkeyPatch, clock: ManualClock
) -> None:
    manager = open_manager()
    log = manager.create("orders", 0, TOPIC_ID)
    for _ in range(3):
        log.append(make_batch(1))
        log.roll()
    log.increment_log_start_offset(3)
    manager.write_checkpoints()
    start_offsets = manager.directory / "log-start-offset-checkpoint"

    def fails(source: str, target: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fails)
        assert log.delete_old_segments() == 3
    assert log.delete_old_segments() == 0
    manager.write_checkpoints()
    assert start_offsets.read_text() == "0\n1\norders 0 3\n"
    copy = shutil.copytree(log.directory, manager.directory.parent / "orders-0")
    assert Log.open(copy, was_clean=True, log_start_offset=3).log_start_offset == 3
    assert Log.open(copy, log_start_offset=3).log_start_offset == 3

    clock.advance(log.config.file_delete_delay_ms)
    assert [path.name for path in log.directory.glob("*.log")] == [f"{3:020d}.log"]
    manager.write_checkpoints()
    assert start_offsets.read_text() == "0\n0\n"


def test_a_deleted_log_is_read_where_it_lies_now_and_not_in_the_next_of_its_name(
    open_manager: OpenManager, make_batch: Any, clock: ManualClock
) -> None:
    manager = open_manager()
    log = manager.create("orders", 0, TOPIC_ID)
    log.append(make_batch(3))
    log.roll()
    log.append(make_batch(3))
    records = log.read(0, 1 << 20).records.read()
    manager.delete("orders", 0)
    new = manager.create("orders", 0, uuid.UUID(int=8))
    for _ in range(2):
        new.append(make_batch(2, size=50))
        new.roll()
    assert log.read(0, 1 << 20).records.read() == records
    assert log.read(3, 1 << 20).records.size == len(records)
    clock.advance(log.config.file_delete_delay_ms)
    assert not log.directory.exists()
    assert new.read(0, 1 << 20).records.size == new.segments[0].size_bytes


def test_what_a_log_has_still_to_remove_when_it_is_deleted_is_nothing_of_the_next_of_its_name(
    open_manager: OpenManager, make_batch: Any, monkeypatch: pytest.MonkeyPatch, clock: ManualClock
) -> None:
    """Files that could not be renamed are removed later by names that are those of a live log by then."""
    manager = open_manager()
    log = manager.create("orders", 0, TOPIC_ID)
    log.append(make_batch(1))
    log.roll()
    log.increment_log_start_offset(1)

    def fails(source: str, target: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fails)
        assert log.delete_old_segments() == 1
    manager.delete("orders", 0)
    new = manager.create("orders", 0, uuid.UUID(int=8))
    new.append(make_batch(2))
    clock.advance(log.config.file_delete_delay_ms)
    assert Path(new.segments[0].records.path).stat().st_size == new.size_bytes


def test_deleting_renames_at_once_and_removes_later(
    open_manager: OpenManager, make_batch: Any, clock: ManualClock
) -> None:
    manager = open_manager()
    log = manager.create("orders", 0, TOPIC_ID, LogConfig(file_delete_delay_ms=1000))
    log.append(make_batch(5))
    in_flight = log.read(0, 1 << 20).records
    expected = in_flight.read()
    manager.delete("orders", 0)
    manager.delete("orders", 0)
    assert manager.get("orders", 0) is None
    assert manager.partition_directories() == []
    (doomed,) = manager.directory.glob("orders-0.*-delete")
    assert in_flight.read() == expected
    with pytest.raises(KafkaStorageError):
        log.append(make_batch(1))
    new = manager.create("orders", 0, uuid.UUID(int=8))
    assert new.log_end_offset == 0
    new.append(make_batch(1))
    assert in_flight.read() == expected
    clock.advance(1000)
    assert not doomed.exists()
    assert new.read(0, 1000).records.read()


def test_what_was_being_deleted_when_it_stopped_is_removed(open_manager: OpenManager, clock: ManualClock) -> None:
    manager = open_manager()
    manager.create("orders", 0, TOPIC_ID)
    manager.delete("orders", 0)
    manager.shutdown()
    manager = open_manager()
    manager.start()
    assert list(manager.directory.glob("*-delete"))
    clock.advance(60_000)
    assert not list(manager.directory.glob("*-delete"))


def test_what_a_deleted_topic_of_the_same_name_left_is_put_aside(
    open_manager: OpenManager, make_batch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A crash between the record that deletes a topic and its directory leaves it; it must not come back to life."""
    manager = open_manager()
    manager.create("orders", 0, TOPIC_ID).append(make_batch(5))
    manager.shutdown()
    manager = open_manager()
    log = manager.create("orders", 0, uuid.UUID(int=8))
    assert (log.log_end_offset, read_partition_metadata(log.directory)) == (0, uuid.UUID(int=8))
    (stray,) = manager.directory.glob("orders-0.*-stray")
    assert read_partition_metadata(stray) == TOPIC_ID
    assert stray.name in caplog.text


def test_a_name_that_may_not_be_on_the_disk_does_not_stop_a_deletion(
    open_manager: OpenManager, make_batch: Any, monkeypatch: pytest.MonkeyPatch, clock: ManualClock
) -> None:
    manager = open_manager()
    manager.create("orders", 0, TOPIC_ID).append(make_batch(5))
    monkeypatch.setattr("kfast.log.log.fsync_directory", too_many_files)
    manager.delete("orders", 0)
    (doomed,) = manager.directory.glob("orders-0.*-delete")
    assert manager.create("orders", 0, uuid.UUID(int=8)).log_end_offset == 0
    clock.advance(60_000)
    assert not doomed.exists()


@pytest.mark.parametrize("is_open", [True, False])
def test_a_log_whose_directory_cannot_be_moved_away_is_never_that_of_a_new_topic(
    open_manager: OpenManager, make_batch: Any, monkeypatch: pytest.MonkeyPatch, is_open: bool
) -> None:
    manager = open_manager()
    old = manager.create("orders", 0, TOPIC_ID)
    old.append(make_batch(5))
    if not is_open:
        manager.shutdown()
        manager = open_manager()
        monkeypatch.setattr(Log, "_set_recovery_point", too_many_files)  # half open: its files are in the pool
        with pytest.raises(KafkaStorageError, match="Too many open files"):
            manager.create("orders", 0, TOPIC_ID)
        monkeypatch.undo()
    monkeypatch.setattr("os.replace", too_many_files)
    with pytest.raises(OSError, match="Too many open files"):
        manager.delete("orders", 0)
    assert manager.get("orders", 0) is None
    with pytest.raises(KafkaStorageError, match="Too many open files"):
        manager.create("orders", 0, uuid.UUID(int=8))
    monkeypatch.undo()
    new = manager.create("orders", 0, uuid.UUID(int=8))
    new.append(make_batch(1))
    assert (new.log_end_offset, read_partition_metadata(new.directory)) == (1, uuid.UUID(int=8))
    (stray,) = manager.directory.glob("orders-0.*-stray")
    assert read_partition_metadata(stray) == TOPIC_ID
    assert (new.directory / f"{0:020d}.log").stat().st_size == len(make_batch(1))
    assert (stray / f"{0:020d}.log").stat().st_size == len(make_batch(5))


def test_a_log_that_is_open_under_another_topic_id_is_put_aside(open_manager: OpenManager, make_batch: Any) -> None:
    manager = open_manager()
    old = manager.create("orders", 0, TOPIC_ID)
    old.append(make_batch(5))
    assert manager.create("orders", 0, uuid.UUID(int=8)).log_end_offset == 0
    with pytest.raises(KafkaStorageError, match="closed"):
        old.append(make_batch(1))
    (stray,) = manager.directory.glob("orders-0.*-stray")
    assert read_partition_metadata(stray) == TOPIC_ID


def test_a_full_disk_does_not_keep_a_compacted_log_from_being_deleted(
    open_manager: OpenManager, make_batch: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    manager = open_manager()
    manager.create("orders", 0, TOPIC_ID, LogConfig(cleanup_policy=frozenset({"compact"}))).append(make_batch(1))
    manager.create("orders", 0, TOPIC_ID).roll()
    cleaner = manager._cleaner
    assert cleaner is not None
    assert cleaner.clean_dirtiest() is not None
    monkeypatch.setattr(cleaner._checkpoint, "write", too_many_files)
    manager.delete("orders", 0)
    assert manager.partition_directories() == []
    assert "the cleaner's checkpoint names orders-0 until the next" in caplog.text


@pytest.mark.parametrize("is_deleted_first", [True, False])
def test_a_new_topic_does_not_inherit_what_was_written_down_of_the_old_one(
    open_manager: OpenManager, make_batch: Any, is_deleted_first: bool, tmp_path: Path
) -> None:
    """Its records would be put aside, as below the old start, or not be checked, as below the old recovery point."""
    manager = open_manager()
    log = manager.create("orders", 0, TOPIC_ID)
    log.append(make_batch(5))
    log.increment_log_start_offset(4)
    manager.shutdown()
    assert "orders 0 4" in (manager.directory / "log-start-offset-checkpoint").read_text()
    manager = open_manager()
    if is_deleted_first:
        manager.create("orders", 0, TOPIC_ID)
        manager.delete("orders", 0)
    new = manager.create("orders", 0, uuid.UUID(int=8))
    new.append(make_batch(3))
    shutil.copytree(manager.directory, tmp_path / "killed")  # what kill -9 leaves
    manager.shutdown()
    (tmp_path / "killed").rename(tmp_path / "data-of-the-killed")
    shutil.rmtree(manager.directory)
    (tmp_path / "data-of-the-killed").rename(manager.directory)
    again = open_manager().create("orders", 0, uuid.UUID(int=8))
    assert (again.log_start_offset, again.log_end_offset, again.recovery_point) == (0, 3, 0)


def test_retention_and_checkpoints_run_by_themselves(
    open_manager: OpenManager, make_batch: Any, clock: ManualClock
) -> None:
    manager = open_manager()
    one = len(make_batch(1))
    log = manager.create("orders", 0, TOPIC_ID, LogConfig(segment_bytes=2 * one, retention_bytes=2 * one))
    manager.start()
    for _ in range(7):
        log.append(make_batch(1))
    clock.advance(CHECKPOINT_INTERVAL_MS)
    assert recovery_points(manager.directory) == "0\n1\norders 0 6\n"
    assert log.log_start_offset == 0
    clock.advance(RETENTION_CHECK_INTERVAL_MS - CHECKPOINT_INTERVAL_MS)
    assert log.log_start_offset == 4
    manager.shutdown()
    clock.advance(RETENTION_CHECK_INTERVAL_MS)


def test_one_logs_trouble_does_not_stop_the_others(
    open_manager: OpenManager, make_batch: Any, caplog: pytest.LogCaptureFixture, clock: ManualClock
) -> None:
    manager = open_manager()
    config = LogConfig(retention_ms=1)
    logs = [manager.create("orders", number, TOPIC_ID, config) for number in range(2)]
    for log in logs:
        log.append(make_batch(1))
    logs[0].close()
    clock.advance(10)
    assert manager.delete_old_segments() == 1
    assert "retention of Log('orders-0'" in caplog.text


def test_a_log_that_is_deleted_during_retention_is_no_trouble(
    open_manager: OpenManager, make_batch: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = open_manager()
    manager.create("orders", 0, TOPIC_ID)
    retention = Log.delete_old_segments
    monkeypatch.setattr(Log, "delete_old_segments", lambda log: manager.delete("orders", 0) or retention(log))
    assert manager.delete_old_segments() == 0
    assert not caplog.text


def test_a_directory_that_cannot_be_made_is_a_storage_error(open_manager: OpenManager) -> None:
    manager = open_manager()
    (manager.directory / "orders-0").touch()
    with pytest.raises(KafkaStorageError, match="orders-0 cannot be opened"):
        manager.create("orders", 0, TOPIC_ID)
    assert manager.get("orders", 0) is None


@pytest.mark.parametrize("what", ["first segment", "directory"])
def test_no_marker_where_files_were_removed_underneath(
    open_manager: OpenManager, make_batch: Any, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    manager = open_manager()
    log = manager.create("orders", 0, TOPIC_ID, LogConfig(segment_bytes=500))
    for _ in range(6):
        log.append(make_batch(2))
    first = Path(log.segments[0].records.path)
    first.unlink() if what == "first segment" else shutil.rmtree(log.directory)
    manager.shutdown()
    assert not (manager.directory / CLEAN_SHUTDOWN_FILE).exists()
    assert f"{log.directory} could not be closed" in caplog.text
    assert (str(first) if what == "first segment" else str(log.directory)) in caplog.text


def test_repr_counts_the_logs(open_manager: OpenManager) -> None:
    manager = open_manager()
    manager.create("orders", 0, TOPIC_ID)
    assert repr(manager) == "LogManager('data', 1 logs)"


def test_silent_producers_are_forgotten(open_manager: OpenManager, clock: ManualClock) -> None:
    manager = open_manager()
    manager.start()
    log = manager.create("orders", 0, TOPIC_ID)
    builder = RecordBatchBuilder(producer_id=7, producer_epoch=0, base_sequence=0)
    builder.append(b"key", b"value", clock.now_ms())
    log.append(builder.build())
    clock.advance(DAY_MS - 1)
    assert [state.producer_id for state in log.producer_states()] == [7]
    clock.advance(PRODUCER_CHECK_INTERVAL_MS)
    assert log.producer_states() == []


def test_a_log_that_cannot_be_closed_leaves_the_others_closed(
    open_manager: OpenManager, make_batch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the reason: an index that turns out to be damaged is no error of the disk."""
    manager = open_manager()
    for partition in range(2):
        manager.create("orders", partition, TOPIC_ID).append(make_batch(3))
    index = manager.get("orders", 0).segments[0].transaction_index  # type: ignore[union-attr]
    index._entries = None
    Path(index.path).write_bytes(bytes(1))
    manager.shutdown()
    assert "could not be closed" in caplog.text
    assert "orders 1 3\n" in recovery_points(manager.directory)
    assert not (manager.directory / CLEAN_SHUTDOWN_FILE).exists()
