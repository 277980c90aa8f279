"""Every copy mode delivers the same bytes: those on the disk. Also while the mode changes under load."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import confluent_kafka
import pytest

import kfast
from kfast.record.record import Record

COPY_MODES = ("read_send", "mmap_send", "sendfile", "splice")
LIMIT_S = 30.0
SWITCH_COUNT = 20
BYTES_A_SWITCH = 2 << 20
VALUE_SIZE = 5000


@pytest.mark.parametrize("copy_mode", COPY_MODES)
def test_each_client_reads_the_same_records_in_each_mode(new_client: Any, embedded: Any, copy_mode: str) -> None:
    sizes = (1, 100, 5000, 70_000, 900_000)
    generator = random.Random(7)
    records = [Record(offset, 1, None, generator.randbytes(size)) for offset, size in enumerate(sizes * 2)]
    broker = embedded(copy_mode=copy_mode)
    client = new_client(broker.bootstrap_servers)
    client.produce("orders", records)
    assert client.consume("orders") == records
    broker.stop()  # a thread counts what it has sent a moment after the client has it
    sent_bytes = broker.metrics.total()[0].transfer.sent_bytes
    assert sent_bytes[copy_mode] >= 2 * sum(sizes)
    assert {mode for mode, size in sent_bytes.items() if size} == {copy_mode}


class Load:
    """A producer, raw readers that hash what they get, and a librdkafka consumer that checks it, until told to end."""

    def __init__(self, bootstrap_servers: str, new_reader: Callable[..., Any]) -> None:
        self.bootstrap_servers = bootstrap_servers
        self._new_reader = new_reader
        self.is_over = threading.Event()
        self.has_read = threading.Event()
        self.read_bytes = [0, 0]
        self.produced = 0

    def produce(self) -> None:
        """Numbered values, at most 32 MB on their way."""
        producer = confluent_kafka.Producer(
            {"bootstrap.servers": self.bootstrap_servers, "queue.buffering.max.kbytes": 32 << 10, "log_level": 0}
        )
        while not self.is_over.is_set():
            try:
                producer.produce("load", value(self.produced))
                self.produced += 1
            except BufferError:
                producer.poll(0.01)
        assert producer.flush(LIMIT_S) == 0

    def read_raw(self, number: int) -> tuple[str, int]:
        """Read the log from its start to its end and on as it grows; return the hash and the size of what came."""
        reader = self._new_reader(self.bootstrap_servers, "load", max_bytes=(64 << 10, 1 << 20)[number])
        digest, size = hashlib.sha256(), 0
        while not self.is_over.is_set():
            records = reader.fetch()
            digest.update(records)
            size += len(records)
            self.read_bytes[number] = size
            self.has_read.set()
        return digest.hexdigest(), size

    def consume(self) -> int:
        """Check each value; return how many came."""
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": self.bootstrap_servers, "group.id": "load", "check.crcs": True, "log_level": 0}
        )
        consumer.assign([confluent_kafka.TopicPartition("load", 0, 0)])
        expected = 0
        while not self.is_over.is_set():
            for message in consumer.consume(100, 0.1):
                assert message.error() is None
                assert message.value() == value(expected)
                expected += 1
        consumer.close()
        return expected


def value(number: int) -> bytes:
    return b"%015d" % number * (VALUE_SIZE // 15)


def test_switching_under_load_changes_no_byte(tmp_path: Any, raw_reader: Any) -> None:
    with kfast.BrokerProcess(tmp_path / "data") as broker, ThreadPoolExecutor() as threads:
        admin = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap_servers})
        assert admin.list_topics("load", timeout=LIMIT_S).topics["load"].error is None
        load = Load(broker.bootstrap_servers, raw_reader)
        try:
            producer, consumer = threads.submit(load.produce), threads.submit(load.consume)
            readers = [threads.submit(load.read_raw, number) for number in range(2)]
            limit = time.monotonic() + LIMIT_S
            for switch in range(SWITCH_COUNT):
                broker.set("kfast.copy.mode", COPY_MODES[switch % len(COPY_MODES)])
                wanted = sum(load.read_bytes) + BYTES_A_SWITCH
                while sum(load.read_bytes) < wanted:
                    assert time.monotonic() < limit, f"{load.read_bytes} bytes after {switch} switches"
                    assert not any(thread.done() for thread in (producer, consumer, *readers))
                    load.has_read.wait(1)
                    load.has_read.clear()
        finally:
            load.is_over.set()
        producer.result(LIMIT_S)
        assert consumer.result(LIMIT_S) > 0
        digests = [reader.result(LIMIT_S) for reader in readers]
        sent_bytes = broker.metrics()["sent_bytes"]
    stored = (tmp_path / "data" / "load-0" / f"{0:020}.log").read_bytes()
    for digest, size in digests:
        assert size > 0
        assert digest == hashlib.sha256(memoryview(stored)[:size]).hexdigest()
    assert min(sent_bytes[mode] for mode in COPY_MODES) > 0
