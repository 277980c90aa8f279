"""What holds over plain connections holds over encrypted ones, for every client library."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiokafka
import confluent_kafka
import kafka
import pytest

from kfast.record.record import Record

LIMIT_S = 20.0
NOW_MS = 1_760_000_000_000
COPY_MODES = ("read_send", "mmap_send", "sendfile", "splice")
GROUP = "readers"


def records(count: int = 20) -> list[Record]:
    return [Record(number, NOW_MS, b"%d" % number, bytes([number]) * 1_000_000) for number in range(count)]


@pytest.fixture
def encrypted(serve: Any) -> Any:
    """A broker that listens on SSL, and the file to trust."""
    serving = serve(None, "--listen", "SSL://127.0.0.1:0")
    return serving, str(serving.data_dir / "kfast-ca.pem")


def test_records_of_1_mb_are_what_they_were(encrypted: Any, new_client: Any) -> None:
    serving, trusted = encrypted
    client = new_client(serving.bootstrap_servers, trusted)
    assert client.produce("orders", records()) == list(range(20))
    assert client.consume("orders") == records()
    assert "WARNING" not in serving.errors()


def subscribed_confluent(bootstrap_servers: str, trusted: str) -> list[bytes]:
    settings = {"security.protocol": "SSL", "ssl.ca.location": trusted, "auto.offset.reset": "earliest"}
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap_servers, "group.id": GROUP, **settings})
    consumer.subscribe(["orders"])
    values: list[bytes] = []
    limit = time.monotonic() + LIMIT_S
    while len(values) < 20 and time.monotonic() < limit:
        values += [message.value() for message in consumer.consume(20, 0.1) if not message.error()]
    consumer.close()
    return values


def subscribed_kafka_python(bootstrap_servers: str, trusted: str) -> list[bytes]:
    consumer = kafka.KafkaConsumer(
        "orders",
        bootstrap_servers=bootstrap_servers,
        group_id=GROUP,
        security_protocol="SSL",
        ssl_cafile=trusted,
        auto_offset_reset="earliest",
    )
    values: list[bytes] = []
    limit = time.monotonic() + LIMIT_S
    while len(values) < 20 and time.monotonic() < limit:
        values += [message.value for batch in consumer.poll(100).values() for message in batch]
    consumer.close()
    return values


def subscribed_aiokafka(bootstrap_servers: str, trusted: str) -> list[bytes]:
    async def consume() -> list[bytes]:
        consumer = aiokafka.AIOKafkaConsumer(
            "orders",
            bootstrap_servers=bootstrap_servers,
            group_id=GROUP,
            security_protocol="SSL",
            ssl_context=ssl.create_default_context(cafile=trusted),
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            return [(await asyncio.wait_for(consumer.getone(), LIMIT_S)).value for _ in range(20)]
        finally:
            await consumer.stop()

    return asyncio.run(consume())


@pytest.mark.parametrize("subscribed", [subscribed_confluent, subscribed_kafka_python, subscribed_aiokafka])
def test_a_group_reads_a_topic(encrypted: Any, confluent: Any, subscribed: Callable[[str, str], list[bytes]]) -> None:
    serving, trusted = encrypted
    client = confluent(serving.bootstrap_servers, ssl_ca_location=trusted)
    client.produce("orders", records())
    assert subscribed(serving.bootstrap_servers, trusted) == [record.value for record in records()]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_of_tls_are_spoken(encrypted: Any, version: ssl.TLSVersion) -> None:
    serving, trusted = encrypted
    context = ssl.create_default_context(cafile=trusted)
    context.minimum_version = context.maximum_version = version
    producer = kafka.KafkaProducer(
        bootstrap_servers=serving.bootstrap_servers, security_protocol="SSL", ssl_context=context
    )
    assert producer.send("orders", b"one coffee").get(LIMIT_S).offset == 0
    producer.close()


def test_the_bytes_are_those_of_a_plain_listener(
    embedded: Any, confluent: Any, raw_reader: Any, tmp_path: Path
) -> None:
    """In each copy mode: under TLS it changes nothing."""

    def bytes_from(listen: str, copy_mode: str) -> bytes:
        with embedded(tmp_path / "data", listen=listen, copy_mode=copy_mode) as broker:
            reader = raw_reader(
                broker.bootstrap_servers, "orders", max_bytes=3 << 20, ssl_ca_location=broker.ssl_ca_location
            )
            return b"".join(iter(reader.fetch, b""))

    with embedded(tmp_path / "data", listen="SSL://127.0.0.1:0") as broker:
        client = confluent(broker.bootstrap_servers, ssl_ca_location=broker.ssl_ca_location)
        client.produce("orders", records())
    plain = bytes_from("127.0.0.1:0", "sendfile")
    assert len(plain) > 20_000_000
    for copy_mode in COPY_MODES:
        assert bytes_from("SSL://127.0.0.1:0", copy_mode) == plain


def test_a_plain_client_is_refused_and_others_work_on(encrypted: Any, confluent: Any) -> None:
    serving, trusted = encrypted
    plain = confluent_kafka.Producer(
        {"bootstrap.servers": serving.bootstrap_servers, "message.timeout.ms": 1000, "log_level": 0}
    )
    failures: list[Any] = []
    plain.produce("orders", b"in the clear", on_delivery=lambda error, _: failures.append(error.name()))
    client = confluent(serving.bootstrap_servers, ssl_ca_location=trusted)
    client.produce("orders", records())
    assert plain.flush(LIMIT_S) == 0
    assert failures == ["_MSG_TIMED_OUT"]
    assert client.consume("orders") == records()
    assert "it does not speak TLS, and this listener is SSL" in serving.errors()
    assert "Traceback" not in serving.errors()
