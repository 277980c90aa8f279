from __future__ import annotations

import re
from datetime import datetime

import pytest

from kfast import Broker
from kfast.client import perf
from kfast.client.latency import LatencyHistogram

# Lines that Apache Kafka 4.1's tools printed, digits replaced.
PROGRESS = (
    r"\d+ records sent, \d+\.\d records/sec \(\d+\.\d\d MB/sec\), \d+\.\d ms avg latency, \d+\.\d ms max latency\."
)
FINAL = (
    r"\d+ records sent, \d+\.\d records/sec \(\d+\.\d\d MB/sec\), \d+\.\d\d ms avg latency, \d+\.\d\d ms max latency, "
    r"\d+ ms 50th, \d+ ms 95th, \d+ ms 99th, \d+ ms 99\.9th\."
)
MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d:\d\d\d"
FIGURES = r"\d+\.\d{4}, \d+\.\d{4}, \d+, \d+\.\d{4}, \d+, \d+, \d+\.\d{4}, \d+\.\d{4}"


@pytest.mark.parametrize("client", ["raw", "confluent"])
def test_both_clients_produce_and_consume_what_was_asked_for(broker: Broker, topic: str, client: str) -> None:
    lines: list[str] = []
    produced = perf.produce(
        broker.bootstrap_servers,
        topic,
        record_count=1000,
        record_size=100,
        records_per_s=5000,
        client=client,
        reporting_interval_s=0.05,
        report=lines.append,
    )
    assert produced.record_count == 1000
    assert produced.size_bytes == 100_000
    assert re.fullmatch(FINAL, str(produced))
    assert lines
    assert all(re.fullmatch(PROGRESS, line) for line in lines)
    consumed = perf.consume(broker.bootstrap_servers, topic, record_count=1000, client=client)
    assert consumed.record_count == 1000
    assert re.fullmatch(f"{MOMENT}, {MOMENT}, {FIGURES}", str(consumed))
    assert len(str(consumed).split(", ")) == len(perf.CONSUMER_HEADER.split(", "))


@pytest.mark.parametrize("record_count", [0, 10])
def test_a_consumer_gives_up_where_nothing_comes_any_more(broker: Broker, topic: str, record_count: int) -> None:
    if record_count:
        perf.produce(broker.bootstrap_servers, topic, record_count=record_count, report=print)
    detailed: list[str] = []
    consumed = perf.consume(
        broker.bootstrap_servers,
        topic,
        record_count=record_count + 1,
        timeout_s=0.3,
        reporting_interval_s=0.1,
        detailed=detailed.append,
    )
    assert consumed.record_count == record_count
    assert re.fullmatch(f"{MOMENT}, {MOMENT}, {FIGURES}", str(consumed))
    assert detailed
    assert all(re.fullmatch(f"{MOMENT}, 0, {FIGURES}", line) for line in detailed)
    assert len(detailed[0].split(", ")) == len(perf.DETAILED_CONSUMER_HEADER.split(", "))


def test_without_a_say_a_batch_is_what_kafkas_batch_size_holds(broker: Broker, topic: str) -> None:
    perf.produce(broker.bootstrap_servers, topic, record_count=200, record_size=1024, report=print)
    log = broker.logs.get(topic, 0)
    assert log is not None
    assert broker.metrics.total()[0].requests[0] >= 200 // 16


def test_the_figures_of_the_final_line() -> None:
    histogram = LatencyHistogram()
    for milliseconds in (1, 2, 3, 100):
        histogram.add(milliseconds * 1_000_000)
    result = perf.ProducerResult(4, 4 << 20, 2.0, histogram.summary(), 0.1)
    assert str(result).startswith("4 records sent, 2.0 records/sec (2.00 MB/sec), 26.50 ms avg latency, 100.00 ms max")
    assert "1 ms 50th" in str(result) or "2 ms 50th" in str(result)
    assert result.as_json()["latency"]["max_ms"] == 100.0


def test_the_figures_of_the_consumer_line() -> None:
    begin = datetime(2026, 1, 2, 3, 4, 5, 6_000)
    result = perf.ConsumerResult(2000, 3 << 20, begin, datetime(2026, 1, 2, 3, 4, 7, 6_999), 2.0, 0.1)
    assert str(result) == (
        "2026-01-02 03:04:05:006, 2026-01-02 03:04:07:006, 3.0000, 1.5000, 2000, 1000.0000, 0, 2000, 1.5000, 1000.0000"
    )


def test_a_client_there_is_not() -> None:
    with pytest.raises(ValueError, match="raw or confluent, not 'java'"):
        perf.kind_of("java", "produce")
