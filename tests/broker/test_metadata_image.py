"""Metadata records applied to an image: what each kind changes, and what none may."""

from __future__ import annotations

import uuid

import pytest

from kfast.broker.metadata_image import MetadataDelta, MetadataImage, PartitionImage
from kfast.errors import LogDirectoryError
from kfast.record.metadata_records import (
    BROKER_RESOURCE,
    TOPIC_RESOURCE,
    ConfigRecord,
    FeatureLevelRecord,
    MetadataRecord,
    NoOpRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RemoveTopicRecord,
    TopicRecord,
    UnknownMetadataRecord,
)

ID = uuid.UUID(int=7)


def applied(*records: MetadataRecord, to: MetadataImage | None = None) -> MetadataImage:
    delta = MetadataDelta(to or MetadataImage())
    for record in records:
        delta.apply(record)
    return delta.build()


def partition(number: int, replicas: tuple[int, ...] = (1,), leader_epoch: int = 0) -> PartitionRecord:
    return PartitionRecord(number, ID, replicas, replicas, replicas[0], leader_epoch)


def test_a_topic_is_found_by_name_and_by_id() -> None:
    image = applied(TopicRecord("events", ID), partition(0), partition(1, leader_epoch=4))
    assert image.topic_names == {ID: "events"}
    assert image.topics["events"].topic_id == ID
    assert image.topics["events"].partitions == {0: PartitionImage(0, 0, (1,)), 1: PartitionImage(4, 0, (1,))}


def test_an_image_does_not_change_when_records_are_applied_to_it() -> None:
    before = applied(TopicRecord("events", ID), partition(0), ConfigRecord(TOPIC_RESOURCE, "events", "a", "1"))
    applied(partition(1), ConfigRecord(TOPIC_RESOURCE, "events", "a", "2"), RemoveTopicRecord(ID), to=before)
    assert list(before.topics["events"].partitions) == [0]
    assert before.configs == {(TOPIC_RESOURCE, "events"): {"a": "1"}}


def test_removing_a_topic_takes_its_configs_along_and_leaves_a_brokers_of_that_name() -> None:
    image = applied(
        TopicRecord("1", ID),
        partition(0),
        ConfigRecord(TOPIC_RESOURCE, "1", "retention.ms", "5"),
        ConfigRecord(BROKER_RESOURCE, "1", "log.retention.ms", "6"),
        RemoveTopicRecord(ID),
    )
    assert not image.topics
    assert not image.topic_names
    assert image.configs == {(BROKER_RESOURCE, "1"): {"log.retention.ms": "6"}}


def test_a_config_of_none_is_gone() -> None:
    set_twice = applied(ConfigRecord(4, "", "a", "1"), ConfigRecord(4, "", "b", "2"), ConfigRecord(4, "", "a", "3"))
    assert set_twice.configs == {(4, ""): {"a": "3", "b": "2"}}
    assert applied(ConfigRecord(4, "", "a", None), ConfigRecord(4, "", "b", None), to=set_twice).configs == {}


def test_a_partition_change_counts_epochs_as_kafka_does() -> None:
    start = applied(TopicRecord("events", ID), partition(0, leader_epoch=2))
    isr_only = applied(PartitionChangeRecord(0, ID, isr=()), to=start)
    assert isr_only.topics["events"].partitions[0] == PartitionImage(2, 1, (1,))
    new_leader = applied(PartitionChangeRecord(0, ID, leader=-1, replicas=(1, 2)), to=isr_only)
    assert new_leader.topics["events"].partitions[0] == PartitionImage(3, 2, (1, 2))


def test_producer_ids_and_features_are_kept() -> None:
    image = applied(FeatureLevelRecord("metadata.version", 25), ProducerIdsRecord(1, 0, 3000))
    assert (image.features, image.next_producer_id) == ({"metadata.version": 25}, 3000)


def test_what_means_nothing_here_is_passed_over() -> None:
    assert applied(NoOpRecord(), UnknownMetadataRecord(27, 0, b"\x00")) == MetadataImage()


@pytest.mark.parametrize(("api_key", "what"), [(11, "SCRAM"), (14, "quota"), (18, "ACL")])
def test_what_kfast_would_not_enforce_is_refused(api_key: int, what: str) -> None:
    with pytest.raises(LogDirectoryError, match=what):
        applied(UnknownMetadataRecord(api_key, 0, b""))


@pytest.mark.parametrize("record", [partition(0), PartitionChangeRecord(0, ID, leader=1), RemoveTopicRecord(ID)])
def test_a_record_about_an_unknown_topic_is_refused(record: MetadataRecord) -> None:
    with pytest.raises(LogDirectoryError, match=str(ID)):
        applied(record)


def test_a_change_of_an_unknown_partition_is_refused() -> None:
    with pytest.raises(LogDirectoryError, match="events-3"):
        applied(TopicRecord("events", ID), PartitionChangeRecord(3, ID, leader=1))
