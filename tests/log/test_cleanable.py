"""What may be cleaned of a log, and which log needs it most."""

from __future__ import annotations

from typing import Any

import pytest

from kfast.clock import ManualClock
from kfast.log.cleanable import cleanable, dirtiest
from kfast.log.log import Log
from kfast.record.builder import RecordBatchBuilder

START_MS = 1_700_000_000_000


@pytest.fixture
def make_log(open_log: Any, tmp_path: Any) -> Any:
    """`make_log()` has segments of two records each, from 0, 2, 4, 6, 8 on, a second apart; the last is active."""

    def make(name: str = "orders-0", **config: Any) -> Log:
        log: Log = open_log(tmp_path / name, cleanup_policy=frozenset({"compact"}), **config)
        for number in range(10):
            builder = RecordBatchBuilder()
            builder.append(b"k", b"v", START_MS + 1000 * (number // 2))
            log.append(builder.build())
            if number % 2 and number < 9:
                log.roll()
        return log

    return make


@pytest.mark.parametrize(
    ("checkpoint", "first_dirty", "clean_segments", "dirty_segments"),
    [(None, 0, 0, 4), (0, 0, 0, 4), (2, 2, 1, 3), (3, 3, 1, 3), (8, 8, 4, 0), (10, 10, 4, 0)],
)
def test_what_lies_below_the_checkpoint_is_clean(
    make_log: Any, checkpoint: int | None, first_dirty: int, clean_segments: int, dirty_segments: int
) -> None:
    log = make_log()
    what = cleanable(log, checkpoint, START_MS)
    one = log.segments[0].size_bytes
    assert (what.first_dirty_offset, what.first_uncleanable_offset) == (first_dirty, 8)
    assert (what.clean_bytes, what.dirty_bytes) == (clean_segments * one, dirty_segments * one)
    assert [segment.base_offset for segment in what.segments] == [0, 2, 4, 6]
    assert what.dirty_ratio == pytest.approx(dirty_segments / 4)


@pytest.mark.parametrize(("checkpoint", "start_offset"), [(99, 0), (1, 4)])
def test_a_checkpoint_outside_of_the_log_is_not_believed(
    make_log: Any, checkpoint: int, start_offset: int, caplog: pytest.LogCaptureFixture
) -> None:
    log = make_log()
    log.increment_log_start_offset(start_offset)
    assert cleanable(log, checkpoint, START_MS).first_dirty_offset == start_offset
    assert "taken for not cleaned" in caplog.text


def test_new_records_are_safe_for_min_compaction_lag(make_log: Any) -> None:
    log = make_log(min_compaction_lag_ms=1500)
    for now_ms, end in ((0, 0), (1500, 2), (2499, 2), (2500, 4), (99_999, 8)):
        assert cleanable(log, None, START_MS + now_ms).first_uncleanable_offset == end


def test_what_waits_for_too_long_is_overdue(make_log: Any) -> None:
    log = make_log(max_compaction_lag_ms=5000, min_cleanable_dirty_ratio=1.0)
    for checkpoint, now_ms, is_overdue in ((0, 5000, False), (0, 5001, True), (2, 5001, False), (2, 6001, True)):
        what = cleanable(log, checkpoint, START_MS + now_ms)
        assert (what.is_overdue, what.is_worth_it) == (is_overdue, is_overdue)
    assert not cleanable(log, 8, START_MS + 10**9).is_worth_it  # there is nothing to do


def test_an_open_transaction_bounds_it(make_log: Any, clock: ManualClock) -> None:
    log = make_log()
    builder = RecordBatchBuilder(producer_id=1, producer_epoch=0, base_sequence=0, is_transactional=True)
    builder.append(b"k", b"v", clock.now_ms())
    log.append(builder.build())
    for _ in range(2):
        log.roll()
        plain = RecordBatchBuilder()
        plain.append(b"k", b"v", clock.now_ms())
        log.append(plain.build())
    assert cleanable(log, None, START_MS).first_uncleanable_offset == 8


def test_the_dirtiest_that_is_worth_it_is_next(make_log: Any) -> None:
    logs = [make_log(f"orders-{number}") for number in range(3)]
    candidates = [cleanable(log, checkpoint, START_MS) for log, checkpoint in zip(logs, (4, 2, 0), strict=True)]
    assert [one.is_worth_it for one in candidates] == [False, True, True]  # half of it is not more than a half
    chosen = dirtiest(candidates)
    assert chosen is not None
    assert chosen.log is logs[2]
    assert dirtiest(candidates[:1]) is None
