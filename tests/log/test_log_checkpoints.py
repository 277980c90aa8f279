"""What the next start is told of each log: those that are open, those that were not opened, those that are gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kfast.errors import LogDirectoryError
from kfast.log.checkpoints import (
    HIGH_WATERMARK_CHECKPOINT,
    LOG_START_OFFSET_CHECKPOINT,
    RECOVERY_POINT_CHECKPOINT,
    OffsetCheckpoint,
)
from kfast.log.log_checkpoints import LogCheckpoints


def test_an_open_log_says_itself_what_is_written_down(open_log: Any, make_batch: Any, tmp_path: Path) -> None:
    log = open_log()
    for _ in range(5):
        log.append(make_batch(1))
    log.flush()
    log.increment_log_start_offset(2)
    log.append(make_batch(1))
    checkpoints = LogCheckpoints(tmp_path)
    checkpoints.write(checkpoints.next({("orders", 0): log}))
    assert OffsetCheckpoint(tmp_path / RECOVERY_POINT_CHECKPOINT).read() == {("orders", 0): 5}
    assert OffsetCheckpoint(tmp_path / LOG_START_OFFSET_CHECKPOINT).read() == {("orders", 0): 2}
    assert OffsetCheckpoint(tmp_path / HIGH_WATERMARK_CHECKPOINT).read() == {("orders", 0): 6}
    again = LogCheckpoints(tmp_path)
    assert (again.recovery_point(("orders", 0)), again.log_start_offset(("orders", 0))) == (5, 2)


def test_a_log_that_was_not_opened_keeps_its_offsets_until_it_is_gone(tmp_path: Path) -> None:
    OffsetCheckpoint(tmp_path / RECOVERY_POINT_CHECKPOINT).write({("orders", 0): 7, ("bills", 0): 9})
    checkpoints = LogCheckpoints(tmp_path)
    checkpoints.forget(("orders", 0))
    assert checkpoints.recovery_point(("orders", 0)) == 0
    assert checkpoints.mentions(("orders", 0))  # the file does, as long as it is not written again
    checkpoints.write(checkpoints.next({}))
    assert not checkpoints.mentions(("orders", 0))
    assert OffsetCheckpoint(tmp_path / RECOVERY_POINT_CHECKPOINT).read() == {("bills", 0): 9}


def test_broken_recovery_points_cost_time_and_broken_start_offsets_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / RECOVERY_POINT_CHECKPOINT).write_text("junk")
    assert not LogCheckpoints(tmp_path).has_recovery_points
    assert "checking all logs in full" in caplog.text
    (tmp_path / LOG_START_OFFSET_CHECKPOINT).write_text("junk")
    with pytest.raises(LogDirectoryError, match=LOG_START_OFFSET_CHECKPOINT):
        LogCheckpoints(tmp_path)
