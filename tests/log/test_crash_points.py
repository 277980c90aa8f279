"""Killed at every step that leaves a trace on the disk: the log that is opened then has all that was acknowledged.

A copy of the directory is taken before and after each write, cut, rename, removal and fsync; kill -9 leaves just that.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kfast.clock import ManualClock
from kfast.log.cleanable import cleanable
from kfast.log.cleaner import Cleaner
from kfast.log.config import LogConfig
from kfast.log.log import Log
from kfast.record.batches import iter_batches
from kfast.record.builder import RecordBatchBuilder
from kfast.record.control_records import AbortMarker, encode_control

STEPS = ("pwrite", "ftruncate", "replace", "unlink", "fsync")

CONFIG = LogConfig(
    segment_bytes=400,
    index_interval_bytes=100,
    cleanup_policy=frozenset({"compact", "delete"}),
    retention_ms=-1,
    file_delete_delay_ms=10,
)


class Crash(NamedTuple):
    """What a kill would have left, and what its producers knew."""

    directory: Path
    end_offset: int
    start_offset: int
    recovery_point: int
    last_values: dict[bytes, bytes]


class Workload:
    """Everything that changes a log, one after the other; `crashes` are taken on the way."""

    def __init__(self, root: Path, open_log: Any) -> None:
        self.root = root
        self.crashes: list[Crash] = []
        self.log: Log = open_log(**{name: getattr(CONFIG, name) for name in (
            "segment_bytes", "index_interval_bytes", "cleanup_policy", "retention_ms", "file_delete_delay_ms"
        )})  # fmt: skip
        self.start_offset = self.end_offset = self.sequence = 0
        self.values: dict[bytes, bytes] = {}

    def crash(self) -> None:
        directory = self.root / f"crash-{len(self.crashes)}" / "orders-0"
        shutil.copytree(self.log.directory, directory)
        self.crashes.append(
            Crash(directory, self.end_offset, self.start_offset, self.log.recovery_point, dict(self.values))
        )

    def append(self, builder: RecordBatchBuilder, **values: bytes) -> None:
        self.end_offset = self.log.append(builder.build()).last_offset + 1
        self.values.update((key.encode(), value) for key, value in values.items())

    def put(self, **values: bytes) -> None:
        builder = RecordBatchBuilder()
        for key, value in values.items():
            builder.append(key.encode(), value, self.log._clock.now_ms())
        self.append(builder, **values)

    def put_and_abort(self, key: bytes) -> None:
        for is_control in (False, True):
            builder = RecordBatchBuilder(
                producer_id=5,
                producer_epoch=0,
                base_sequence=-1 if is_control else self.sequence,
                is_transactional=True,
                is_control=is_control,
            )
            builder.append(*(encode_control(AbortMarker(0)) if is_control else (key, b"void")), 1)
            self.append(builder)
        self.sequence += 1

    def run(self, clock: ManualClock) -> None:
        for number in range(6):
            self.put(**{f"key{number % 3}": b"%d" % number * 10, "same": b"%d" % number})
        self.put_and_abort(b"key0")
        self.log.roll()
        Cleaner(clock).clean(cleanable(self.log, None, clock.now_ms()))
        clock.advance(10)
        self.put(other=b"value")
        self.log.flush()
        self.log.increment_log_start_offset(1)
        self.start_offset = 1
        self.put(key1=b"new")
        self.log.roll()
        self.log.increment_log_start_offset(2)
        self.start_offset = 2
        self.log.delete_old_segments()
        clock.advance(10)
        self.log.close()


def last_values(log: Log) -> dict[bytes, bytes]:
    """Of each key, as a consumer of committed records finds them."""
    values, offset = {}, log.log_start_offset
    while data := (found := log.read(offset, 1 << 20, up_to=log.last_stable_offset)).records.read():
        void = {entry.producer_id for entry in log.aborted_transactions(offset, found.records)}
        for batch in iter_batches(data):
            assert batch.is_valid()
            if not batch.is_control and batch.producer_id not in void:
                for record in batch.records():
                    if record.offset >= log.log_start_offset:
                        values[bytes(record.key or b"")] = bytes(record.value or b"")
            offset = batch.next_offset
    return values


def test_what_was_acknowledged_is_there_whenever_it_is_killed(
    open_log: Any, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload = Workload(tmp_path, open_log)

    def interposed(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            if name == "pwrite":
                fd, data, position = arguments
                real(fd, bytes(data)[: len(data) // 2], position)
                workload.crash()
            result = real(*arguments, **named)
            workload.crash()
            return result

        return step

    with monkeypatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, interposed(name, getattr(os, name)))
        workload.run(clock)

    assert len(workload.crashes) > 100
    for crash in workload.crashes:
        for recovery_point in {0, crash.recovery_point}:
            log = Log.open(
                crash.directory,
                CONFIG,
                clock=clock,
                recovery_point=recovery_point,
                log_start_offset=crash.start_offset,
            )
            assert log.log_start_offset >= crash.start_offset
            assert crash.end_offset <= log.log_end_offset <= crash.end_offset + 2, crash
            values = last_values(log)
            if log.log_end_offset == crash.end_offset:
                assert values == crash.last_values, crash
            log.close()
            again = Log.open(crash.directory, CONFIG, clock=clock, log_start_offset=crash.start_offset, was_clean=True)
            assert (again.log_end_offset, last_values(again)) == (log.log_end_offset, values)
            again.close()
