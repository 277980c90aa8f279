"""What the metadata log says, applied: topics, partitions, configurations, producer ids.

`MetadataImage` is a frozen state of it all, read without a lock and replaced whole. `MetadataDelta` takes an image and
records and makes the next one. No files here: metadata_replay.py reads the records, metadata_log.py writes them.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from kfast.errors import LogDirectoryError
from kfast.record.metadata_records import (
    TOPIC_RESOURCE,
    ConfigRecord,
    FeatureLevelRecord,
    MetadataRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RemoveTopicRecord,
    TopicRecord,
    UnknownMetadataRecord,
)

# Dropping one of these would open what was locked, or lift a limit that somebody set.
_REFUSED_KINDS = {10: "a delegation token", 11: "a SCRAM credential", 14: "a client quota", 18: "an ACL"}


@dataclass(frozen=True, slots=True)
class PartitionImage:
    """A partition as the metadata log knows it; `directories` are those of its replicas, where they are known."""

    leader_epoch: int
    partition_epoch: int
    replicas: tuple[int, ...]
    directories: tuple[uuid.UUID, ...] = ()

    def record(self, topic_id: uuid.UUID, number: int) -> PartitionRecord:
        """What makes it anew, led by its one replica: after a clean stop of Kafka nobody leads, and now it does."""
        return PartitionRecord(
            number,
            topic_id,
            self.replicas,
            self.replicas,
            self.replicas[0],
            self.leader_epoch,
            self.partition_epoch,
            self.directories,
        )


@dataclass(frozen=True, slots=True)
class TopicImage:
    """A topic; `partitions` by their number."""

    name: str
    topic_id: uuid.UUID
    partitions: Mapping[int, PartitionImage]


@dataclass(frozen=True, slots=True)
class MetadataImage:
    """The whole metadata at one offset. `configs` by (resource type, resource name)."""

    topics: Mapping[str, TopicImage] = field(default_factory=dict)
    topic_names: Mapping[uuid.UUID, str] = field(default_factory=dict)
    configs: Mapping[tuple[int, str], Mapping[str, str]] = field(default_factory=dict)
    features: Mapping[str, int] = field(default_factory=dict)
    next_producer_id: int = 0


class MetadataDelta:
    """Records on top of an image. Copies the image's tables once, however many records follow."""

    def __init__(self, image: MetadataImage) -> None:
        self._topics = dict(image.topics)
        self._partitions: dict[str, dict[int, PartitionImage]] = {}  # of the topics that change
        self._topic_names = dict(image.topic_names)
        self._configs = dict(image.configs)
        self._features = dict(image.features)
        self._next_producer_id = image.next_producer_id
        self.removed_topic_ids: set[uuid.UUID] = set()

    def apply(self, record: MetadataRecord) -> None:
        """Take one record in. Kinds that mean nothing here are passed over, those that must not be lost are refused."""
        match record:
            case TopicRecord():
                self._topics[record.name] = TopicImage(record.name, record.topic_id, {})
                self._partitions[record.name] = {}
                self._topic_names[record.topic_id] = record.name
            case PartitionRecord():
                partition = PartitionImage(
                    record.leader_epoch, record.partition_epoch, record.replicas, record.directories
                )
                self._partitions_of(self._name_of(record.topic_id))[record.partition] = partition
            case PartitionChangeRecord():
                self._change_partition(record)
            case RemoveTopicRecord():
                name = self._name_of(record.topic_id)
                del self._topics[name], self._topic_names[record.topic_id]
                self.removed_topic_ids.add(record.topic_id)
                self._partitions.pop(name, None)
                self._configs.pop((TOPIC_RESOURCE, name), None)
            case ConfigRecord():
                self._set_config(record)
            case ProducerIdsRecord():
                self._next_producer_id = record.next_producer_id
            case FeatureLevelRecord():
                self._features[record.name] = record.feature_level
            case UnknownMetadataRecord() if record.api_key in _REFUSED_KINDS:
                raise LogDirectoryError(
                    f"the metadata log holds {_REFUSED_KINDS[record.api_key]}, which kfast would not enforce"
                )

    def build(self) -> MetadataImage:
        """The image with all that was applied. The delta is spent."""
        for name, partitions in self._partitions.items():
            self._topics[name] = replace(self._topics[name], partitions=partitions)
        return MetadataImage(self._topics, self._topic_names, self._configs, self._features, self._next_producer_id)

    def _name_of(self, topic_id: uuid.UUID) -> str:
        name = self._topic_names.get(topic_id)
        if name is None:
            raise LogDirectoryError(
                f"the metadata log speaks of topic id {topic_id} before it says which topic that is"
            )
        return name

    def _partitions_of(self, name: str) -> dict[int, PartitionImage]:
        if name not in self._partitions:
            self._partitions[name] = dict(self._topics[name].partitions)
        return self._partitions[name]

    def _change_partition(self, record: PartitionChangeRecord) -> None:
        name = self._name_of(record.topic_id)
        partitions = self._partitions_of(name)
        partition = partitions.get(record.partition)
        if partition is None:
            raise LogDirectoryError(f"the metadata log changes {name}-{record.partition} before it is there")
        partitions[record.partition] = PartitionImage(
            partition.leader_epoch + (record.leader is not None),
            partition.partition_epoch + 1,
            partition.replicas if record.replicas is None else record.replicas,
            partition.directories if record.directories is None else record.directories,
        )

    def _set_config(self, record: ConfigRecord) -> None:
        resource = (record.resource_type, record.resource_name)
        configs = dict(self._configs.get(resource, {}))
        if record.value is None:
            configs.pop(record.name, None)
        else:
            configs[record.name] = record.value
        if configs:
            self._configs[resource] = configs
        else:
            self._configs.pop(resource, None)
