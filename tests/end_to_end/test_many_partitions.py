"""More partitions than the broker may have files open, in one topic and in one fetch."""

from __future__ import annotations

import shutil
import time
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

PARTITION_COUNT = 200
DESCRIPTOR_LIMIT = 96
ROUNDS = 2
LIMIT_S = 20


def test_all_are_written_and_read(serve: Any) -> None:
    if shutil.which("prlimit") is None:
        pytest.skip("there is no prlimit")
    serving = serve(prefix=["prlimit", f"--nofile={DESCRIPTOR_LIMIT}"])
    servers = {"bootstrap.servers": serving.bootstrap_servers, "log_level": 0}
    admin = AdminClient(servers)
    admin.create_topics([NewTopic("many", PARTITION_COUNT)])["many"].result(LIMIT_S)
    consumer = confluent_kafka.Consumer({**servers, "group.id": "unused", "fetch.wait.max.ms": 100})
    consumer.assign([confluent_kafka.TopicPartition("many", partition, 0) for partition in range(PARTITION_COUNT)])
    producer = confluent_kafka.Producer({**servers, "message.timeout.ms": LIMIT_S * 1000})
    for number in range(ROUNDS):
        expected = {(partition, number): b"%d" % (partition + number) for partition in range(PARTITION_COUNT)}
        for (partition, _), value in expected.items():
            producer.produce("many", value, partition=partition)
        assert producer.flush(LIMIT_S) == 0
        received: dict[tuple[int, int], bytes] = {}
        limit = time.monotonic() + LIMIT_S
        while len(received) < len(expected):
            assert time.monotonic() < limit, f"{len(received)} of {len(expected)} records of round {number}"
            for message in consumer.consume(len(expected) - len(received), 0.2):
                assert message.error() is None
                received[message.partition(), message.offset()] = message.value()
        assert received == expected
    consumer.close()
    serving.stop()
    assert "Too many open files" not in serving.errors()
