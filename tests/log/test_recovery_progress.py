from __future__ import annotations

import logging
import shutil
import uuid
from pathlib import Path
from typing import Any

import pytest

from kfast.clock import ManualClock
from kfast.log.config import LogConfig
from kfast.log.log import Log
from kfast.log.manager import LogManager
from kfast.log.recovery_progress import INTERVAL_MS, RecoveryProgress, RecoveryStatus
from kfast.scheduler import Scheduler

MB = 1_000_000
LOGGER = "kfast.log.recovery_progress"


class SlowClock(ManualClock):
    """Time passes with each look at it: a disk on which each batch takes so long to check."""

    step_ms = 0

    def monotonic_ns(self) -> int:
        self._now_ns += self.step_ms * MB
        return self._now_ns


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, LOGGER)
    return caplog


def test_what_is_quick_is_not_mentioned(clock: ManualClock, said: pytest.LogCaptureFixture) -> None:
    progress = RecoveryProgress(clock, 2)
    clock.advance(INTERVAL_MS - 1)
    progress.end_log()
    progress.end_log()
    progress.end()
    assert said.messages == []


@pytest.mark.parametrize(("dropped_bytes", "dropped"), [(0, "nothing dropped"), (87, "87 dropped")])
def test_what_was_checked_is_said_however_quick_it_was(
    clock: ManualClock, said: pytest.LogCaptureFixture, dropped_bytes: int, dropped: str
) -> None:
    progress = RecoveryProgress(clock, 2)
    progress.begin_check("orders-0", [1000, 200])
    clock.advance(INTERVAL_MS - 1)
    progress.end_segment()
    progress.note_dropped(dropped_bytes)
    progress.end_segment()
    progress.end_check()
    progress.end_log()
    progress.end_log()
    progress.end()
    assert said.messages == [
        f"loaded 2 of 2 logs in 3.0 s; the last stop was not clean: 1 checked, 1,200 bytes, {dropped}"
    ]


def test_it_says_every_few_seconds_where_it_is(clock: ManualClock, said: pytest.LogCaptureFixture) -> None:
    progress = RecoveryProgress(clock, 20)
    progress.end_log()
    progress.begin_check("orders-0", [1000 * MB, 500 * MB, 400 * MB])
    clock.advance(INTERVAL_MS)
    for position in (700, 800, 1000):
        progress.note_position(position * MB)
    progress.end_segment()
    clock.advance(INTERVAL_MS - 1)
    progress.note_position(100 * MB)
    clock.advance(1)
    progress.note_position(200 * MB)
    progress.end_segment()  # the third one is not looked at: the second was cut
    progress.end_check()
    progress.end_log()
    clock.advance(INTERVAL_MS)
    progress.end_log()
    progress.end()
    assert said.messages == [
        "loading logs: 1 of 20 loaded, 19 remain; checking orders-0: segment 1 of 3, 700 of 1,900 MB",
        "loading logs: 1 of 20 loaded, 19 remain; checking orders-0: segment 2 of 3, 1,200 of 1,900 MB",
        "loading logs: 3 of 20 loaded, 17 remain",
        "loaded 3 of 20 logs in 9.0 s; the last stop was not clean: 1 checked, 1,500,000,000 bytes, nothing dropped",
    ]
    statuses: list[RecoveryStatus] = [record.status for record in said.records]  # type: ignore[attr-defined]
    assert [round(status.loaded_share, 2) for status in statuses] == [1.37, 1.63, 3, 3]


def test_a_log_that_is_checked_says_how_far_it_is_by_its_batches(
    tmp_path: Path, golden: Any, said: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "crash-0"
    shutil.copytree(golden("10-crash") / "crash" / "crash-0", directory)
    clock = SlowClock()
    clock.step_ms = 200
    log = Log.open(directory, LogConfig(), clock=clock)
    sizes = [segment.size_bytes for segment in log.segments]
    statuses: list[RecoveryStatus] = [record.status for record in said.records]  # type: ignore[attr-defined]
    assert len(statuses) > len(sizes) > 1
    assert {(status.partition, status.segment_count, status.total_bytes) for status in statuses} == {
        ("crash-0", len(sizes), sum(sizes))
    }
    assert [status.checked_bytes for status in statuses] == sorted({status.checked_bytes for status in statuses})
    for status in statuses:
        before = sum(sizes[: status.segment_number - 1])
        assert before < status.checked_bytes <= before + sizes[status.segment_number - 1]
    log.close()


def test_logs_that_are_loaded_together_are_counted(
    tmp_path: Path, make_batch: Any, said: pytest.LogCaptureFixture
) -> None:
    topic_id = uuid.UUID(int=7)
    first, second = tmp_path / "first", tmp_path / "second"
    manager = LogManager(first, clock=ManualClock(), scheduler=Scheduler(ManualClock()))
    for number in range(3):
        manager.create("orders", number, topic_id).append(make_batch(1))
    shutil.copytree(first, second, ignore=shutil.ignore_patterns(".lock"))  # as a kill leaves it
    clock = SlowClock()
    manager_again = LogManager(second, clock=clock, scheduler=Scheduler(clock))
    with manager_again.loading(3):
        clock.step_ms = INTERVAL_MS
        for number in range(3):
            manager_again.create("orders", number, topic_id)
        clock.step_ms = 0
    assert said.messages[0].startswith("loading logs: 0 of 3 loaded, 3 remain; checking orders-0: segment 1 of 1, 0 of")
    assert "loading logs: 2 of 3 loaded, 1 remain" in said.messages
    assert said.messages[-1].startswith("loaded 3 of 3 logs in ")
    del said.records[:]
    manager_again.create("made-later", 0, topic_id)
    assert said.messages == []
    manager_again.shutdown()
    after_clean_stop = LogManager(second, clock=ManualClock(), scheduler=Scheduler(ManualClock()))
    with after_clean_stop.loading(3):
        for number in range(3):
            after_clean_stop.create("orders", number, topic_id)
    assert said.messages == []
    after_clean_stop.shutdown()
    for one in (manager, manager_again):
        one.shutdown()


@pytest.mark.parametrize("was_clean", [True, False])
def test_a_usual_start_says_nothing(
    tmp_path: Path, golden: Any, said: pytest.LogCaptureFixture, was_clean: bool
) -> None:
    directory = tmp_path / "crash-0"
    shutil.copytree(golden("10-crash") / "crash" / "crash-0", directory)
    Log.open(directory, LogConfig(), was_clean=was_clean).close()
    assert said.messages == []
