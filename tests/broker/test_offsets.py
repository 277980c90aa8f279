"""`__consumer_offsets`: the records of Apache Kafka read, and ours written so that it could read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from kfast.broker.offsets import OFFSETS_TOPIC, OffsetsTopic
from kfast.errors import CoordinatorNotAvailableError
from kfast.record.batches import iter_batches
from kfast.record.builder import RecordBatchBuilder
from kfast.record.checksum import crc32c
from kfast.record.control_records import AbortMarker, CommitMarker, encode_control
from kfast.record.group_records import (
    GroupMetadataKey,
    GroupMetadataValue,
    OffsetCommitKey,
    OffsetCommitValue,
    encode_key,
    encode_value,
    partition_for_group,
)
from kfast.record.layout import (
    ATTRIBUTES_POSITION,
    CONTROL_MASK,
    CRC_POSITION,
    HEADER,
    HEADER_SIZE,
    LOG_OVERHEAD,
    MAGIC,
    NO_SEQUENCE,
    TRANSACTIONAL_MASK,
)

KEY = OffsetCommitKey("orders-group", "orders", 3)
VALUE = OffsetCommitValue(42, 0, "so far", 1_700_000_000_000)


def test_without_a_topic_there_is_nothing_to_read_and_nowhere_to_write(parts) -> None:
    topic = OffsetsTopic(parts)
    assert list(topic.read()) == []
    with pytest.raises(CoordinatorNotAvailableError, match="one of 0 partitions"):
        topic.append(KEY.group, [(KEY, VALUE)])


def test_the_topic_is_made_once_as_kafka_makes_it(parts) -> None:
    topic = OffsetsTopic(parts)
    topic.ensure_exists()
    topic.ensure_exists()
    image = parts.metadata.image
    assert len(image.topics[OFFSETS_TOPIC].partitions) == 4
    assert parts.metadata.configs(2, OFFSETS_TOPIC) == {
        "cleanup.policy": "compact",
        "compression.type": "producer",
        "segment.bytes": "104857600",
    }


def test_the_default_is_fifty_partitions(open_parts) -> None:
    topic = OffsetsTopic(open_parts())
    topic.ensure_exists()
    assert topic.partition_count == 50


def test_what_was_appended_is_read_after_a_restart(open_parts) -> None:
    parts = open_parts()
    topic = OffsetsTopic(parts)
    topic.ensure_exists()
    group_entry = (GroupMetadataKey(KEY.group), GroupMetadataValue("consumer", 2, None, None, 5))
    topic.append(KEY.group, [(KEY, VALUE), (OffsetCommitKey(KEY.group, "orders", 4), None)])
    topic.append(KEY.group, [group_entry])
    parts.close()
    assert list(OffsetsTopic(open_parts()).read()) == [
        (KEY, VALUE),
        (OffsetCommitKey(KEY.group, "orders", 4), None),
        group_entry,
    ]


def test_the_entries_of_one_append_are_one_batch_in_the_partition_of_the_group(parts) -> None:
    topic = OffsetsTopic(parts)
    topic.ensure_exists()
    topic.append(KEY.group, [(KEY, VALUE), (GroupMetadataKey(KEY.group), None)])
    log = parts.logs.get(OFFSETS_TOPIC, partition_for_group(KEY.group, 4))
    [batch] = iter_batches(log.read(0, 10_000).records.read())
    assert (batch.count, batch.partition_leader_epoch, batch.is_valid()) == (2, 0, True)
    assert [record.timestamp_ms for record in batch.records()] == [parts.clock.now_ms()] * 2


def test_records_of_transactions_count_when_they_are_committed(parts) -> None:
    topic = OffsetsTopic(parts)
    topic.ensure_exists()
    log = parts.logs.get(OFFSETS_TOPIC, 0)
    keys = {producer_id: OffsetCommitKey(f"group-{producer_id}", "orders", 0) for producer_id in (1, 2, 3)}
    for producer_id, key in keys.items():
        builder = RecordBatchBuilder(producer_id=producer_id, producer_epoch=0, base_sequence=0, is_transactional=True)
        builder.append(encode_key(key), encode_value(VALUE), 0)
        log.append(builder.build())
    for producer_id, marker in ((2, AbortMarker(0)), (1, CommitMarker(0))):
        builder = RecordBatchBuilder(producer_id=producer_id, producer_epoch=0, is_transactional=True, is_control=True)
        builder.append(*encode_control(marker), 0)
        log.append(builder.build())
    assert list(topic.read()) == [(keys[1], VALUE)]


def test_a_marker_that_compaction_emptied_is_passed_over(open_parts) -> None:
    """Kafka's cleaner keeps the batch, without its record, as long as it is its producer's last."""
    parts = open_parts(offsets_topic_num_partitions=1)
    topic = OffsetsTopic(parts)
    topic.ensure_exists()
    topic.append(KEY.group, [(KEY, VALUE)])
    log = parts.logs.get(OFFSETS_TOPIC, 0)
    parts.close()
    attributes = TRANSACTIONAL_MASK | CONTROL_MASK
    batch = bytearray(
        HEADER.pack(1, HEADER_SIZE - LOG_OVERHEAD, 0, MAGIC, 0, attributes, 0, 0, 0, 5, 0, NO_SEQUENCE, 0)
    )
    batch[CRC_POSITION:ATTRIBUTES_POSITION] = crc32c(batch[ATTRIBUTES_POSITION:]).to_bytes(4, "big")
    with open(log.segments[0].records.path, "ab") as file:
        file.write(batch)
    parts = open_parts(offsets_topic_num_partitions=1)
    assert parts.logs.get(OFFSETS_TOPIC, 0).log_end_offset == 2
    assert list(OffsetsTopic(parts).read()) == [(KEY, VALUE)]


def test_what_kfast_does_not_know_is_passed_over(parts, caplog: pytest.LogCaptureFixture) -> None:
    topic = OffsetsTopic(parts)
    topic.ensure_exists()
    builder = RecordBatchBuilder()
    builder.append(b"\x00\x03\x00\x05group", b"new protocol", 0)
    builder.append(encode_key(KEY), b"\x00\x63from the future", 0)
    builder.append(b"", b"", 0)
    builder.append(encode_key(KEY), encode_value(VALUE), 0)
    parts.logs.get(OFFSETS_TOPIC, 0).append(builder.build())
    assert list(topic.read()) == [(KEY, VALUE)]
    assert "record at offset 1 of __consumer_offsets" in caplog.text


def test_more_than_one_read_is_read_to_the_end(parts) -> None:
    topic = OffsetsTopic(parts)
    topic.ensure_exists()
    value = OffsetCommitValue(1, metadata="x" * 4096)
    for first in range(0, 600, 100):
        keys = [OffsetCommitKey(KEY.group, "orders", number) for number in range(first, first + 100)]
        topic.append(KEY.group, [(key, value) for key in keys])
    assert [key.partition for key, _ in topic.read()] == list(range(600))


def test_the_directory_of_apache_kafka_is_read_as_it_was_decoded_there(golden, open_parts, tmp_path: Path) -> None:
    data = golden.extract("09-groups", tmp_path / "golden") / "log"
    entries = list(OffsetsTopic(open_parts(data)).read())
    offsets: dict[str, dict[tuple[str, int], OffsetCommitValue]] = {}
    for key, value in entries:
        if isinstance(key, OffsetCommitKey):
            own = offsets.setdefault(key.group, {})
            own.pop((key.topic, key.partition), None)
            if isinstance(value, OffsetCommitValue):
                own[key.topic, key.partition] = value
    expected = golden.manifest["cases"]["09-groups"]["groups"]
    assert {group: len(own) for group, own in offsets.items() if own} == {
        group: len(listed["offsets"]) for group, listed in expected.items()
    }
    for group, listed in expected.items():
        for topic, partition, offset, metadata, leader_epoch in listed["offsets"]:
            value = offsets[group][topic, partition]
            assert (value.offset, value.metadata) == (offset, metadata)
            assert value.leader_epoch == (-1 if leader_epoch is None else leader_epoch)
