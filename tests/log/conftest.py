"""What the tests of the log share: batches to append, and logs that are closed with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kfast.clock import ManualClock
from kfast.log.config import LogConfig
from kfast.log.file_pool import FilePool
from kfast.log.log import Log
from kfast.record.batches import iter_batches
from kfast.record.builder import RecordBatchBuilder
from kfast.record.control_records import AbortMarker, encode_control
from kfast.scheduler import Scheduler

NOW_MS = 1_700_000_000_000

MakeBatch = Callable[..., bytearray]


@pytest.fixture
def make_batch() -> MakeBatch:
    """`make_batch(count, size=100, timestamp_ms=..., key=b"k")` is a batch of `count` records of `size` bytes."""

    def make(count: int = 1, size: int = 100, timestamp_ms: int = NOW_MS, key: bytes | None = b"k") -> bytearray:
        builder = RecordBatchBuilder()
        for number in range(count):
            builder.append(key, b"%d" % number + bytes(size), timestamp_ms)
        return builder.build()

    return make


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture
def scheduler(clock: ManualClock) -> Iterator[Scheduler]:
    scheduler = Scheduler(clock)
    yield scheduler
    scheduler.shutdown()


@pytest.fixture
def file_pool() -> FilePool:
    return FilePool()


OpenLog = Callable[..., Log]


@pytest.fixture
def open_log(tmp_path: Path, clock: ManualClock, scheduler: Scheduler) -> Iterator[OpenLog]:
    """`open_log(segment_bytes=1000)` opens the log in tmp_path / "orders-0"; `log_arguments` go to Log.open."""
    logs = []

    def open_(directory: Path | None = None, log_arguments: dict[str, Any] | None = None, **config: Any) -> Log:
        log = Log.open(
            directory or tmp_path / "orders-0",
            LogConfig(**config),
            clock=clock,
            scheduler=scheduler,
            **log_arguments or {},
        )
        logs.append(log)
        return log

    yield open_
    for log in logs:
        if log.directory.exists():
            log.close()


@pytest.fixture
def base_offsets() -> Callable[[Log], list[int]]:
    """`base_offsets(log)` are those of all its batches, each of them whole and undamaged."""

    def read(log: Log) -> list[int]:
        found, offset = [], log.log_start_offset
        while data := log.read(offset, 1 << 20).records.read():
            for batch in iter_batches(data):
                assert batch.is_valid()
                found.append(batch.base_offset)
                offset = batch.next_offset
        return found

    return read


@pytest.fixture
def make_transactional_batch(clock: ManualClock) -> Callable[..., bytearray]:
    """`make_transactional_batch()` is a producer's first batch, of one record; with `is_marker`, what aborts it."""

    def make(is_marker: bool = False) -> bytearray:
        builder = RecordBatchBuilder(
            producer_id=9,
            producer_epoch=0,
            base_sequence=-1 if is_marker else 0,
            is_transactional=True,
            is_control=is_marker,
        )
        builder.append(*(encode_control(AbortMarker(0)) if is_marker else (b"k", b"v")), clock.now_ms())
        return builder.build()

    return make
