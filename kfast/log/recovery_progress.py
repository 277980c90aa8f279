"""How far the loading of logs is: said every few seconds where it takes long, and what was checked at its end.

    loading logs: 5 of 20 loaded, 15 remain; checking orders-0: segment 3 of 9, 2,150 of 8,400 MB
    loaded 20 of 20 logs in 9.0 s; the last stop was not clean: 2 checked, 8,400,112,000 bytes, 87 dropped

A quick start after a clean stop is not mentioned.
Each is a line of this module's logger, with the `RecoveryStatus` as the record's `status` for whoever would rather draw
it. Source: what Kafka's LogManager and LogLoader log, and its metrics remainingLogsToRecover and
remainingSegmentsToRecover.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kfast.clock import Clock

logger = logging.getLogger(__name__)

INTERVAL_MS: Final = 3000
"""Between two lines, and before the first: who waits that long wants to know what for."""


@dataclass(frozen=True, slots=True)
class RecoveryStatus:
    """What has been done by now. `partition` is the one whose segments are being checked, "" where none is."""

    loaded_count: int
    log_count: int
    partition: str = ""
    segment_number: int = 0
    segment_count: int = 0
    checked_bytes: int = 0
    total_bytes: int = 0
    is_over: bool = False

    @property
    def loaded_share(self) -> float:
        """Logs that are loaded, the one that is being checked in part."""
        return self.loaded_count + (self.checked_bytes / self.total_bytes if self.total_bytes else 0)

    @property
    def checking(self) -> str:
        """Of the log that is being checked, in words: where in it; "" where none is."""
        if not self.partition:
            return ""
        checked, total = (f"{size_bytes / 1e6:,.0f}" for size_bytes in (self.checked_bytes, self.total_bytes))
        return f"{self.partition}: segment {self.segment_number} of {self.segment_count}, {checked} of {total} MB"

    def __str__(self) -> str:
        remaining_count = self.log_count - self.loaded_count
        checking = f"; checking {self.checking}" if self.partition else ""
        return f"loading logs: {self.loaded_count} of {self.log_count} loaded, {remaining_count} remain{checking}"


class RecoveryProgress:
    """Follows the loading of `log_count` logs, one after the other. For the thread that loads them."""

    def __init__(self, clock: Clock, log_count: int = 1) -> None:
        self._clock = clock
        self._start_ns = clock.monotonic_ns()
        self._next_ns = self._start_ns + INTERVAL_MS * 1_000_000
        self._has_spoken = False
        self._log_count = log_count
        self._loaded_count = 0
        self._checked_count = 0  # of logs, and so are the next two
        self._checked_bytes = 0
        self._dropped_bytes = 0
        self._partition = ""
        self._sizes: Sequence[int] = ()
        self._number = 0

    def begin_check(self, partition: str, segment_sizes: Sequence[int]) -> None:
        """A log has segments of these sizes to be checked, in this order."""
        self._partition, self._sizes, self._number = partition, segment_sizes, 0
        self._checked_count += 1

    def note_position(self, position: int) -> None:
        """The segment in hand has been checked up to there."""
        if self._clock.monotonic_ns() >= self._next_ns:
            self._say(position)

    def end_segment(self) -> None:
        self._checked_bytes += self._sizes[self._number]
        self._number += 1

    def note_dropped(self, size_bytes: int) -> None:
        """So much of the log in hand was damaged, or came after what was, and is dropped."""
        self._dropped_bytes += size_bytes

    def end_check(self) -> None:
        """The rest is not looked at: the segments that are left, if there are any, were dropped."""
        self._partition, self._sizes = "", ()

    def end_log(self) -> None:
        """One more log is loaded."""
        self._loaded_count += 1
        self.note_position(0)

    def end(self) -> None:
        """Nothing is left to be loaded: said if anything was checked, or said before."""
        if self._has_spoken or self._checked_count:
            status = RecoveryStatus(self._loaded_count, self._log_count, is_over=True)
            logger.info("%s", self._summary(), extra={"status": status})

    def _summary(self) -> str:
        elapsed_s = (self._clock.monotonic_ns() - self._start_ns) / 1e9
        loaded = f"loaded {self._loaded_count} of {self._log_count} logs in {elapsed_s:.1f} s"
        if not self._checked_count:
            return loaded
        dropped = f"{self._dropped_bytes:,} dropped" if self._dropped_bytes else "nothing dropped"
        checked = f"{self._checked_count} checked, {self._checked_bytes:,} bytes, {dropped}"
        return f"{loaded}; the last stop was not clean: {checked}"

    def _say(self, position: int) -> None:
        self._has_spoken = True
        self._next_ns = self._clock.monotonic_ns() + INTERVAL_MS * 1_000_000
        status = self._status(position)
        logger.info("%s", status, extra={"status": status})

    def _status(self, position: int) -> RecoveryStatus:
        if not self._partition:
            return RecoveryStatus(self._loaded_count, self._log_count)
        return RecoveryStatus(
            self._loaded_count,
            self._log_count,
            self._partition,
            self._number + 1,
            len(self._sizes),
            sum(self._sizes[: self._number]) + position,
            sum(self._sizes),
        )

    def __repr__(self) -> str:
        return f"RecoveryProgress({self._status(0)})"
