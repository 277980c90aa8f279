"""Loads in processes of their own, asked as the lab asks them."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from kfast import Broker
from kfast.child_process import ChildError, ChildProcess
from kfast.client.counters import LoadCounters, LoadError
from kfast.client.load import LoadThread, make_load

KEYS = {
    "monotonic_ns",
    "cpu_user_s",
    "cpu_system_s",
    "bytes",
    "records",
    "requests",
    "errors",
    "loops",
    "received_bytes",
    "latency",
    "latency_counts",
    "is_done",
}


def start(broker: Broker, kind: str, topic: str, **settings: Any) -> ChildProcess:
    where = {"bootstrap_servers": broker.bootstrap_servers, "topic": topic, "partition": 0}
    return ChildProcess("kfast.client.load", {"kind": kind, **where, **settings})


@pytest.mark.parametrize("prefix", ["", "confluent-"])
def test_a_child_produces_and_another_consumes(broker: Broker, topic: str, prefix: str) -> None:
    producer = start(broker, f"{prefix}produce", topic, batch_records=5, record_count=100)
    while not (metrics := producer.ask("metrics"))["is_done"]:
        pass
    assert set(metrics) == KEYS
    assert (metrics["records"], metrics["errors"], metrics["latency"]["count"]) == (100, 0, 100)
    assert producer.ask("stop")["records"] == 100
    producer.stop()
    consumer = start(broker, f"{prefix}consume", topic, fetch_bytes=1000)
    consumer.ask("set", name="fetch_bytes", value=10_000)
    while consumer.ask("metrics")["records"] < 250:
        pass
    assert consumer.ask("stop")["loops"] >= 2
    consumer.stop()


def test_what_a_child_counted_at_its_stop_is_what_the_log_holds(broker: Broker, topic: str) -> None:
    producer = start(broker, "produce", topic, batch_records=3)
    while producer.ask("metrics")["records"] < 100:
        pass
    producer.ask("set", name="batch_records", value=7)
    final = producer.ask("stop")
    producer.stop()
    log = broker.logs.get(topic, 0)
    assert log is not None
    assert (final["records"], final["bytes"]) == (log.log_end_offset, log.size_bytes)
    assert final["is_done"]


def test_a_child_that_fails_says_so_in_every_answer_after(broker: Broker, topic: str) -> None:
    producer = start(broker, "produce", topic, record_size=9 << 20, batch_records=1)
    words = r"LoadError: Produce to .* error 10"
    with pytest.raises(ChildError, match=words):
        ask_until_it_fails(producer)
    with pytest.raises(ChildError, match=words):
        producer.ask("set", name="batch_records", value=2)
    with pytest.raises(ChildError, match=words):
        producer.ask("stop")
    producer.stop()


def ask_until_it_fails(child: ChildProcess) -> None:
    while not child.ask("metrics")["is_done"]:
        pass


def test_a_bad_setting_is_refused_and_the_load_goes_on(broker: Broker, topic: str) -> None:
    producer = start(broker, "produce", topic)
    with pytest.raises(ChildError, match="not colour"):
        producer.ask("set", name="colour", value=1)
    with pytest.raises(ChildError, match="not 'dance'"):
        producer.ask("dance")
    assert not producer.ask("metrics")["is_done"]
    producer.stop()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "invent"}, "not 'invent'"),
        ({"kind": "produce", "topic": "t", "bootstrap_servers": "b:1", "color": 1}, "produce load: .*'color'"),
        ({"kind": "produce", "topic": "t", "bootstrap_servers": "nowhere"}, "is not HOST:PORT"),
    ],
)
def test_a_load_that_cannot_be_made(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_load(**settings)


def test_a_child_that_cannot_reach_a_broker_ends_with_words() -> None:
    with pytest.raises(ChildError, match=r"no broker answers at 127\.0\.0\.1:1"):
        ChildProcess("kfast.client.load", {"kind": "consume", "bootstrap_servers": "127.0.0.1:1", "topic": "t"})


class BrokenLoad:
    def __init__(self) -> None:
        self.counters = LoadCounters()
        self.closed = threading.Event()

    def run(self) -> None:
        self.closed.wait()
        raise ZeroDivisionError("nobody expected this")

    def set(self, name: str, value: Any) -> None: ...

    def stop(self) -> None:
        self.closed.set()

    close = stop


def test_no_exception_of_the_thread_is_swallowed() -> None:
    thread = LoadThread(BrokenLoad())
    thread.check()
    with pytest.raises(LoadError, match="ZeroDivisionError: nobody expected this"):
        thread.stop()
    with pytest.raises(LoadError, match="nobody expected this"):
        thread.check()
