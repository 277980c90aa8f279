"""A broker with scattered logs, as clients see it: no different."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kfast.broker.process import BrokerProcess
from kfast.client.cluster import TOPIC_RESOURCE, alter_config, create_topic
from kfast.client.consume_load import ConsumeLoad
from kfast.client.produce_load import ProduceLoad
from kfast.lab.real_client import read_back
from kfast.lab.scattered_broker import SCATTERED_BROKER
from kfast.transfer.modes import COPY_MODES


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    with BrokerProcess(tmp_path_factory.mktemp("scattered") / "data", module=SCATTERED_BROKER) as running:
        yield running


def test_a_real_client_reads_back_what_another_wrote(broker: BrokerProcess) -> None:
    confluent_kafka = pytest.importorskip("confluent_kafka")
    create_topic(broker.bootstrap_servers, "orders")
    values = [f"order {number}".encode() * (number % 50 + 1) for number in range(3000)]
    settings = {"bootstrap.servers": broker.bootstrap_servers, "batch.num.messages": 7, "linger.ms": 1}
    producer = confluent_kafka.Producer(settings)
    for value in values:
        producer.produce("orders", value, partition=0)
    assert producer.flush(30) == 0
    assert [record.value for record in read_back(broker.bootstrap_servers, "orders")] == values


@pytest.mark.parametrize("copy_mode", list(COPY_MODES))
def test_every_copy_mode_sends_the_pieces_whole(broker: BrokerProcess, copy_mode: str) -> None:
    topic = f"by-{copy_mode}"
    create_topic(broker.bootstrap_servers, topic)
    broker.set("kfast.copy.mode", copy_mode)
    ProduceLoad(broker.bootstrap_servers, topic, batch_records=3, record_size=200, record_count=3000).run()
    before = broker.metrics()
    consumer = ConsumeLoad(broker.bootstrap_servers, topic, at_end="stop", verify=True)
    consumer.run()
    assert consumer.counters.records == 3000
    sent = broker.metrics_at_rest()["sent_bytes"][copy_mode] - before["sent_bytes"][copy_mode]
    assert sent == consumer.counters.bytes


def test_a_flushed_log_leaves_nothing_unflushed(broker: BrokerProcess) -> None:
    create_topic(broker.bootstrap_servers, "safe")
    before = broker.metrics()["unflushed_bytes"]
    alter_config(broker.bootstrap_servers, TOPIC_RESOURCE, "safe", "flush.messages", "1")
    ProduceLoad(broker.bootstrap_servers, "safe", batch_records=5, record_count=50).run()
    assert broker.metrics()["unflushed_bytes"] == before


def test_a_log_that_used_its_slots_again_gives_what_is_left_unchanged(broker: BrokerProcess) -> None:
    create_topic(broker.bootstrap_servers, "small", configs={"retention.bytes": str(4 << 20)})
    ProduceLoad(broker.bootstrap_servers, "small", batch_records=10, record_count=50_000).run()
    consumer = ConsumeLoad(broker.bootstrap_servers, "small", at_end="stop", verify=True)
    consumer.run()
    assert consumer.next_offset == 50_000
    assert 0 < consumer.counters.records < 50_000
