"""The loads against a broker that is not ours: librdkafka's mock cluster, which knows fewer versions of everything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient

from kfast.client.cluster import connect
from kfast.client.consume_load import ConsumeLoad
from kfast.client.produce_load import ProduceLoad
from kfast.wire.api_versions import API_VERSIONS, ApiKey


@pytest.fixture(scope="module")
def foreign_servers() -> Iterator[str]:
    admin = AdminClient({"bootstrap.servers": "in-this-process", "test.mock.num.brokers": 2, "log_level": 0})
    yield ",".join(f"{broker.host}:{broker.port}" for broker in admin.list_topics(timeout=10).brokers.values())
    del admin  # the cluster goes with it


def test_older_versions_are_agreed_upon(foreign_servers: str) -> None:
    with connect(foreign_servers) as connection:
        assert connection.version(ApiKey.PRODUCE) < API_VERSIONS[ApiKey.PRODUCE].max
        assert connection.version(ApiKey.LIST_OFFSETS) < API_VERSIONS[ApiKey.LIST_OFFSETS].max


@pytest.mark.parametrize("partition", range(4))
def test_the_leader_of_each_partition_takes_and_gives(foreign_servers: str, partition: int) -> None:
    producer = ProduceLoad(foreign_servers, "foreign", partition, batch_records=7, record_count=1000)
    producer.run()
    consumer = ConsumeLoad(foreign_servers, "foreign", partition, at_end="stop", verify=True)
    consumer.run()
    assert consumer.counters.records == producer.counters.records == 1000
    assert consumer.counters.bytes == producer.counters.bytes
