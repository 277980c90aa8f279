"""Snapshots of the metadata log: all that it says below an offset, in one file.

    __cluster_metadata-0/00000000000000000071-0000000003.checkpoint       below offset 71, whose last record has epoch 3

    control batch    snapshot header, and the voters of a dynamic quorum
    batches          the image as records: features, topics, partitions, configurations, producer ids
    control batch    snapshot footer

Offsets count from 0 in the file. It is written beside its name, fsynced and renamed: a crash leaves it whole or not at
all. When one is taken, and what then goes, is snapshot_generator.py's part. Source: Kafka's FileRawSnapshotWriter,
RecordsSnapshotWriter and the *Image.write methods.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from kfast.broker.metadata_image import MetadataImage
from kfast.broker.quorum import Quorum
from kfast.log.checkpoints import move_atomically
from kfast.record.builder import RecordBatchBuilder
from kfast.record.control_records import ControlRecord, SnapshotFooter, SnapshotHeader, encode_control
from kfast.record.metadata_records import (
    ConfigRecord,
    FeatureLevelRecord,
    MetadataRecord,
    ProducerIdsRecord,
    TopicRecord,
    encode,
)

_NAME = re.compile(r"(\d{20})-(\d{10})\.checkpoint")
PARTIAL_SUFFIX = ".part"
"""Of one that is being written; Kafka removes what a crash left."""

_RECORDS_A_BATCH = 1024  # RaftSnapshotWriter.DEFAULT_BATCH_SIZE


class SnapshotId(NamedTuple):
    """What a snapshot stands for: the log below `end_offset`, whose last record has `epoch`."""

    end_offset: int
    epoch: int

    @property
    def file_name(self) -> str:
        return f"{self.end_offset:020d}-{self.epoch:010d}.checkpoint"


def snapshot_ids(directory: str | os.PathLike[str]) -> list[SnapshotId]:
    """Those of the finished snapshots in a directory, which may be missing, the newest last."""
    names = os.listdir(directory) if os.path.isdir(directory) else []
    return sorted(SnapshotId(int(match[1]), int(match[2])) for name in names if (match := _NAME.fullmatch(name)))


def write_snapshot(
    directory: Path, snapshot: SnapshotId, quorum: Quorum, records: Iterable[MetadataRecord], now_ms: int
) -> None:
    """Write one, and return when it is on the disk. Raises OSError; then there is none."""
    path = directory / snapshot.file_name
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    try:
        with partial.open("wb") as file:
            for batch in _batches(snapshot.epoch, quorum, iter(records), now_ms):
                file.write(batch)
            file.flush()
            os.fsync(file.fileno())
        move_atomically(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)  # on a full disk it has taken the last there was
        raise


def _batches(epoch: int, quorum: Quorum, records: Iterator[MetadataRecord], now_ms: int) -> Iterator[bytearray]:
    head = (SnapshotHeader(now_ms), *quorum.control_records())
    yield _control_batch(0, epoch, head, now_ms)
    offset = len(head)
    while some := list(islice(records, _RECORDS_A_BATCH)):
        builder = RecordBatchBuilder(offset, leader_epoch=epoch)
        for record in some:
            builder.append(None, encode(record), now_ms)
        yield builder.build()
        offset += len(some)
    yield _control_batch(offset, epoch, (SnapshotFooter(),), now_ms)


def _control_batch(base_offset: int, epoch: int, records: tuple[ControlRecord, ...], now_ms: int) -> bytearray:
    builder = RecordBatchBuilder(base_offset, is_control=True, leader_epoch=epoch)
    for record in records:
        key, value = encode_control(record)
        builder.append(key, value, now_ms)
    return builder.build()


def records_of(image: MetadataImage, node_id: int) -> Iterator[MetadataRecord]:
    """The records that make `image`; `metadata.version` comes first, as Kafka needs it to read the others."""
    for name, level in sorted(image.features.items(), key=lambda feature: feature[0] != "metadata.version"):
        yield FeatureLevelRecord(name, level)
    for topic in image.topics.values():
        yield TopicRecord(topic.name, topic.topic_id)
        for number, partition in topic.partitions.items():
            yield partition.record(topic.topic_id, number)
    for (resource_type, resource_name), configs in image.configs.items():
        for name, value in configs.items():
            yield ConfigRecord(resource_type, resource_name, name, value)
    if image.next_producer_id:
        yield ProducerIdsRecord(node_id, 0, image.next_producer_id)
