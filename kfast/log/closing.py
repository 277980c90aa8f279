"""Closing the logs of a directory: one by one, or, where there are many, some at a time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from kfast.errors import KfastError
from kfast.log.log import Log

logger = logging.getLogger(__name__)

MANY_LOGS: Final = 50
CLOSING_THREADS: Final = 4


def close_logs(logs: Sequence[Log]) -> list[bool]:
    """Whether it went well, for each log. Where there are many, some at a time: each waits for the disk.

    10,000 logs with a new record each took three to six times as long one by one: a journal's commit serves all that
    wait for it (17 to 33 s and 5 s, ext4 on a busy machine). Source: num.recovery.threads.per.data.dir, by which
    Kafka's LogManager closes logs too.
    """
    if len(logs) < MANY_LOGS:
        return [_close(log) for log in logs]
    from concurrent.futures import ThreadPoolExecutor  # 10 ms that a broker of few logs can do without

    with ThreadPoolExecutor(CLOSING_THREADS) as pool:
        return list(pool.map(_close, logs))


def _close(log: Log) -> bool:
    """Whether it went well. A log that cannot be flushed keeps its recovery point, and the next start checks it."""
    try:
        log.close()
    except (KfastError, OSError) as error:
        logger.error("%s could not be closed, the next start checks it: %s", log.directory, error)
        return False
    return True
