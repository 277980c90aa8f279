"""How often segments were flushed to the disk, and how long that took: Kafka's LogFlushRateAndTimeMs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kfast.clock import Clock


class FlushStats:
    """Counts the flushes of many logs, failed ones too. Thread-safe. Source: Kafka's LogFlushStats."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._count = 0
        self._elapsed_ns = 0

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count what happens in this `with` block as the flush of one segment."""
        start_ns = self._clock.monotonic_ns()
        try:
            yield
        finally:
            elapsed_ns = self._clock.monotonic_ns() - start_ns
            with self._lock:
                self._count += 1
                self._elapsed_ns += elapsed_ns

    def read(self) -> tuple[int, int]:
        """How many there were, and the nanoseconds they took together."""
        with self._lock:
            return self._count, self._elapsed_ns

    def __repr__(self) -> str:
        return f"FlushStats({self._count} flushes, {self._elapsed_ns} ns)"
