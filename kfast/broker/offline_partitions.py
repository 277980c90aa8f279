"""Partitions whose logs could not be opened: clients ask for them again and again, and a try may read a whole log."""

from __future__ import annotations

from typing import Final

from kfast.clock import Clock
from kfast.errors import KafkaStorageError

RETRY_MS: Final = 10_000
"""How long a failure stands for those that would follow it: a disk that works again is found after that."""


class OfflinePartitions:
    """What was wrong, and when. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: dict[tuple[str, int], tuple[str, int]] = {}

    def note(self, topic: str, partition: int, error: KafkaStorageError) -> None:
        """It could not be opened just now."""
        self._failures[topic, partition] = (str(error), self._clock.monotonic_ns() + RETRY_MS * 1_000_000)

    def forget(self, topic: str, partition: int) -> None:
        """It is open, or gone."""
        self._failures.pop((topic, partition), None)

    def ensure_may_be_tried(self, topic: str, partition: int) -> None:
        """Raises KafkaStorageError, with what was wrong, where the last try is less than RETRY_MS ago."""
        message, retry_ns = self._failures.get((topic, partition), ("", 0))
        if message and self._clock.monotonic_ns() < retry_ns:
            raise KafkaStorageError(message)

    def __repr__(self) -> str:
        return f"OfflinePartitions({len(self._failures)})"
