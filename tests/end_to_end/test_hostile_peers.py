"""Peers that send nonsense, too much, half of it or nothing: they cost their own connection, and others work on."""

from __future__ import annotations

import contextlib
import random
import resource
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kfast.record.record import Record
from kfast.wire.api_versions import API_VERSIONS, ApiKey
from kfast.wire.framing import frame_request

LIMIT_S = 20.0
IDLE_CONNECTION_COUNT = 1000
ROUNDS = 40
MAX_GROWTH = 64 << 20
WAITING = {ApiKey.JOIN_GROUP, ApiKey.SYNC_GROUP, ApiKey.FETCH}


@pytest.fixture
def watched(serve: Any) -> Iterator[Any]:
    """A broker of the test's own, which has to come through without an unexpected error and stop cleanly."""
    serving = serve(None, "--config", "num.partitions=2")
    yield serving
    serving.stop()
    assert "Traceback" not in serving.errors(), serving.errors()


@contextlib.contextmanager
def connected(address: tuple[str, int]) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=LIMIT_S) as peer:
        yield peer


def send_and_await_end(address: tuple[str, int], data: bytes) -> None:
    """Send, say that nothing follows, and take what comes until the broker closes."""
    with connected(address) as peer, contextlib.suppress(ConnectionError):
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
        while peer.recv(1 << 16):
            pass


def random_bytes(generator: random.Random) -> bytes:
    return generator.randbytes(generator.randrange(1, 5000))


def huge_length(generator: random.Random) -> bytes:
    size = generator.choice([2**31 - 1, -1, -(2**31), 104_857_601, 104_857_600])
    return struct.pack(">i", size) + generator.randbytes(generator.randrange(10_000))


def half_a_frame(generator: random.Random) -> bytes:
    whole = random_request(generator)
    return whole[: generator.randrange(len(whole))]


def random_request(generator: random.Random) -> bytes:
    """A well-formed header of an API that is served, and a body of noise."""
    api_key = generator.choice([*API_VERSIONS])
    version = generator.choice([API_VERSIONS[api_key].min, API_VERSIONS[api_key].max])
    body = generator.choice([generator.randbytes, bytes, lambda size: b"\xff" * size])(generator.randrange(200))
    return frame_request(api_key, version, 1, "hostile", body)


def huge_counts(generator: random.Random) -> bytes:
    """A header, and bodies in which every count may be the largest that its field holds."""
    api_key = generator.choice([*API_VERSIONS])
    version = generator.choice([API_VERSIONS[api_key].min, API_VERSIONS[api_key].max])
    pieces = [b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff\x07", b"\x00", b"\x00\x01a", b"\x02a", b"\xff\xff\xff\xff\x0f"]
    body = b"".join(generator.choices(pieces, k=generator.randrange(1, 30)))
    return frame_request(api_key, version, 1, "hostile", body)


NONSENSE: tuple[Callable[[random.Random], bytes], ...] = (
    random_bytes,
    huge_length,
    half_a_frame,
    random_request,
    huge_counts,
)


@pytest.mark.parametrize("nonsense", NONSENSE, ids=lambda kind: kind.__name__)
def test_others_work_while_peers_send_nonsense(watched: Any, confluent: Any, nonsense: Any) -> None:
    client = confluent(watched.bootstrap_servers)
    client.produce("orders", [Record(0, 1, None, b"first")])
    before = watched.resident_bytes()
    generator = random.Random(nonsense.__name__)
    with ThreadPoolExecutor(4) as threads:
        sent = [nonsense(generator) for _ in range(ROUNDS)]
        hostile = [threads.submit(send_and_await_end, watched.address, data) for data in sent]
        records = [Record(offset, 1, None, b"%d" % offset * 100) for offset in range(500)]
        assert client.produce("orders", records) == list(range(1, 501))
        for each in hostile:
            each.result(LIMIT_S)
    assert [record.value for record in client.consume("orders", offset=1)] == [record.value for record in records]
    assert watched.resident_bytes() - before < MAX_GROWTH


def test_peers_vanish_in_the_middle_of_everything(watched: Any, confluent: Any, raw_reader: Any) -> None:
    """By a reset, while requests of theirs are unanswered, half sent, or being answered with a megabyte."""
    client = confluent(watched.bootstrap_servers)
    records = [Record(offset, 1, None, bytes(100_000)) for offset in range(20)]
    client.produce("orders", records)
    fetch = raw_reader(watched.bootstrap_servers, "orders", max_bytes=1 << 20).request()
    for number in range(60):
        with connected(watched.address) as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.sendall(fetch * 3 + fetch[: number % len(fetch)])
            if number % 3 == 0:
                peer.recv(1000)
    assert client.consume("orders") == records


def test_a_peer_that_takes_nothing_holds_up_neither_others_nor_the_end(
    watched: Any, confluent: Any, raw_reader: Any
) -> None:
    client = confluent(watched.bootstrap_servers)
    records = [Record(offset, 1, None, bytes(500_000)) for offset in range(8)]
    client.produce("orders", records)
    fetch = raw_reader(watched.bootstrap_servers, "orders", max_bytes=4 << 20).request()
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            peer = stack.enter_context(connected(watched.address))
            peer.sendall(fetch * 20)
            assert select.select([peer], [], [], LIMIT_S)[0], "the broker has begun to answer"
        assert client.consume("orders") == records
        watched.stop()


@pytest.fixture
def descriptors() -> Iterator[int]:
    """As many as the idle connections need, here and in the broker, or as many as the limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = IDLE_CONNECTION_COUNT + 200
    if soft != resource.RLIM_INFINITY and soft < wanted:
        wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_idle_connections_cost_little(descriptors: int, watched: Any, confluent: Any) -> None:
    client = confluent(watched.bootstrap_servers)
    client.produce("orders", [Record(0, 1, None, b"first")])
    before = watched.resident_bytes()
    with contextlib.ExitStack() as stack:
        count = min(IDLE_CONNECTION_COUNT, descriptors - 200)
        idle = [stack.enter_context(connected(watched.address)) for _ in range(count)]
        idle[-1].sendall(frame_request(ApiKey.API_VERSIONS, 0, 1, "idle", b""))
        assert idle[-1].recv(4), "the last one is served, so all before it were accepted"
        records = [Record(offset, 1, None, b"%d" % offset) for offset in range(1, 1001)]
        client.produce("orders", records)
        assert client.consume("orders", offset=1) == records
        growth = watched.resident_bytes() - before
        assert growth < MAX_GROWTH, f"{growth} bytes for {count} connections"
        assert threading.active_count() < 50, "they are all in this test's thread"
