"""Consumers as people write them, of three client libraries, in one group on a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import kfast

PARTITION_COUNT = 4
RECORD_COUNT = 40
SESSION_MS = 6000
HEARTBEAT_MS = 100
LIMIT_S = 30
DELAY_MS = 150
"""kafka-python 3.0 has its topics' metadata after 100 ms. A leader that assigns earlier assigns nothing, joins again
when they come, and may then miss its own answer if a poll() ends between JoinGroup and SyncGroup."""


class ConfluentMember:
    """confluent-kafka, that is librdkafka."""

    def __init__(self, bootstrap_servers: str, group: str) -> None:
        kafka = pytest.importorskip("confluent_kafka")
        self._consumer = kafka.Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "session.timeout.ms": SESSION_MS,
                "heartbeat.interval.ms": HEARTBEAT_MS,
                "log_level": 0,
            }
        )
        self._consumer.subscribe(["orders"])

    def poll(self) -> list[bytes]:
        return [message.value() for message in self._consumer.consume(100, timeout=0.05) if not message.error()]

    def partitions(self) -> set[int]:
        return {partition.partition for partition in self._consumer.assignment()}

    def commit(self) -> None:
        self._consumer.commit(asynchronous=False)

    def close(self) -> None:
        self._consumer.close()


class KafkaPythonMember:
    """kafka-python."""

    def __init__(self, bootstrap_servers: str, group: str) -> None:
        kafka = pytest.importorskip("kafka")
        self._rebalancing = (kafka.errors.RebalanceInProgressError, kafka.errors.CommitFailedError)
        self._consumer = kafka.KafkaConsumer(
            "orders",
            bootstrap_servers=bootstrap_servers,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
        )

    def poll(self) -> list[bytes]:
        batches = self._consumer.poll(timeout_ms=50)
        return [record.value for records in batches.values() for record in records]

    def partitions(self) -> set[int]:
        return {partition.partition for partition in self._consumer.assignment()}

    def commit(self) -> None:
        # It joins once more for reasons of its own now and then; until it has, there is nothing it may commit.
        with contextlib.suppress(self._rebalancing):
            self._consumer.commit()

    def close(self) -> None:
        self._consumer.close()


class AiokafkaMember:
    """aiokafka, in an event loop in a thread of its own: its heartbeats go on while another member polls."""

    def __init__(self, bootstrap_servers: str, group: str) -> None:
        self._aiokafka = pytest.importorskip("aiokafka")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._consumer = self._run(self._start(bootstrap_servers, group))

    async def _start(self, bootstrap_servers: str, group: str) -> Any:
        consumer = self._aiokafka.AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
        )
        # With topics already named, start() would wait for the first assignment, and so for members yet to be made.
        await consumer.start()
        consumer.subscribe(["orders"])
        return consumer

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(LIMIT_S)

    def poll(self) -> list[bytes]:
        batches = self._run(self._consumer.getmany(timeout_ms=50))
        return [record.value for records in batches.values() for record in records]

    def partitions(self) -> set[int]:
        return {partition.partition for partition in self._consumer.assignment()}

    def commit(self) -> None:
        self._run(self._consumer.commit())

    def close(self) -> None:
        self._run(self._consumer.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT_S)
        self._loop.close()


MEMBERS = pytest.mark.parametrize("new_member", [ConfluentMember, KafkaPythonMember, AiokafkaMember])


class Members:
    """Polls its members in turn, as one thread, and collects what they got."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.members: list[Any] = []
        self.values: list[bytes] = []

    def add(self, member: Any) -> Any:
        self.members.append(member)
        self._stack.callback(self.remove, member)
        return member

    def remove(self, member: Any) -> None:
        if member in self.members:
            self.members.remove(member)
            member.close()

    def poll_until(self, is_done: Callable[[], bool]) -> None:
        end = time.monotonic() + LIMIT_S
        while not is_done():
            assert time.monotonic() < end, f"after {LIMIT_S} s: {self}"
            for member in self.members:
                self.values += member.poll()

    def commit_to(self, broker: kfast.Broker, end: int) -> None:
        """Poll and commit until every partition is committed to its end."""

        def is_committed() -> bool:
            for member in self.members:
                member.commit()
            return [value.offset for value in broker.groups.offsets("g").values()] == [end] * PARTITION_COUNT

        self.poll_until(is_committed)

    def shares(self) -> list[set[int]]:
        return [member.partitions() for member in self.members]

    def __repr__(self) -> str:
        return f"{len(self.values)} records, {self.shares()}"


def produce(broker: kfast.Broker, first: int) -> set[bytes]:
    kafka = pytest.importorskip("confluent_kafka")
    producer = kafka.Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    values = {b"%d" % number for number in range(first, first + RECORD_COUNT)}
    for value in values:
        producer.produce("orders", value, partition=int(value) % PARTITION_COUNT)
    assert producer.flush(LIMIT_S) == 0
    return values


def open_broker(directory: Path) -> kfast.Broker:
    config = {"num.partitions": str(PARTITION_COUNT), "group.initial.rebalance.delay.ms": str(DELAY_MS)}
    return kfast.Broker(directory, config=config)


@MEMBERS
def test_two_members_share_the_partitions_and_one_takes_over_when_the_other_leaves(
    tmp_path: Path, new_member: Any
) -> None:
    with open_broker(tmp_path) as broker, ExitStack() as stack:
        members = Members(stack)
        produced = produce(broker, 0)
        first, second = (members.add(new_member(broker.bootstrap_servers, "g")) for _ in range(2))
        members.poll_until(lambda: [len(share) for share in members.shares()] == [2, 2])
        assert first.partitions() | second.partitions() == set(range(PARTITION_COUNT))
        members.poll_until(lambda: set(members.values) == produced)
        members.commit_to(broker, RECORD_COUNT // PARTITION_COUNT)

        members.remove(first)
        members.poll_until(lambda: second.partitions() == set(range(PARTITION_COUNT)))
        members.values.clear()
        more = produce(broker, RECORD_COUNT)
        members.poll_until(lambda: set(members.values) == more)
        assert len(members.values) == RECORD_COUNT, "what the other had committed is not read again"


@MEMBERS
def test_a_group_goes_on_from_its_commit_after_a_restart_of_the_broker(tmp_path: Path, new_member: Any) -> None:
    with open_broker(tmp_path) as broker, ExitStack() as stack:
        members = Members(stack)
        produced = produce(broker, 0)
        members.add(new_member(broker.bootstrap_servers, "g"))
        members.poll_until(lambda: set(members.values) == produced)
        members.commit_to(broker, RECORD_COUNT // PARTITION_COUNT)
    with open_broker(tmp_path) as broker, ExitStack() as stack:
        members = Members(stack)
        produced = produce(broker, RECORD_COUNT)
        members.add(new_member(broker.bootstrap_servers, "g"))
        members.poll_until(lambda: len(members.values) >= RECORD_COUNT)
        assert set(members.values) == produced
        assert len(members.values) == RECORD_COUNT
