"""When a segment has enough: by size, by age in its records' time or the clock's, and by what its indexes hold."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kfast.clock import ManualClock
from kfast.log.config import LogConfig
from kfast.log.roll_policy import RollPolicy
from kfast.log.segment import MAX_RELATIVE_OFFSET

HOUR_MS = 3_600_000


def segment(size_bytes: int = 100, first_timestamp_ms: int = 1000, full: str = "") -> Any:
    return SimpleNamespace(
        base_offset=10,
        records=SimpleNamespace(size_bytes=size_bytes),
        first_timestamp_ms=lambda: first_timestamp_ms,
        offset_index=SimpleNamespace(is_full=lambda: full == "offset"),
        time_index=SimpleNamespace(is_full=lambda: full == "time"),
    )


def rolls(
    of: Any, config: LogConfig, *, size: int = 50, last_offset: int = 20, timestamp_ms: int = 1000, waited_ms: int = 0
) -> bool:
    clock = ManualClock()
    policy = RollPolicy(config, clock)
    clock.advance(waited_ms)
    return policy.should_roll(of, config, size, last_offset, timestamp_ms)


def test_what_does_not_fit_begins_a_new_segment_but_in_an_empty_one() -> None:
    config = LogConfig(segment_bytes=150)
    assert not rolls(segment(), config, size=50)
    assert rolls(segment(), config, size=51)
    assert not rolls(segment(size_bytes=0), config, size=151)


def test_age_is_counted_in_the_records_time() -> None:
    config = LogConfig(segment_ms=500)
    assert not rolls(segment(), config, timestamp_ms=1500, waited_ms=HOUR_MS)
    assert rolls(segment(), config, timestamp_ms=1501)
    assert not rolls(segment(size_bytes=0, first_timestamp_ms=-1), config, timestamp_ms=HOUR_MS, waited_ms=HOUR_MS)


def test_age_is_counted_by_the_clock_where_the_first_batch_has_no_timestamp() -> None:
    config = LogConfig(segment_ms=500)
    assert not rolls(segment(first_timestamp_ms=-1), config, timestamp_ms=HOUR_MS, waited_ms=500)
    assert rolls(segment(first_timestamp_ms=-1), config, timestamp_ms=-1, waited_ms=501)


@pytest.mark.parametrize(
    ("policy", "segment_ms", "max_compaction_lag_ms", "limit_ms"),
    [
        ("compact", 500, 300, 300),
        ("compact,delete", 500, 300, 300),
        ("compact", 500, 700, 500),
        ("delete", 500, 300, 500),
    ],
)
def test_a_compacted_log_rolls_before_its_records_have_waited_too_long_for_the_cleaner(
    policy: str, segment_ms: int, max_compaction_lag_ms: int, limit_ms: int
) -> None:
    config = LogConfig(
        cleanup_policy=frozenset(policy.split(",")), segment_ms=segment_ms, max_compaction_lag_ms=max_compaction_lag_ms
    )
    assert not rolls(segment(), config, timestamp_ms=1000 + limit_ms)
    assert rolls(segment(), config, timestamp_ms=1001 + limit_ms)


def test_jitter_makes_it_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    config = LogConfig(segment_ms=500, segment_jitter_ms=200)
    monkeypatch.setattr("kfast.log.config.randrange", lambda most: most - 1)
    assert not rolls(segment(), config, timestamp_ms=1301)
    assert rolls(segment(), config, timestamp_ms=1302)


def test_what_an_index_entry_cannot_hold_begins_a_new_segment() -> None:
    assert not rolls(segment(), LogConfig(), last_offset=10 + MAX_RELATIVE_OFFSET)
    assert rolls(segment(), LogConfig(), last_offset=11 + MAX_RELATIVE_OFFSET)


@pytest.mark.parametrize(("full", "expected"), [("", False), ("offset", True), ("time", True)])
def test_a_full_index_ends_a_segment(full: str, expected: bool) -> None:
    assert rolls(segment(full=full), LogConfig()) is expected
