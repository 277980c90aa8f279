"""How long requests took, kept as counts in buckets whose width grows with the value.

A load generator measures hundreds of thousands of requests; keeping each would cost more than measuring it. 32 buckets
for each doubling bound the error of a quantile to 1/32 (3 %), as HdrHistogram does. The mean and the maximum are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SUB_BUCKET_BITS = 5
SUB_BUCKETS = 1 << SUB_BUCKET_BITS
LARGEST_BITS = 48
"""Values of 2**48 ns (78 hours) and more share the last bucket."""


def bucket_of(value_ns: int) -> int:
    """The bucket that holds `value_ns`: exact below 32 ns, then 32 to a doubling."""
    shift = value_ns.bit_length() - SUB_BUCKET_BITS - 1
    if shift <= 0:
        return max(0, value_ns)
    if shift > LARGEST_BITS - SUB_BUCKET_BITS - 1:
        return BUCKET_COUNT - 1
    return (shift << SUB_BUCKET_BITS) + (value_ns >> shift)


def middle_of(bucket: int) -> int:
    """The value, in ns, that stands for everything in `bucket`."""
    if bucket < 2 * SUB_BUCKETS:
        return bucket
    shift = (bucket >> SUB_BUCKET_BITS) - 1
    lowest = (bucket - (shift << SUB_BUCKET_BITS)) << shift
    return lowest + (1 << shift) // 2


BUCKET_COUNT = ((LARGEST_BITS - SUB_BUCKET_BITS) << SUB_BUCKET_BITS) + SUB_BUCKETS


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """The latencies between two moments; `quantile_ns` answers within 3 %."""

    count: int
    sum_ns: int
    max_ns: int
    buckets: tuple[int, ...]

    @property
    def mean_ns(self) -> float:
        return self.sum_ns / self.count if self.count else 0.0

    def quantile_ns(self, quantile: float) -> int:
        """The smallest latency that `quantile` of all (0..1) did not exceed; 0 when there is none."""
        wanted, seen = quantile * self.count, 0
        for bucket, count in enumerate(self.buckets):
            seen += count
            if count and seen >= wanted:
                return min(middle_of(bucket), self.max_ns)
        return 0

    def since(self, earlier: LatencySummary) -> LatencySummary:
        """What came after `earlier`; its maximum is that of a bucket, so within 3 %."""
        buckets = tuple(now - then for now, then in zip(self.buckets, earlier.buckets, strict=True))
        highest = max((bucket for bucket, count in enumerate(buckets) if count), default=0)
        return LatencySummary(
            count=self.count - earlier.count,
            sum_ns=self.sum_ns - earlier.sum_ns,
            max_ns=min(middle_of(highest), self.max_ns),
            buckets=buckets,
        )

    def as_json(self) -> dict[str, Any]:
        """Mean, quantiles and maximum in milliseconds."""
        quantiles = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "p999_ms": 0.999}
        return {
            "count": self.count,
            "mean_ms": self.mean_ns / 1e6,
            **{name: self.quantile_ns(quantile) / 1e6 for name, quantile in quantiles.items()},
            "max_ms": self.max_ns / 1e6,
        }

    def to_counts(self) -> dict[str, Any]:
        """All that is in it, for another process that wants the latencies of an interval (`since`)."""
        buckets = {str(bucket): count for bucket, count in enumerate(self.buckets) if count}
        return {"sum_ns": self.sum_ns, "max_ns": self.max_ns, "buckets": buckets}

    @classmethod
    def from_counts(cls, counts: Mapping[str, Any]) -> LatencySummary:
        """What `to_counts` gave."""
        buckets = [0] * BUCKET_COUNT
        for bucket, count in counts["buckets"].items():
            buckets[int(bucket)] = count
        return cls(sum(buckets), counts["sum_ns"], counts["max_ns"], tuple(buckets))

    def __repr__(self) -> str:
        return (
            f"LatencySummary(count={self.count}, mean={self.mean_ns / 1e6:.3f} ms, "
            f"p50={self.quantile_ns(0.5) / 1e6:.3f} ms, p99={self.quantile_ns(0.99) / 1e6:.3f} ms, "
            f"max={self.max_ns / 1e6:.3f} ms)"
        )


class LatencyHistogram:
    """Collects latencies in one thread; `summary` may be taken from another."""

    __slots__ = ("_buckets", "_max_ns", "_sum_ns")

    def __init__(self) -> None:
        self._buckets = [0] * BUCKET_COUNT
        self._sum_ns = 0
        self._max_ns = 0

    def add(self, latency_ns: int, count: int = 1) -> None:
        """Count a latency; `count` times when so many records shared the request."""
        self._buckets[bucket_of(latency_ns)] += count
        self._sum_ns += latency_ns * count
        if latency_ns > self._max_ns:
            self._max_ns = latency_ns

    def summary(self) -> LatencySummary:
        buckets = tuple(self._buckets)
        return LatencySummary(count=sum(buckets), sum_ns=self._sum_ns, max_ns=self._max_ns, buckets=buckets)
