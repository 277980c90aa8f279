"""Makes an empty directory a Kafka log directory, as `kafka-storage format` does, and refuses one that is foreign.

    meta.properties                                                     cluster id, node id, directory id
    __cluster_metadata-0/00000000000000000000-0000000000.checkpoint     who votes: this node alone

With the voters written down (a dynamic quorum, KIP-853) Apache Kafka boots on the directory whether its settings name
the quorum by `controller.quorum.voters` or by `controller.quorum.bootstrap.servers`; without them, only by the first.
One that needs other nodes, or another directory of the same node, is refused and stays as it is to the byte.
"""

from __future__ import annotations

import os
from pathlib import Path

from kfast.broker.metadata_image import PartitionImage
from kfast.broker.metadata_replay import ReplayedMetadata, replay
from kfast.broker.quorum import voters_of_state
from kfast.errors import LogDirectoryError
from kfast.log.checkpoints import META_PROPERTIES, TEMPORARY_SUFFIX, MetaProperties
from kfast.log.directory_lock import LOCK_FILE
from kfast.log.names import CLUSTER_METADATA_DIRECTORY, parse_partition_directory, partition_directory_name
from kfast.record.metadata_records import random_uuid, uuid_to_text

METADATA_DIRECTORY = CLUSTER_METADATA_DIRECTORY

_LAST_RESERVED_ID = 99  # DirectoryId.reserved: unassigned, lost, migrating, and room for more
_ONE_NODE = "kfast has no replication, and opens only directories of a cluster of one"


def ensure_usable(directory: str | Path, given_node_id: str | None = None) -> None:
    """Raise LogDirectoryError for a directory that holds something else than Kafka logs. It is not touched.

    Where there is no lock file yet, which locking it would leave behind, one that needs other nodes is refused too;
    of the others that is found out behind the lock, by the metadata log.
    """
    path = Path(directory)
    if path.exists() and not path.is_dir():
        raise LogDirectoryError(f"{path} is not a directory")
    names = set(os.listdir(path)) if path.is_dir() else set()
    others = sorted(names - {LOCK_FILE, META_PROPERTIES + TEMPORARY_SUFFIX})  # the latter of a crash while formatting
    if others and META_PROPERTIES not in others:
        raise LogDirectoryError(
            f"{path} holds {len(others)} files or directories ({others[0]}, ...) and no {META_PROPERTIES}, so it is no "
            "Kafka log directory; give an empty one"
        )
    if others and LOCK_FILE not in names:
        ensure_servable(
            path, MetaProperties.read(path / META_PROPERTIES), replay(path / METADATA_DIRECTORY), given_node_id
        )


def ensure_servable(
    directory: Path, properties: MetaProperties, replayed: ReplayedMetadata, given_node_id: str | None
) -> None:
    """Raise LogDirectoryError for a log directory that needs another node, or another directory, beside this one.

    `given_node_id` is what a user asked for. Nothing is touched.
    """
    node_id = properties.node_id
    if given_node_id is not None and int(given_node_id) != node_id:
        raise LogDirectoryError(f"{directory} belongs to node.id {node_id} and node.id {given_node_id} was asked for")
    voters = replayed.quorum.voter_ids or voters_of_state(directory / METADATA_DIRECTORY)
    if voters and set(voters) != {node_id}:
        raise LogDirectoryError(
            f"{directory}: nodes {list(voters)} vote on its metadata and this is node {node_id}: {_ONE_NODE}"
        )
    if replayed.is_empty:
        _ensure_no_partitions(directory)
    for topic in replayed.image.topics.values():
        for number, partition in topic.partitions.items():
            _ensure_here(directory, properties, partition_directory_name(topic.name, number), partition)


def _ensure_no_partitions(directory: Path) -> None:
    """Without metadata they would belong to nothing: Kafka puts them aside, and both would begin an empty cluster."""
    names = sorted(
        name for name in set(os.listdir(directory)) - {METADATA_DIRECTORY} if parse_partition_directory(name)
    )
    if names:
        raise LogDirectoryError(
            f"{directory} holds {len(names)} partitions ({names[0]}, ...) and no metadata log to say of which topics; "
            f"Kafka's metadata.log.dir, or a backup, may have {METADATA_DIRECTORY}"
        )


def _ensure_here(directory: Path, properties: MetaProperties, name: str, partition: PartitionImage) -> None:
    """A partition of another log directory of the node would be begun anew here, and look empty.

    Where it lies is what its directory says, not the metadata: that of a copied one is another's.
    """
    if partition.replicas != (properties.node_id,):
        raise LogDirectoryError(
            f"{name} has its replicas on nodes {list(partition.replicas)} and this is node {properties.node_id}: "
            f"{_ONE_NODE}"
        )
    assigned = [one for one in partition.directories if one.int > _LAST_RESERVED_ID]
    if assigned and properties.directory_id not in assigned and not (directory / name).is_dir():
        raise LogDirectoryError(
            f"{name} lies in the log directory with id {uuid_to_text(assigned[0])}, and {directory} is another: "
            "kfast serves one directory"
        )


def ensure_formatted(directory: str | Path, node_id: int) -> MetaProperties:
    """Return what meta.properties says; a directory without it gets one, with ids of its own."""
    ensure_usable(directory)
    path = Path(directory) / META_PROPERTIES
    if not path.exists():
        MetaProperties(uuid_to_text(random_uuid()), node_id, random_uuid()).write(path)
    return MetaProperties.read(path)
