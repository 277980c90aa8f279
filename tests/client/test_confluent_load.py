from __future__ import annotations

import threading

import pytest

from kfast import Broker
from kfast.client.confluent_load import ConfluentConsumeLoad, ConfluentProduceLoad
from kfast.client.counters import LoadError
from kfast.client.payload import value
from kfast.record.batches import iter_batches


def test_what_it_produces_arrives_and_is_consumed(broker: Broker, topic: str) -> None:
    producer = ConfluentProduceLoad(broker.bootstrap_servers, topic, batch_records=10, record_size=20, record_count=100)
    producer.run()
    log = broker.logs.get(topic, 0)
    assert log is not None
    batches = list(iter_batches(log.read(0, 1 << 20).records.read()))
    assert sum(batch.count for batch in batches) == 100
    assert max(batch.count for batch in batches) <= 10
    assert [bytes(record.value) for batch in batches for record in batch.records()] == [
        value(n, 20) for n in range(100)
    ]
    assert (producer.counters.records, producer.counters.bytes) == (100, 2000)
    consumer = ConfluentConsumeLoad(broker.bootstrap_servers, topic, at_end="stop")
    consumer.run()
    assert (consumer.counters.records, consumer.counters.bytes) == (100, 2000)


def test_at_the_end_it_reads_again_from_the_start(broker: Broker, topic: str) -> None:
    ConfluentProduceLoad(broker.bootstrap_servers, topic, record_count=100).run()
    consumer = ConfluentConsumeLoad(broker.bootstrap_servers, topic, record_count=250)
    consumer.run()
    assert consumer.counters.records >= 250
    assert consumer.counters.loops == 2


def test_changes_take_over_in_mid_stream(broker: Broker, topic: str) -> None:
    producer = ConfluentProduceLoad(broker.bootstrap_servers, topic, batch_records=1, record_size=10)
    thread = threading.Thread(target=producer.run)
    thread.start()
    log = broker.logs.get(topic, 0)
    assert log is not None
    producer.set("batch_records", 500)
    producer.set("compression", "gzip")
    producer.set("record_size", 30)
    seen = threading.Event()

    def look() -> None:
        tail = log.read(max(0, log.log_end_offset - 1), 1 << 20).records.read()
        if any(batch.is_compressed and batch.count > 1 for batch in iter_batches(tail)):
            seen.set()

    log.add_listener(look)
    assert seen.wait(20)
    producer.stop()
    thread.join()
    log.remove_listener(look)
    assert producer.counters.records == log.log_end_offset
    with pytest.raises(ValueError, match="not acks"):
        producer.set("acks", 0)


def test_a_refused_record_is_an_error(broker: Broker, topic: str) -> None:
    producer = ConfluentProduceLoad(broker.bootstrap_servers, topic, record_size=9 << 20, record_count=1)
    with pytest.raises(LoadError, match="too large"):
        producer.run()
    assert producer.counters.errors == 1


def test_a_consumer_can_be_told_to_fetch_more_at_once(broker: Broker, topic: str) -> None:
    ConfluentProduceLoad(broker.bootstrap_servers, topic, record_count=100).run()
    consumer = ConfluentConsumeLoad(broker.bootstrap_servers, topic, at_end="stop", fetch_bytes=1000)
    consumer.set("fetch_bytes", 100_000)
    consumer.run()
    assert consumer.counters.records == 100
    with pytest.raises(ValueError, match="not receive"):
        consumer.set("receive", "discard")


@pytest.mark.parametrize("max_wait_ms", [0, 500])
def test_a_consumer_that_follows_gets_what_comes_later(broker: Broker, topic: str, max_wait_ms: int) -> None:
    ConfluentProduceLoad(broker.bootstrap_servers, topic, record_count=10).run()
    consumer = ConfluentConsumeLoad(
        broker.bootstrap_servers, topic, at_end="wait", max_wait_ms=max_wait_ms, record_count=20
    )
    thread = threading.Thread(target=consumer.run)
    thread.start()
    ConfluentProduceLoad(broker.bootstrap_servers, topic, record_count=10).run()
    thread.join()
    assert (consumer.counters.records, consumer.counters.loops) == (20, 0)
