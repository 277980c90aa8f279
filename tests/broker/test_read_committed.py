"""A consumer of committed records over a directory with aborted, committed and open transactions that Kafka wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from kfast.broker.broker import Broker
from kfast.log.clean_shutdown import CLEAN_SHUTDOWN_FILE
from kfast.record.record import Record

TIMEOUT_S = 30
PARTITIONS = [("ledger", 0), ("ledger-wide", 0), ("ledger-wide", 1)]


def consume(address: str, isolation: str, max_bytes: int) -> dict[str, list[Record]]:
    """Everything up to the end that this isolation sees, by partition, as a client of Kafka's is given it."""
    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": "readers",
            "isolation.level": isolation,
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 5,
            "fetch.message.max.bytes": max_bytes,
        }
    )
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for topic, number in PARTITIONS])
    found: dict[str, list[Record]] = {f"{topic}-{number}": [] for topic, number in PARTITIONS}
    left = len(found)
    while left and (message := consumer.poll(TIMEOUT_S)) is not None:
        if message.error() is not None:
            left -= 1
            continue
        offset, timestamp_ms, headers = message.offset(), message.timestamp()[1], tuple(message.headers() or ())
        record = Record(offset, timestamp_ms, message.key(), message.value(), headers)
        found[f"{message.topic()}-{message.partition()}"].append(record)
    consumer.close()
    return found


@pytest.mark.parametrize(("was_clean", "max_bytes"), [(True, 700), (False, 1 << 20)])
def test_it_is_given_what_kafka_gave(golden: Any, tmp_path: Path, digest: Any, max_bytes: int, was_clean: bool) -> None:
    directory = golden.extract("06-transactions", tmp_path) / "log"
    if not was_clean:
        (directory / CLEAN_SHUTDOWN_FILE).unlink()
    partitions = golden.manifest["cases"]["06-transactions"]["logdirs"]["log"]["partitions"]
    with Broker(directory) as broker:
        for isolation, expected in (("read_committed", "consumer_read_committed"), ("read_uncommitted", "consumer")):
            for name, records in consume(broker.bootstrap_servers, isolation, max_bytes).items():
                assert digest(records) == partitions[name][expected]
