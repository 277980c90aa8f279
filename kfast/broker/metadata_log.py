"""The metadata log: `__cluster_metadata-0`, where topics, configurations and producer ids live, and its only writer.

A change is one batch of records: it is appended and flushed, then applied to the image that everybody reads, and the
directories follow. A crash in between leaves a record without its directory, which the next start makes. The batches
are those Apache Kafka's controller writes, so that Kafka boots on the directory; metadata_replay.py reads them back,
and snapshot_generator.py keeps the log short.

Thread-safe: writers share one lock, readers take the image as it is.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Mapping, Set
from dataclasses import replace
from pathlib import Path
from typing import Self

from kfast.broker.config import BrokerConfig
from kfast.broker.log_directory import METADATA_DIRECTORY, ensure_formatted, ensure_servable
from kfast.broker.metadata_image import MetadataDelta, MetadataImage, PartitionImage, TopicImage
from kfast.broker.metadata_replay import ReplayedMetadata, replay
from kfast.broker.metadata_snapshots import SnapshotId, write_snapshot
from kfast.broker.offline_partitions import OfflinePartitions
from kfast.broker.quorum import Quorum, write_state
from kfast.broker.snapshot_generator import SnapshotGenerator
from kfast.broker.topic_names import CLUSTER_METADATA_TOPIC, INTERNAL_TOPICS
from kfast.clock import Clock
from kfast.errors import (
    FencedLeaderEpochError,
    KafkaStorageError,
    TopicAlreadyExistsError,
    UnknownLeaderEpochError,
    UnknownTopicOrPartitionError,
)
from kfast.log.checkpoints import MetaProperties
from kfast.log.config import NEVER, LogConfig
from kfast.log.log import Log
from kfast.log.manager import LogManager
from kfast.log.names import parse_partition_directory
from kfast.record.builder import RecordBatchBuilder
from kfast.record.metadata_records import (
    TOPIC_RESOURCE,
    AbortTransactionRecord,
    ConfigRecord,
    FeatureLevelRecord,
    MetadataRecord,
    ProducerIdsRecord,
    RemoveTopicRecord,
    TopicRecord,
    encode,
    random_uuid,
)

logger = logging.getLogger(__name__)

_FIRST_EPOCH = 1
_METADATA_VERSION = 25  # 4.0-IV3: the lowest that 4.0 and all later Kafkas start with
_PRODUCER_ID_BLOCK = 1000  # ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE
_UNASSIGNED_DIRECTORY = uuid.UUID(int=1)  # DirectoryId.UNASSIGNED, for a directory without an id
_MAX_BATCH_SIZE = 8 << 20  # KafkaRaftClient.MAX_BATCH_SIZE_BYTES
_NO_RETENTION = LogConfig(max_message_bytes=_MAX_BATCH_SIZE, retention_ms=-1, segment_ms=NEVER)


class MetadataLog:
    """What exists in this cluster of one node. Made by `MetadataLog.open`."""

    def __init__(
        self,
        log: Log,
        replayed: ReplayedMetadata,
        properties: MetaProperties,
        logs: LogManager,
        config: BrokerConfig,
        clock: Clock,
    ) -> None:
        self.image: MetadataImage = replayed.image
        self.internal_topics = INTERNAL_TOPICS
        self._log = log
        self._epoch = max(replayed.epoch, _FIRST_EPOCH)
        self._snapshots = SnapshotGenerator(replayed.quorum, properties.node_id, replayed.size_bytes, config, clock)
        self._properties = properties
        self._config = config
        self._clock = clock
        self._logs = logs
        self._lock = threading.Lock()
        self._producer_ids = range(0)
        self._offline = OfflinePartitions(clock)

    @classmethod
    def open(cls, directory: str | Path, logs: LogManager, config: BrokerConfig, clock: Clock) -> Self:
        """Open the metadata log of `directory`, formatting an empty one, and every partition it knows of.

        `config` reads its dynamic layers here from now on. Raises LogDirectoryError, before anything is changed, for a
        directory that is foreign, was written by another node, or needs others.
        """
        properties = ensure_formatted(directory, config.get("node.id"))
        metadata_directory = Path(directory) / METADATA_DIRECTORY
        replayed = replay(metadata_directory)
        ensure_servable(Path(directory), properties, replayed, config.given("node.id"))
        metadata_directory.mkdir(exist_ok=True)
        if replayed.is_empty:
            replayed = replace(replayed, quorum=Quorum.of_one(properties))
            write_snapshot(metadata_directory, SnapshotId(0, 0), replayed.quorum, (), clock.now_ms())
            if replayed.quorum.is_dynamic:
                write_state(metadata_directory, _FIRST_EPOCH)
        log = Log.open(
            metadata_directory,
            _NO_RETENTION,
            clock=clock,
            flush_stats=logs.flush_stats,
            log_start_offset=replayed.log_start_offset,
        )
        metadata = cls(log, replayed, properties, logs, config, clock)
        config.dynamic = metadata.configs
        config.note_static("node.id", str(properties.node_id))
        if replayed.has_open_transaction:
            metadata._append(AbortTransactionRecord("its writer stopped before its end"))
        if "metadata.version" not in replayed.image.features:
            metadata.image = metadata._append(FeatureLevelRecord("metadata.version", _METADATA_VERSION)).build()
        metadata._open_partitions(replayed.removed_topic_ids)
        metadata._snapshots.run_if_due(log, metadata.image, metadata._epoch)
        return metadata

    @property
    def cluster_id(self) -> str:
        return self._properties.cluster_id

    @property
    def node_id(self) -> int:
        return self._properties.node_id

    @property
    def topics(self) -> Mapping[str, TopicImage]:
        return self.image.topics

    def topic(self, name: str) -> TopicImage | None:
        return self.image.topics.get(name)

    def topic_name(self, topic_id: uuid.UUID) -> str | None:
        return self.image.topic_names.get(topic_id)

    def configs(self, resource_type: int, name: str) -> Mapping[str, str]:
        """What is set dynamically for a topic or a broker ("" is the default of all brokers)."""
        return self.image.configs.get((resource_type, name), {})

    def leader_epoch(self, topic: str, partition: int) -> int:
        """Raises UnknownTopicOrPartitionError."""
        return self._partition(topic, partition).leader_epoch

    def check_leader_epoch(self, topic: str, partition: int, epoch: int) -> None:
        """Raise unless `epoch`, the one a client believes in, is the partition's; -1 is a client that does not say."""
        if epoch < 0:
            return
        current = self.leader_epoch(topic, partition)
        if epoch < current:
            raise FencedLeaderEpochError(f"leader epoch {epoch} of {topic}-{partition} has passed; it is {current}")
        if epoch > current:
            raise UnknownLeaderEpochError(f"leader epoch {epoch} of {topic}-{partition} is to come; it is {current}")

    def create_topic(
        self,
        name: str,
        partition_count: int,
        configs: Mapping[str, str] | None = None,
        topic_id: uuid.UUID | None = None,
    ) -> TopicImage:
        """Create a topic and its partitions' logs. The caller has validated name, count and configs.

        Raises TopicAlreadyExistsError.
        """
        with self._lock:
            if name in self.image.topics:
                raise TopicAlreadyExistsError(f"Topic '{name}' already exists.")
            topic_id = topic_id or random_uuid()
            delta = self._write(
                TopicRecord(name, topic_id),
                *(ConfigRecord(TOPIC_RESOURCE, name, key, value) for key, value in (configs or {}).items()),
                *(self._new_partition().record(topic_id, number) for number in range(partition_count)),
            )
            self._publish_with_logs(delta, name)
            return self.image.topics[name]

    def delete_topic(self, name: str) -> None:
        """Remove a topic, its configurations and its logs. Raises UnknownTopicOrPartitionError."""
        with self._lock:
            topic = self._topic(name)
            self.image = self._write(RemoveTopicRecord(topic.topic_id)).build()
            for number in topic.partitions:
                self._offline.forget(name, number)
                try:
                    self._logs.delete(name, number)
                except OSError as error:
                    logger.error("%s-%d is deleted, its directory stays until the next start: %s", name, number, error)

    def open_log(self, topic: str, partition: int) -> Log:
        """Make the log of a partition that has none: when the topic was created the disk was full, say.

        Raises UnknownTopicOrPartitionError, KafkaStorageError: where that has just failed, without another try.
        """
        self._partition(topic, partition)  # without the lock: peers ask for what there is not
        self._offline.ensure_may_be_tried(topic, partition)
        with self._lock:
            self._partition(topic, partition)
            self._offline.ensure_may_be_tried(topic, partition)  # somebody did while this waited
            return self._create_log(self._topic(topic), partition, self._config.topic_config(topic))

    def alter_configs(self, resource_type: int, name: str, changes: Mapping[str, str | None]) -> None:
        """Set configurations of a topic or broker, or with None remove them; logs follow at once."""
        with self._lock:
            if resource_type == TOPIC_RESOURCE:
                self._topic(name)
            records = [ConfigRecord(resource_type, name, key, value) for key, value in changes.items()]
            self.image = self._write(*records).build()
            self._config.refresh()
            changed = [name] if resource_type == TOPIC_RESOURCE else list(self.image.topics)
            for topic in changed:
                self._update_log_configs(topic)

    def next_producer_id(self) -> int:
        """Return an id that was never handed out and never will be again, whatever crashes.

        Ids are set aside by the thousand, as in Kafka's brokers: one record a block, written before its first id goes.
        """
        with self._lock:
            if not self._producer_ids:
                first = self.image.next_producer_id
                block = range(first, first + _PRODUCER_ID_BLOCK)
                self.image = self._write(ProducerIdsRecord(self.node_id, 0, block.stop)).build()
                self._producer_ids = block
            producer_id, self._producer_ids = self._producer_ids[0], self._producer_ids[1:]
            return producer_id

    def close(self) -> None:
        self._log.close()

    def _write(self, *records: MetadataRecord) -> MetadataDelta:
        """Append records, on a log that has been cut down first if it was too long. With the lock held."""
        self._snapshots.run_if_due(self._log, self.image, self._epoch)
        return self._append(*records)

    def _append(self, *records: MetadataRecord) -> MetadataDelta:
        """Append records as one batch, and return them applied to the image."""
        if records:
            builder = RecordBatchBuilder()
            now_ms = self._clock.now_ms()
            for record in records:
                builder.append(None, encode(record), now_ms)
            batch = builder.build()
            self._log.append(batch, leader_epoch=self._epoch)
            self._log.flush()
            self._snapshots.note_append(len(batch))
        delta = MetadataDelta(self.image)
        for record in records:
            delta.apply(record)
        return delta

    def _publish_with_logs(self, delta: MetadataDelta, name: str) -> None:
        """Show a new topic to readers once its logs are there, so that nobody finds it half made."""
        image = delta.build()
        try:
            self._create_logs(image, name)
        finally:
            self.image = image

    def _create_logs(self, image: MetadataImage, name: str) -> None:
        """Open or make the logs of a topic. Raises KafkaStorageError for one that cannot be, once the others are."""
        topic = image.topics[name]
        config = self._config.topic_config(name, image.configs.get((TOPIC_RESOURCE, name), {}))
        failure = None
        for number in topic.partitions:
            try:
                self._create_log(topic, number, config)
            except KafkaStorageError as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def _create_log(self, topic: TopicImage, number: int, config: LogConfig) -> Log:
        """Open or make a log. Raises KafkaStorageError."""
        try:
            log = self._logs.create(topic.name, number, topic.topic_id, config)
        except KafkaStorageError as error:
            self._offline.note(topic.name, number, error)
            raise
        self._offline.forget(topic.name, number)
        return log

    def _update_log_configs(self, topic: str) -> None:
        config = self._config.topic_config(topic)
        for number in self.image.topics[topic].partitions:
            log = self._logs.get(topic, number)
            if log is not None and log.config != config:
                log.update_config(config)

    def _open_partitions(self, removed_topic_ids: Set[uuid.UUID]) -> None:
        """Open every partition's log, making those that are missing, and report directories nobody knows of.

        What a topic left that was being deleted when the broker was killed goes now.
        """
        with self._logs.loading(sum(len(topic.partitions) for topic in self.image.topics.values())):
            for name in self.image.topics:
                try:
                    self._create_logs(self.image, name)
                except KafkaStorageError as error:
                    logger.error("offline until its disk works: %s", error)
        for directory in self._logs.partition_directories():
            parsed = parse_partition_directory(directory)
            if parsed is None or parsed[0] == CLUSTER_METADATA_TOPIC:
                continue
            topic = self.topic(parsed[0])
            if topic is not None and parsed[1] in topic.partitions:
                continue
            if self._logs.topic_id(*parsed) in removed_topic_ids:
                self._logs.delete(*parsed)
            else:
                logger.warning("partition directory %s is not in the metadata log; it is left alone", directory)

    def _new_partition(self) -> PartitionImage:
        directory_id = self._properties.directory_id or _UNASSIGNED_DIRECTORY
        return PartitionImage(0, 0, (self.node_id,), (directory_id,))

    def _topic(self, name: str) -> TopicImage:
        topic = self.image.topics.get(name)
        if topic is None:
            raise UnknownTopicOrPartitionError(f"The topic '{name}' does not exist.")
        return topic

    def _partition(self, topic: str, number: int) -> PartitionImage:
        image = self.image.topics.get(topic)
        partition = image.partitions.get(number) if image else None
        if partition is None:
            raise UnknownTopicOrPartitionError(f"there is no partition {topic}-{number}")
        return partition

    def __repr__(self) -> str:
        return f"MetadataLog(cluster_id={self.cluster_id!r}, {len(self.image.topics)} topics)"
