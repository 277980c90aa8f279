"""A broker that is killed again and again under load of all kinds: what it acknowledged is there after every start.

    KFAST_KILLS=1000 KFAST_SEED=7 python -m pytest -s tests/end_to_end/test_kills.py

Without these variables there are a few kills. The seed draws what is sent and when the broker is killed; where in its
work that finds the broker is chance.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kfast.client.cluster import ask
from kfast.client.connection import ClientConnection
from kfast.log.dump import dump, is_invalid
from kfast.log.names import is_delete_directory
from kfast.wire.api_versions import ApiKey

from .kill_loads import LOADS, Load, RefusedError, Topics

KILLS = int(os.environ.get("KFAST_KILLS", "20"))
SEED = int(os.environ.get("KFAST_SEED", "1"))
KILLS_A_DIRECTORY = 20
LONGEST_LOAD_S = 0.15
LONGEST_START_S = 0.35
LIMIT_S = 20.0
KAFKA_LIMIT_S = 60.0
BROKER_SETTINGS = {
    "log.retention.check.interval.ms": "20",
    "log.cleaner.backoff.ms": "1",
    "log.segment.delete.delay.ms": "30",
    "offsets.topic.num.partitions": "2",
    "log.roll.ms": "200",
    "log.cleaner.min.cleanable.ratio": "0.01",
    "metadata.log.max.record.bytes.between.snapshots": "3000",
}


class Directory:
    """One data directory, the brokers that lived on it one after the other, and what they had to do."""

    def __init__(self, path: Path, serve: Any, random: random.Random) -> None:
        self.path = path
        self.loads = [load(random) for load in LOADS]
        self.torn_count = 0
        self._serve = serve
        self._random = random
        self._arguments = [
            argument for setting in BROKER_SETTINGS.items() for argument in ("--config", "=".join(setting))
        ]

    def start(self) -> Any:
        """A broker, once all is there that the ones before it acknowledged."""
        left = set(self.passing_files())
        serving = self._serve(self.path, *self._arguments)
        assert not left & set(self.passing_files())
        self.check(serving.address)
        return serving

    def check(self, address: tuple[str, int]) -> None:
        with ClientConnection(*address) as connection:
            for load in self.loads:
                load.check(connection)

    def prepare(self) -> None:
        serving = self._serve(self.path, *self._arguments)
        with ClientConnection(*serving.address) as connection:
            for load in self.loads:
                load.prepare(connection)
        serving.stop()
        serving.close()

    def kill_under_load(self) -> None:
        serving = self.start()
        is_stopping = self._random.random() < 0.15
        with self.loaded(serving.address, may_refuse=is_stopping):
            time.sleep(self._random.uniform(0.01, LONGEST_LOAD_S))
            if is_stopping:
                os.kill(serving.pid, signal.SIGTERM)
                time.sleep(self._random.uniform(0, 0.03))
            serving.kill()
        serving.close()

    @contextlib.contextmanager
    def loaded(self, address: tuple[str, int], *, may_refuse: bool) -> Iterator[None]:
        """Under load of all kinds, which ends with the broker."""
        with ThreadPoolExecutor(len(self.loads)) as threads:
            works = [threads.submit(self._work, load, address) for load in self.loads]
            yield
        for work in works:
            with contextlib.suppress(*[RefusedError] * may_refuse):
                work.result()

    def _work(self, load: Load, address: tuple[str, int]) -> None:
        with contextlib.suppress(OSError), ClientConnection(*address) as connection:
            load.run(connection)

    def kill_while_starting(self) -> None:
        command = [sys.executable, "-m", "kfast", "serve", "--listen", "127.0.0.1:0", "--data-dir", str(self.path)]
        with contextlib.suppress(subprocess.TimeoutExpired), self.path.with_name("starts.err").open("a") as errors:
            timeout_s = self._random.uniform(0.05, LONGEST_START_S)
            subprocess.run([*command, *self._arguments], timeout=timeout_s, stdout=subprocess.DEVNULL, stderr=errors)

    def passing_files(self) -> Iterator[tuple[str, int]]:
        """Of segments that are deleted or replaced, each with when it got its name."""
        for path in self.path.glob("*/*"):
            if path.suffix in (".deleted", ".cleaned", ".swap", ".part"):
                with contextlib.suppress(FileNotFoundError):
                    yield f"{path.parent.name}/{path.name}", path.stat().st_ctime_ns

    def finish(self) -> None:
        """Stop politely, and look at what lies there then."""
        serving = self.start()
        deadline = time.monotonic() + LIMIT_S
        while any(is_delete_directory(path.name) for path in self.path.iterdir()):
            assert time.monotonic() < deadline, "topics that were deleted are not removed"
            time.sleep(0.01)
        serving.stop()
        errors = serving.errors()
        assert "Traceback" not in errors, errors
        self.torn_count = errors.count(": cut at position ")
        serving.close()
        left = {Path(name).suffix for name, _ in self.passing_files()}
        assert left <= {".deleted"}, "those wait for the next start"
        known = {name for load in self.loads if isinstance(load, Topics) for name in load.deleted}
        assert not [path for path in self.path.iterdir() if path.name.rpartition("-")[0] in known]
        assert not [entry for entry in dump([self.path]) if is_invalid(entry)]
        self.start().close()


def test_what_was_acknowledged_is_there_after_every_kill(serve: Any, tmp_path: Path) -> None:
    counted: Counter[str] = Counter()
    for number, first in enumerate(range(0, KILLS, KILLS_A_DIRECTORY)):
        drawn = random.Random(SEED * 1_000_003 + number)
        directory = Directory(tmp_path / f"data-{number}", serve, drawn)
        directory.prepare()
        for _ in range(min(KILLS_A_DIRECTORY, KILLS - first)):
            if drawn.random() < 0.15:
                directory.kill_while_starting()
                counted["kills while starting"] += 1
            else:
                directory.kill_under_load()
                counted["kills under load"] += 1
        directory.finish()
        assert not list(directory.path.glob("*-stray")), (
            "Kafka leaves what a topic under deletion left; kfast removes it"
        )
        counted["torn batches cut"] += directory.torn_count
        for load in directory.loads:
            counted[f"acknowledged to {type(load).__name__}"] += load.acknowledged_count
        print(number, dict(counted), flush=True)
    assert all(counted[f"acknowledged to {load.__name__}"] for load in LOADS)


def wait_for_coordinator(address: tuple[str, int]) -> None:
    """Until Kafka has loaded what groups have committed, which it does after it has begun to answer."""
    deadline = time.monotonic() + KAFKA_LIMIT_S
    wanted = [{"group_id": "group0", "topics": [{"name": "plain", "partition_indexes": (0,)}]}]
    with ClientConnection(*address) as connection:
        while ask(connection, ApiKey.OFFSET_FETCH, groups=wanted).groups[0].error_code:
            assert time.monotonic() < deadline, "Kafka does not know of its groups"
            time.sleep(0.1)


@pytest.mark.kafka
def test_kafka_and_kfast_find_what_the_other_acknowledged_before_it_was_killed(
    serve: Any, start_kafka: Any, tmp_path: Path
) -> None:
    directory = Directory(tmp_path / "data", serve, random.Random(SEED))
    directory.prepare()
    for _ in range(3):
        directory.kill_under_load()
    kafka = start_kafka(directory.path, **BROKER_SETTINGS)
    host, _, port = kafka.bootstrap_servers.rpartition(":")
    address = host, int(port)
    wait_for_coordinator(address)
    directory.check(address)
    counts = [load.acknowledged_count for load in directory.loads]
    with directory.loaded(address, may_refuse=True):
        time.sleep(2)
        kafka.kill()
    assert sum(load.acknowledged_count for load in directory.loads) > sum(counts) + 100
    directory.kill_under_load()
    directory.finish()
