"""One log directory, taken in turns by kfast and Apache Kafka, stopped or killed: each finds all the other left."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

import kfast
from kfast.cli import main

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
GROUPS = ("readers", "größe-😀", "billing")
DYNAMIC_TOPIC = 1
LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Contents:
    """All that a client can see of a node: what has to be the same when another takes over its directory."""

    cluster_id: str
    topic_ids: dict[str, str]
    partition_counts: dict[str, int]
    configs: dict[str, dict[str, str]]
    ends: dict[tuple[str, int], tuple[int, int]]
    records: dict[tuple[str, int], list[tuple[Any, ...]]]
    committed: dict[tuple[str, str, int], int]


def contents(servers: str) -> Contents:
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    listed = admin.list_topics(timeout=LIMIT_S)
    names = sorted(name for name in listed.topics if not name.startswith("__"))
    described = admin.describe_topics(TopicCollection(names), request_timeout=LIMIT_S)
    counts = {name: len(listed.topics[name].partitions) for name in names}
    places = [(name, partition) for name in names for partition in range(counts[name])]
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": servers,
            "log_level": 0,
            "group.id": "contents",
            "enable.auto.commit": False,
            "isolation.level": "read_uncommitted",
            "check.crcs": True,
        }
    )
    ends = {place: consumer.get_watermark_offsets(TopicPartition(*place), timeout=LIMIT_S) for place in places}
    found = Contents(
        cluster_id=listed.cluster_id,
        topic_ids={name: str(described[name].result(LIMIT_S).topic_id) for name in names},
        partition_counts=counts,
        configs={name: dynamic_configs(admin, name) for name in names},
        ends=ends,
        records={place: read(consumer, place, *ends[place]) for place in places},
        committed=committed(servers, places),
    )
    consumer.close()
    return found


def dynamic_configs(admin: AdminClient, topic: str) -> dict[str, str]:
    (future,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    entries = future.result(LIMIT_S).values()
    return {entry.name: entry.value for entry in entries if entry.source == DYNAMIC_TOPIC}


def read(consumer: Any, place: tuple[str, int], start: int, end: int) -> list[tuple[Any, ...]]:
    """The records of a partition; its last offsets may be those of markers, which no client is shown."""
    consumer.assign([TopicPartition(*place, start)])
    records: list[tuple[Any, ...]] = []
    next_offset = start
    while next_offset < end:
        messages = consumer.consume(end - next_offset, 0.3)
        records += [
            (message.offset(), message.timestamp(), message.key(), message.value(), message.headers())
            for message in messages
            if message.error() is None
        ]
        if not messages and records:
            break
        next_offset = records[-1][0] + 1 if records else start
    return records


def committed(servers: str, places: list[tuple[str, int]]) -> dict[tuple[str, str, int], int]:
    offsets = {}
    for group in GROUPS:
        consumer = confluent_kafka.Consumer({"bootstrap.servers": servers, "log_level": 0, "group.id": group})
        for place in consumer.committed([TopicPartition(*place) for place in places], timeout=LIMIT_S):
            if place.offset >= 0:
                offsets[group, place.topic, place.partition] = place.offset
        consumer.close()
    return offsets


def write(servers: str, round_number: int) -> None:
    """Topics, configurations, records in every codec, commits; something else each round."""
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    topic = f"events.{round_number}-x"
    if round_number == 1:
        only(admin.create_topics([NewTopic("orders", 2, 1)]))
    config = {"retention.ms": "-1", "cleanup.policy": "compact,delete"}
    only(admin.create_topics([NewTopic(topic, 2, 1, config=config)]))
    only(admin.create_topics([NewTopic(f"gone-{round_number}", 1, 1)]))
    only(admin.delete_topics([f"gone-{round_number}"]))
    change = ConfigEntry("max.message.bytes", f"{round_number}000000", incremental_operation=AlterConfigOpType.SET)
    only(admin.incremental_alter_configs([ConfigResource(ResourceType.TOPIC, "orders", incremental_configs=[change])]))
    for codec in CODECS:
        producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": servers,
                "log_level": 0,
                "compression.type": codec,
                "enable.idempotence": codec == "zstd",
                "batch.num.messages": 20,
            }
        )
        for number in range(100):
            producer.produce(
                "orders", b"%d " % number * 20, codec, number % 2, headers=[("round", b"%d" % round_number)]
            )
            producer.produce(topic, b"%d" % number if number % 9 else None, b"key %d" % (number % 7), number % 2)
        assert producer.flush(LIMIT_S) == 0
    for number, group in enumerate(GROUPS):
        consumer = confluent_kafka.Consumer({"bootstrap.servers": servers, "log_level": 0, "group.id": group})
        consumer.commit(offsets=[TopicPartition("orders", number % 2, 10 * round_number + number)], asynchronous=False)
        consumer.close()


def only(futures: dict[Any, Any]) -> None:
    (future,) = futures.values()
    future.result(LIMIT_S)


@contextmanager
def kfast_node(directory: Path, end: str) -> Iterator[str]:
    with kfast.BrokerProcess(directory) as broker:
        yield broker.bootstrap_servers
        if end == "kill":
            os.kill(broker.pid, signal.SIGKILL)


@contextmanager
def kafka_node(start_kafka: Any, directory: Path, end: str) -> Iterator[str]:
    kafka = start_kafka(directory)
    yield kafka.bootstrap_servers
    getattr(kafka, end)()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_each_finds_what_the_other_left(
    start_kafka: Any, start_kafka_by: Any, free_ports: Any, tmp_path: Path, end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kafka starts first by the settings that `kfast graduate` prints, and then by others."""
    directory, properties = tmp_path / "data", tmp_path / "server.properties"
    with kfast_node(directory, end) as servers:
        write(servers, 1)
        left = contents(servers)
    assert len(left.committed) == len(GROUPS)
    assert left.configs["orders"] == {"max.message.bytes": "1000000"}
    port, controller_port = free_ports(2)
    graduate = ["graduate", str(directory), "--listen", f"127.0.0.1:{port}"]
    graduate += ["--controller-listen", f"127.0.0.1:{controller_port}", "--config", "num.partitions=3"]
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    assert main(graduate) == 0
    assert {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()} == before
    properties.write_text(capsys.readouterr().out)
    kafka = start_kafka_by(directory, f"127.0.0.1:{port}", properties)
    assert contents(kafka.bootstrap_servers) == left
    write(kafka.bootstrap_servers, 2)
    commit_a_transaction(kafka.bootstrap_servers)
    left = contents(kafka.bootstrap_servers)
    getattr(kafka, end)()
    assert set(left.topic_ids) == {"orders", "events.1-x", "events.2-x"}
    with kfast_node(directory, end) as servers:
        assert contents(servers) == left
        write(servers, 3)
        left = contents(servers)
    assert main(graduate) == 0
    with kafka_node(start_kafka, directory, end) as servers:
        assert contents(servers) == left
    assert left.ends["orders", 0] == (0, 3 * 50 * len(CODECS) + 11)


def commit_a_transaction(servers: str) -> None:
    producer = confluent_kafka.Producer({"bootstrap.servers": servers, "log_level": 0, "transactional.id": "one"})
    producer.init_transactions(LIMIT_S)
    producer.begin_transaction()
    for _ in range(10):
        producer.produce("orders", b"in a transaction", partition=0)
    producer.commit_transaction(LIMIT_S)
