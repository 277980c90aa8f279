"""A partition whose disk does not work is offline, by itself: the broker starts, and the others are served."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kfast.broker.broker import Broker
from kfast.broker.faults import Faults
from kfast.clock import SystemClock
from kfast.errors import KafkaStorageError
from kfast.log.clean_shutdown import CLEAN_SHUTDOWN_FILE
from kfast.record.builder import RecordBatchBuilder

FULL = KafkaStorageError("/data/t-0/00000000000000000000.log: writing 70 bytes at position 62: No space left on device")


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    caplog.set_level(logging.INFO, "kfast.broker.faults")
    return caplog


def test_a_fault_is_one_line_however_often_it_is_met_and_one_when_it_is_over(said: pytest.LogCaptureFixture) -> None:
    faults = Faults()
    for _ in range(100):
        faults.note("appending to t-0", FULL)
        faults.note("appending to t-1", FULL)
    faults.end("appending to t-0")
    faults.end("appending to t-0")
    faults.note("appending to t-0", FULL)
    assert said.messages == [
        f"appending to t-0 fails: {FULL}",
        f"appending to t-1 fails: {FULL}",
        "appending to t-0 works again",
        f"appending to t-0 fails: {FULL}",
    ]
    assert repr(faults) == "Faults(appending to t-1, appending to t-0)"


def test_a_retry_can_be_seen_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "kfast.broker.faults")
    faults = Faults()
    faults.note("accepting connections", FULL)
    faults.note("accepting connections", FULL)
    assert [record.levelname for record in caplog.records] == ["ERROR", "DEBUG"]


def test_a_log_that_fails_at_one_offset_is_not_said_to_work_for_what_is_read_at_another(
    said: pytest.LogCaptureFixture,
) -> None:
    faults = Faults()
    for _ in range(3):
        faults.note("reading t-0", FULL, 5)
        faults.end("reading t-0", 90)
    faults.end("reading t-1", 5)
    faults.end("reading t-0", 5)
    assert said.messages == [f"reading t-0 fails at offset 5: {FULL}", "reading t-0 works again"]


def batch() -> bytearray:
    builder = RecordBatchBuilder()
    builder.append(b"key", b"value", 1)
    return builder.build()


def test_a_partition_that_cannot_be_opened_is_offline_and_the_others_work(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Broker(tmp_path) as broker:
        broker.metadata.create_topic("orders", 3)
        for number in range(3):
            broker.log("orders", number).append(batch())
    broken = tmp_path / "orders-1" / f"{0:020d}.log"
    whole = broken.with_suffix(".whole")
    broken.rename(whole)
    broken.mkdir()  # what no permission can hide from root: a file that cannot be opened
    with Broker(tmp_path) as broker:
        assert "orders-1 cannot be opened" in caplog.text
        for number in (0, 2):
            assert broker.log("orders", number).append(batch()).first_offset == 1
        with pytest.raises(KafkaStorageError, match="orders-1 cannot be opened"):
            broker.log("orders", 1)
        broker.metadata.create_topic("others", 1)
        assert broker.log("others", 0).append(batch()).first_offset == 0
    assert not (tmp_path / CLEAN_SHUTDOWN_FILE).exists()
    shutil.rmtree(broken)
    whole.rename(broken)
    with Broker(tmp_path) as broker:
        assert [broker.log("orders", number).log_end_offset for number in range(3)] == [2, 1, 2]
    assert (tmp_path / CLEAN_SHUTDOWN_FILE).exists()


class SetBackClock(SystemClock):
    """A wall clock that somebody sets back."""

    behind_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() - self.behind_ms


def test_a_clock_that_is_set_back_deletes_nothing_and_stops_nobody(tmp_path: Path) -> None:
    clock = SetBackClock()
    configs = {"message.timestamp.type": "LogAppendTime", "segment.ms": "1", "retention.ms": "600000"}
    with Broker(tmp_path, clock=clock) as broker:
        broker.metadata.create_topic("orders", 1, configs)
        log = broker.log("orders", 0)
        times_ms = [log.append(batch()).log_append_time_ms]
        clock.behind_ms = 3_600_000
        times_ms.append(log.append(batch()).log_append_time_ms)
        assert times_ms[1] < times_ms[0]
        assert broker.logs.delete_old_segments() == 0
        found = log.offset_for_timestamp(times_ms[1])
        assert found is not None
        assert found.offset == 0
        first_id = broker.metadata.next_producer_id()
    clock.behind_ms = 7_200_000
    with Broker(tmp_path, clock=clock) as broker:
        log = broker.log("orders", 0)
        assert log.append(batch()).first_offset == 2
        assert broker.logs.delete_old_segments() == 0
        assert (log.log_start_offset, log.log_end_offset) == (0, 3)
        assert broker.metadata.next_producer_id() > first_id
        clock.behind_ms = -1_800_000
        assert broker.logs.delete_old_segments() == 1
        assert (log.log_start_offset, log.log_end_offset) == (3, 3)
