"""Apache Kafka boots on a directory kfast wrote and finds the same in it; then kfast opens what Kafka left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from kfast.broker.broker import Broker
from kfast.lab.apache_kafka import free_ports
from kfast.record.metadata_records import TOPIC_RESOURCE
from kfast.wire.api_versions import ApiKey

pytestmark = pytest.mark.kafka

TIMEOUT_S = 60
DYNAMIC_TOPIC = 1

# The six lines without which Kafka does not start.
SERVER_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
log.dirs={directory}
"""


@contextmanager
def kafka(start_kafka_by: Any, directory: Path) -> Iterator[str]:
    """Apache Kafka over `directory`; yields its address, and stops it cleanly."""
    port, controller_port = free_ports(2)
    properties = directory.with_name("server.properties")
    properties.write_text(
        SERVER_PROPERTIES.format(port=port, controller_port=controller_port, directory=directory.resolve())
    )
    node = start_kafka_by(directory, f"127.0.0.1:{port}", properties)
    yield node.bootstrap_servers
    node.stop()


def test_kafka_finds_what_kfast_wrote_and_kfast_what_kafka_wrote(start_kafka_by: Any, tmp_path: Path, connect) -> None:
    directory = tmp_path / "data"
    with Broker(directory) as broker:
        broker.metadata.create_topic("events", 3, {"retention.ms": "-1", "cleanup.policy": "delete,compact"})
        broker.metadata.create_topic("a.b-c", 1)
        broker.metadata.create_topic("gone", 1, {"retention.ms": "1"})
        broker.metadata.delete_topic("gone")
        producer_id = broker.metadata.next_producer_id()
        produce(broker.bootstrap_servers, "a.b-c", [b"from", b"kfast"])
        topics = {topic.name: topic.topic_id for topic in broker.metadata.topics.values()}
        cluster_id = broker.cluster_id

    with kafka(start_kafka_by, directory) as servers:
        admin = AdminClient({"bootstrap.servers": servers})
        listed = admin.list_topics(timeout=TIMEOUT_S)
        assert listed.cluster_id == cluster_id
        assert {name: len(topic.partitions) for name, topic in listed.topics.items()} == {"events": 3, "a.b-c": 1}
        described = connect(int(servers.rpartition(":")[2])).ask(ApiKey.METADATA, 12, topics=None).topics
        assert {topic.name: topic.topic_id for topic in described} == topics
        assert dynamic_configs(admin, "events") == {"retention.ms": "-1", "cleanup.policy": "delete,compact"}
        assert dynamic_configs(admin, "a.b-c") == {}
        assert consume(servers, "a.b-c", 2) == [b"from", b"kfast"]
        produce(servers, "a.b-c", [b"from", b"Kafka"], **{"enable.idempotence": True})

    with Broker(directory) as broker:
        assert {name: broker.metadata.topics[name].topic_id for name in topics} == topics
        assert set(broker.metadata.topics) <= {*topics, "__consumer_offsets"}  # made when a consumer asked for it
        assert broker.metadata.configs(TOPIC_RESOURCE, "events")["retention.ms"] == "-1"
        assert broker.metadata.next_producer_id() > producer_id
        assert consume(broker.bootstrap_servers, "a.b-c", 4) == [b"from", b"kfast", b"from", b"Kafka"]


def test_groups_and_their_offsets_go_both_ways(start_kafka_by: Any, tmp_path: Path) -> None:
    """A group that was emptied, one with a static member still in it, one that only an administrator committed for."""
    directory = tmp_path / "data"
    with Broker(directory, config={"num.partitions": "1"}) as broker:
        servers = broker.bootstrap_servers
        produce(servers, "events", [b"1", b"2", b"3"])
        assert subscribe(servers, "emptied", 3) == [b"1", b"2", b"3"]
        assert subscribe(servers, "static", 3, **{"group.instance.id": "one"}) == [b"1", b"2", b"3"]
        admin_place = ConsumerGroupTopicPartitions("by-admin", [TopicPartition("events", 0, 2, "why")])
        admin = AdminClient({"bootstrap.servers": servers})
        (future,) = admin.alter_consumer_group_offsets([admin_place]).values()
        future.result(TIMEOUT_S)
        assert committed(servers) == {"emptied": (3, None), "static": (3, None), "by-admin": (2, "why")}

    with kafka(start_kafka_by, directory) as servers:
        produce(servers, "events", [b"4"])
        assert subscribe(servers, "emptied", 1) == [b"4"]
        assert subscribe(servers, "static", 1, **{"group.instance.id": "one"}) == [b"4"]
        assert committed(servers) == {"emptied": (4, None), "static": (4, None), "by-admin": (2, "why")}

    with Broker(directory) as broker:
        servers = broker.bootstrap_servers
        assert committed(servers) == {"emptied": (4, None), "static": (4, None), "by-admin": (2, "why")}
        produce(servers, "events", [b"5"])
        assert subscribe(servers, "static", 1, **{"group.instance.id": "one"}) == [b"5"]


def subscribe(servers: str, group: str, count: int, **settings: object) -> list[bytes | None]:
    """Consume `count` records of topic events as a member of `group`, and commit them."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **settings,
        }
    )
    consumer.subscribe(["events"])
    try:
        values = [message.value() for message in consumer.consume(count, timeout=TIMEOUT_S)]
        consumer.commit(asynchronous=False)
        return values
    finally:
        consumer.close()


def committed(servers: str) -> dict[str, tuple[int, str | None]]:
    """Offset and metadata of partition 0 of topic events, by group."""
    admin = AdminClient({"bootstrap.servers": servers})
    places = {}
    for group in ("emptied", "static", "by-admin"):
        (future,) = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]).values()
        (place,) = future.result(TIMEOUT_S).topic_partitions
        places[group] = (place.offset, place.metadata)
    return places


def produce(servers: str, topic: str, values: list[bytes], **settings: object) -> None:
    producer = Producer({"bootstrap.servers": servers, **settings})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(TIMEOUT_S) == 0


def consume(servers: str, topic: str, count: int) -> list[bytes | None]:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "reader", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    try:
        return [message.value() for message in consumer.consume(count, timeout=TIMEOUT_S)]
    finally:
        consumer.close()


def dynamic_configs(admin: AdminClient, topic: str) -> dict[str, str]:
    (future,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    entries = future.result(TIMEOUT_S).values()
    return {entry.name: entry.value for entry in entries if entry.source == DYNAMIC_TOPIC}
