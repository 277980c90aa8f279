"""The scattered log: the same answers as a log's, from places that have nothing to do with each other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from kfast.client.payload import BatchShape, build_batch
from kfast.clock import ManualClock
from kfast.errors import OffsetOutOfRangeError
from kfast.file_slice import FileSlice
from kfast.lab.scattered_log import SMALLEST_SLOT, ScatteredLog, ScatteredLogManager, ScatteredSlice, SlotFile
from kfast.log.config import LogConfig
from kfast.log.log import Log
from kfast.record.batch import RecordBatch
from kfast.record.batches import iter_batches
from kfast.record.layout import LEADER_EPOCH_POSITION
from kfast.scheduler import Scheduler

SLOT_COUNT = 16


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ScatteredLog]:
    config = LogConfig(retention_bytes=SLOT_COUNT * SMALLEST_SLOT)
    opened = ScatteredLog.open(tmp_path, config, clock=ManualClock())
    assert isinstance(opened, ScatteredLog)
    yield opened
    opened.close()


def batch(record_count: int = 2, record_size: int = 100) -> bytearray:
    return build_batch(BatchShape(record_count, record_size), timestamp_ms=1_700_000_000_000)


def read_batches(log: ScatteredLog, offset: int, max_bytes: int = 1 << 20) -> list[RecordBatch]:
    return list(iter_batches(bytearray(log.read(offset, max_bytes).records.read())))


def test_batches_are_read_back_in_order_from_places_in_none(log: ScatteredLog) -> None:
    for _ in range(10):
        log.append(batch())
    records = log.read(0, 1 << 20).records
    assert isinstance(records, ScatteredSlice)
    positions = [piece.position for piece in records.pieces]
    assert positions != sorted(positions)
    assert len(set(positions)) == 10
    batches = read_batches(log, 0)
    assert [found.base_offset for found in batches] == list(range(0, 20, 2))
    for found in batches:
        found.ensure_valid()


def test_offsets_are_stamped_and_the_end_published(log: ScatteredLog) -> None:
    assert log.append(batch(3)).first_offset == 0
    info = log.append(batch(4), leader_epoch=7)
    assert (info.first_offset, info.last_offset) == (3, 6)
    assert (log.log_start_offset, log.log_end_offset, log.high_watermark) == (0, 7, 7)
    (found,) = read_batches(log, 5)
    assert (found.base_offset, found.count) == (3, 4)
    header = log.read(5, 1).records.read()
    assert header[LEADER_EPOCH_POSITION : LEADER_EPOCH_POSITION + 4] == bytes([0, 0, 0, 7])


def test_a_read_ends_at_its_bytes_and_at_its_offset(log: ScatteredLog) -> None:
    size = len(batch())
    for _ in range(4):
        log.append(batch())
    assert len(log.read(0, 2 * size + 1).records) == 2 * size
    assert len(log.read(0, 1).records) == size
    assert len(log.read(0, 1, min_one_batch=False).records) == 0
    assert len(log.read(0, 1 << 20, up_to=2).records) == size
    assert len(log.read(8, 1 << 20).records) == 0
    assert isinstance(log.read(0, 1).records, FileSlice)
    for offset in (-1, 9):
        with pytest.raises(OffsetOutOfRangeError):
            log.read(offset, 100)


def test_a_full_file_lets_the_oldest_batches_go(log: ScatteredLog) -> None:
    for _ in range(5 * SLOT_COUNT):
        log.append(batch())
    assert log.log_end_offset == 10 * SLOT_COUNT
    assert log.log_end_offset - log.log_start_offset <= 2 * SLOT_COUNT
    batches = read_batches(log, log.log_start_offset)
    assert [found.base_offset for found in batches] == list(range(log.log_start_offset, log.log_end_offset, 2))
    assert log.size_bytes == sum(found.size_bytes for found in batches)
    with pytest.raises(OffsetOutOfRangeError):
        log.read(log.log_start_offset - 1, 100)
    assert (log.directory / f"{SMALLEST_SLOT}.slots").stat().st_size == SLOT_COUNT * SMALLEST_SLOT


def test_batches_of_other_sizes_lie_in_another_file(log: ScatteredLog) -> None:
    for count in (1, 30, 1, 30):
        log.append(batch(count))
    assert [found.count for found in read_batches(log, 0)] == [1, 30, 1, 30]
    assert sorted(path.name for path in log.directory.glob("*.slots")) == ["4096.slots", "512.slots"]


def test_flush_messages_is_kept(tmp_path: Path) -> None:
    log = ScatteredLog.open(tmp_path, LogConfig(flush_messages=4), clock=ManualClock())
    log.append(batch())
    assert (log.recovery_point, log.unflushed_bytes) == (0, len(batch()))
    log.append(batch())
    assert (log.recovery_point, log.unflushed_bytes) == (4, 0)
    log.close()


def test_appends_wake_whoever_waits(log: ScatteredLog) -> None:
    woken: list[int] = []
    log.add_listener(lambda: woken.append(log.log_end_offset))
    log.append(batch())
    assert woken == [2]


def test_a_slot_rests_before_it_is_free_again(tmp_path: Path) -> None:
    file = SlotFile(str(tmp_path / "slots"), SMALLEST_SLOT, SLOT_COUNT * SMALLEST_SLOT)
    draw = random.Random(1)
    taken = [file.take(draw) for _ in range(SLOT_COUNT)]
    assert sorted(position for position in taken if position is not None) == list(
        range(0, SLOT_COUNT * SMALLEST_SLOT, SMALLEST_SLOT)
    )
    assert file.take(draw) is None
    for position in (0, 512):
        file.give(position)
        assert file.take(draw) is None
    file.give(1024)
    assert file.take(draw) == 0


def test_the_brokers_own_logs_stay_logs(tmp_path: Path) -> None:
    clock = ManualClock()
    manager = ScatteredLogManager(tmp_path, clock=clock, scheduler=Scheduler(clock))
    assert (manager.log_type("orders"), manager.log_type("__cluster_metadata")) == (ScatteredLog, Log)
    manager.shutdown()
