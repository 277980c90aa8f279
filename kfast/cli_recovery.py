"""What is shown while logs take long to be loaded or checked: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from kfast.clock import Clock
from kfast.lab.progress import ProgressMeter
from kfast.log.recovery_progress import INTERVAL_MS, RecoveryStatus, logger


@contextmanager
def recovery_bar(stream: TextIO) -> Iterator[None]:
    """Draw on `stream` what is said of logs being loaded in this `with` block; without a terminal it is logged."""
    with ProgressMeter("loading logs", stream, unit="log") as meter:

        def draw(record: logging.LogRecord) -> bool:
            status: RecoveryStatus = record.status  # type: ignore[attr-defined]
            if status.is_over:
                meter.close()
                return True  # what it comes to is logged, below the bar's place
            words = [f"{status.log_count - status.loaded_count} remain", status.checking]
            meter(round(status.loaded_share, 1), status.log_count, ", ".join(filter(None, words)))
            return False

        if meter.is_bar:
            logger.addFilter(draw)
        try:
            yield
        finally:
            logger.removeFilter(draw)


@contextmanager
def check_bar(stream: TextIO, clock: Clock) -> Iterator[Callable[[int, int, str], None]]:
    """What is to be called with bytes read, bytes there are and the log they are of; drawn where it takes long."""
    next_ns = clock.monotonic_ns() + INTERVAL_MS * 1_000_000
    with ProgressMeter("checking logs", stream, unit="MB") as meter:

        def draw(done_bytes: int, total_bytes: int, name: str) -> None:
            nonlocal next_ns
            if clock.monotonic_ns() < next_ns:
                return
            next_ns = clock.monotonic_ns() + INTERVAL_MS * 1_000_000
            if meter.is_bar:
                meter(done_bytes // 10**6, total_bytes // 10**6, name)
            else:
                stream.write(f"checking logs: {done_bytes / 1e6:,.0f} of {total_bytes / 1e6:,.0f} MB, at {name}\n")
                stream.flush()

        yield draw
