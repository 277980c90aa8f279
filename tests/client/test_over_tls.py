"""Connections and loads that trust a certificate, and so speak TLS."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kfast import Broker
from kfast.broker.self_signed import make_certificate
from kfast.child_process import ChildProcess
from kfast.client.cluster import TOPIC_RESOURCE, alter_config, connect_to_leader, create_topic
from kfast.client.connection import ClientConnection
from kfast.client.consume_load import ConsumeLoad
from kfast.client.counters import LoadError
from kfast.client.load import LoadThread, make_load
from kfast.client.produce_load import ProduceLoad


@pytest.fixture(scope="module")
def encrypted() -> Iterator[Broker]:
    with Broker(listen="SSL://127.0.0.1:0") as broker:
        yield broker


@pytest.fixture
def where(encrypted: Broker, request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a load is told of the broker and a topic for this test alone."""
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    trusted = {"ssl_ca_location": encrypted.ssl_ca_location}
    create_topic(encrypted.bootstrap_servers, name, configs={"max.message.bytes": str(8 << 20)}, **trusted)
    return {"bootstrap_servers": encrypted.bootstrap_servers, "topic": name, **trusted}


@pytest.fixture
def other_certificate(tmp_path: Path) -> str:
    path = tmp_path / "other.pem"
    path.write_text(make_certificate([])[0])
    return str(path)


@pytest.mark.parametrize("prefix", ["", "confluent-"])
def test_loads_produce_and_consume_every_record(encrypted: Broker, where: dict[str, Any], prefix: str) -> None:
    producer = make_load(f"{prefix}produce", **where, batch_records=100, record_size=10_000, record_count=1000)
    producer.run()
    assert producer.counters.records == 1000
    consumer = make_load(f"{prefix}consume", **where, at_end="stop")
    consumer.run()
    log = encrypted.log(where["topic"], 0)
    assert consumer.counters.records == log.log_end_offset == 1000


@pytest.mark.parametrize("fetch_bytes", [1, 1 << 20])
def test_the_bytes_that_come_are_those_of_the_log(encrypted: Broker, where: dict[str, Any], fetch_bytes: int) -> None:
    for batch_records, record_size in ((1, 100), (30, 10), (100, 30_000)):
        load = ProduceLoad(
            **where, batch_records=batch_records, record_size=record_size, record_count=batch_records * 3
        )
        load.run()
    load = ConsumeLoad(**where, at_end="stop", fetch_bytes=fetch_bytes, verify=True)
    load.run()
    log = encrypted.log(where["topic"], 0)
    assert (load.counters.records, load.counters.bytes) == (log.log_end_offset, log.size_bytes)


def test_a_rate_is_held(where: dict[str, Any]) -> None:
    load = ProduceLoad(**where, batch_records=1, records_per_s=1000, record_count=100)
    load.run()
    assert load.counters.records == load.counters.latency.summary().count == 100


def test_a_consumer_that_waits_at_the_end_can_be_stopped(where: dict[str, Any]) -> None:
    ProduceLoad(**where, record_count=100).run()
    load = ConsumeLoad(**where, at_end="wait")
    thread = LoadThread(load)
    while load.counters.records < 100:
        assert not thread.is_done.wait(0.001)
    thread.stop()
    assert thread.is_done.is_set()


def test_a_child_process_is_told_as_any_load_is(where: dict[str, Any]) -> None:
    child = ChildProcess("kfast.client.load", {"kind": "produce", **where, "record_count": 100})
    while not (metrics := child.ask("metrics"))["is_done"]:
        pass
    assert metrics["records"] == 100
    child.stop()


def test_what_tls_has_to_decrypt_cannot_be_discarded(where: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="use receive=recv_into"):
        ConsumeLoad(**where, receive="discard")


def test_configs_can_be_changed(encrypted: Broker, where: dict[str, Any]) -> None:
    trusted = {"ssl_ca_location": where["ssl_ca_location"]}
    alter_config(encrypted.bootstrap_servers, TOPIC_RESOURCE, where["topic"], "retention.ms", "5", **trusted)
    assert encrypted.log(where["topic"], 0).config.retention_ms == 5


def test_a_broker_with_another_certificate_is_not_trusted(encrypted: Broker, other_certificate: str) -> None:
    with pytest.raises(LoadError, match="CERTIFICATE_VERIFY_FAILED"):
        connect_to_leader(encrypted.bootstrap_servers, "any", 0, ssl_ca_location=other_certificate)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_that_is_no_certificate_is_named(encrypted: Broker, tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    with pytest.raises(LoadError, match=r"ssl_ca_location=.*ca\.pem: no certificates"):
        ClientConnection(encrypted.host, encrypted.port, ssl_ca_location=str(tmp_path / "ca.pem"))


def test_a_silent_broker_is_a_time_out_with_its_address(encrypted: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kfast.broker.dispatch.answer", lambda *_: [])
    with pytest.raises(TimeoutError, match=rf"API_VERSIONS: 127.0.0.1:{encrypted.port} was silent for 0.5 s"):
        ClientConnection(encrypted.host, encrypted.port, timeout_s=0.5, ssl_ca_location=encrypted.ssl_ca_location)


def test_a_plain_broker_is_refused(encrypted: Broker) -> None:
    with Broker() as plain, pytest.raises(LoadError, match="no broker answers"):
        connect_to_leader(plain.bootstrap_servers, "any", 0, ssl_ca_location=encrypted.ssl_ca_location)


def test_closing_wakes_a_thread_that_waits(encrypted: Broker) -> None:
    connection = ClientConnection(encrypted.host, encrypted.port, ssl_ca_location=encrypted.ssl_ca_location)
    outcomes: list[object] = []

    def wait() -> None:
        try:
            outcomes.append(connection.socket.recv(1))
        except OSError as error:
            outcomes.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    connection.close()
    connection.close()
    thread.join(20)
    assert len(outcomes) == 1
    assert connection.socket.fileno() == -1
