"""Small text files beside the logs: offsets by partition, the ids of the cluster, and the id of a partition's topic.

    recovery-point-offset-checkpoint      version 0, count, then lines of topic, partition, offset
    log-start-offset-checkpoint           the same, only for logs that start inside a segment
    replication-offset-checkpoint         the same, high watermarks: for Kafka, which raises them from there on
    cleaner-offset-checkpoint             the same, only for logs that were compacted: up to where
    meta.properties                       version=1, cluster.id, node.id, directory.id
    partition.metadata                    version: 0, topic_id

Each is written to a file beside it, fsynced and renamed: a crash leaves the old or the new one.
Source: Kafka's CheckpointFile, MetaProperties and PartitionMetadataFile.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from kfast.errors import LogDirectoryError
from kfast.log.names import PARTITION_METADATA
from kfast.record.metadata_records import uuid_from_text, uuid_to_text

RECOVERY_POINT_CHECKPOINT: Final = "recovery-point-offset-checkpoint"
LOG_START_OFFSET_CHECKPOINT: Final = "log-start-offset-checkpoint"
HIGH_WATERMARK_CHECKPOINT: Final = "replication-offset-checkpoint"
CLEANER_OFFSET_CHECKPOINT: Final = "cleaner-offset-checkpoint"
META_PROPERTIES: Final = "meta.properties"

TEMPORARY_SUFFIX: Final = ".tmp"
"""Of a file that is being written, and of what a crash has left of it."""

_VERSION: Final = "0"

TopicPartition = tuple[str, int]


class OffsetCheckpoint:
    """A file of offsets by (topic, partition)."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def read(self) -> dict[TopicPartition, int]:
        """Empty where the file is missing, or empty as a crash early in Kafka's life leaves it.

        Raises LogDirectoryError where it cannot be read for what it is.
        """
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        if not text:
            return {}
        offsets = {}
        lines: list[str] = []
        try:
            lines = text.decode().splitlines()
            version, count, *entries = lines
            for line in entries:
                topic, partition, offset = line.split()
                offsets[topic, int(partition)] = int(offset)
        except ValueError:
            shown = lines[:3] or text[:40]
            raise LogDirectoryError(f"{self.path}: {shown!r} are not version, count and offsets") from None
        if version != _VERSION or count != str(len(entries)):
            raise LogDirectoryError(
                f"{self.path}: version {version} with {count} entries; {_VERSION} is known, {len(entries)} lie there"
            )
        return offsets

    def write(self, offsets: Mapping[TopicPartition, int]) -> None:
        lines = [_VERSION, str(len(offsets))]
        lines += [f"{topic} {partition} {offset}" for (topic, partition), offset in sorted(offsets.items())]
        write_atomically(self.path, "\n".join(lines) + "\n")

    def __repr__(self) -> str:
        return f"OffsetCheckpoint({self.path.name!r})"


@dataclass(frozen=True, slots=True)
class MetaProperties:
    """Whose log directory it is. A static quorum may come without a directory id."""

    cluster_id: str
    node_id: int
    directory_id: uuid.UUID | None = None

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Raises LogDirectoryError where something is missing or is not what it should be."""
        properties = {}
        try:
            for line in Path(path).read_text().splitlines():
                key, separator, value = line.partition("=")
                if separator and not line.startswith("#"):
                    properties[key.strip()] = value.strip()
            directory_id = properties.get("directory.id")
            return cls(
                properties["cluster.id"],
                int(properties["node.id"]),
                None if directory_id is None else uuid_from_text(directory_id),
            )
        except (KeyError, ValueError) as error:
            raise LogDirectoryError(f"{path} does not say whose directory it is: {error}") from None

    def write(self, path: str | os.PathLike[str]) -> None:
        lines = ["version=1", f"cluster.id={self.cluster_id}", f"node.id={self.node_id}"]
        if self.directory_id is not None:
            lines.append(f"directory.id={uuid_to_text(self.directory_id)}")
        write_atomically(Path(path), "\n".join(lines) + "\n")


def read_partition_metadata(directory: str | os.PathLike[str]) -> uuid.UUID | None:
    """The topic id of a partition's directory; None where the file is missing. Raises LogDirectoryError."""
    path = os.path.join(directory, PARTITION_METADATA)
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return None
    try:
        fields = dict(line.split(": ", 1) for line in data.decode().splitlines())
        return uuid_from_text(fields["topic_id"])
    except (KeyError, ValueError):
        raise LogDirectoryError(f"{path}: its {len(data)} bytes {data[:60]!r} name no topic id") from None


def write_partition_metadata(directory: str | os.PathLike[str], topic_id: uuid.UUID) -> None:
    """Write it. Its name gets to the disk with the log's first flush; until then there is nothing that could be lost.

    So a new topic of 50 partitions waits for 50 fsyncs and not for 150.
    """
    path = Path(directory, PARTITION_METADATA)
    _written_beside(path, f"version: 0\ntopic_id: {uuid_to_text(topic_id)}").replace(path)


def write_atomically(path: Path, text: str) -> None:
    """Replace the file at `path` by one that holds `text`, and have both the bytes and the name on the disk."""
    move_atomically(_written_beside(path, text), path)


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Have an OSError of this `with` block say which file it is about: that of a write does not."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise


def _written_beside(path: Path, text: str) -> Path:
    """A file that is to take the name `path`, its bytes on the disk."""
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    with naming(path), temporary.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return temporary


def move_atomically(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Give a file or directory another name, and return when the name is on the disk.

    Source: Kafka's Utils.atomicMoveWithFallback.
    """
    os.replace(source, target)
    fsync_directory(Path(target).parent)


def make_directory(path: Path) -> None:
    """Make a directory, and those it lies in, unless it is there; return when its own name is on the disk."""
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        fsync_directory(path.absolute().parent)


def fsync_directory(path: str | os.PathLike[str]) -> None:
    """A new file is only safe once its name is."""
    fsync_file(path)


def fsync_file(path: str | os.PathLike[str]) -> None:
    """Return when the bytes of the file at `path`, whoever wrote them, are on the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        with naming(path):
            os.fsync(fd)
    finally:
        os.close(fd)
