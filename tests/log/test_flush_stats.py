from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kfast.clock import ManualClock
from kfast.errors import KafkaStorageError
from kfast.log.config import LogConfig
from kfast.log.file_records import FileRecords
from kfast.log.flush_stats import FlushStats
from kfast.log.log import Log


@pytest.fixture
def stats(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> FlushStats:
    """Of logs whose fsync takes 5 ms."""
    monkeypatch.setattr(FileRecords, "flush", lambda records: clock.advance(5))
    return FlushStats(clock)


def test_each_segment_that_is_flushed_counts(tmp_path: Path, make_batch: Any, stats: FlushStats) -> None:
    log = Log.open(tmp_path / "orders-0", LogConfig(segment_bytes=len(make_batch(1))), flush_stats=stats)
    for _ in range(3):
        log.append(make_batch(1))
    assert stats.read() == (0, 0)
    log.flush()
    assert stats.read() == (3, 15_000_000)
    log.flush()  # nothing is left to do
    assert stats.read() == (3, 15_000_000)
    assert repr(stats) == "FlushStats(3 flushes, 15000000 ns)"


def test_one_that_fails_counts_too(
    open_log: Any, make_batch: Any, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(records: FileRecords) -> None:
        clock.advance(7)
        raise OSError(5, "Input/output error")

    stats = FlushStats(clock)
    log = open_log(log_arguments={"flush_stats": stats})
    log.append(make_batch(1))
    monkeypatch.setattr(FileRecords, "flush", fail)
    with pytest.raises(KafkaStorageError):
        log.flush()
    assert stats.read() == (1, 7_000_000)
    log.delete()
