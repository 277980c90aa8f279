"""The administration clients that people use, against a broker: topics, configurations, offsets, the cluster."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from kfast.broker.broker import Broker

TIMEOUT_S = 30


def only(futures: dict[Any, Future[Any]]) -> Any:
    (future,) = futures.values()
    return future.result(TIMEOUT_S)


def error_of(futures: dict[Any, Future[Any]]) -> int:
    with pytest.raises(KafkaException) as error:
        only(futures)
    code: int = error.value.args[0].code()
    return code


@pytest.fixture
def admin(broker: Broker) -> AdminClient:
    return AdminClient({"bootstrap.servers": broker.bootstrap_servers})


def test_confluent_creates_lists_and_deletes_topics(broker: Broker, admin: AdminClient) -> None:
    only(admin.create_topics([NewTopic("events", 3, 1, config={"retention.ms": "5"})]))
    listed = admin.list_topics(timeout=TIMEOUT_S)
    assert (listed.cluster_id, listed.controller_id) == (broker.cluster_id, 1)
    assert {name: len(topic.partitions) for name, topic in listed.topics.items()} == {"events": 3}
    assert error_of(admin.create_topics([NewTopic("events", 1, 1)])) == KafkaError.TOPIC_ALREADY_EXISTS
    assert error_of(admin.create_topics([NewTopic("other", 1, 3)])) == KafkaError.INVALID_REPLICATION_FACTOR
    only(admin.delete_topics(["events"]))
    assert not broker.metadata.topics
    assert error_of(admin.delete_topics(["events"])) == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_confluent_switches_the_copy_mode(broker: Broker, admin: AdminClient) -> None:
    change = ConfigEntry("kfast.copy.mode", "read_send", incremental_operation=AlterConfigOpType.SET)
    only(admin.incremental_alter_configs([ConfigResource(ResourceType.BROKER, "1", incremental_configs=[change])]))
    assert broker.copy_mode == "read_send"
    described = only(admin.describe_configs([ConfigResource(ResourceType.BROKER, "1")]))
    assert described["kfast.copy.mode"].value == "read_send"


def test_confluent_finds_offsets_of_an_idempotent_producers_records(broker: Broker, admin: AdminClient) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "enable.idempotence": True})
    for number in range(5):
        producer.produce("fresh", b"value", timestamp=1000 + number)
    assert producer.flush(TIMEOUT_S) == 0
    specs = [OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.max_timestamp(), OffsetSpec.for_timestamp(1002)]
    found = [only(admin.list_offsets({TopicPartition("fresh", 0): spec})).offset for spec in specs]
    assert found == [0, 5, 4, 2]


def produce(broker: Broker, topic: str, count: int) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for _ in range(count):
        producer.produce(topic, b"value")
    assert producer.flush(TIMEOUT_S) == 0


def test_confluent_deletes_records(broker: Broker, admin: AdminClient) -> None:
    produce(broker, "events", 5)
    assert only(admin.delete_records([TopicPartition("events", 0, 3)])).low_watermark == 3
    assert error_of(admin.delete_records([TopicPartition("events", 0, 6)])) == KafkaError.OFFSET_OUT_OF_RANGE
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": "all", "auto.offset.reset": "earliest"}
    )
    try:
        consumer.assign([TopicPartition("events", 0, 1)])  # which is gone: it goes on from the start
        assert [message.offset() for message in consumer.consume(2, TIMEOUT_S)] == [3, 4]
    finally:
        consumer.close()
    assert only(admin.delete_records([TopicPartition("events", 0, OFFSET_END)])).low_watermark == 5


def test_kafka_python_deletes_records(broker: Broker) -> None:
    from kafka import KafkaAdminClient
    from kafka import TopicPartition as KafkaPythonPartition
    from kafka.errors import OffsetOutOfRangeError

    produce(broker, "events", 5)
    place = KafkaPythonPartition("events", 0)
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    try:
        assert admin.delete_records({place: 3})[place]["low_watermark"] == 3
        with pytest.raises(OffsetOutOfRangeError):
            admin.delete_records({place: 6})
        assert admin.delete_records({place: -1})[place]["low_watermark"] == 5
    finally:
        admin.close()


def test_aiokafka_deletes_records(broker: Broker) -> None:
    from aiokafka import TopicPartition as AiokafkaPartition
    from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

    produce(broker, "events", 5)

    async def administer() -> dict[Any, int]:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
        await admin.start()
        try:
            low_watermarks: dict[Any, int] = await admin.delete_records(
                {AiokafkaPartition("events", 0): RecordsToDelete(before_offset=3)}
            )
            return low_watermarks
        finally:
            await admin.close()

    assert list(asyncio.run(administer()).values()) == [3]


def test_confluent_takes_the_refusal_of_transactions_as_final(broker: Broker) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "transactional.id": "transfers"})
    with pytest.raises(KafkaException) as error:
        producer.init_transactions(TIMEOUT_S)
    assert error.value.args[0].fatal()


def test_kafka_python_administers(broker: Broker) -> None:
    from kafka import KafkaAdminClient
    from kafka.admin import ConfigResource, ConfigResourceType
    from kafka.admin import NewTopic as KafkaPythonTopic

    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    try:
        admin.create_topics([KafkaPythonTopic("events", 2, 1, topic_configs={"retention.ms": "5"})])
        assert admin.list_topics() == ["events"]
        assert len(admin.describe_topics(["events"])[0]["partitions"]) == 2
        configs = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, "events")], config_filter="all")
        assert len(configs["topic"]["events"]) == 33
        assert admin.describe_cluster()["cluster_id"] == broker.cluster_id
        admin.delete_topics(["events"])
        assert not broker.metadata.topics
    finally:
        admin.close()


def test_aiokafka_administers(broker: Broker) -> None:
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.admin import NewTopic as AiokafkaTopic

    async def administer() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
        await admin.start()
        try:
            await admin.create_topics([AiokafkaTopic("events", 2, 1)])
            assert await admin.list_topics() == ["events"]
            assert (await admin.describe_cluster())["cluster_id"] == broker.cluster_id
            await admin.delete_topics(["events"])
        finally:
            await admin.close()

    asyncio.run(administer())
    assert not broker.metadata.topics
