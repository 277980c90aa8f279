"""Members of three client libraries in one group: they share the partitions, and offsets outlive the broker."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiokafka
import confluent_kafka
import kafka
import pytest
from aiokafka.coordinator.assignors.range import RangePartitionAssignor as AiokafkaRange
from aiokafka.errors import IllegalStateError
from kafka.coordinator.assignors.range import RangePartitionAssignor as KafkaPythonRange

from kfast.record.record import Record

PARTITION_COUNT = 6
SESSION_MS = 6000
HEARTBEAT_MS = 100
LIMIT_S = 30.0
SETTINGS = ("--config", f"num.partitions={PARTITION_COUNT}")


class Member(ABC):
    """A consumer of "orders" in group "g" with a thread of its own, as its program would have one.

    Two of the libraries hold up their caller until all others have joined: members in one thread would wait for ever.
    """

    def __init__(self, bootstrap_servers: str, polled: threading.Event) -> None:
        self.bootstrap_servers = bootstrap_servers
        self._polled = polled
        self.places: list[tuple[int, int]] = []
        self.positions: dict[int, int] = {}
        self._commit_asked = threading.Event()
        self._committed = threading.Event()
        self._leaving = threading.Event()
        self._thread = ThreadPoolExecutor(1)
        self._result = self._thread.submit(self._run)

    def commit(self) -> None:
        self._commit_asked.set()
        assert self._committed.wait(LIMIT_S)

    def leave(self) -> None:
        self._leaving.set()
        self._result.result(LIMIT_S)
        self._thread.shutdown()

    def check(self) -> None:
        """Raise what its thread has died of."""
        if self._result.done():
            self._result.result()

    def _run(self) -> None:
        self.open()
        try:
            while not self._leaving.is_set():
                self.places += self.poll()
                self.positions = self.positions_now()
                if self._commit_asked.is_set() and not self._committed.is_set():
                    self.commit_now()
                    self._committed.set()
                self._polled.set()
        finally:
            self.close()

    @abstractmethod
    def open(self) -> None: ...

    @abstractmethod
    def poll(self) -> list[tuple[int, int]]:
        """Wait a little; return (partition, offset) of what comes."""

    @property
    def share(self) -> set[int]:
        return set(self.positions)

    @abstractmethod
    def positions_now(self) -> dict[int, int]:
        """Where it is in each partition it has; what it read before they were last assigned does not count."""

    @abstractmethod
    def commit_now(self) -> None: ...

    @abstractmethod
    def close(self) -> None: ...


class ConfluentMember(Member):
    def open(self) -> None:
        self._consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": self.bootstrap_servers,
                "group.id": "g",
                "partition.assignment.strategy": "range",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "session.timeout.ms": SESSION_MS,
                "heartbeat.interval.ms": HEARTBEAT_MS,
                "log_level": 0,
            }
        )
        self._consumer.subscribe(["orders"])

    def poll(self) -> list[tuple[int, int]]:
        messages = self._consumer.consume(100, 0.02)
        return [(message.partition(), message.offset()) for message in messages if not message.error()]

    def positions_now(self) -> dict[int, int]:
        return {place.partition: place.offset for place in self._consumer.position(self._consumer.assignment())}

    def commit_now(self) -> None:
        self._consumer.commit(asynchronous=False)

    def close(self) -> None:
        self._consumer.close()


class KafkaPythonMember(Member):
    def open(self) -> None:
        self._consumer = kafka.KafkaConsumer(
            "orders",
            bootstrap_servers=self.bootstrap_servers,
            group_id="g",
            partition_assignment_strategy=[KafkaPythonRange],
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
        )

    def poll(self) -> list[tuple[int, int]]:
        batches = self._consumer.poll(20).values()
        return [(record.partition, record.offset) for batch in batches for record in batch]

    def positions_now(self) -> dict[int, int]:
        return {place.partition: self._consumer.position(place) for place in self._consumer.assignment()}

    def commit_now(self) -> None:
        self._consumer.commit()

    def close(self) -> None:
        self._consumer.close()


class AiokafkaMember(Member):
    def open(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._consumer = self._until_done(self._start())

    def _until_done(self, coroutine: Any) -> Any:
        return self._loop.run_until_complete(coroutine)

    async def _start(self) -> Any:
        consumer = aiokafka.AIOKafkaConsumer(
            "orders",
            bootstrap_servers=self.bootstrap_servers,
            group_id="g",
            partition_assignment_strategy=[AiokafkaRange],
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
        )
        await consumer.start()
        return consumer

    def poll(self) -> list[tuple[int, int]]:
        batches = self._until_done(self._consumer.getmany(timeout_ms=20)).values()
        return [(record.partition, record.offset) for batch in batches for record in batch]

    def positions_now(self) -> dict[int, int]:
        return self._until_done(self._positions())

    async def _positions(self) -> dict[int, int]:
        positions = {}
        for place in self._consumer.assignment():
            with contextlib.suppress(IllegalStateError):  # taken away meanwhile
                positions[place.partition] = await self._consumer.position(place)
        return positions

    def commit_now(self) -> None:
        self._until_done(self._consumer.commit())

    def close(self) -> None:
        self._until_done(self._consumer.stop())
        self._loop.close()


KINDS: tuple[type[Member], ...] = (ConfluentMember, KafkaPythonMember, AiokafkaMember)


class Group:
    """Its members, and what they have together."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self._polled = threading.Event()

    def add(self, kind: type[Member], bootstrap_servers: str) -> Member:
        self.members.append(kind(bootstrap_servers, self._polled))
        return self.members[-1]

    def leave(self, member: Member) -> None:
        self.members.remove(member)
        member.leave()

    def wait_until(self, is_done: Callable[[], bool]) -> None:
        limit = time.monotonic() + LIMIT_S
        while not is_done():
            shares = [member.share for member in self.members]
            assert time.monotonic() < limit, f"{shares}, {[len(member.places) for member in self.members]}"
            for member in self.members:
                member.check()
            self._polled.wait(1)
            self._polled.clear()

    def has_read_up_to(self, offset: int) -> bool:
        """Whether each member has come to `offset` in its own partitions, whoever read them before."""
        return all(position == offset for member in self.members for position in member.positions.values())

    def is_shared(self) -> bool:
        """Whether all members have as many partitions as the others, and each partition one member."""
        shares = [member.share for member in self.members]
        owned = sorted(partition for share in shares for partition in share)
        return owned == list(range(PARTITION_COUNT)) and len(set(map(len, shares))) == 1

    def places(self) -> list[tuple[int, int]]:
        return sorted(place for member in self.members for place in member.places)


@pytest.fixture
def group(serve: object) -> Iterator[Group]:
    group = Group()
    yield group
    for member in list(group.members):
        group.leave(member)


def produce(client: Any, first: int, count: int) -> list[tuple[int, int]]:
    """`count` records to each partition, whose offsets begin at `first`; returns where they are."""
    for partition in range(PARTITION_COUNT):
        offsets = client.produce("orders", [Record(0, 1, None, b"x")] * count, partition=partition)
        assert offsets == list(range(first, first + count))
    return [(partition, offset) for partition in range(PARTITION_COUNT) for offset in range(first, first + count)]


def test_three_libraries_share_a_topic_and_take_over_from_each_other(serve: Any, confluent: Any, group: Group) -> None:
    serving = serve(None, *SETTINGS)
    client = confluent(serving.bootstrap_servers)
    produce(client, 0, 5)
    for kind in KINDS:
        group.add(kind, serving.bootstrap_servers)
    group.wait_until(lambda: group.is_shared() and group.has_read_up_to(5))
    for member in group.members:
        member.commit()
        member.places.clear()
    group.leave(group.members[0])
    group.wait_until(group.is_shared)
    produced = produce(client, 5, 5)
    group.wait_until(lambda: len(group.places()) >= len(produced))
    assert group.places() == produced, "what another member had committed is not read again"


@pytest.mark.parametrize("kind", KINDS)
def test_a_committed_offset_survives_kill_9(serve: Any, confluent: Any, group: Group, kind: type[Member]) -> None:
    serving = serve(None, *SETTINGS)
    produced = produce(confluent(serving.bootstrap_servers), 0, 5)
    member = group.add(kind, serving.bootstrap_servers)
    group.wait_until(lambda: len(member.places) >= len(produced))
    member.commit()
    group.leave(member)
    serving.kill()
    serving = serve(serving.data_dir, *SETTINGS)
    produced = produce(confluent(serving.bootstrap_servers), 5, 5)
    successor = group.add(kind, serving.bootstrap_servers)
    group.wait_until(lambda: len(successor.places) >= len(produced))
    assert sorted(successor.places) == produced
