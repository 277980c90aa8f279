"""Configurations and topics as changed from outside, and what of them a restart of the process leaves."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource as KafkaPythonResource
from kafka.admin import ConfigResourceType

from kfast.record.record import Record

LIMIT_S = 20
INVALID_CONFIG = 40
UNKNOWN_TOPIC = 3
NODE_ID = "1"


def only(futures: dict[Any, Future[Any]]) -> Any:
    (future,) = futures.values()
    return future.result(LIMIT_S)


def admin(serving: Any) -> AdminClient:
    return AdminClient({"bootstrap.servers": serving.bootstrap_servers})


def alter(client: AdminClient, kind: ResourceType, name: str, key: str, value: str) -> None:
    change = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
    only(client.incremental_alter_configs([ConfigResource(kind, name, incremental_configs=[change])]))


def described(client: AdminClient, kind: ResourceType, name: str) -> dict[str, str]:
    entries = only(client.describe_configs([ConfigResource(kind, name)]))
    return {key: entry.value for key, entry in entries.items()}


@pytest.fixture(scope="module")
def shared_admin(served: Any) -> AdminClient:
    return admin(served)


@pytest.fixture
def kafka_python(served: Any) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=served.bootstrap_servers)
    yield client
    client.close()


def test_what_was_configured_survives_a_restart_but_for_kfasts_own_keys(serve: Any, tmp_path: Path) -> None:
    serving = serve(tmp_path / "data", "--copy-mode", "mmap_send")
    client = admin(serving)
    only(client.create_topics([NewTopic("orders", 2, config={"retention.ms": "1234567"})]))
    alter(client, ResourceType.TOPIC, "orders", "max.message.bytes", "5000")
    alter(client, ResourceType.BROKER, NODE_ID, "log.segment.bytes", "2000000")
    alter(client, ResourceType.BROKER, NODE_ID, "kfast.copy.mode", "splice")
    assert described(client, ResourceType.BROKER, NODE_ID)["kfast.copy.mode"] == "splice"
    serving.stop()
    client = admin(serve(tmp_path / "data"))
    assert len(client.list_topics("orders", timeout=LIMIT_S).topics["orders"].partitions) == 2
    topic = described(client, ResourceType.TOPIC, "orders")
    assert (topic["retention.ms"], topic["max.message.bytes"], topic["segment.bytes"]) == ("1234567", "5000", "2000000")
    assert described(client, ResourceType.BROKER, NODE_ID)["kfast.copy.mode"] == "sendfile"


def test_kafka_python_switches_the_copy_mode(shared_admin: AdminClient, kafka_python: KafkaAdminClient) -> None:
    for copy_mode in ("read_send", "sendfile"):
        resource = KafkaPythonResource(ConfigResourceType.BROKER, NODE_ID, configs={"kfast.copy.mode": copy_mode})
        kafka_python.alter_configs([resource])
        assert described(shared_admin, ResourceType.BROKER, NODE_ID)["kfast.copy.mode"] == copy_mode


@pytest.mark.parametrize(("key", "value"), [("kfast.copy.mode", "teleport"), ("log.segment.bytes", "-1"), ("no", "1")])
def test_a_bad_setting_is_refused_and_changes_nothing(shared_admin: AdminClient, key: str, value: str) -> None:
    client = shared_admin
    before = described(client, ResourceType.BROKER, NODE_ID)
    with pytest.raises(KafkaException) as refused:
        alter(client, ResourceType.BROKER, NODE_ID, key, value)
    assert refused.value.args[0].code() == INVALID_CONFIG
    assert described(client, ResourceType.BROKER, NODE_ID) == before


def test_a_limit_holds_from_the_next_batch_on(client: Any, shared_admin: AdminClient, topic: str) -> None:
    client.produce(topic, [Record(0, 1, None, bytes(2000))])
    alter(shared_admin, ResourceType.TOPIC, topic, "max.message.bytes", "1000")
    with pytest.raises(Exception, match="10"):  # MESSAGE_TOO_LARGE
        client.produce(topic, [Record(0, 1, None, bytes(2000))])
    assert client.range(topic) == (0, 1)


def test_log_append_time_is_what_consumers_see(
    clients: Any, shared_admin: AdminClient, client: Any, topic: str
) -> None:
    only(shared_admin.create_topics([NewTopic(topic, 1, config={"message.timestamp.type": "LogAppendTime"})]))
    for codec in ("none", "zstd"):
        clients["confluent-kafka"].produce(topic, [Record(0, 1000, None, b"x")] * 3, codec=codec)
    times = [record.timestamp_ms for record in client.consume(topic)]
    assert len(times) == 6
    assert len(set(times[:3])) == len(set(times[3:])) == 1
    assert times == sorted(times)
    assert times[0] > 1_700_000_000_000


def test_a_deleted_topic_is_gone_and_its_name_free(shared_admin: AdminClient, client: Any, topic: str) -> None:
    client.produce(topic, [Record(0, 1, None, b"old")] * 5)
    only(shared_admin.delete_topics([topic]))
    with pytest.raises(KafkaException) as refused:
        only(shared_admin.delete_topics([topic]))
    assert refused.value.args[0].code() == UNKNOWN_TOPIC
    only(shared_admin.create_topics([NewTopic(topic, 1)]))
    client.produce(topic, [Record(0, 1, None, b"new")])
    assert client.consume(topic) == [Record(0, 1, None, b"new")]
