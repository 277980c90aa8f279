"""What a stretch of a run says: rates, CPU per GB and the limiting resource, from the counters at its two ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kfast.lab.data_way import Traffic


@dataclass(frozen=True, slots=True)
class Reading:
    """Counts over `elapsed_s`. `moved_bytes` is what came from producers and what went to consumers, together.

    `cores` says how many processors each process kept busy; `limited_by` names a resource, or is "none".
    """

    elapsed_s: float
    produced_bytes: int
    consumed_bytes: int
    moved_bytes: int
    broker_cpu_s: float
    cores: Mapping[str, float]
    processor_count: int
    limited_by: str
    traffic: Traffic

    @property
    def produce_bytes_per_s(self) -> float:
        return self.produced_bytes / self.elapsed_s

    @property
    def consume_bytes_per_s(self) -> float:
        return self.consumed_bytes / self.elapsed_s

    @property
    def cpu_s_per_gb(self) -> float | None:
        """The broker's CPU for each GB (10^9 bytes) that it took in or gave out; None when nothing moved."""
        return self.broker_cpu_s / (self.moved_bytes / 1e9) if self.moved_bytes else None
