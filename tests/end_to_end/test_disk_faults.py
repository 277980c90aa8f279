"""Disks that are full, read-only or broken, and descriptors that are used up, for real.

Clients are told by Kafka's error, what was acknowledged stays, and whatever does not need the disk works on.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest

from kfast.client.connection import ClientConnection
from kfast.log.clean_shutdown import CLEAN_SHUTDOWN_FILE
from kfast.record.record import Record

MIB = 1 << 20
DESCRIPTOR_LIMIT = 64
LIMIT_S = 20.0
STORAGE_ERROR = "56"  # KAFKA_STORAGE_ERROR
ONE_BY_ONE = {"batch.num.messages": 1, "retries": 0}


class Mounts:
    """File systems that are gone after the test."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack

    def mount(self, path: Path, *arguments: object) -> None:
        path.mkdir(exist_ok=True)
        self._run("mount", *arguments, path)
        self._stack.callback(subprocess.run, ["umount", "--lazy", path], check=False, stderr=subprocess.DEVNULL)

    def small(self, path: Path, size: int) -> None:
        self.mount(path, "-t", "tmpfs", "-o", f"size={size}", "tmpfs")

    def failing(self, path: Path, backing: Path, size: int) -> None:
        """A device in a file of a small file system: once `backing` is full, it fails to write what it was given."""
        self.small(backing, size)
        image = backing / "image"
        with image.open("wb") as file:
            file.truncate(8 * size)
        self._run("mkfs.ext4", "-q", "-O", "^has_journal", image)
        self.mount(path, "-o", "loop", image)
        (path / "lost+found").rmdir()

    def unmount(self, path: Path) -> None:
        self._run("umount", path)

    def make_read_only(self, path: Path) -> None:
        self.mount(path, "--bind", path)
        self._run("mount", "-o", "remount,bind,ro", path)

    def _run(self, *command: object) -> None:
        done = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"{command[0]}: {done.stderr.strip()}")


@pytest.fixture
def mounts() -> Iterator[Mounts]:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("it takes root and mount(8)")
    with contextlib.ExitStack() as stack:
        yield Mounts(stack)


def records(count: int, size: int = 10, first: int = 0) -> list[Record]:
    return [Record(number, 1, None, b"%d " % number + bytes(size)) for number in range(first, first + count)]


def fill(produce: Callable[[Record], object], size: int) -> int:
    """Produce one record after the other until one is refused with Kafka's error; return how many were not."""
    for number in itertools.count():
        try:
            produce(records(1, size, number)[0])
        except Exception as error:
            refusal = str(error)
            break
    assert STORAGE_ERROR in refusal
    return number


def test_a_full_disk_takes_no_more_until_there_is_room(
    mounts: Mounts, serve: Any, confluent: Any, tmp_path: Path
) -> None:
    size = 100_000
    mounts.small(tmp_path / "data", 4 * MIB)
    serving = serve(tmp_path / "data")
    client = confluent(serving.bootstrap_servers)
    client.produce("filler", records(10, size))
    count = fill(lambda record: client.produce("orders", [record], **ONE_BY_ONE), size)
    assert 10 < count < 40
    assert client.consume("orders") == records(count, size)
    assert client.consume("filler") == records(10, size)
    assert "No space left on device" in serving.errors()
    assert f"orders-0/{0:020d}.log: writing" in serving.errors()

    serving.kill()
    serving = serve(tmp_path / "data", "--config", "log.segment.delete.delay.ms=0")
    client = confluent(serving.bootstrap_servers)
    assert client.consume("orders") == records(count, size)
    delete_topic(serving, "filler")
    client.produce("orders", records(5, size, count))
    serving.stop()
    assert (tmp_path / "data" / CLEAN_SHUTDOWN_FILE).exists()
    client = confluent(serve(tmp_path / "data").bootstrap_servers)
    assert client.consume("orders") == records(count + 5, size)


def delete_topic(serving: Any, topic: str) -> None:
    from kfast.client.cluster import delete_topic

    delete_topic(serving.bootstrap_servers, topic)


def test_a_disk_that_fails_takes_one_partition_offline_and_loses_nothing(
    mounts: Mounts, serve: Any, confluent: Any, tmp_path: Path
) -> None:
    """fsync is where a disk says that it failed; after that it would say that all is well."""
    data, backing = tmp_path / "data", tmp_path / "backing"
    mounts.failing(data, backing, 6 * MIB)
    serving = serve(data)
    create_topic(serving, "flushed", {"flush.messages": "1"})
    client = confluent(serving.bootstrap_servers)
    client.produce("orders", records(3))
    client.produce("flushed", records(3), **ONE_BY_ONE)
    filler = backing / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    count = 3 + fill(lambda record: client.produce("flushed", [record], **ONE_BY_ONE), 50_000)
    assert client.consume("flushed")[:3] == records(3)
    assert "flushed-0: flushing up to offset" in serving.errors()
    client.produce("orders", records(3, first=3))
    filler.unlink()
    with pytest.raises(Exception, match=STORAGE_ERROR):
        client.produce("flushed", records(1), **ONE_BY_ONE)  # for what was lost is not tried again
    serving.stop()
    assert not (data / CLEAN_SHUTDOWN_FILE).exists()

    serving = serve(data)
    client = confluent(serving.bootstrap_servers)
    stored = client.consume("flushed")
    assert stored[:3] == records(3)
    assert [record.value for record in stored[3:count]] == [one.value for one in records(count - 3, 50_000)]
    assert client.consume("orders") == records(6)
    client.produce("flushed", records(1, first=len(stored)), **ONE_BY_ONE)
    serving.stop()


def create_topic(serving: Any, topic: str, configs: dict[str, str]) -> None:
    from kfast.client.cluster import create_topic

    create_topic(serving.bootstrap_servers, topic, configs=configs)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_partition_that_is_read_only_is_offline_and_the_others_work(
    mounts: Mounts, serve: Any, confluent: Any, tmp_path: Path, end: str
) -> None:
    data = tmp_path / "data"
    serving = serve(data)
    client = confluent(serving.bootstrap_servers)
    for topic in ("orders", "others"):
        client.produce(topic, records(5))
    getattr(serving, end)()
    mounts.make_read_only(data / "orders-0")
    serving = serve(data)
    client = confluent(serving.bootstrap_servers)
    with pytest.raises(Exception, match=STORAGE_ERROR):
        client.produce("orders", records(1), retries=0)
    client.produce("others", records(5, first=5))
    assert client.consume("others") == records(10)
    assert "orders-0" in serving.errors()
    assert "Read-only file system" in serving.errors()
    serving.stop()
    assert not (data / CLEAN_SHUTDOWN_FILE).exists()

    mounts.unmount(data / "orders-0")
    client = confluent(serve(data).bootstrap_servers)
    assert client.consume("orders") == records(5)
    assert client.consume("others") == records(10)


def test_a_log_directory_that_is_read_only_or_in_use_is_refused_in_one_line(
    mounts: Mounts, serve: Any, confluent: Any, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    serving = serve(data)
    client = confluent(serving.bootstrap_servers)
    client.produce("orders", records(5))
    assert f"{data} is in use by another process" in refusal(data)
    client.produce("orders", records(5, first=5))
    serving.stop()
    mounts.make_read_only(data)
    assert f"{data} cannot be used: Read-only file system" in refusal(data)
    mounts.unmount(data)
    assert confluent(serve(data).bootstrap_servers).consume("orders") == records(10)


def refusal(data: Path) -> str:
    command = [sys.executable, "-m", "kfast", "serve", "--listen", "127.0.0.1:0", "--data-dir", str(data)]
    refused = subprocess.run(command, check=False, capture_output=True, text=True)
    assert refused.returncode != 0
    assert refused.stderr.count("\n") == 1
    return refused.stderr


def test_descriptors_that_are_used_up_cost_nothing_that_was_acknowledged(
    serve: Any, confluent: Any, tmp_path: Path
) -> None:
    if shutil.which("prlimit") is None:
        pytest.skip("there is no prlimit")
    settings = ("--config", "log.index.interval.bytes=0", "--config", "log.index.size.max.bytes=24")
    serving = serve(tmp_path / "data", *settings, prefix=["prlimit", f"--nofile={DESCRIPTOR_LIMIT}"])
    producer = OneByOne(serving.bootstrap_servers)
    assert producer.is_accepted(b"first")
    with contextlib.ExitStack() as stack:
        assert connect_until_refused(stack, serving.address) < DESCRIPTOR_LIMIT
        accepted = [value for value in values(20) if producer.is_accepted(value)]
    later = [value for value in values(20, 100) if producer.is_accepted(value)]
    assert later == values(20, 100)
    client = confluent(serving.bootstrap_servers)
    expected = [b"first", *accepted, *later]
    assert [record.value for record in client.consume("orders")] == expected
    assert "Too many open files" in serving.errors()
    serving.stop()
    assert len(list((tmp_path / "data" / "orders-0").glob("*.log"))) > 5, "segments have rolled"
    client = confluent(serve(tmp_path / "data").bootstrap_servers)
    assert [record.value for record in client.consume("orders")] == expected


def connect_until_refused(stack: contextlib.ExitStack, address: tuple[str, int]) -> int:
    """How many connections the broker has answered, which are those of `stack`."""
    for count in range(DESCRIPTOR_LIMIT):
        try:
            stack.enter_context(ClientConnection(*address, timeout_s=1))
        except OSError:
            return count
    return DESCRIPTOR_LIMIT


def values(count: int, first: int = 0) -> list[bytes]:
    return [b"%d" % number for number in range(first, first + count)]


class OneByOne:
    """A producer that keeps its connection and tries nothing twice."""

    def __init__(self, bootstrap_servers: str) -> None:
        settings = {"bootstrap.servers": bootstrap_servers, "retries": 0, "linger.ms": 0, "log_level": 0}
        self._producer = confluent_kafka.Producer(settings)

    def is_accepted(self, value: bytes) -> bool:
        """Whether it was; if not, it was for Kafka's error."""
        errors: list[Any] = []
        self._producer.produce("orders", value, partition=0, callback=lambda error, _: errors.append(error))
        assert not self._producer.flush(LIMIT_S)
        (error,) = errors
        assert error is None or str(error.code()) == STORAGE_ERROR
        return error is None
