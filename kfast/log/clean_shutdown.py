"""`.kafka_cleanshutdown`: says that logs, indexes, producer snapshots and checkpoints of a directory are complete.

Written last at a clean stop, removed before the first write: the next start, ours or Kafka's, need check no log.
Source: Kafka's CleanShutdownFileHandler.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from kfast.log.checkpoints import fsync_directory, write_atomically

CLEAN_SHUTDOWN_FILE: Final = ".kafka_cleanshutdown"
CLEAN_SHUTDOWN_TEXT: Final = '{"version":0,"brokerEpoch":-1}'
"""The epoch is for a controller with other brokers, which there are none of."""


class CleanShutdownFile:
    """The marker in one log directory."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / CLEAN_SHUTDOWN_FILE
        self.was_there = self._path.exists()
        """When this was made: whether the directory was last left by a clean stop."""

    def remove(self) -> None:
        """Return when it is gone from the disk: a power failure would bring it back, beside what was written since."""
        self._path.unlink(missing_ok=True)
        fsync_directory(self._path.parent)

    def write(self) -> None:
        """Return when it is on the disk."""
        write_atomically(self._path, CLEAN_SHUTDOWN_TEXT)

    def __repr__(self) -> str:
        return f"CleanShutdownFile(was_there={self.was_there})"
