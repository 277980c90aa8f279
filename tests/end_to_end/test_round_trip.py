"""Whatever one client library produces another consumes, record for record."""

from __future__ import annotations

from typing import Any

import pytest

from kfast.record.record import Record

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
CLIENTS = ("confluent-kafka", "kafka-python", "aiokafka")
NOW_MS = 1_760_000_000_000

CONTENTS: list[tuple[bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]] = [
    (b"key", b"value", ()),
    (None, b"no key", ()),
    (b"tombstone", None, ()),
    (b"", b"", ()),
    (b"\x00\xff", bytes(range(256)), ()),
    (b"headers", b"v", (("a", b"1"), ("a", b"2"), ("größe-😀", b"\xff\x00"), ("empty", b""))),
    (b"k" * 1000, b"compressible " * 1000, ()),
]


def records() -> list[Record]:
    return [Record(number, NOW_MS + number * 1000, *content) for number, content in enumerate(CONTENTS * 3)]


@pytest.fixture(scope="module")
def produced(clients: Any) -> Any:
    """`produced(writer, codec)` is a topic with the records above in it."""
    topics: dict[tuple[str, str], str] = {}

    def produced(writer: str, codec: str) -> str:
        if (writer, codec) not in topics:
            topic = topics[writer, codec] = f"{writer}-{codec}"
            offsets = clients[writer].produce(topic, records(), codec=codec)
            assert offsets == list(range(len(records())))
        return topics[writer, codec]

    return produced


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("writer", CLIENTS)
@pytest.mark.parametrize("reader", CLIENTS)
def test_records_are_what_they_were(clients: Any, produced: Any, writer: str, reader: str, codec: str) -> None:
    assert clients[reader].consume(produced(writer, codec)) == records()


@pytest.mark.parametrize("codec", CODECS)
def test_records_from_1_byte_to_1_mb(client: Any, topic: str, codec: str) -> None:
    sizes = [1, 2, 100, 4095, 4096, 65_537, 250_000, 1_000_000]
    sent = [Record(number, NOW_MS, None, (b"%07d" % size * size)[:size]) for number, size in enumerate(sizes)]
    client.produce(topic, sent, codec=codec)
    assert client.consume(topic) == sent


def test_partitions_keep_their_records_apart(clients: Any, client: Any, topic: str) -> None:
    kafka_admin = pytest.importorskip("confluent_kafka.admin")
    admin = kafka_admin.AdminClient({"bootstrap.servers": client.bootstrap_servers})
    admin.create_topics([kafka_admin.NewTopic(topic, 3)])[topic].result(20)
    sent = {
        partition: [Record(offset, NOW_MS, b"%d" % partition, b"%d" % offset) for offset in range(partition + 1)]
        for partition in range(3)
    }
    for partition, batch in sent.items():
        client.produce(topic, batch, partition=partition)
    assert {partition: client.consume(topic, partition) for partition in sent} == sent


def test_a_record_may_have_neither_key_nor_value(clients: Any, client: Any, topic: str) -> None:
    """Only librdkafka lets a program send one; all have to read it."""
    sent = [Record(0, NOW_MS, None, None)]
    clients["confluent-kafka"].produce(topic, sent)
    assert client.consume(topic) == sent


def test_a_consumer_may_begin_in_the_middle_of_a_batch(client: Any, topic: str) -> None:
    client.produce(topic, records(), codec="gzip")
    for offset in (1, 7, 20):
        assert client.consume(topic, offset=offset) == records()[offset:]
