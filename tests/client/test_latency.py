from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfast.client.latency import BUCKET_COUNT, LatencyHistogram, LatencySummary, bucket_of, middle_of


@given(st.integers(0, 2**48 - 1))
def test_a_bucket_stands_for_its_values_within_three_per_cent(value_ns: int) -> None:
    bucket = bucket_of(value_ns)
    assert 0 <= bucket < BUCKET_COUNT
    assert abs(middle_of(bucket) - value_ns) <= value_ns / 32


@given(st.integers(0, 2**50), st.integers(0, 2**50))
def test_buckets_keep_the_order_of_values(one: int, other: int) -> None:
    assert (bucket_of(one) <= bucket_of(other)) or one > other


def test_values_beyond_the_last_bucket_share_it() -> None:
    assert bucket_of(2**48) == bucket_of(2**60) == BUCKET_COUNT - 1
    assert bucket_of(2**48 - 1) == BUCKET_COUNT - 1


def test_quantiles_mean_and_maximum() -> None:
    histogram = LatencyHistogram()
    for milliseconds in range(1, 1001):
        histogram.add(milliseconds * 1_000_000)
    summary = histogram.summary()
    assert summary.count == 1000
    assert summary.mean_ns == 500_500_000
    assert summary.max_ns == 1_000_000_000
    assert summary.quantile_ns(0.5) == pytest.approx(500_000_000, rel=1 / 32)
    assert summary.quantile_ns(0.99) == pytest.approx(990_000_000, rel=1 / 32)
    assert summary.quantile_ns(1.0) == pytest.approx(1_000_000_000, rel=1 / 32)


def test_a_latency_counts_for_each_record_of_its_request() -> None:
    histogram = LatencyHistogram()
    histogram.add(10, count=3)
    histogram.add(30)
    assert (histogram.summary().count, histogram.summary().mean_ns) == (4, 15)
    assert histogram.summary().quantile_ns(0.75) == 10


def test_nothing_measured_is_zero_and_not_an_error() -> None:
    assert LatencyHistogram().summary().as_json() == {
        "count": 0,
        "mean_ms": 0.0,
        "p50_ms": 0.0,
        "p95_ms": 0.0,
        "p99_ms": 0.0,
        "p999_ms": 0.0,
        "max_ms": 0.0,
    }


def test_what_came_since_an_earlier_summary() -> None:
    histogram = LatencyHistogram()
    histogram.add(9_000_000)
    earlier = histogram.summary()
    histogram.add(1_000_000)
    histogram.add(3_000_000)
    window = histogram.summary().since(earlier)
    assert (window.count, window.mean_ns) == (2, 2_000_000)
    assert window.max_ns == pytest.approx(3_000_000, rel=1 / 32)


def test_another_process_gets_the_same_summary_by_its_counts() -> None:
    histogram = LatencyHistogram()
    for nanoseconds in (5, 7, 1_000_000, 1 << 60):
        histogram.add(nanoseconds, count=nanoseconds % 3 + 1)
    counts = json.loads(json.dumps(histogram.summary().to_counts()))
    assert LatencySummary.from_counts(counts) == histogram.summary()
    assert LatencySummary.from_counts(LatencyHistogram().summary().to_counts()).count == 0
