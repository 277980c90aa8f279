"""What a broker does when it is killed: loads, each of which keeps what it was told and looks for it afterwards."""

from __future__ import annotations

import hashlib
import itertools
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from kfast.client.cluster import EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, ask, offset_at
from kfast.client.connection import CLIENT_ID, ClientConnection
from kfast.errors import KfastError
from kfast.record.batch import RecordBatch
from kfast.record.batches import iter_batches
from kfast.record.builder import RecordBatchBuilder
from kfast.wire.api_versions import ApiKey
from kfast.wire.fetch import FetchPartition, FetchRequest, FetchTopic, read_fetch_response, write_fetch_request
from kfast.wire.framing import parse_response_header
from kfast.wire.produce import ProduceRequest, read_produce_response, write_produce_request

MIB = 1 << 20
TIME_OUT = timedelta(seconds=30)
VERSION = 9
FETCH_VERSION = 11
SMALL = {"internal.segment.bytes": "3000", "index.interval.bytes": "200"}
DUPLICATES = (45, 46)
"""To a batch that lies behind a producer's last one at the time of a snapshot Kafka has no other answer."""


def after_stamps(batch: Any) -> bytes:
    """A digest of what a broker leaves as it is: all but the base offset, the size and the leader epoch."""
    return hashlib.blake2b(memoryview(batch)[16:], digest_size=16).digest()


def produce(connection: ClientConnection, topic: str, batches: Sequence[bytearray]) -> Iterator[tuple[int, int]]:
    """Send all of them at once; yield (error code, offset) of each when it is answered."""
    for batch in batches:
        request = ProduceRequest(None, -1, 30_000, [(topic, None, [(0, memoryview(batch))])])
        connection.socket.sendall(b"".join(write_produce_request(VERSION, 0, CLIENT_ID, request)))
    for _ in batches:
        frame = connection._receive_frame()
        _, position = parse_response_header(frame, ApiKey.PRODUCE, VERSION)
        (result,) = read_produce_response(VERSION, frame, position).topics[0].partitions
        yield result.error_code, result.base_offset


class RefusedError(KfastError):
    """An answer that only a broker that is told to stop may give."""


def accepted(error_code: int) -> None:
    if error_code:
        raise RefusedError(f"error {error_code}")


class Reader:
    """All that lies in partition 0 of a topic."""

    def __init__(self, connection: ClientConnection, topic: str) -> None:
        self.start = offset_at(connection, topic, 0, EARLIEST_TIMESTAMP)
        self.end = offset_at(connection, topic, 0, LATEST_TIMESTAMP)
        self.batches: list[RecordBatch] = []
        offset = self.start
        while offset < self.end:
            wanted = FetchTopic(topic, None, [FetchPartition(0, offset, 1 << 20)])
            request = FetchRequest(0, 0, 1 << 20, 0, 0, -1, [wanted])
            frame = write_fetch_request(FETCH_VERSION, 0, "", request)
            body = connection.call(ApiKey.FETCH, FETCH_VERSION, frame[4 + 8 + 2 :])
            (partition,) = read_fetch_response(FETCH_VERSION, body).topics[0].partitions
            accepted(partition.error_code)
            found = [batch for batch in iter_batches(bytes(partition.records or b"")) if batch.next_offset > offset]
            assert all(batch.is_valid() for batch in found)
            self.batches += found
            offset = found[-1].next_offset if found else self.end  # compaction may have emptied the end


class Load(ABC):
    """One kind of work, and what it was told by all brokers so far."""

    topic = ""
    configs: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, random: random.Random) -> None:
        self.random = random
        self.numbers = itertools.count(1)
        self.acknowledged_count = 0

    def prepare(self, connection: ClientConnection) -> None:
        create(connection, self.topic, self.configs)

    @abstractmethod
    def run(self, connection: ClientConnection) -> None:
        """Work until the connection breaks."""

    @abstractmethod
    def check(self, connection: ClientConnection) -> None:
        """Look for all that was acknowledged."""


def create(connection: ClientConnection, topic: str, configs: dict[str, str], partition_count: int = 1) -> None:
    wanted = {
        "name": topic,
        "num_partitions": partition_count,
        "replication_factor": 1,
        "configs": [{"name": name, "value": value} for name, value in configs.items()],
    }
    answer = ask(connection, ApiKey.CREATE_TOPICS, topics=[wanted], timeout=TIME_OUT, validate_only=False)
    accepted(answer.topics[0].error_code)


class Plain(Load):
    """Batches of a producer that tries nothing twice."""

    topic = "plain"
    configs = SMALL
    is_kept = True

    def __init__(self, random: random.Random) -> None:
        super().__init__(random)
        self.acknowledged: dict[int, bytes] = {}
        self.sent: set[bytes] = set()

    def run(self, connection: ClientConnection) -> None:
        while True:
            batches = [self.make() for _ in range(self.random.randint(1, 4))]
            self.sent.update(map(after_stamps, batches))
            for batch, (error_code, offset) in zip(batches, produce(connection, self.topic, batches), strict=True):
                accepted(error_code)
                self.acknowledged[offset] = after_stamps(batch)
                self.acknowledged_count += RecordBatch(batch).count

    def make(self, **producer: int) -> bytearray:
        builder = RecordBatchBuilder(**producer)
        for _ in range(self.random.randint(1, 5)):
            value = b"%d" % next(self.numbers) + bytes(self.random.randint(0, 300))
            builder.append(b"key", value, time.time_ns() // 1_000_000)
        return builder.build()

    def check(self, connection: ClientConnection) -> None:
        stored = Reader(connection, self.topic)
        found = {batch.base_offset: after_stamps(batch.buffer) for batch in stored.batches}
        assert stored.start == 0 or not self.is_kept
        assert [stored.start, *(batch.next_offset for batch in stored.batches)] == [*found, stored.end], "gaps"
        assert len(set(found.values())) == len(found), "twice"
        assert self.sent.issuperset(found.values()), "what nobody sent"
        assert stored.end > max(self.acknowledged, default=-1)
        kept = {offset: batch for offset, batch in self.acknowledged.items() if offset >= stored.start}
        assert kept.items() <= found.items(), f"{len(kept.items() - found.items())} lost"


class Flushed(Plain):
    topic = "flushed"
    configs = {"segment.ms": "10", "flush.messages": "3"}  # noqa: RUF012


class Fleeting(Plain):
    topic = "fleeting"
    configs = {**SMALL, "retention.bytes": "9000", "file.delete.delay.ms": "10"}  # noqa: RUF012
    is_kept = False


class Large(Plain):
    """Batches that are not written at once, so that a kill tears one now and then."""

    topic = "large"
    configs = {  # noqa: RUF012
        "max.message.bytes": str(5 * MIB),
        "segment.bytes": str(6 * MIB),
        "retention.bytes": str(6 * MIB),
        "file.delete.delay.ms": "10",
    }
    is_kept = False

    def make(self, **producer: int) -> bytearray:
        builder = RecordBatchBuilder(**producer)
        value = b"%d" % next(self.numbers) + bytes(self.random.randint(1, 4 * MIB))
        builder.append(b"key", value, time.time_ns() // 1_000_000)
        return builder.build()


class Shortened(Plain):
    """Some of its records are deleted on request; those may be back after a kill, as with Kafka, and no others go."""

    topic = "shortened"
    configs = {**SMALL, "file.delete.delay.ms": "10"}  # noqa: RUF012
    is_kept = False

    def __init__(self, random: random.Random) -> None:
        super().__init__(random)
        self.asked_offset = 0

    def make(self, **producer: int) -> bytearray:
        if self.acknowledged and self.random.random() < 0.05:
            self.asked_offset = max(self.asked_offset, self.random.choice(sorted(self.acknowledged)[-5:]))
            self.delete_records()
        return super().make(**producer)

    def run(self, connection: ClientConnection) -> None:
        self.connection = connection
        super().run(connection)

    def delete_records(self) -> None:
        partition = {"partition_index": 0, "offset": self.asked_offset}
        topics = [{"name": self.topic, "partitions": [partition]}]
        answer = ask(self.connection, ApiKey.DELETE_RECORDS, topics=topics, timeout=TIME_OUT)
        accepted(answer.topics[0].partitions[0].error_code)
        assert answer.topics[0].partitions[0].low_watermark == self.asked_offset

    def check(self, connection: ClientConnection) -> None:
        super().check(connection)
        assert offset_at(connection, self.topic, 0, EARLIEST_TIMESTAMP) <= self.asked_offset


class Idempotent(Plain):
    """A producer that sends what was not answered again to the next broker, and some of what was."""

    topic = "idempotent"

    def __init__(self, random: random.Random) -> None:
        super().__init__(random)
        self.batches: list[bytearray] = []
        self.next_sequence = self.answered_count = 0
        self.stored_offsets: list[int] = []
        self.producer_ids: list[int] = []

    def run(self, connection: ClientConnection) -> None:
        answer = ask(connection, ApiKey.INIT_PRODUCER_ID, transactional_id=None, transaction_timeout=TIME_OUT)
        accepted(answer.error_code)
        assert answer.producer_id not in self.producer_ids
        self.producer_ids.append(answer.producer_id)
        number = max(0, self.answered_count - 2)
        while True:
            while len(self.batches) < self.answered_count + 3:
                self.batches.append(self.make_next())
            for error_code, offset in produce(connection, self.topic, self.batches[number:]):
                self.note(number, error_code, offset)
                number += 1

    def make_next(self) -> bytearray:
        batch = self.make(producer_id=self.producer_ids[0], producer_epoch=0, base_sequence=self.next_sequence)
        self.next_sequence += RecordBatch(batch).count
        self.sent.add(after_stamps(batch))
        return batch

    def note(self, number: int, error_code: int, offset: int) -> None:
        if number < len(self.stored_offsets):
            assert error_code in DUPLICATES or (error_code, offset) == (0, self.stored_offsets[number])
        else:
            accepted(error_code)
            self.acknowledged[offset] = after_stamps(self.batches[number])
            self.acknowledged_count += RecordBatch(self.batches[number]).count
        self.answered_count = max(self.answered_count, number + 1)

    def check(self, connection: ClientConnection) -> None:
        super().check(connection)
        stored = Reader(connection, self.topic).batches
        self.stored_offsets = [batch.base_offset for batch in stored]
        expected = [after_stamps(batch) for batch in self.batches[: len(stored)]]
        assert [after_stamps(batch.buffer) for batch in stored] == expected, "out of order"


class Compacted(Load):
    """Keys with values that rise, and some tombstones."""

    topic = "compacted"
    configs = {  # noqa: RUF012
        **SMALL,
        "cleanup.policy": "compact",
        "min.cleanable.dirty.ratio": "0.01",
        "delete.retention.ms": "5",
        "file.delete.delay.ms": "10",
    }

    def __init__(self, random: random.Random) -> None:
        super().__init__(random)
        self.sent: dict[int, tuple[bytes, bytes | None]] = {}
        self.offsets: dict[int, int] = {}
        self.latest: dict[bytes, int] = {}

    def run(self, connection: ClientConnection) -> None:
        while True:
            numbers = [next(self.numbers) for _ in range(self.random.randint(1, 6))]
            for (error_code, offset), number in zip(
                produce(connection, self.topic, [self.make(number) for number in numbers]), numbers, strict=True
            ):
                accepted(error_code)
                self.offsets[offset] = number
                self.latest[self.sent[number][0]] = number
                self.acknowledged_count += 1

    def make(self, number: int) -> bytearray:
        value = None if self.random.random() < 0.15 else b"%d" % number + bytes(self.random.randint(0, 300))
        key = b"key%d" % self.random.randint(0, 12)
        self.sent[number] = key, value
        builder = RecordBatchBuilder()
        builder.append(key, value, time.time_ns() // 1_000_000, [("number", b"%d" % number)])
        return builder.build()

    def check(self, connection: ClientConnection) -> None:
        stored = Reader(connection, self.topic)
        assert stored.end > max(self.offsets, default=-1)
        found: dict[bytes, int] = {}
        for batch in stored.batches:
            for record in batch.records():
                number = int(record.headers[0][1])
                assert self.sent[number] == (record.key, record.value)
                assert self.offsets.get(record.offset, number) == number
                found[record.key] = number
        for key, number in self.latest.items():
            if key in found:
                assert found[key] >= number, f"{key!r} is back at {found[key]}, and was {number}"
            else:
                later = (self.sent[other] for other in range(number, max(self.sent) + 1) if other in self.sent)
                assert (key, None) in later, f"{key!r} is gone, and was {number}"


class Commits(Load):
    """Groups that commit rising offsets."""

    GROUPS = 3

    def __init__(self, random: random.Random) -> None:
        super().__init__(random)
        self.acknowledged = {f"group{number}": -1 for number in range(self.GROUPS)}
        self.sent = dict(self.acknowledged)

    def prepare(self, connection: ClientConnection) -> None:
        for group in self.acknowledged:
            ask(connection, ApiKey.FIND_COORDINATOR, key_type=0, coordinator_keys=(group,))

    def run(self, connection: ClientConnection) -> None:
        while True:
            offset = next(self.numbers)
            group = f"group{offset % self.GROUPS}"
            self.sent[group] = offset
            partition = {"partition_index": 0, "committed_offset": offset, "committed_metadata": "m" * (offset % 50)}
            topics = [{"name": "plain", "partitions": [partition]}]
            answer = ask(connection, ApiKey.OFFSET_COMMIT, group_id=group, topics=topics)
            accepted(answer.topics[0].partitions[0].error_code)
            self.acknowledged[group] = offset
            self.acknowledged_count += 1

    def check(self, connection: ClientConnection) -> None:
        for group, offset in self.acknowledged.items():
            wanted = {"group_id": group, "topics": [{"name": "plain", "partition_indexes": (0,)}]}
            answer = ask(connection, ApiKey.OFFSET_FETCH, groups=[wanted])
            found = answer.groups[0].topics[0].partitions[0]
            assert offset <= found.committed_offset <= self.sent[group]
            assert found.metadata == "m" * (max(0, found.committed_offset) % 50)


class Topics(Load):
    """Topics that come and go."""

    def __init__(self, random: random.Random) -> None:
        super().__init__(random)
        self.made: set[str] = set()
        self.deleted: set[str] = set()

    def prepare(self, connection: ClientConnection) -> None:
        """Its topics are its work."""

    def run(self, connection: ClientConnection) -> None:
        while True:
            name = f"topic{next(self.numbers)}"
            create(connection, name, SMALL, 2)
            self.made.add(name)
            ((error_code, _),) = produce(connection, name, [self.make()])
            accepted(error_code)
            self.acknowledged_count += 2
            if self.random.random() < 0.8:
                doomed = self.random.choice(sorted(self.made))
                self.made.discard(doomed)
                wanted = [{"name": doomed, "topic_id": None}]
                answer = ask(connection, ApiKey.DELETE_TOPICS, topics=wanted, timeout=TIME_OUT)
                accepted(answer.responses[0].error_code)
                self.deleted.add(doomed)
                self.acknowledged_count += 1

    def make(self) -> bytearray:
        builder = RecordBatchBuilder()
        builder.append(b"key", b"value", time.time_ns() // 1_000_000)
        return builder.build()

    def check(self, connection: ClientConnection) -> None:
        answer = ask(connection, ApiKey.METADATA, topics=None, allow_auto_topic_creation=False)
        names = {topic.name for topic in answer.topics}
        assert self.made <= names, "topics are gone"
        assert not self.deleted & names, "topics are back"


LOADS = (Plain, Flushed, Fleeting, Large, Shortened, Idempotent, Compacted, Commits, Topics)
