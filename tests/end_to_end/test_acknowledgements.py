"""acks, and offsets that do not exist: what each client library makes of the answers, or of there being none."""

from __future__ import annotations

import time
from typing import Any

import confluent_kafka
import pytest

from kfast.record.record import Record

LIMIT_S = 20
ACKS = {
    "confluent-kafka": {"0": {"acks": 0}, "1": {"acks": 1}, "all": {"acks": "all"}},
    "kafka-python": {
        "0": {"acks": 0, "enable_idempotence": False},
        "1": {"acks": 1, "enable_idempotence": False},
        "all": {"acks": "all"},
    },
    "aiokafka": {"0": {"acks": 0}, "1": {"acks": 1}, "all": {"acks": "all"}},
}


@pytest.mark.parametrize("acks", ["1", "all"])
def test_acknowledged_records_have_offsets(client: Any, topic: str, acks: str) -> None:
    records = [Record(offset, 1, None, b"%d" % offset) for offset in range(50)]
    assert client.produce(topic, records, **ACKS[client.name][acks]) == list(range(50))
    assert client.consume(topic) == records


def test_records_that_nobody_acknowledges_arrive(clients: Any, topic: str, served: Any) -> None:
    """What follows them on the same connection is understood, as the broker answers nothing in between."""
    records = [Record(offset, 1, None, b"%d" % offset) for offset in range(50)]
    client = clients["confluent-kafka"]
    client.produce(topic, [Record(0, 1, None, b"makes the topic")])
    client.produce(topic, records, acks=0)
    limit = time.monotonic() + LIMIT_S
    while client.range(topic) != (0, 51):
        assert time.monotonic() < limit
    assert [record.value for record in client.consume(topic, offset=1)] == [record.value for record in records]


@pytest.mark.parametrize(("reset", "first"), [("earliest", 0), ("latest", 3)])
def test_an_offset_beyond_the_end_is_reset(clients: Any, served: Any, topic: str, reset: str, first: int) -> None:
    writer = clients["confluent-kafka"]
    writer.produce(topic, [Record(0, 1, None, b"%d" % number) for number in range(3)])
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": served.bootstrap_servers,
            "group.id": "unused",
            "auto.offset.reset": reset,
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    consumer.assign([confluent_kafka.TopicPartition(topic, 0, 1000)])
    end = consumer.poll(LIMIT_S)
    offsets = []
    while end.error() is None:
        offsets.append(end.offset())
        end = consumer.poll(LIMIT_S)
    assert end.error().code() == confluent_kafka.KafkaError._PARTITION_EOF
    assert (offsets, end.offset()) == (list(range(first, 3)), 3)
    consumer.close()
