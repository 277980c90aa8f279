"""Look-ups by time where Kafka's answer is not the one that comes to mind."""

from __future__ import annotations

from typing import Any

import pytest

from kfast.log.results import TimestampAndOffset
from kfast.record.builder import RecordBatchBuilder


def batch(*timestamps_ms: int) -> bytearray:
    builder = RecordBatchBuilder()
    for timestamp_ms in timestamps_ms:
        builder.append(None, b"x", timestamp_ms)
    return builder.build()


@pytest.mark.parametrize(
    ("timestamp_ms", "expected"),
    [
        (0, (100, 0, 0)),
        (101, (300, 1, 0)),
        (250, (300, 1, 0)),
        (300, (300, 1, 0)),
        (301, (900, 5, 4)),
        (901, None),
    ],
)
def test_the_first_record_in_order_of_offsets_that_is_not_earlier(
    open_log: Any, timestamp_ms: int, expected: Any
) -> None:
    log = open_log(index_interval_bytes=0)
    log.append(batch(100, 300, 200))
    log.append(batch(250))
    log.append(batch(200, 900), leader_epoch=4)
    assert log.offset_for_timestamp(timestamp_ms) == expected


def test_the_largest_timestamp_is_that_of_the_first_record_that_has_it(open_log: Any) -> None:
    log = open_log(segment_bytes=len(batch(900, 100)))
    log.append(batch(100, 900))
    log.append(batch(900, 100), leader_epoch=2)
    assert log.max_timestamp() == TimestampAndOffset(900, 1, 0)
    log.append(batch(901, 901), leader_epoch=2)
    assert log.max_timestamp() == TimestampAndOffset(901, 4, 2)


def test_of_records_without_time_the_first_is_the_latest(open_log: Any) -> None:
    log = open_log()
    assert log.max_timestamp() is None
    log.append(batch(-1, -1))
    assert log.max_timestamp() == TimestampAndOffset(-1, 0, 0)
    assert log.offset_for_timestamp(0) is None


def test_the_latest_record_is_found_below_the_start_as_long_as_its_segment_is_there(open_log: Any) -> None:
    log = open_log(segment_bytes=len(batch(0)), retention_ms=-1)
    for timestamp_ms in (100, 900, 300):
        log.append(batch(timestamp_ms))
    log.increment_log_start_offset(2)
    assert log.max_timestamp() == TimestampAndOffset(900, 1, 0)
    log.delete_old_segments()
    assert log.max_timestamp() == TimestampAndOffset(300, 2, 0)


def test_no_segment_is_looked_at_but_the_first_that_is_late_enough(open_log: Any) -> None:
    log = open_log(segment_bytes=len(batch(900, 100)), retention_ms=-1)
    log.append(batch(900, 100))
    log.append(batch(900, 100))
    log.increment_log_start_offset(1)
    assert log.offset_for_timestamp(800) is None
    log.increment_log_start_offset(2)
    log.delete_old_segments()
    assert log.offset_for_timestamp(800) == TimestampAndOffset(900, 2, 0)


def test_one_without_timestamps_counts_as_late_as_its_file(open_log: Any) -> None:
    log = open_log(segment_bytes=len(batch(0)))
    log.append(batch(-1))
    log.append(batch(900))
    log.segments[0].records.set_modified_ms(500)
    assert log.offset_for_timestamp(501) == TimestampAndOffset(900, 1, 0)
    assert log.offset_for_timestamp(500) is None
