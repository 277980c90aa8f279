"""What end-to-end tests share: `kfast serve` in a process of its own, and three client libraries behind one face.

A client here produces `Record`s and gives back `Record`s, so that what one library wrote can be held against what
another read. Errors of a broker come as `Refused`, with Kafka's code.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import signal
import ssl
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import aiokafka
import confluent_kafka
import kafka
import pytest
from aiokafka.errors import KafkaError as AiokafkaError
from kafka.errors import KafkaError as KafkaPythonError

import kfast
from kfast.client.connection import ClientConnection
from kfast.record.batches import iter_batches
from kfast.record.record import Record
from kfast.wire.api_versions import ApiKey
from kfast.wire.fetch import FetchPartition, FetchRequest, FetchTopic, read_fetch_response, write_fetch_request

LIMIT_S = 20.0
MAX_REQUEST_SIZE = 8 << 20
MAX_WAIT_MS = 10
"""A consumer's next question waits behind its long poll; 500 ms, the default, a question are 30 s a run."""


class Serving:
    """`kfast serve` as its own process; ready when the constructor returns. `prefix` is a command to run it under."""

    def __init__(self, data_dir: Path, arguments: Sequence[str], prefix: Sequence[str]) -> None:
        self.data_dir = data_dir
        self._errors = data_dir.with_name(data_dir.name + ".err").open("a+")
        command = [*prefix, sys.executable, "-m", "kfast", "serve", "--data-dir", str(data_dir), *arguments]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._errors, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"bootstrap\.servers=(\S+):(\d+)", line)
        assert found, f"{line}{self.errors()}"
        self.address = found[1], int(found[2])

    @property
    def bootstrap_servers(self) -> str:
        return "{}:{}".format(*self.address)

    @property
    def pid(self) -> int:
        return self._process.pid

    def errors(self) -> str:
        """What it has logged so far."""
        self._errors.seek(0)
        return self._errors.read()

    def resident_bytes(self) -> int:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> None:
        """SIGTERM; it has to end with status 0."""
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(LIMIT_S) == 0, self.errors()

    def kill(self) -> None:
        """SIGKILL, which gives it no chance to tidy up."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()


Serve = Callable[..., Serving]


def _serving(directory: Path) -> Iterator[Serve]:
    started: list[Serving] = []

    def serve(data_dir: Path | None = None, *arguments: str, prefix: Sequence[str] = (), port: int = 0) -> Serving:
        data_dir = data_dir or directory / f"data-{len(started)}"
        started.append(Serving(data_dir, ["--listen", f"127.0.0.1:{port}", *arguments], prefix))
        return started[-1]

    yield serve
    for serving in started:
        serving.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve(data_dir=None, *arguments, prefix=(), port=0)` starts a broker that is gone after the test."""
    yield from _serving(tmp_path)


@pytest.fixture
def embedded() -> Iterator[Callable[..., kfast.Broker]]:
    """`embedded(data_dir=None, copy_mode=...)` is a broker in this process that is gone after the test."""
    started: list[kfast.Broker] = []

    def embedded(*arguments: Any, **settings: Any) -> kfast.Broker:
        started.append(kfast.Broker(*arguments, **settings))
        return started[-1]

    yield embedded
    for broker in started:
        broker.stop()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A broker that many tests share, each with topics of its own; it must not have met an unexpected error."""
    for serve in _serving(tmp_path_factory.mktemp("served")):
        serving = serve()
        yield serving
        assert "Traceback" not in serving.errors(), serving.errors()


_numbers = itertools.count(1)


@pytest.fixture
def topic() -> str:
    """A name no other test uses; the topic is made by the first client that asks for it."""
    return f"topic-{next(_numbers)}"


class Refused(Exception):
    """A broker's error as a client reported it; `code` is Kafka's."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Client(ABC):
    """A client library: its producers, made for each call, and one consumer without a group.

    `security` are the library's settings for a listener that encrypts; `trusting(path)` returns them.
    """

    name: str

    def __init__(self, bootstrap_servers: str, security: dict[str, Any] | None = None) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.security = security or {}

    @staticmethod
    @abstractmethod
    def trusting(ssl_ca_location: str) -> dict[str, Any]: ...

    @abstractmethod
    def produce(
        self, topic: str, records: Sequence[Record], *, partition: int = 0, codec: str = "none", **settings: Any
    ) -> list[int]:
        """Send `records` and return the offsets they got. `settings` are named as the library names them."""

    @abstractmethod
    def poll(self, count: int) -> list[Record]:
        """What has come for the assigned partition since the last call, after a short wait unless it is `count`."""

    @abstractmethod
    def assign(self, topic: str, partition: int, offset: int) -> None: ...

    @abstractmethod
    def range(self, topic: str, partition: int = 0) -> tuple[int, int]:
        """The partition's first offset and the one after its last."""

    @abstractmethod
    def offset_for_timestamp(self, topic: str, timestamp_ms: int) -> int | None: ...

    @abstractmethod
    def close(self) -> None: ...

    def consume(self, topic: str, partition: int = 0, offset: int | None = None) -> list[Record]:
        """All records from `offset` (None: the first) to the end as it was when asked."""
        start, end = self.range(topic, partition)
        offset = start if offset is None else offset
        self.assign(topic, partition, offset)
        records: list[Record] = []
        limit = time.monotonic() + LIMIT_S
        while offset < end and (not records or records[-1].offset < end - 1):
            assert time.monotonic() < limit, f"{self.name} got {len(records)} records of {topic}-{partition} to {end}"
            records += self.poll(end - offset - len(records))
        return records


class ConfluentClient(Client):
    """confluent-kafka, that is librdkafka."""

    name = "confluent-kafka"

    @staticmethod
    def trusting(ssl_ca_location: str) -> dict[str, Any]:
        return {"security.protocol": "SSL", "ssl.ca.location": ssl_ca_location}

    def __init__(self, bootstrap_servers: str, security: dict[str, Any] | None = None) -> None:
        super().__init__(bootstrap_servers, security)
        self._consumer = confluent_kafka.Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                **self.security,
                "group.id": "unused",
                "enable.auto.commit": False,
                "check.crcs": True,
                "fetch.message.max.bytes": MAX_REQUEST_SIZE,
                "fetch.wait.max.ms": MAX_WAIT_MS,
                "log_level": 0,
            }
        )

    def produce(
        self, topic: str, records: Sequence[Record], *, partition: int = 0, codec: str = "none", **settings: Any
    ) -> list[int]:
        producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": self.bootstrap_servers,
                **self.security,
                "compression.type": codec,
                "message.max.bytes": MAX_REQUEST_SIZE,
                "log_level": 0,
                **settings,
            }
        )
        errors, offsets = [], []

        def on_delivery(error: Any, message: Any) -> None:
            errors.append(error) if error else offsets.append(message.offset())

        for record in records:
            producer.produce(
                topic,
                record.value,
                record.key,
                partition,
                on_delivery=on_delivery,
                timestamp=record.timestamp_ms,
                headers=list(record.headers),
            )
        assert producer.flush(LIMIT_S) == 0
        if errors:
            raise Refused(errors[0].code())
        return offsets

    def poll(self, count: int) -> list[Record]:
        return [
            Record(message.offset(), message.timestamp()[1], message.key(), message.value(), _headers(message))
            for message in self._consumer.consume(min(count, 1000), 0.1)
            if not message.error()
        ]

    def assign(self, topic: str, partition: int, offset: int) -> None:
        self._consumer.assign([confluent_kafka.TopicPartition(topic, partition, offset)])

    def range(self, topic: str, partition: int = 0) -> tuple[int, int]:
        place = confluent_kafka.TopicPartition(topic, partition)
        start, end = self._consumer.get_watermark_offsets(place, timeout=LIMIT_S)
        return start, end

    def offset_for_timestamp(self, topic: str, timestamp_ms: int) -> int | None:
        place = confluent_kafka.TopicPartition(topic, 0, timestamp_ms)
        (found,) = self._consumer.offsets_for_times([place], timeout=LIMIT_S)
        return None if found.offset < 0 else int(found.offset)

    def close(self) -> None:
        self._consumer.close()


def _headers(message: Any) -> tuple[tuple[str, bytes | None], ...]:
    return tuple((name, value) for name, value in message.headers() or ())


class KafkaPythonClient(Client):
    """kafka-python."""

    name = "kafka-python"

    @staticmethod
    def trusting(ssl_ca_location: str) -> dict[str, Any]:
        return {"security_protocol": "SSL", "ssl_cafile": ssl_ca_location}

    def __init__(self, bootstrap_servers: str, security: dict[str, Any] | None = None) -> None:
        super().__init__(bootstrap_servers, security)
        self._consumer = kafka.KafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            **self.security,
            max_partition_fetch_bytes=MAX_REQUEST_SIZE,
            fetch_max_wait_ms=MAX_WAIT_MS,
            enable_auto_commit=False,
        )

    def produce(
        self, topic: str, records: Sequence[Record], *, partition: int = 0, codec: str = "none", **settings: Any
    ) -> list[int]:
        producer = kafka.KafkaProducer(
            bootstrap_servers=self.bootstrap_servers,
            **self.security,
            compression_type=None if codec == "none" else codec,
            max_request_size=MAX_REQUEST_SIZE,
            **settings,
        )
        try:
            futures = [
                producer.send(
                    topic,
                    record.value,
                    record.key,
                    list(record.headers),
                    partition=partition,
                    timestamp_ms=record.timestamp_ms,
                )
                for record in records
            ]
            return [future.get(LIMIT_S).offset for future in futures]
        except KafkaPythonError as error:
            raise Refused(error.errno) from error
        finally:
            producer.close(LIMIT_S)

    def poll(self, count: int) -> list[Record]:
        return [_record(message) for batch in self._consumer.poll(100, max_records=count).values() for message in batch]

    def assign(self, topic: str, partition: int, offset: int) -> None:
        place = kafka.TopicPartition(topic, partition)
        self._consumer.assign([place])
        self._consumer.seek(place, offset)

    def range(self, topic: str, partition: int = 0) -> tuple[int, int]:
        place = kafka.TopicPartition(topic, partition)
        return self._consumer.beginning_offsets([place])[place], self._consumer.end_offsets([place])[place]

    def offset_for_timestamp(self, topic: str, timestamp_ms: int) -> int | None:
        place = kafka.TopicPartition(topic, 0)
        found = self._consumer.offsets_for_times({place: timestamp_ms})[place]
        return None if found is None else int(found.offset)

    def close(self) -> None:
        self._consumer.close()


def _record(message: Any) -> Record:
    return Record(message.offset, message.timestamp, message.key, message.value, tuple(message.headers))


class AiokafkaClient(Client):
    """aiokafka, its loop run by hand."""

    name = "aiokafka"

    @staticmethod
    def trusting(ssl_ca_location: str) -> dict[str, Any]:
        return {"security_protocol": "SSL", "ssl_context": ssl.create_default_context(cafile=ssl_ca_location)}

    def __init__(self, bootstrap_servers: str, security: dict[str, Any] | None = None) -> None:
        super().__init__(bootstrap_servers, security)
        self._loop = asyncio.new_event_loop()
        self._consumer = self._run(self._start())

    def _run(self, coroutine: Any) -> Any:
        return self._loop.run_until_complete(coroutine)

    async def _start(self) -> Any:
        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap_servers,
            **self.security,
            max_partition_fetch_bytes=MAX_REQUEST_SIZE,
            fetch_max_wait_ms=MAX_WAIT_MS,
            enable_auto_commit=False,
        )
        await consumer.start()
        return consumer

    def produce(
        self, topic: str, records: Sequence[Record], *, partition: int = 0, codec: str = "none", **settings: Any
    ) -> list[int]:
        offsets: list[int] = self._run(self._produce(topic, records, partition, codec, settings))
        return offsets

    async def _produce(
        self, topic: str, records: Sequence[Record], partition: int, codec: str, settings: dict[str, Any]
    ) -> list[int]:
        producer = aiokafka.AIOKafkaProducer(
            bootstrap_servers=self.bootstrap_servers,
            **self.security,
            compression_type=None if codec == "none" else codec,
            max_request_size=MAX_REQUEST_SIZE,
            **settings,
        )
        await producer.start()
        try:
            sends = [
                await producer.send(
                    topic,
                    record.value,
                    record.key,
                    partition=partition,
                    timestamp_ms=record.timestamp_ms,
                    headers=list(record.headers),
                )
                for record in records
            ]
            return [(await asyncio.wait_for(send, LIMIT_S)).offset for send in sends]
        except AiokafkaError as error:
            raise Refused(error.errno) from error
        finally:
            await producer.stop()

    def poll(self, count: int) -> list[Record]:
        batches = self._run(self._consumer.getmany(timeout_ms=100, max_records=count))
        return [_record(message) for batch in batches.values() for message in batch]

    def assign(self, topic: str, partition: int, offset: int) -> None:
        async def assign() -> None:  # in the loop: the consumer starts its fetching as tasks of it
            place = aiokafka.TopicPartition(topic, partition)
            self._consumer.assign([place])
            self._consumer.seek(place, offset)

        self._run(assign())

    def range(self, topic: str, partition: int = 0) -> tuple[int, int]:
        place = aiokafka.TopicPartition(topic, partition)
        start = self._run(self._consumer.beginning_offsets([place]))[place]
        return start, self._run(self._consumer.end_offsets([place]))[place]

    def offset_for_timestamp(self, topic: str, timestamp_ms: int) -> int | None:
        place = aiokafka.TopicPartition(topic, 0)
        found = self._run(self._consumer.offsets_for_times({place: timestamp_ms}))[place]
        return None if found is None else int(found.offset)

    def close(self) -> None:
        self._run(self._consumer.stop())
        self._loop.close()


_CLIENTS = {client.name: client for client in (ConfluentClient, KafkaPythonClient, AiokafkaClient)}
NewClient = Callable[..., Client]


@pytest.fixture(scope="session", params=sorted(_CLIENTS))
def client_name(request: pytest.FixtureRequest) -> str:
    """The name of each client library in turn."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def clients(served: Serving) -> Iterator[dict[str, Client]]:
    """All client libraries, connected to the shared broker."""
    connected: dict[str, Client] = {name: client(served.bootstrap_servers) for name, client in _CLIENTS.items()}
    yield connected
    for client in connected.values():
        client.close()


@pytest.fixture
def client(clients: dict[str, Client], client_name: str) -> Client:
    """Each client library in turn, connected to the shared broker."""
    return clients[client_name]


@pytest.fixture
def new_client(client_name: str, confluent: Callable[..., Client]) -> NewClient:
    """`new_client(bootstrap_servers, ssl_ca_location=None)`: each library in turn, for a broker of the test's own."""
    return lambda bootstrap_servers, ssl_ca_location=None: confluent(bootstrap_servers, client_name, ssl_ca_location)


@pytest.fixture
def confluent(serve: object, embedded: object) -> Iterator[Callable[..., Client]]:
    """`confluent(bootstrap_servers, ssl_ca_location=...)`: confluent-kafka, where which library it is does not matter.

    It asks for the brokers' fixtures so that clients are closed before brokers: aiokafka minds the other order.
    """
    made: list[Client] = []

    def confluent(
        bootstrap_servers: str, name: str = ConfluentClient.name, ssl_ca_location: str | None = None
    ) -> Client:
        library = _CLIENTS[name]
        made.append(library(bootstrap_servers, ssl_ca_location and library.trusting(ssl_ca_location)))
        return made[-1]

    yield confluent
    for client in made:
        client.close()


class RawReader:
    """Fetches one partition without a client library: whole batches as bytes, as they came over the wire."""

    VERSION = 11

    def __init__(
        self, bootstrap_servers: str, topic: str, *, max_bytes: int = 1 << 20, ssl_ca_location: str | None = None
    ) -> None:
        host, _, port = bootstrap_servers.rpartition(":")
        self.topic = topic
        self.offset = 0
        self._max_bytes = max_bytes
        self._connection = ClientConnection(host, int(port), ssl_ca_location=ssl_ca_location)

    def request(self, correlation_id: int = 1) -> bytes:
        """The whole frame of the next fetch."""
        partition = FetchPartition(0, self.offset, self._max_bytes)
        fetch = FetchRequest(MAX_WAIT_MS, 1, self._max_bytes, 0, 0, -1, [FetchTopic(self.topic, None, [partition])])
        return write_fetch_request(self.VERSION, correlation_id, "raw", fetch)

    def fetch(self) -> bytes:
        """The next batches, less one that was cut off; nothing at the end of the log."""
        body = self._connection.call(ApiKey.FETCH, self.VERSION, self.request()[4 + 8 + 2 + len("raw") :])
        (answered,) = read_fetch_response(self.VERSION, body).topics
        (partition,) = answered.partitions
        assert partition.error_code == 0
        records = bytes(partition.records or b"")
        size = 0
        for batch in iter_batches(records):
            size += batch.size_bytes
            self.offset = batch.next_offset
        return records[:size]

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def raw_reader() -> Iterator[Callable[..., RawReader]]:
    """`raw_reader(bootstrap_servers, topic, max_bytes=1 MiB)`: fetches bytes rather than records."""
    made: list[RawReader] = []

    def raw_reader(*arguments: Any, **settings: Any) -> RawReader:
        made.append(RawReader(*arguments, **settings))
        return made[-1]

    yield raw_reader
    for reader in made:
        reader.close()
