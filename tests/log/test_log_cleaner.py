"""The cleaner's thread: which log is next, how it remembers, how it is stopped and slowed down."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kfast.clock import ManualClock
from kfast.log.checkpoints import CLEANER_OFFSET_CHECKPOINT
from kfast.log.cleanable import Cleanable
from kfast.log.cleaner import Cleaner, CleanReport
from kfast.log.compaction import OffsetMap
from kfast.log.config import LogConfig
from kfast.log.log import Log
from kfast.log.log_cleaner import BACKOFF_MS, CleanerConfig, CleaningStoppedError, Throttler
from kfast.log.manager import LogManager
from kfast.log.segment import LogSegment
from kfast.record.builder import RecordBatchBuilder
from kfast.record.layout import LENGTH_POSITION
from kfast.scheduler import Scheduler

TOPIC_ID = uuid.UUID(int=7)

COMPACT = frozenset({"compact"})

OpenManager = Callable[..., LogManager]


@pytest.fixture
def open_manager(tmp_path: Path, clock: ManualClock, scheduler: Scheduler) -> Iterator[OpenManager]:
    managers = []

    def open_(**config: Any) -> LogManager:
        cleaner_config = CleanerConfig(**config)
        managers.append(LogManager(tmp_path / "data", clock=clock, scheduler=scheduler, cleaner_config=cleaner_config))
        return managers[-1]

    yield open_
    for manager in managers:
        manager.shutdown()


def create(manager: LogManager, partition: int, **config: Any) -> Log:
    settings = {"segment_bytes": 500, "cleanup_policy": COMPACT, **config}
    return manager.create("orders", partition, TOPIC_ID, LogConfig(**settings))


def fill(log: Log, count: int, key: bytes | None = None) -> None:
    for number in range(count):
        builder = RecordBatchBuilder()
        builder.append(key or b"key%d" % (number % 3), b"%d" % number, log._clock.now_ms())
        log.append(builder.build())
    log.roll()


def record_count(log: Log) -> int:
    return sum(batch.count for segment in log.segments for _, batch in segment.records.batches())


def checkpoint(manager: LogManager) -> str:
    return (manager.directory / CLEANER_OFFSET_CHECKPOINT).read_text()


def test_it_cleans_by_itself_and_remembers_up_to_where(open_manager: OpenManager, clock: ManualClock) -> None:
    manager = open_manager()
    manager.start()
    log = create(manager, 0)
    plain = create(manager, 1, cleanup_policy=frozenset({"delete"}))
    fill(log, 30)
    fill(plain, 30)
    clock.advance(BACKOFF_MS)
    assert (record_count(log), record_count(plain)) == (3, 30)
    assert checkpoint(manager) == "0\n1\norders 0 30\n"
    manager.shutdown()

    manager = open_manager()
    manager.start()
    log = create(manager, 0)
    fill(log, 3, b"key2")
    cleaner = manager._cleaner
    assert cleaner is not None
    what = cleaner._candidates()["orders", 0]
    assert (what.first_dirty_offset, what.first_uncleanable_offset) == (30, 33)
    manager.delete("orders", 0)
    assert checkpoint(manager) == "0\n0\n"


def test_a_log_that_is_not_dirty_enough_waits_until_it_is_overdue(
    open_manager: OpenManager, clock: ManualClock
) -> None:
    manager = open_manager()
    log = create(manager, 0, max_compaction_lag_ms=100_000)
    fill(log, 30)
    clock.advance(1)
    cleaner = manager._cleaner
    assert cleaner is not None
    cleaner.run()
    fill(log, 1, b"key0")
    cleaner.run()
    assert record_count(log) == 4  # a quarter of it is dirty: less than a half
    clock.advance(100_001)
    cleaner.run()
    assert record_count(log) == 3


def test_the_dirtiest_log_is_first(open_manager: OpenManager) -> None:
    manager = open_manager()
    logs = [create(manager, number, min_cleanable_dirty_ratio=0.1) for number in range(2)]
    cleaner = manager._cleaner
    assert cleaner is not None
    for log in logs:
        fill(log, 30)
    cleaner.run()
    fill(logs[0], 1)
    fill(logs[1], 30)
    report = cleaner.clean_dirtiest()
    assert report is not None
    assert report.end_offset == 60
    assert cleaner.clean_dirtiest() is not None
    assert cleaner.clean_dirtiest() is None


def test_a_compacted_log_that_is_deleted_from_loses_its_oldest_segments(
    open_manager: OpenManager, clock: ManualClock
) -> None:
    manager = open_manager()
    manager.start()
    log = create(manager, 0, cleanup_policy=frozenset({"compact", "delete"}), retention_bytes=0)
    fill(log, 30)
    clock.advance(BACKOFF_MS)
    assert (log.log_start_offset, log.size_bytes) == (30, 0)


def test_a_log_that_cannot_be_cleaned_does_not_stop_the_others(
    open_manager: OpenManager, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    manager = open_manager()
    logs = [create(manager, number) for number in range(2)]
    for log in logs:
        fill(log, 30)
    pwrite = os.pwrite

    def fails(fd: int, data: Any, position: int) -> int:
        if "orders-0" in os.readlink(f"/proc/self/fd/{fd}"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return pwrite(fd, data, position)

    cleaner = manager._cleaner
    assert cleaner is not None
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fails)
        cleaner.run()
    assert record_count(logs[0]) > record_count(logs[1]) == 3
    assert "orders-0: cleaning failed and is tried again later" in caplog.text
    assert len(caplog.records) == 1
    cleaner.run()
    assert record_count(logs[0]) == 3


def test_a_damaged_log_is_not_tried_again_and_its_retention_goes_on(
    open_manager: OpenManager, caplog: pytest.LogCaptureFixture
) -> None:
    manager = open_manager()
    log = create(manager, 0, cleanup_policy=frozenset({"compact", "delete"}), retention_bytes=1500)
    fill(log, 15)
    with open(log.segments[-2].records.path, "r+b") as file:
        file.seek(LENGTH_POSITION)
        file.write(bytes(4))
    cleaner = manager._cleaner
    assert cleaner is not None
    for _ in range(2):
        cleaner.run()
        fill(log, 15)
    assert caplog.text.count("cleaning failed and is not tried again") == 1
    assert log.log_start_offset > 0


def test_a_log_whose_policy_changes_meanwhile_is_cleaned_once_it_is_compacted_again(
    open_manager: OpenManager, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    manager = open_manager()
    log = create(manager, 0)
    fill(log, 30)
    cleaner = manager._cleaner
    assert cleaner is not None
    config, build_map = log.config, cleaner._cleaner._build_map

    def build_map_and_delete(what: Cleanable) -> OffsetMap:
        offset_map = build_map(what)
        limit = log.size_bytes // 2
        log.update_config(replace(config, cleanup_policy=frozenset({"delete"}), retention_bytes=limit))
        assert manager.delete_old_segments() > 0
        log.update_config(config)
        return offset_map

    with monkeypatch.context() as patch:
        patch.setattr(cleaner._cleaner, "_build_map", build_map_and_delete)
        cleaner.run()
    assert "is tried again later" in caplog.text
    assert record_count(log) > 3
    cleaner.run()
    assert record_count(log) == 3


def test_a_topic_deleted_while_it_is_cleaned_leaves_nothing_to_the_next_of_its_name(
    open_manager: OpenManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = open_manager()
    fill(create(manager, 0), 30)
    cleaner = manager._cleaner
    assert cleaner is not None
    logs, clean = cleaner._logs, cleaner._cleaner.clean

    def logs_and_delete() -> Mapping[tuple[str, int], Log]:
        found = logs()
        manager.delete("orders", 0)
        return found

    def clean_and_delete(what: Cleanable) -> CleanReport:
        report = clean(what)
        monkeypatch.setattr(cleaner, "_logs", logs_and_delete)
        return report

    monkeypatch.setattr(cleaner._cleaner, "clean", clean_and_delete)
    assert cleaner.clean_dirtiest() is not None
    assert checkpoint(manager) == "0\n0\n"


@pytest.mark.parametrize("when", ["create_cleaned", "offer"])
def test_a_topic_deleted_while_it_is_cleaned_writes_nothing_into_the_next_of_its_name(
    open_manager: OpenManager, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    manager = open_manager()
    log = create(manager, 0)
    fill(log, 30)
    names: list[str] = []

    def delete() -> None:
        monkeypatch.undo()
        manager.delete("orders", 0)
        new = manager.create("orders", 0, uuid.UUID(int=8), log.config)
        names.extend(sorted(os.listdir(new.directory)))

    finish, build_map = LogSegment.finish, Cleaner._build_map

    def finish_and_delete(segment: LogSegment) -> None:
        finish(segment)
        delete()

    def build_map_and_delete(cleaner: Cleaner, what: Cleanable) -> OffsetMap:
        offset_map = build_map(cleaner, what)
        delete()
        return offset_map

    if when == "offer":
        monkeypatch.setattr(LogSegment, "finish", finish_and_delete)
    else:
        monkeypatch.setattr(Cleaner, "_build_map", build_map_and_delete)
    assert manager._cleaner is not None
    manager._cleaner.run()
    assert sorted(os.listdir(manager.directory / "orders-0")) == names != []
    assert not list(log.directory.glob("*.cleaned"))
    assert not list(log.directory.glob("*.swap"))


def test_switched_off_it_does_nothing(open_manager: OpenManager, clock: ManualClock) -> None:
    manager = open_manager(is_enabled=False)
    manager.start()
    log = create(manager, 0)
    fill(log, 30)
    clock.advance(10 * BACKOFF_MS)
    assert record_count(log) == 30


def test_a_checkpoint_that_cannot_be_right_costs_a_full_pass(
    open_manager: OpenManager, caplog: pytest.LogCaptureFixture
) -> None:
    manager = open_manager()
    create(manager, 0)
    manager.shutdown()
    for text in ("0\n1\norders 0 99\n", "junk"):
        (manager.directory / CLEANER_OFFSET_CHECKPOINT).write_text(text)
        manager = open_manager()
        log = create(manager, 0)
        fill(log, 30)
        assert manager._cleaner is not None
        manager._cleaner.run()
        assert record_count(log) == 3
        assert "not cleaned" in caplog.text
        manager.shutdown()
        caplog.clear()


class SlowClock(ManualClock):
    """Waits by moving on, and says for how long."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, condition: Any, timeout_s: float | None) -> bool:
        self.waits.append(timeout_s or 0)
        self._now_ns += int((timeout_s or 0) * 1e9)
        return False


def test_a_throttler_lets_bytes_through_at_its_rate() -> None:
    clock = SlowClock()
    throttle = Throttler(clock, 1_000_000)
    start_ns = clock.monotonic_ns()
    for _ in range(100):
        throttle(50_000)
    elapsed_s = (clock.monotonic_ns() - start_ns) / 1e9
    assert elapsed_s == pytest.approx(5, abs=0.2)
    assert min(clock.waits) > 0.1
    throttle.stop()
    with pytest.raises(CleaningStoppedError):
        throttle(1)


def test_stopped_in_the_midst_it_leaves_the_log_as_it_was(open_manager: OpenManager) -> None:
    manager = open_manager()
    log = create(manager, 0)
    fill(log, 30)
    manager._cleaner.stop()  # type: ignore[union-attr]
    assert manager._cleaner.clean_dirtiest() is None  # type: ignore[union-attr]
    assert record_count(log) == 30
    assert not list(log.directory.glob("*.cleaned"))
