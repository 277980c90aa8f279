"""What the checkpoint files of a log directory say of its logs, and what they are to say next.

Logs that were there and have not been opened keep what was known of them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kfast.errors import LogDirectoryError
from kfast.log.checkpoints import (
    HIGH_WATERMARK_CHECKPOINT,
    LOG_START_OFFSET_CHECKPOINT,
    RECOVERY_POINT_CHECKPOINT,
    OffsetCheckpoint,
    TopicPartition,
)
from kfast.log.log import Log

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LogOffsets:
    """What is written down together."""

    recovery_points: Mapping[TopicPartition, int]
    log_start_offsets: Mapping[TopicPartition, int]
    """Of logs that start inside a segment, or behind one whose files could not be deleted."""
    high_watermarks: Mapping[TopicPartition, int]


class LogCheckpoints:
    """Recovery points, log start offsets and high watermarks of one directory. Guarded by the log manager's locks."""

    def __init__(self, directory: Path) -> None:
        """Read what is there. Raises LogDirectoryError where log start offsets cannot be read: records would return."""
        self._recovery_point_file = OffsetCheckpoint(directory / RECOVERY_POINT_CHECKPOINT)
        self._log_start_offset_file = OffsetCheckpoint(directory / LOG_START_OFFSET_CHECKPOINT)
        self._high_watermark_file = OffsetCheckpoint(directory / HIGH_WATERMARK_CHECKPOINT)
        self.has_recovery_points = True
        """False where they could not be read: then every log is checked from its front, which loses but time."""
        self._recovery_points: dict[TopicPartition, int] = {}
        try:
            self._recovery_points = self._recovery_point_file.read()
        except LogDirectoryError as error:
            logger.warning("checking all logs in full: %s", error)
            self.has_recovery_points = False
        self._log_start_offsets = self._log_start_offset_file.read()
        self._written = {*self._recovery_points, *self._log_start_offsets}

    def recovery_point(self, partition: TopicPartition) -> int:
        """As the files said; 0 where they did not."""
        return self._recovery_points.get(partition, 0)

    def log_start_offset(self, partition: TopicPartition) -> int:
        """As the files said; 0 where they did not."""
        return self._log_start_offsets.get(partition, 0)

    def report_lost(self, partition: TopicPartition, directory: Path) -> None:
        """Say that `directory`, which is not there, should be, if the files knew of the partition."""
        if partition in self._recovery_points or partition in self._log_start_offsets:
            logger.warning(
                "%s is missing, by the checkpoints a log up to offset %d: made anew, empty; its records are gone",
                *(directory, max(self.recovery_point(partition), self.log_start_offset(partition))),
            )

    def forget(self, partition: TopicPartition) -> None:
        """Its log is gone; the files mention it until they are written again."""
        self._recovery_points.pop(partition, None)
        self._log_start_offsets.pop(partition, None)

    def mentions(self, partition: TopicPartition) -> bool:
        """Whether the files, as they lie there, say something of it."""
        return partition in self._written

    def next(self, logs: Mapping[TopicPartition, Log]) -> LogOffsets:
        """What is to be written down now, with `logs` open."""
        recovery_points, log_start_offsets = dict(self._recovery_points), dict(self._log_start_offsets)
        for partition, log in logs.items():
            recovery_points[partition] = log.recovery_point
            log_start_offsets.pop(partition, None)
            if log.log_start_offset > log.first_offset_on_disk:
                log_start_offsets[partition] = log.log_start_offset
        high_watermarks = {partition: log.high_watermark for partition, log in logs.items()}
        return LogOffsets(recovery_points, log_start_offsets, high_watermarks)

    def write(self, offsets: LogOffsets) -> None:
        """Return when all three files are on the disk. Raises OSError."""
        self._recovery_point_file.write(offsets.recovery_points)
        self._log_start_offset_file.write(offsets.log_start_offsets)
        self._high_watermark_file.write(offsets.high_watermarks)
        self._written = {*offsets.recovery_points, *offsets.log_start_offsets}

    def __repr__(self) -> str:
        return f"LogCheckpoints({len(self._written)} logs written down)"
