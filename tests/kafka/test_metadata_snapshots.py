"""Apache Kafka boots on a metadata log that kfast cut down to a snapshot, and kfast on one that Kafka did."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic, ResourceType

import kfast
from kfast.broker.metadata_replay import replay
from kfast.broker.metadata_snapshots import SnapshotId, snapshot_ids
from kfast.record.metadata_records import BROKER_RESOURCE, TOPIC_RESOURCE

LIMIT_S = 60.0
SMALL = {"metadata.log.max.record.bytes.between.snapshots": "3000"}
DYNAMIC_TOPIC = 1


def write_by_kfast(directory: Path, round_number: int) -> dict[str, Any]:
    """Changes enough for several snapshots; returns what there is then."""
    with kfast.Broker(directory, config=SMALL) as broker:
        broker.metadata.create_topic(f"kfast-{round_number}", 3, {"cleanup.policy": "compact"})
        broker.metadata.create_topic("gone", 2, {"retention.ms": "1"})
        broker.metadata.delete_topic("gone")
        broker.metadata.alter_configs(BROKER_RESOURCE, "", {"log.retention.ms": "123456789"})
        for number in range(60):
            broker.metadata.alter_configs(TOPIC_RESOURCE, f"kfast-{round_number}", {"retention.ms": str(number)})
        broker.metadata.next_producer_id()
        return state_of(directory)


def state_of(directory: Path) -> dict[str, Any]:
    image = replay(directory / "__cluster_metadata-0").image
    return {
        name: (topic.topic_id, len(topic.partitions), dict(image.configs.get((TOPIC_RESOURCE, name), {})))
        for name, topic in image.topics.items()
        if not name.startswith("__")
    }


def state_by_admin(servers: str) -> dict[str, Any]:
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    listed = admin.list_topics(timeout=LIMIT_S).topics
    found = {}
    for name, topic in listed.items():
        (future,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name)]).values()
        entries = future.result(LIMIT_S).values()
        configs = {entry.name: entry.value for entry in entries if entry.source == DYNAMIC_TOPIC}
        found[name] = (len(topic.partitions), configs)
    return found


def wait_for_a_snapshot_after(snapshot: SnapshotId, metadata: Path, admin: Any) -> None:
    """Kafka takes them in a thread of their own."""
    limit = time.monotonic() + LIMIT_S
    while max(snapshot_ids(metadata)) <= snapshot:
        assert time.monotonic() < limit, "Kafka has taken no snapshot"
        admin.poll(0.05)


def without_ids(state: dict[str, Any]) -> dict[str, Any]:
    return {name: (count, configs) for name, (_, count, configs) in state.items()}


@pytest.mark.parametrize("quorum", ["voters", "bootstrap"])
def test_each_goes_on_from_the_others_snapshot(start_kafka: Any, tmp_path: Path, quorum: str) -> None:
    directory = tmp_path / "data"
    metadata = directory / "__cluster_metadata-0"
    left = write_by_kfast(directory, 1)
    (snapshot,) = snapshot_ids(metadata)
    assert [path.name for path in metadata.glob("*.log")] == [f"{snapshot.end_offset:020d}.log"]
    settings = {"metadata_log_max_record_bytes_between_snapshots": "1"}
    if quorum == "bootstrap":
        settings |= {"controller_quorum_voters": "", "controller_quorum_bootstrap_servers": "127.0.0.1:9093"}
    kafka = start_kafka(directory, **settings)
    assert state_by_admin(kafka.bootstrap_servers) == without_ids(left)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    for futures in (
        admin.create_topics([NewTopic("kafkas", 2, 1, config={"retention.ms": "-1"})]),
        admin.create_partitions([NewPartitions("kfast-1", 5)]),
    ):
        for future in futures.values():
            future.result(LIMIT_S)
    wait_for_a_snapshot_after(snapshot, metadata, admin)
    kafka.stop()
    after_kafka = state_of(directory)
    assert after_kafka["kafkas"][1:] == (2, {"retention.ms": "-1"})
    assert after_kafka["kfast-1"] == (left["kfast-1"][0], 5, left["kfast-1"][2])
    left = write_by_kfast(directory, 2)
    assert left.items() > after_kafka.items()
    assert replay(metadata).quorum.is_dynamic
    kafka = start_kafka(directory, **settings)
    assert state_by_admin(kafka.bootstrap_servers) == without_ids(left)
    kafka.stop()
