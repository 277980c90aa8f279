"""What tests of the broker share: its insides over a directory, without server and threads; or all of it, and a client
that speaks any version."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kfast.broker.broker import Broker
from kfast.broker.config import BrokerConfig
from kfast.broker.metadata_log import MetadataLog
from kfast.clock import ManualClock
from kfast.log.manager import LogManager
from kfast.scheduler import Scheduler
from kfast.wire import codec
from kfast.wire.api_versions import API_VERSIONS, ApiKey
from kfast.wire.framing import frame_request, parse_response_header
from kfast.wire.schemas import build, field_layouts


class BrokerParts:
    """Clock, scheduler, configuration, logs and metadata of one directory; `close` stops as a broker does."""

    def __init__(self, directory: Path, settings: dict[str, str]) -> None:
        self.clock = ManualClock()
        self.scheduler = Scheduler(self.clock)
        self.config = BrokerConfig(settings)
        self.logs = LogManager(directory, clock=self.clock, scheduler=self.scheduler)
        self.metadata = MetadataLog.open(directory, self.logs, self.config, self.clock)

    def close(self) -> None:
        self.scheduler.shutdown()
        self.metadata.close()
        self.logs.shutdown()


OpenParts = Callable[..., BrokerParts]


@pytest.fixture
def open_parts(tmp_path: Path) -> Iterator[OpenParts]:
    """`open_parts(directory=None, **settings)`: dots in the names of settings are written as underscores."""
    opened: list[BrokerParts] = []

    def open_parts(directory: Path | None = None, **settings: object) -> BrokerParts:
        texts = {name.replace("_", "."): str(value) for name, value in settings.items()}
        opened.append(BrokerParts(directory or tmp_path / "data", texts))
        return opened[-1]

    yield open_parts
    for parts in opened:
        parts.close()


@pytest.fixture
def parts(open_parts: OpenParts) -> BrokerParts:
    """The insides of a broker over an empty directory, with few partitions of __consumer_offsets."""
    return open_parts(offsets_topic_num_partitions=4)


class WireClient:
    """One connection that asks in any version; messages are given and returned in the newest form."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._stream = self._socket.makefile("rb")

    def ask(self, api_key: ApiKey, version: int | None = None, **values: Any) -> Any:
        """Arrays of structs may be given as dicts; what is left out has Kafka's default."""
        version = API_VERSIONS[api_key].max if version is None else version
        body = codec.encode_request(api_key, version, _build(codec.request_type(api_key), values))
        self._socket.sendall(frame_request(api_key, version, 7, "tester", body))
        frame = memoryview(self._stream.read(int.from_bytes(self._stream.read(4), "big")))
        correlation_id, position = parse_response_header(frame, api_key, version)
        assert correlation_id == 7
        return codec.decode_response(api_key, version, frame[position:])

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


def _build(entity_type: Any, values: dict[str, Any]) -> Any:
    layouts = {layout.name: layout for layout in field_layouts(entity_type)}
    return build(entity_type, **{name: _built(layouts[name], value) for name, value in values.items()})


def _built(layout: Any, value: Any) -> Any:
    if layout.entity_type is None or value is None:
        return value
    return tuple(_build(layout.entity_type, item) for item in value)


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A broker on a free port, over a directory that goes with it."""
    with Broker() as broker:
        yield broker


@pytest.fixture
def connect() -> Iterator[Callable[[int], WireClient]]:
    """`connect(port)` is a connection to a broker there."""
    clients: list[WireClient] = []

    def connect(port: int) -> WireClient:
        clients.append(WireClient(port))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def client(broker: Broker, connect: Callable[[int], WireClient]) -> WireClient:
    """A connection to `broker`."""
    return connect(broker.port)
