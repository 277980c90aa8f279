"""`__consumer_offsets`: where groups and the offsets they commit are kept, in Apache Kafka's own records.

A group's records all lie in one partition, found by a hash of its name. The topic is made when the first record needs
it. What the records mean together is the coordinator's business; here they are written and read back.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, Protocol

from kfast.errors import CoordinatorNotAvailableError, KfastError, TopicAlreadyExistsError
from kfast.record.batch import RecordBatch
from kfast.record.batches import iter_batches
from kfast.record.builder import RecordBatchBuilder
from kfast.record.control_records import ControlRecordType, read_control_type
from kfast.record.group_records import (
    GroupMetadataKey,
    GroupValue,
    OffsetCommitKey,
    decode_group_metadata_value,
    decode_key,
    decode_offset_commit_value,
    encode_key,
    encode_value,
    partition_for_group,
)
from kfast.record.record import Record

if TYPE_CHECKING:
    from kfast.broker.config import BrokerConfig
    from kfast.broker.metadata_log import MetadataLog
    from kfast.clock import Clock
    from kfast.log.log import Log
    from kfast.log.manager import LogManager

logger = logging.getLogger(__name__)

OFFSETS_TOPIC: Final = "__consumer_offsets"
_READ_SIZE: Final = 1 << 20

GroupEntry = tuple[OffsetCommitKey, GroupValue | None] | tuple[GroupMetadataKey, GroupValue | None]
"""A record's key and value; without a value it deletes what the key names."""


class OffsetsParts(Protocol):
    """What of the broker is needed here."""

    clock: Clock
    config: BrokerConfig
    logs: LogManager
    metadata: MetadataLog


class OffsetsTopic:
    """Appends to and reads the partitions of `__consumer_offsets`. Thread-safe, as its logs are."""

    def __init__(self, broker: OffsetsParts) -> None:
        self._broker = broker

    @property
    def partition_count(self) -> int:
        """0 as long as there is no such topic."""
        topic = self._broker.metadata.image.topics.get(OFFSETS_TOPIC)
        return 0 if topic is None else len(topic.partitions)

    def ensure_exists(self) -> None:
        """Make the topic unless it is there. It takes the metadata lock: not to be called with a group's lock held."""
        if self.partition_count:
            return
        config = self._broker.config
        configs = {
            "cleanup.policy": "compact",
            "compression.type": "producer",
            "segment.bytes": str(config.get("offsets.topic.segment.bytes")),
        }
        try:
            self._broker.metadata.create_topic(OFFSETS_TOPIC, config.get("offsets.topic.num.partitions"), configs)
        except TopicAlreadyExistsError:
            logger.debug("%s was made by another connection at the same time", OFFSETS_TOPIC)

    def append(self, group_id: str, entries: Iterable[GroupEntry]) -> None:
        """Write the entries of one group as one batch: they are in force together or not at all."""
        log, leader_epoch = self._log_of(group_id)
        builder = RecordBatchBuilder(leader_epoch=leader_epoch)
        now_ms = self._broker.clock.now_ms()
        for key, value in entries:
            builder.append(encode_key(key), None if value is None else encode_value(value), now_ms)
        log.append(builder.build(), leader_epoch=leader_epoch)

    def read(self) -> Iterator[GroupEntry]:
        """Every entry of every partition in order; those of transactions when and if they are committed."""
        for partition in range(self.partition_count):
            log = self._broker.logs.get(OFFSETS_TOPIC, partition)
            if log is not None:
                for record in _committed_records(log):
                    yield from _decode(record)

    def _log_of(self, group_id: str) -> tuple[Log, int]:
        count = self.partition_count
        partition = partition_for_group(group_id, count) if count else 0
        log = self._broker.logs.get(OFFSETS_TOPIC, partition)
        if log is None:
            raise CoordinatorNotAvailableError(f"{OFFSETS_TOPIC}-{partition} is missing, one of {count} partitions")
        return log, self._broker.metadata.leader_epoch(OFFSETS_TOPIC, partition)


def _decode(record: Record) -> Iterator[GroupEntry]:
    """The entry of a record; none for a kind that kfast does not read, or a value from the future."""
    try:
        key = decode_key(record.key or b"")
        match key:
            case OffsetCommitKey():
                yield key, None if record.value is None else decode_offset_commit_value(record.value)
            case GroupMetadataKey():
                yield key, None if record.value is None else decode_group_metadata_value(record.value)
    except KfastError as error:
        logger.warning("the record at offset %d of %s is passed over: %s", record.offset, OFFSETS_TOPIC, error)


def _committed_records(log: Log) -> Iterator[Record]:
    open_transactions: dict[int, list[Record]] = {}
    for batch in _batches(log):
        if batch.is_control:
            for marker in batch.records():  # none in a batch that Kafka's cleaner kept for its producer's epoch alone
                records = open_transactions.pop(batch.producer_id, [])
                if read_control_type(marker.key or b"") is ControlRecordType.COMMIT:
                    yield from records
        elif batch.is_transactional:
            open_transactions.setdefault(batch.producer_id, []).extend(batch.records())
        else:
            yield from batch.records()


def _batches(log: Log) -> Iterator[RecordBatch]:
    offset = log.log_start_offset
    while offset < log.log_end_offset:
        next_offset = offset
        for batch in iter_batches(log.read(offset, _READ_SIZE).records.read()):
            yield batch
            next_offset = batch.next_offset
        if next_offset == offset:
            logger.warning("%s cannot be read from offset %d to %d", log, offset, log.log_end_offset)
            return
        offset = next_offset
