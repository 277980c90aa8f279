"""Idempotent producers that people use, whose answers get lost: each record is there once, in order."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Producer
from kafka import KafkaProducer

from kfast.broker import produce
from kfast.broker.broker import Broker
from kfast.errors import MalformedFrameError
from kfast.record.batches import iter_batches

COUNT = 60


def with_confluent(address: str) -> None:
    producer = Producer(
        {
            "bootstrap.servers": address,
            "enable.idempotence": True,
            "batch.num.messages": 3,
            "reconnect.backoff.ms": 1,
            "retry.backoff.ms": 1,
        }
    )
    for number in range(COUNT):
        producer.produce("orders", b"%d" % number)
        producer.poll(0)
    assert producer.flush(30) == 0


def with_kafka_python(address: str) -> None:
    producer = KafkaProducer(
        bootstrap_servers=address,
        enable_idempotence=True,
        batch_size=200,
        reconnect_backoff_ms=1,
        retry_backoff_ms=1,
    )
    futures = [producer.send("orders", b"%d" % number) for number in range(COUNT)]
    for future in futures:
        future.get(30)
    producer.close()


@pytest.mark.parametrize("send", [with_confluent, with_kafka_python])
def test_an_answer_that_gets_lost_duplicates_nothing(
    broker: Broker, send: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each third request is carried out, and then its connection is cut: all its producer can do is send again."""
    broker.metadata.create_topic("orders", 1)
    answer, numbers, lost = produce.answer, itertools.count(1), []

    def losing(*arguments: Any) -> Any:
        chunks = answer(*arguments)
        if next(numbers) % 3 == 0:
            lost.append(chunks)
            raise MalformedFrameError("the answer is lost")
        return chunks

    monkeypatch.setattr(produce, "answer", losing)
    send(broker.bootstrap_servers)
    assert lost
    log = broker.log("orders", 0)
    assert log.log_end_offset == COUNT
    batches = iter_batches(log.read(0, 1 << 20).records.read())
    assert [bytes(record.value or b"") for batch in batches for record in batch.records()] == [
        b"%d" % number for number in range(COUNT)
    ]
