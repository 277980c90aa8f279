"""CreateTopics and DeleteTopics, against what Apache Kafka 4.1 answers to the same requests."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

import pytest

from kfast.broker.broker import Broker
from kfast.wire.api_versions import API_VERSIONS, ApiKey

SOON = datetime.timedelta(seconds=5)


def topic(name: str, count: int = 1, replication_factor: int = 1, assignments: Any = (), configs: Any = ()) -> Any:
    return {
        "name": name,
        "num_partitions": count,
        "replication_factor": replication_factor,
        "assignments": [{"partition_index": number, "broker_ids": ids} for number, ids in assignments],
        "configs": [{"name": key, "value": value} for key, value in configs],
    }


def create(client: Any, *topics: Any, version: int | None = None, validate_only: bool = False) -> dict[str, Any]:
    response = client.ask(ApiKey.CREATE_TOPICS, version, topics=topics, timeout=SOON, validate_only=validate_only)
    return {result.name: result for result in response.topics}


def delete(client: Any, *topics: dict[str, Any], version: int | None = None) -> list[Any]:
    return list(client.ask(ApiKey.DELETE_TOPICS, version, topics=topics, timeout=SOON).responses)


@pytest.mark.parametrize("version", range(API_VERSIONS[ApiKey.CREATE_TOPICS].min, 8))
def test_a_topic_is_there_when_the_answer_is(broker: Broker, client: Any, version: int) -> None:
    result = create(client, topic("events", 3, configs=[("retention.ms", "5")]), version=version)["events"]
    assert (result.error_code, result.error_message) == (0, None)
    assert len(broker.metadata.topics["events"].partitions) == 3
    log = broker.logs.get("events", 2)
    assert log is not None
    assert log.config.retention_ms == 5
    if version >= 7:
        assert result.topic_id == broker.metadata.topics["events"].topic_id
    if version >= 5:
        assert (result.num_partitions, result.replication_factor) == (3, 1)
        assert len(result.configs) == 33
        assert {(config.name, config.value, config.config_source) for config in result.configs} >= {
            ("retention.ms", "5", 1),
            ("cleanup.policy", "delete", 5),
        }


def test_minus_one_is_the_brokers_default(connect: Any) -> None:
    with Broker(config={"num.partitions": "4"}) as broker:
        other = connect(broker.port)
        assert create(other, topic("events", -1, -1))["events"].num_partitions == 4


def test_validate_only_creates_nothing(broker: Broker, client: Any) -> None:
    result = create(client, topic("events", 2), validate_only=True)["events"]
    assert (result.error_code, result.num_partitions) == (0, 2)
    assert "events" not in broker.metadata.topics


def test_assignments_to_this_node_say_how_many_partitions(broker: Broker, client: Any) -> None:
    assert create(client, topic("events", -1, -1, [(1, (1,)), (0, (1,))]))["events"].error_code == 0
    assert list(broker.metadata.topics["events"].partitions) == [0, 1]


@pytest.mark.parametrize(
    ("refused", "error_code", "message"),
    [
        (topic("bad name"), 17, "Topic name is invalid"),
        (topic(""), 17, "the empty string is not allowed"),
        (topic("x", 0), 37, "Number of partitions was set to an invalid non-positive value."),
        (topic("x", -2), 37, "Number of partitions was set to an invalid non-positive value."),
        (topic("x", 1, 2), 38, "replication factor of 2 cannot be reached because only 1 broker(s)"),
        (topic("x", 1, 0), 38, "Replication factor must be larger than 0, or -1"),
        (topic("x", 1, 1, [(0, (1,))]), 42, "replication factor was not set to -1"),
        (topic("x", 1, -1, [(0, (1,))]), 42, "numPartitions was not set to -1"),
        (topic("x", -1, -1, [(1, (1,))]), 39, "consecutive 0-based integer sequence"),
        (topic("x", -1, -1, [(0, (2,))]), 39, "includes broker 2, but no such broker is registered"),
        (topic("x", -1, -1, [(0, (1, 1))]), 39, "includes the broker 1 more than once"),
        (topic("x", -1, -1, [(0, ())]), 39, "empty replica list"),
        (topic("x", -1, -1, [(0, (1,)), (0, (1,))]), 39, "multiple manual partition assignments"),
        (topic("x", configs=[("retention.ms", "a")]), 40, "Invalid value a for configuration retention.ms"),
        (topic("x", configs=[("nosuch", "a")]), 40, "Unknown topic config name: nosuch"),
        (topic("x", configs=[("retention.ms", None)]), 40, "Null value not supported for topic configs: retention.ms"),
        (topic("__cluster_metadata"), 42, "Creation of internal topic __cluster_metadata is prohibited."),
    ],
)
def test_what_apache_kafka_refuses_is_refused_alike(
    broker: Broker, client: Any, refused: Any, error_code: int, message: str
) -> None:
    results = create(client, refused, topic("good"))
    assert results[refused["name"]].error_code == error_code
    assert message in results[refused["name"]].error_message
    assert results["good"].error_code == 0
    assert list(broker.metadata.topics) == ["good"]


def test_a_request_for_too_many_partitions_is_refused_whole(broker: Broker, client: Any) -> None:
    """Kafka 4.1 counts all topics of a request together, and refuses them all."""
    results = create(client, topic("a", 5000), topic("b", 5000), topic("c", -7), topic("d", -1))
    assert {result.error_code for result in results.values()} == {44}
    assert "10001, 10000 are allowed" in results["a"].error_message
    assert not broker.metadata.topics


def test_a_name_twice_in_one_request_is_created_not_at_all(broker: Broker, client: Any) -> None:
    results = create(client, topic("a"), topic("a"), topic("b"))
    assert (results["a"].error_code, results["a"].error_message) == (42, "Duplicate topic name.")
    assert list(broker.metadata.topics) == ["b"]


def test_existing_and_colliding_names_are_refused(client: Any) -> None:
    create(client, topic("a.b"))
    again = create(client, topic("a.b"), topic("a_b"))
    assert (again["a.b"].error_code, again["a.b"].error_message) == (36, "Topic 'a.b' already exists.")
    assert (again["a_b"].error_code, again["a_b"].error_message) == (
        17,
        "Topic 'a_b' collides with existing topic: a.b",
    )


@pytest.mark.parametrize("version", range(API_VERSIONS[ApiKey.DELETE_TOPICS].min, 7))
def test_a_deleted_topic_is_gone_when_the_answer_is_there(broker: Broker, client: Any, version: int) -> None:
    create(client, topic("events", 2))
    (result,) = delete(client, {"name": "events"}, version=version)
    assert (result.name, result.error_code) == ("events", 0)
    assert "events" not in broker.metadata.topics
    assert broker.logs.get("events", 0) is None
    assert not (broker.data_dir / "events-0").exists()


def test_a_topic_is_deleted_by_its_id(broker: Broker, client: Any) -> None:
    topic_id = create(client, topic("events"))["events"].topic_id
    (result,) = delete(client, {"name": None, "topic_id": topic_id})
    assert (result.name, result.topic_id, result.error_code) == ("events", topic_id, 0)
    assert not broker.metadata.topics


def test_what_cannot_be_deleted_is_answered_as_kafka_does(broker: Broker, client: Any) -> None:
    create(client, topic("events"), topic("__consumer_offsets"))
    results = delete(
        client,
        {"name": "nope"},
        {"name": None, "topic_id": uuid.UUID(int=99)},
        {"name": "events", "topic_id": uuid.UUID(int=99)},
        {"name": None, "topic_id": None},
        {"name": "twice"},
        {"name": "twice"},
        {"name": "__consumer_offsets"},
    )
    assert [(result.error_code, result.error_message) for result in results[:5]] == [
        (3, "This server does not host this topic-partition."),
        (100, "This server does not host this topic ID."),
        (42, "You may not specify both topic name and topic id."),
        (42, "Neither topic name nor id were specified."),
        (42, "Duplicate topic name."),
    ]
    assert results[5].error_code == 42
    assert set(broker.metadata.topics) == {"events", "__consumer_offsets"}


def test_deletion_can_be_switched_off(connect: Any) -> None:
    with Broker(config={"delete.topic.enable": "false"}) as broker:
        other = connect(broker.port)
        create(other, topic("events"))
        assert delete(other, {"name": "events"})[0].error_code == 73
        assert "events" in broker.metadata.topics
