"""What `kfast serve` shows on a terminal while it loads logs that take long: a bar in place of a line now and then."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from kfast.lab.progress import ProgressMeter
from kfast.log.recovery_progress import RecoveryStatus, logger


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
