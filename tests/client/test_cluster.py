from __future__ import annotations

import socket

import pytest

from kfast import Broker
from kfast.client.cluster import (
    EARLIEST_TIMESTAMP,
    LATEST_TIMESTAMP,
    TOPIC_RESOURCE,
    alter_config,
    connect,
    connect_to_leader,
    create_topic,
    delete_topic,
    error_name,
    offset_at,
)
from kfast.client.counters import LoadError
from kfast.client.produce_load import ProduceLoad


def test_the_leader_of_a_partition_is_found_and_the_topic_has_an_id(broker: Broker, topic: str) -> None:
    leader = connect_to_leader(broker.bootstrap_servers, topic, 0)
    with leader.connection as connection:
        assert connection.address == broker.bootstrap_servers
        assert leader.topic_id == broker.metadata.image.topics[topic].topic_id


def test_a_missing_topic_is_made_by_asking_for_it(broker: Broker) -> None:
    with connect_to_leader(broker.bootstrap_servers, "made-by-asking", 0).connection:
        assert "made-by-asking" in broker.metadata.image.topics


def test_a_partition_that_is_not_there_has_no_leader(broker: Broker, topic: str) -> None:
    with pytest.raises(LoadError, match=f"{topic}-7 has no leader after 0.2 s"):
        connect_to_leader(broker.bootstrap_servers, topic, 7, timeout_s=0.2)


def test_the_second_address_is_tried_where_the_first_is_dead(broker: Broker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with connect(f"127.0.0.1:{port},{broker.bootstrap_servers}") as connection:
        assert connection.address == broker.bootstrap_servers
    with pytest.raises(LoadError, match=f"no broker answers at 127.0.0.1:{port}"):
        connect(f"127.0.0.1:{port}")


def test_a_topic_is_made_with_its_configs_and_making_it_again_does_no_harm(broker: Broker) -> None:
    for _ in range(2):
        create_topic(broker.bootstrap_servers, "configured", 3, {"flush.messages": "9"})
    assert len(broker.metadata.image.topics["configured"].partitions) == 3
    log = broker.logs.get("configured", 0)
    assert log is not None
    assert log.config.flush_messages == 9
    alter_config(broker.bootstrap_servers, TOPIC_RESOURCE, "configured", "flush.messages", "8")
    assert log.config.flush_messages == 8


def test_refusals_come_with_the_brokers_words(broker: Broker, topic: str) -> None:
    with pytest.raises(LoadError, match=r"error 17 \(InvalidTopic\)"):
        create_topic(broker.bootstrap_servers, "no/slash")
    with pytest.raises(LoadError, match=r"flush.messages=-3 was refused: error 40"):
        alter_config(broker.bootstrap_servers, TOPIC_RESOURCE, topic, "flush.messages", "-3")


def test_the_offsets_at_both_ends(broker: Broker, topic: str) -> None:
    ProduceLoad(broker.bootstrap_servers, topic, batch_records=10, record_count=70).run()
    with connect(broker.bootstrap_servers) as connection:
        assert offset_at(connection, topic, 0, EARLIEST_TIMESTAMP) == 0
        assert offset_at(connection, topic, 0, LATEST_TIMESTAMP) == 70
        with pytest.raises(LoadError, match=r"error 3 \(UnknownTopicOrPartition\)"):
            offset_at(connection, topic, 5, LATEST_TIMESTAMP)


@pytest.mark.parametrize(("code", "text"), [(10, "error 10 (RecordTooLarge)"), (-1, "error -1"), (999, "error 999")])
def test_errors_have_names(code: int, text: str) -> None:
    assert error_name(code) == text


def test_a_topic_is_deleted_once_and_missed_without_a_word(broker: Broker, topic: str) -> None:
    delete_topic(broker.bootstrap_servers, topic)
    assert topic not in broker.metadata.image.topics
    delete_topic(broker.bootstrap_servers, topic)
