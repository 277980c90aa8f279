"""Metadata and DescribeCluster, in every version, against what Apache Kafka 4.1 answers."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from kfast.broker.broker import Broker
from kfast.wire.api_versions import API_VERSIONS, ApiKey

NOT_ASKED = -(2**31)
VERSIONS = range(API_VERSIONS[ApiKey.METADATA].max + 1)


def named(*names: str) -> list[dict[str, Any]]:
    return [{"name": name} for name in names]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_topic_comes_with_leader_replicas_and_id(broker: Broker, client: Any, version: int) -> None:
    created = broker.metadata.create_topic("events", 2)
    response = client.ask(ApiKey.METADATA, version, topics=named("events"))
    assert [(node.node_id, node.host, node.port) for node in response.brokers] == [(1, "127.0.0.1", broker.port)]
    (topic,) = response.topics
    assert (topic.error_code, topic.name, topic.is_internal) == (0, "events", False)
    assert [
        (
            partition.error_code,
            partition.partition_index,
            partition.leader_id,
            partition.replica_nodes,
            partition.isr_nodes,
        )
        for partition in topic.partitions
    ] == [(0, 0, 1, (1,), (1,)), (0, 1, 1, (1,), (1,))]
    if version >= 1:
        assert response.controller_id == 1
    if version >= 2:
        assert response.cluster_id == broker.cluster_id
    if version >= 7:
        assert topic.partitions[0].leader_epoch == 0
    if version >= 8:
        assert topic.topic_authorized_operations == NOT_ASKED
    if version >= 10:
        assert topic.topic_id == created.topic_id


@pytest.mark.parametrize("version", VERSIONS)
def test_all_topics_are_asked_for_by_null_and_in_version_0_by_none(broker: Broker, client: Any, version: int) -> None:
    broker.metadata.create_topic("a", 1)
    broker.metadata.create_topic("b", 1)
    everything = client.ask(ApiKey.METADATA, version, topics=() if version == 0 else None)
    assert [topic.name for topic in everything.topics] == ["a", "b"]
    if version > 0:
        assert client.ask(ApiKey.METADATA, version, topics=()).topics == ()


def test_an_unknown_topic_is_created_and_in_the_same_answer(broker: Broker, client: Any) -> None:
    (topic,) = client.ask(ApiKey.METADATA, topics=named("fresh"), allow_auto_topic_creation=True).topics
    assert (topic.error_code, len(topic.partitions)) == (0, 1)
    assert topic.topic_id == broker.metadata.topics["fresh"].topic_id
    assert broker.logs.get("fresh", 0) is not None


def test_an_old_client_creates_without_saying_so(broker: Broker, client: Any) -> None:
    assert client.ask(ApiKey.METADATA, 1, topics=named("fresh")).topics[0].error_code == 0
    assert "fresh" in broker.metadata.topics


def test_nothing_is_created_unless_client_and_broker_agree(broker: Broker, client: Any, connect: Any) -> None:
    (topic,) = client.ask(ApiKey.METADATA, topics=named("fresh"), allow_auto_topic_creation=False).topics
    assert (topic.error_code, topic.name, topic.partitions) == (3, "fresh", ())
    with Broker(config={"auto.create.topics.enable": "false"}) as strict:
        other = connect(strict.port)
        assert other.ask(ApiKey.METADATA, topics=named("fresh")).topics[0].error_code == 3
    assert not broker.metadata.topics


def test_more_topics_than_one_request_may_create_are_not_created(broker: Broker, client: Any) -> None:
    """Each costs an fsync and three files, and nobody means a request for 10,001 of them."""
    names = [{"name": f"t{number}"} for number in range(10_001)]
    answer = client.ask(ApiKey.METADATA, topics=names, allow_auto_topic_creation=True)
    assert {topic.error_code for topic in answer.topics} == {3}
    assert not broker.metadata.topics


def test_names_that_cannot_be_are_refused_and_reserved_ones_not_made(broker: Broker, client: Any) -> None:
    broker.metadata.create_topic("a.b", 1)
    names = ["bad name", "", "__consumer_offsets", "__cluster_metadata", "a_b"]
    topics = client.ask(ApiKey.METADATA, topics=named(*names)).topics
    assert [(topic.error_code, topic.is_internal) for topic in topics] == [
        (17, False),
        (17, False),
        (3, True),
        (3, False),
        (17, False),
    ]
    assert list(broker.metadata.topics) == ["a.b"]


def test_a_topic_asked_for_twice_is_answered_once(broker: Broker, client: Any) -> None:
    assert [topic.name for topic in client.ask(ApiKey.METADATA, topics=named("a", "b", "a")).topics] == ["a", "b"]


def test_topics_are_found_by_id(broker: Broker, client: Any) -> None:
    created = broker.metadata.create_topic("events", 1)
    ids = [{"name": None, "topic_id": created.topic_id}, {"name": None, "topic_id": uuid.UUID(int=99)}]
    found, unknown = client.ask(ApiKey.METADATA, topics=ids).topics
    assert (found.name, found.error_code) == ("events", 0)
    assert (unknown.name, unknown.topic_id, unknown.error_code) == (None, uuid.UUID(int=99), 100)


def test_internal_topics_are_marked(broker: Broker, client: Any) -> None:
    broker.metadata.create_topic("__consumer_offsets", 1)
    assert client.ask(ApiKey.METADATA, topics=None).topics[0].is_internal


def test_operations_are_listed_for_who_asks(broker: Broker, client: Any) -> None:
    broker.metadata.create_topic("events", 1)
    response = client.ask(ApiKey.METADATA, topics=None, include_topic_authorized_operations=True)
    assert response.topics[0].topic_authorized_operations == 3576


def test_clients_are_sent_where_advertised_listeners_says(connect: Any) -> None:
    with Broker(config={"advertised.listeners": "PLAINTEXT://[::1]:4711"}) as broker:
        other = connect(broker.port)
        node = other.ask(ApiKey.METADATA, topics=()).brokers[0]
        assert (node.host, node.port) == ("::1", 4711)


@pytest.mark.parametrize("version", [0, 1])
def test_the_cluster_is_this_node(broker: Broker, client: Any, version: int) -> None:
    response = client.ask(ApiKey.DESCRIBE_CLUSTER, version, include_cluster_authorized_operations=True)
    assert (response.error_code, response.cluster_id, response.controller_id) == (0, broker.cluster_id, 1)
    assert [(node.broker_id, node.host, node.port) for node in response.brokers] == [(1, "127.0.0.1", broker.port)]
    assert response.cluster_authorized_operations == 8096


@pytest.mark.parametrize(("endpoint_type", "error_code"), [(2, 114), (7, 115)])
def test_there_are_no_other_endpoints(client: Any, endpoint_type: int, error_code: int) -> None:
    assert client.ask(ApiKey.DESCRIBE_CLUSTER, endpoint_type=endpoint_type).error_code == error_code
