from __future__ import annotations

import threading

import pytest

from kfast import Broker
from kfast.client.counters import LoadError
from kfast.client.payload import value
from kfast.client.produce_load import ProduceLoad
from kfast.log.log import Log
from kfast.record.batch import RecordBatch
from kfast.record.batches import iter_batches


def log_of(broker: Broker, topic: str) -> Log:
    log = broker.logs.get(topic, 0)
    assert log is not None
    return log


def batches_of(log: Log) -> list[RecordBatch]:
    batches: list[RecordBatch] = []
    while (next_offset := batches[-1].next_offset if batches else 0) < log.log_end_offset:
        batches += iter_batches(log.read(next_offset, 1 << 20).records.read())
    return batches


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_exactly_the_records_asked_for_arrive_in_order(broker: Broker, topic: str, compression: str) -> None:
    load = ProduceLoad(
        broker.bootstrap_servers, topic, batch_records=30, record_size=50, compression=compression, record_count=100
    )
    load.run()
    batches = batches_of(log_of(broker, topic))
    assert [batch.count for batch in batches] == [30, 30, 30, 10]
    assert [bytes(record.value) for record in batches[1].records()] == [value(number, 50) for number in range(30)]
    assert (load.counters.records, load.counters.requests) == (100, 4)
    assert load.counters.bytes == log_of(broker, topic).size_bytes
    assert load.counters.latency.summary().count == 100


@pytest.mark.parametrize("requests_in_flight", [1, 64])
@pytest.mark.parametrize("batch_records", [1, 5000])
def test_small_and_large_requests_with_few_and_many_under_way(
    broker: Broker, topic: str, requests_in_flight: int, batch_records: int
) -> None:
    count = 300 if batch_records == 1 else 20_001
    load = ProduceLoad(
        broker.bootstrap_servers,
        topic,
        batch_records=batch_records,
        requests_in_flight=requests_in_flight,
        record_count=count,
    )
    load.run()
    assert log_of(broker, topic).log_end_offset == load.counters.records == count


def test_a_change_of_the_batch_holds_from_the_next_request_on(broker: Broker, topic: str) -> None:
    load = ProduceLoad(broker.bootstrap_servers, topic, batch_records=2, record_size=10)
    thread = threading.Thread(target=load.run)
    thread.start()
    log = log_of(broker, topic)
    grown = threading.Event()
    log.add_listener(grown.set)
    assert grown.wait(10)
    load.set("batch_records", 5)
    load.set("record_size", 20)
    load.set("compression", "lz4")
    wanted = log.log_end_offset + 5000
    while log.log_end_offset < wanted and thread.is_alive():
        grown.clear()
        grown.wait(10)
    load.stop()
    thread.join()
    assert load.counters.records == log.log_end_offset
    assert load.counters.bytes == log.size_bytes
    first, last = batches_of(log)[0], batches_of(log)[-1]
    assert (first.count, first.is_compressed) == (2, False)
    assert (last.count, last.is_compressed) == (5, True)
    assert [len(record.value) for record in last.records()] == [20] * 5
    with pytest.raises(ValueError, match="not topic"):
        load.set("topic", "x")


def test_nothing_is_acknowledged_without_acks_and_still_counted(broker: Broker, topic: str) -> None:
    load = ProduceLoad(broker.bootstrap_servers, topic, batch_records=10, record_count=1000, acks=0)
    arrived = threading.Event()
    log = log_of(broker, topic)
    log.add_listener(lambda: arrived.set() if log.log_end_offset == 1000 else None)
    load.run()
    assert load.counters.records == 1000
    assert arrived.wait(10)


def test_a_rate_spreads_the_records_and_counts_latency_from_when_they_were_due(broker: Broker, topic: str) -> None:
    load = ProduceLoad(broker.bootstrap_servers, topic, batch_records=10, record_count=200, records_per_s=10_000)
    load.run()
    assert log_of(broker, topic).log_end_offset == 200
    assert load.counters.latency.summary().count == 200


def test_a_refusal_is_an_error_with_the_brokers_words(broker: Broker, topic: str) -> None:
    load = ProduceLoad(broker.bootstrap_servers, topic, batch_records=10, record_size=1 << 20)
    with pytest.raises(LoadError, match=rf"Produce to {topic}-0 was answered with error 10 \(RecordTooLarge\)"):
        load.run()


def test_a_broker_that_goes_away_is_an_error() -> None:
    with Broker() as short_lived:
        load = ProduceLoad(short_lived.bootstrap_servers, "t", batch_records=10, requests_in_flight=1)
    with pytest.raises(OSError):
        load.run()
