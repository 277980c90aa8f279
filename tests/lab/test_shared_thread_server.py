"""One thread for all connections, as clients see it: no different, but for who waits for whom."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import kfast
from kfast.broker.process import BrokerProcess
from kfast.client.cluster import create_topic
from kfast.client.consume_load import ConsumeLoad
from kfast.client.produce_load import ProduceLoad
from kfast.lab.real_client import read_back
from kfast.lab.shared_thread_broker import SHARED_THREAD_BROKER, WARM_UP
from kfast.lab.shared_thread_server import SharedThreadServer


@pytest.fixture
def server() -> SharedThreadServer:
    return SharedThreadServer("127.0.0.1", 0)


@pytest.fixture
def broker(tmp_path: Path, server: SharedThreadServer) -> Iterator[kfast.Broker]:
    with kfast.Broker(tmp_path / "data", server=server) as broker:
        create_topic(broker.bootstrap_servers, "orders")
        yield broker


def produce(broker: kfast.Broker, record_count: int, batch_records: int = 100) -> int:
    load = ProduceLoad(
        broker.bootstrap_servers, "orders", batch_records=batch_records, record_size=1000, record_count=record_count
    )
    load.run()
    return load.counters.bytes


@pytest.mark.parametrize("warms_up", [False, True])
@pytest.mark.parametrize("fetch_bytes", [1, 300_000, 8 << 20])
def test_what_was_produced_is_fetched(
    broker: kfast.Broker, server: SharedThreadServer, warms_up: bool, fetch_bytes: int
) -> None:
    server.warms_up = warms_up
    size = produce(broker, 3000, batch_records=1) if fetch_bytes == 1 else produce(broker, 10_000)
    load = ConsumeLoad(
        broker.bootstrap_servers, "orders", at_end="stop", verify=True, fetch_bytes=fetch_bytes, max_wait_ms=0
    )
    load.run()
    assert load.counters.bytes == size
    total, _ = broker.metrics.total()
    assert list(total.transfer.sent_bytes) == ["sendfile"]
    assert total.transfer.cpu_copied_bytes == 0


def test_a_real_client_reads_back_what_another_wrote(broker: kfast.Broker) -> None:
    confluent_kafka = pytest.importorskip("confluent_kafka")
    values = [f"order {number}".encode() * (number % 50 + 1) for number in range(2000)]
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap_servers, "linger.ms": 1})
    for value in values:
        producer.produce("orders", value, partition=0)
    assert producer.flush(30) == 0
    records = read_back(broker.bootstrap_servers, "orders", fetch_wait_max_ms=0)
    assert [record.value for record in records] == values


def test_a_peer_that_takes_nothing_makes_nobody_wait(broker: kfast.Broker) -> None:
    produce(broker, 20_000)
    lazy = ConsumeLoad(broker.bootstrap_servers, "orders", fetch_bytes=16 << 20, max_wait_ms=0)
    lazy._ask()  # for more than the sockets hold, and never reads
    assert produce(broker, 1000)
    lazy.close()
    assert produce(broker, 1000), "and its leaving ends nobody else"


def test_nonsense_ends_its_own_connection_only(broker: kfast.Broker) -> None:
    with socket.create_connection((broker.host, broker.port), timeout=20) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert peer.recv(1) == b""
    assert produce(broker, 100)


def test_all_is_served_by_one_thread_which_goes_with_the_broker(tmp_path: Path, server: SharedThreadServer) -> None:
    before = set(threading.enumerate())
    with kfast.Broker(tmp_path / "data", server=server) as broker:
        create_topic(broker.bootstrap_servers, "orders")
        peers = [socket.create_connection((broker.host, broker.port), timeout=20) for _ in range(5)]
        produce(broker, 100)
        begun = {thread for thread in threading.enumerate() if thread.name.startswith("kfast-")} - before
        assert [thread.name for thread in begun if thread.name != "kfast-scheduler"] == ["kfast-shared"]
    assert all(peer.recv(1) == b"" for peer in peers)
    assert not begun & set(threading.enumerate())
    for peer in peers:
        peer.close()


def test_a_broker_process_has_one_and_may_warm_up(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path / "data", module=SHARED_THREAD_BROKER) as process:
        create_topic(process.bootstrap_servers, "orders")
        process.set(WARM_UP, "true")
        ProduceLoad(process.bootstrap_servers, "orders", record_count=500).run()
        load = ConsumeLoad(process.bootstrap_servers, "orders", at_end="stop", verify=True, max_wait_ms=0)
        load.run()
        assert load.counters.records == 500
        process.set("kfast.copy.mode", "splice")
        assert process.metrics()["copy_mode"] == "splice", "other settings are the broker's"
