"""More files than the broker may have open, in one topic and in one fetch, before and after a restart."""

from __future__ import annotations

import shutil
import time
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

FILES_A_PARTITION = 3
ROUNDS = 2
LIMIT_S = 20


@pytest.mark.parametrize(("partition_count", "descriptor_limit"), [(200, 96), (1400, 4096)])
def test_all_are_written_and_read_and_after_a_restart_again(
    serve: Any, partition_count: int, descriptor_limit: int
) -> None:
    if shutil.which("prlimit") is None:
        pytest.skip("there is no prlimit")
    assert partition_count * FILES_A_PARTITION > descriptor_limit
    prefix = ["prlimit", f"--nofile={descriptor_limit}:{descriptor_limit}"]
    serving = serve(prefix=prefix)
    admin = AdminClient({"bootstrap.servers": serving.bootstrap_servers, "log_level": 0})
    admin.create_topics([NewTopic("many", partition_count)])["many"].result(LIMIT_S)
    with _Client(serving.bootstrap_servers, partition_count) as client:
        for number in range(ROUNDS):
            client.produce(number)
            client.expect(range(number, number + 1))
    serving.stop()
    again = serve(serving.data_dir, prefix=prefix)
    with _Client(again.bootstrap_servers, partition_count) as client:
        client.produce(ROUNDS)
        client.expect(range(ROUNDS + 1))
    again.stop()
    assert "Too many open files" not in serving.errors() + again.errors()


class _Client:
    """Writes a record to each partition in each round, and reads them all."""

    def __init__(self, bootstrap_servers: str, partition_count: int) -> None:
        servers = {"bootstrap.servers": bootstrap_servers, "log_level": 0}
        self._partitions = range(partition_count)
        self._producer = confluent_kafka.Producer({**servers, "message.timeout.ms": LIMIT_S * 1000})
        self._consumer = confluent_kafka.Consumer({**servers, "group.id": "unused", "fetch.wait.max.ms": 100})
        self._consumer.assign([confluent_kafka.TopicPartition("many", number, 0) for number in self._partitions])

    def produce(self, number: int) -> None:
        for partition in self._partitions:
            self._producer.produce("many", b"%d" % (partition + number), partition=partition)
        assert self._producer.flush(LIMIT_S) == 0

    def expect(self, rounds: range) -> None:
        """That what comes next is the records of `rounds`, each once."""
        expected = {
            (partition, number): b"%d" % (partition + number) for partition in self._partitions for number in rounds
        }
        received: dict[tuple[int, int], bytes] = {}
        limit = time.monotonic() + LIMIT_S
        while len(received) < len(expected):
            assert time.monotonic() < limit, f"{len(received)} of {len(expected)} records of rounds {rounds}"
            for message in self._consumer.consume(len(expected) - len(received), 0.2):
                assert message.error() is None
                received[message.partition(), message.offset()] = message.value()
        assert received == expected

    def __enter__(self) -> _Client:
        return self

    def __exit__(self, *error: object) -> None:
        self._consumer.close()
