"""A broker in this process for the loads, and a TCP connection with both ends in the test's hands."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from kfast import Broker
from kfast.client.cluster import create_topic


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    with Broker() as running:
        yield running


@pytest.fixture
def topic(broker: Broker, request: pytest.FixtureRequest) -> str:
    """A new topic for each test, with room for large batches."""
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    create_topic(broker.bootstrap_servers, name, configs={"max.message.bytes": str(8 << 20)})
    return name


@pytest.fixture
def tcp_pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """TCP, because MSG_TRUNC discards on TCP only: a Unix pair will not do."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    with ours, theirs:
        yield ours, theirs
