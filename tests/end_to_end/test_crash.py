"""kill -9 or SIGTERM under load: what was acknowledged is there after a restart, in order, and once."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest

from kfast.log.dump import dump, is_invalid
from kfast.record.record import Record

LIMIT_S = 20.0
ACKNOWLEDGED_COUNT = 2000
PARTITION_COUNT = 2
SETTINGS = ("--config", f"num.partitions={PARTITION_COUNT}", "--config", "log.segment.bytes=1048576")


class NumberedProducer:
    """Sends rising numbers to the partitions in turn, each exactly once: nothing is tried again."""

    def __init__(self, bootstrap_servers: str, first: int) -> None:
        self.acknowledged: dict[tuple[int, int], int] = {}
        self.next_number = first
        self._producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "retries": 0,
                "linger.ms": 1,
                "batch.num.messages": 50,
                "log_level": 0,
            }
        )

    def run_until(self, count: int) -> None:
        """Produce until `count` records are acknowledged, leaving others on their way."""
        for number in itertools.count(self.next_number):
            self._send(number)
            self._producer.poll(0)
            if len(self.acknowledged) >= count:
                self.next_number = number + 1
                return

    def _send(self, number: int) -> None:
        try:
            self._producer.produce("orders", value(number), partition=number % PARTITION_COUNT, callback=self._answered)
        except BufferError:
            self._producer.poll(0.1)
            self._send(number)

    def _answered(self, error: Any, message: Any) -> None:
        if error is None:
            self.acknowledged[message.partition(), message.offset()] = number_of(message.value())

    def give_up(self) -> None:
        """Drop what was not sent yet, and take the answers that are still there to be taken."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            self._producer.purge()  # again: what was in flight is queued anew when the connection is seen to end
            if not self._producer.flush(0.5):
                return
            assert time.monotonic() < deadline, f"{len(self._producer)} records are still waiting"


def value(number: int) -> bytes:
    return b"%d " % number + bytes(number % 2000)


def number_of(value: bytes) -> int:
    return int(value.partition(b" ")[0])


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_acknowledged_records_survive_in_order_and_once(serve: Any, confluent: Any, tmp_path: Path, end: str) -> None:
    acknowledged: dict[tuple[int, int], int] = {}
    first = 0
    for _ in range(2):
        serving = serve(tmp_path / "data", *SETTINGS)
        producer = NumberedProducer(serving.bootstrap_servers, first)
        producer.run_until(ACKNOWLEDGED_COUNT)
        getattr(serving, end)()
        producer.give_up()
        acknowledged |= producer.acknowledged
        first = producer.next_number
    serving = serve(tmp_path / "data", *SETTINGS)
    client = confluent(serving.bootstrap_servers)
    stored: dict[tuple[int, int], int] = {}
    for partition in range(PARTITION_COUNT):
        records = client.consume("orders", partition)
        assert [record.offset for record in records] == list(range(len(records)))
        numbers = [number_of(record.value) for record in records]
        assert numbers == sorted(set(numbers)), "in order, and each once"
        assert all(record.value == value(number) for record, number in zip(records, numbers, strict=True))
        stored |= {(partition, offset): number for offset, number in enumerate(numbers)}
    assert len(acknowledged) >= 2 * ACKNOWLEDGED_COUNT
    assert acknowledged.items() <= stored.items()

    serving.stop()
    assert len(list((tmp_path / "data" / "orders-0").glob("*.log"))) > 1, "segments have rolled"
    assert not [entry for entry in dump([tmp_path / "data"]) if is_invalid(entry)]


@pytest.mark.parametrize("garbage", [b"\x00" * 4096, b"\xa5" * 100, None], ids=["zeros", "garbage", "half a batch"])
def test_what_a_crash_left_behind_the_last_batch_is_cut_and_said(
    serve: Any, confluent: Any, tmp_path: Path, garbage: Any
) -> None:
    serving = serve(tmp_path / "data")
    values = [b"%d" % number for number in range(100)]
    confluent(serving.bootstrap_servers).produce("orders", [Record(0, 1, None, each) for each in values])
    serving.kill()
    path = tmp_path / "data" / "orders-0" / f"{0:020}.log"
    whole = path.read_bytes()
    tail = whole[: len(whole) // 2] if garbage is None else garbage
    path.write_bytes(whole + tail)
    serving = serve(tmp_path / "data")
    assert path.stat().st_size == len(whole)
    client = confluent(serving.bootstrap_servers)
    assert [record.value for record in client.consume("orders")] == values
    assert f"{len(tail)}" in serving.errors()
    client.produce("orders", [Record(0, 1, None, b"after")])
    assert client.range("orders") == (0, 101)
