"""Makes an empty directory a Kafka log directory, as `kafka-storage format` does, and refuses one that is foreign.

    meta.properties                                                     cluster id, node id, directory id
    __cluster_metadata-0/00000000000000000000-0000000000.checkpoint     who votes: this node alone

With the voters written down (a dynamic quorum, KIP-853) Apache Kafka boots on the directory whether its settings name
the quorum by `controller.quorum.voters` or by `controller.quorum.bootstrap.servers`; without them, only by the first.
"""

from __future__ import annotations

import os
from pathlib import Path

from kfast.errors import LogDirectoryError
from kfast.log.checkpoints import META_PROPERTIES, MetaProperties
from kfast.log.directory_lock import LOCK_FILE
from kfast.record.builder import RecordBatchBuilder
from kfast.record.control_records import (
    ControlRecord,
    KRaftVersion,
    KRaftVoters,
    SnapshotFooter,
    SnapshotHeader,
    Voter,
    VoterEndpoint,
    encode_control,
)
from kfast.record.metadata_records import random_uuid, uuid_to_text

METADATA_DIRECTORY = "__cluster_metadata-0"
_VOTERS_SNAPSHOT = f"{0:020d}-{0:010d}.checkpoint"

# Where Kafka's shipped settings put the controller. With one voter the address may be any (tried with Kafka 4.1).
_CONTROLLER = VoterEndpoint("CONTROLLER", "127.0.0.1", 9093)


def ensure_usable(directory: str | Path) -> None:
    """Raise LogDirectoryError for a directory that holds something else than Kafka logs. It is not touched."""
    path = Path(directory)
    if path.exists() and not path.is_dir():
        raise LogDirectoryError(f"{path} is not a directory")
    names = sorted(set(os.listdir(path)) - {LOCK_FILE}) if path.is_dir() else []
    if names and META_PROPERTIES not in names:
        raise LogDirectoryError(
            f"{path} holds {len(names)} files or directories ({names[0]}, ...) and no {META_PROPERTIES}, so it is no "
            "Kafka log directory; give an empty one"
        )


def ensure_formatted(directory: str | Path, node_id: int) -> MetaProperties:
    """Return what meta.properties says; a directory without it gets one, with ids of its own."""
    ensure_usable(directory)
    path = Path(directory) / META_PROPERTIES
    if not path.exists():
        MetaProperties(uuid_to_text(random_uuid()), node_id, random_uuid()).write(path)
    return MetaProperties.read(path)


def write_voters(metadata_directory: Path, properties: MetaProperties, now_ms: int) -> None:
    """Write the snapshot at offset 0 that makes this node the only voter. For a log that is still empty."""
    if properties.directory_id is None:
        return
    voter = Voter(properties.node_id, properties.directory_id, (_CONTROLLER,))
    path = metadata_directory / _VOTERS_SNAPSHOT
    partial = path.with_suffix(".checkpoint.part")  # Kafka's name for an unfinished snapshot
    with partial.open("wb") as file:
        offset = 0
        for records in ((SnapshotHeader(now_ms), KRaftVersion(1), KRaftVoters((voter,))), (SnapshotFooter(),)):
            file.write(_control_batch(offset, records, now_ms))
            offset += len(records)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _control_batch(base_offset: int, records: tuple[ControlRecord, ...], now_ms: int) -> bytearray:
    builder = RecordBatchBuilder(base_offset, is_control=True, leader_epoch=0)
    for record in records:
        key, value = encode_control(record)
        builder.append(key, value, now_ms)
    return builder.build()
