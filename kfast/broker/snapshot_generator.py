"""Keeps the metadata log short: takes a snapshot when much or long ago was written since the last, and drops the rest.

Once the snapshot is on the disk the log begins at its end offset, and what lies below goes: segments and snapshots. A
crash in between leaves more than is needed, which the next snapshot takes along. Source: Kafka's SnapshotGenerator and
KafkaMetadataLog, which keeps what lies below for metadata.max.retention.ms, for followers that kfast does not have.
"""

from __future__ import annotations

import logging
from pathlib import Path

from kfast.broker.config import BrokerConfig
from kfast.broker.metadata_image import MetadataImage
from kfast.broker.metadata_snapshots import PARTIAL_SUFFIX, SnapshotId, records_of, snapshot_ids, write_snapshot
from kfast.broker.quorum import Quorum
from kfast.clock import Clock
from kfast.errors import KafkaStorageError
from kfast.log.log import Log

logger = logging.getLogger(__name__)


class SnapshotGenerator:
    """Guarded by the metadata log's lock. `size_bytes` is what lies in the log behind its newest snapshot."""

    def __init__(self, quorum: Quorum, node_id: int, size_bytes: int, config: BrokerConfig, clock: Clock) -> None:
        self._quorum = quorum
        self._node_id = node_id
        self._size_bytes = size_bytes
        self._config = config
        self._clock = clock
        self._taken_ms = clock.now_ms()

    def note_append(self, size_bytes: int) -> None:
        self._size_bytes += size_bytes

    def run_if_due(self, log: Log, image: MetadataImage, epoch: int) -> None:
        """Take a snapshot of `image`, which is all that `log` says, if it is time.

        One that fails, as on a full disk, costs nothing but the room it would have made: the log is whole without it.
        """
        if not self._is_due():
            return
        snapshot = SnapshotId(log.log_end_offset, epoch)
        self._size_bytes, self._taken_ms = 0, self._clock.now_ms()
        try:
            write_snapshot(log.directory, snapshot, self._quorum, records_of(image, self._node_id), self._taken_ms)
            drop_before(snapshot, log)
        except (OSError, KafkaStorageError) as error:
            logger.warning("no snapshot %s in %s: %s", snapshot.file_name, log.directory, error)
        else:
            logger.info("%s: snapshot %s taken", log.directory, snapshot.file_name)

    def _is_due(self) -> bool:
        if not self._size_bytes:
            return False
        interval_ms: int = self._config.get("metadata.log.max.snapshot.interval.ms")
        max_bytes: int = self._config.get("metadata.log.max.record.bytes.between.snapshots")
        is_old = interval_ms > 0 and self._clock.now_ms() - self._taken_ms >= interval_ms
        return is_old or self._size_bytes >= max_bytes


def drop_before(snapshot: SnapshotId, log: Log) -> None:
    """Begin the log at the end of a snapshot that is on the disk. Raises KafkaStorageError, OSError."""
    log.roll()
    log.increment_log_start_offset(snapshot.end_offset)
    log.delete_old_segments()
    for older in snapshot_ids(log.directory):
        if older < snapshot:
            (log.directory / older.file_name).unlink()
    for partial in Path(log.directory).glob(f"*{PARTIAL_SUFFIX}"):
        partial.unlink()
