"""Which segments go: by time, by size, by the log's start, and in which order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kfast.log.config import LogConfig
from kfast.log.retention import deletable_segments


def segment(base_offset: int, size_bytes: int, largest_timestamp_ms: int) -> Any:
    return SimpleNamespace(
        base_offset=base_offset, size_bytes=size_bytes, largest_timestamp_ms=lambda: largest_timestamp_ms
    )


SEGMENTS = [segment(0, 100, 1000), segment(10, 100, 3000), segment(20, 100, 2000), segment(30, 50, 4000)]


def doomed(config: LogConfig, now_ms: int = 4000, log_start_offset: int = 0, segments: Any = SEGMENTS) -> list[int]:
    return [found.base_offset for found, _ in deletable_segments(segments, config, now_ms, log_start_offset)]


@pytest.mark.parametrize(
    ("retention_bytes", "expected"),
    [
        (-1, []),
        (350, []),
        (251, []),
        (250, [0]),
        (150, [0, 10]),
        (50, [0, 10, 20]),
        (1, [0, 10, 20]),
        (0, [0, 10, 20, 30]),
    ],
)
def test_by_size_no_more_than_the_excess_goes(retention_bytes: int, expected: list[int]) -> None:
    assert doomed(LogConfig(retention_ms=-1, retention_bytes=retention_bytes)) == expected


@pytest.mark.parametrize(
    ("now_ms", "expected"), [(2000, []), (2001, [0]), (4000, [0]), (4001, [0, 10, 20]), (5001, [0, 10, 20, 30])]
)
def test_by_time_a_young_segment_shields_those_after_it(now_ms: int, expected: list[int]) -> None:
    assert doomed(LogConfig(retention_ms=1000), now_ms) == expected


@pytest.mark.parametrize(("log_start_offset", "expected"), [(9, []), (10, [0]), (29, [0, 10]), (99, [0, 10, 20])])
def test_what_lies_below_the_log_start_goes_whatever_the_policy(log_start_offset: int, expected: list[int]) -> None:
    for policy in ("compact", "delete"):
        config = LogConfig(retention_ms=-1, cleanup_policy=frozenset({policy}))
        assert doomed(config, log_start_offset=log_start_offset) == expected


def test_a_compacted_topic_keeps_what_is_old_unless_it_is_deleted_from_too() -> None:
    old = 10**9
    assert doomed(LogConfig(cleanup_policy=frozenset({"compact"})), old) == []
    assert doomed(LogConfig(cleanup_policy=frozenset({"compact", "delete"})), old) == [0, 10, 20, 30]


def test_an_empty_active_segment_stays() -> None:
    segments = [segment(0, 100, 1000), segment(10, 0, 0)]
    assert doomed(LogConfig(retention_ms=1), 10**9, segments=segments) == [0]


def test_reasons_hold_the_numbers() -> None:
    reasons = [reason for _, reason in deletable_segments(SEGMENTS, LogConfig(retention_ms=500), 4400, 10)]
    assert reasons == [
        "it ends below the log start offset 10",
        "it is 1400 ms old, over retention.ms=500",
        "it is 2400 ms old, over retention.ms=500",
    ]
