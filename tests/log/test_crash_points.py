"""Killed before any step that changes the disk, or out of power there: what is opened then is what was acknowledged.

    KFAST_CRASH_STRIDE=1 python -m pytest tests/log/test_crash_points.py         every step; without, every thirteenth

A child, forked for each step, does always the same and is killed there; what a loss of power would leave is modelled.
"""

from __future__ import annotations

import itertools
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kfast.clock import ManualClock
from kfast.log.clean_shutdown import CLEAN_SHUTDOWN_FILE
from kfast.log.config import LogConfig
from kfast.log.leader_epochs import EpochEntry
from kfast.log.log import Log
from kfast.log.manager import LogManager
from kfast.log.names import is_delete_directory
from kfast.log.passing_files import PASSING_SUFFIXES
from kfast.log.results import FetchDataInfo
from kfast.record.batch import RecordBatch
from kfast.record.batches import iter_batches
from kfast.record.builder import RecordBatchBuilder
from kfast.record.control_records import AbortMarker, encode_control
from kfast.scheduler import Scheduler

STRIDE = int(os.environ.get("KFAST_CRASH_STRIDE", "13"))
TIDYING_STEPS = 12
"""About as many as a start makes before it looks at what the files hold."""

PERIOD_MS = 60_000
"""Whatever waits for its time, but for retention, which is called for, has been done after it."""


class Partition(NamedTuple):
    """What its clients know of one, after some piece of work."""

    topic_id: uuid.UUID
    start_offset: int
    end_offset: int
    recovery_point: int
    epochs: tuple[EpochEntry, ...]


class World:
    """One log manager and all that was asked of it. `records` are those of each topic id, void ones without a value."""

    CONFIGS = {  # noqa: RUF012
        "orders": LogConfig(segment_bytes=450, index_interval_bytes=100, retention_bytes=900, flush_messages=4),
        "few": LogConfig(flush_messages=1),
        "keyed": LogConfig(segment_bytes=450, index_interval_bytes=100, cleanup_policy=frozenset({"compact"})),
    }

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.records: dict[uuid.UUID, dict[int, tuple[bytes, bytes | None]]] = {}
        self.repeatable: dict[uuid.UUID, dict[int, bytes]] = {}
        self.topic_ids: dict[str, uuid.UUID] = {}
        self.sequence = self.epoch = 0
        self.open()

    def open(self) -> None:
        self.clock = ManualClock()
        self.manager = LogManager(self.directory, clock=self.clock, scheduler=Scheduler(self.clock))
        for name, topic_id in self.topic_ids.items():
            self.manager.create(name, 0, topic_id, self.CONFIGS[name])
        self.manager.start()

    def create(self, name: str) -> None:
        self.topic_ids[name] = uuid.UUID(int=len(self.records) + 1)
        self.records[self.topic_ids[name]] = {}
        self.repeatable[self.topic_ids[name]] = {}
        self.manager.create(name, 0, self.topic_ids[name], self.CONFIGS[name])

    def delete(self, name: str) -> None:
        del self.topic_ids[name]
        self.manager.delete(name, 0)

    def log(self, name: str) -> Log:
        log = self.manager.get(name, 0)
        assert log is not None
        return log

    def append(self, name: str, *values: bytes, key: bytes = b"key", **producer: Any) -> None:
        builder = RecordBatchBuilder(**producer)
        for value in values:
            builder.append(key, value, self.clock.now_ms())
        known = self.records[self.topic_ids[name]]
        offset = self.log(name).log_end_offset
        is_void = "is_transactional" in producer
        known.update((offset + number, (key, None if is_void else value)) for number, value in enumerate(values))
        batch = builder.build()
        if "producer_id" in producer and "is_transactional" not in producer:
            self.repeatable[self.topic_ids[name]][offset] = bytes(batch)
        self.log(name).append(batch, leader_epoch=self.epoch)

    def append_as_producer(self, name: str, value: bytes) -> None:
        self.append(name, value, producer_id=7, producer_epoch=0, base_sequence=self.sequence)
        self.sequence += 1

    def abort(self, name: str, value: bytes) -> None:
        producer: dict[str, Any] = {"producer_id": 5, "producer_epoch": 0, "is_transactional": True}
        self.append(name, value, base_sequence=0, **producer)
        key, marker = encode_control(AbortMarker(0))
        self.append(name, marker, key=key, is_control=True, **producer)

    def partitions(self) -> dict[str, Partition]:
        return {name: self._partition(topic_id, self.log(name)) for name, topic_id in self.topic_ids.items()}

    def _partition(self, topic_id: uuid.UUID, log: Log) -> Partition:
        return Partition(
            topic_id, log.log_start_offset, log.log_end_offset, log.recovery_point, log.leader_epochs.entries
        )

    def values(self, topic_id: uuid.UUID, end_offset: int) -> dict[bytes, bytes]:
        """The last value of each key below an offset."""
        records = self.records[topic_id].items()
        return {key: value for offset, (key, value) in records if offset < end_offset and value is not None}


Work = Callable[[World], Iterator[None]]


def write(world: World) -> Iterator[None]:
    world.create("orders")
    for number in range(14):
        world.epoch = number // 6
        if number % 3:
            world.append("orders", b"%d" % number * 30, b"more")
        else:
            world.append_as_producer("orders", b"%d" % number)
        yield
    world.abort("orders", b"void")
    yield
    world.log("orders").flush()
    yield
    world.clock.advance(PERIOD_MS)
    yield
    world.append_as_producer("orders", b"last")
    yield


def shorten(world: World) -> Iterator[None]:
    world.create("orders")
    for number in range(12):
        world.epoch = number // 5
        world.append("orders", b"%d" % number * 60)
    yield
    world.log("orders").increment_log_start_offset(2)
    yield
    world.log("orders").delete_old_segments()
    yield
    world.append("orders", b"x" * 200)
    yield
    world.manager.write_checkpoints()
    yield
    world.log("orders").increment_log_start_offset(world.log("orders").log_end_offset)
    world.log("orders").delete_old_segments()
    yield
    world.clock.advance(PERIOD_MS)
    yield
    world.append("orders", b"after")
    yield


def compact(world: World) -> Iterator[None]:
    world.create("keyed")
    for number in range(8):
        world.append("keyed", b"%d" % number * 40, key=b"key%d" % (number % 3))
    world.abort("keyed", b"void")
    world.append_as_producer("keyed", b"once")
    world.log("keyed").roll()
    yield
    world.log("keyed").flush()
    yield
    cleaner = world.manager._cleaner
    assert cleaner is not None
    assert cleaner.clean_dirtiest() is not None
    yield
    for number in range(8):
        world.append("keyed", b"%d" % number * 90, key=b"key%d" % (number % 4))
    yield
    world.log("keyed").roll()
    yield
    assert cleaner.clean_dirtiest() is not None
    yield
    world.clock.advance(PERIOD_MS)
    yield


def remove(world: World) -> Iterator[None]:
    world.create("orders")
    world.create("keyed")
    for number in range(6):
        world.append("orders", b"%d" % number * 100)
        world.append("keyed", b"value", key=b"%d" % number)
    world.log("orders").increment_log_start_offset(1)
    world.log("keyed").flush()
    world.manager.write_checkpoints()
    yield
    world.delete("orders")
    yield
    world.create("orders")
    yield
    world.append("orders", b"new")
    yield
    world.delete("keyed")
    yield
    world.clock.advance(PERIOD_MS)
    yield


def stop(world: World) -> Iterator[None]:
    world.create("few")
    world.append_as_producer("few", b"one")
    yield
    world.create("orders")
    for number in range(4):
        world.append_as_producer("orders", b"%d" % number * 80)
        yield
    world.manager.shutdown()
    yield
    world.open()
    yield
    world.append_as_producer("orders", b"again")
    yield
    world.manager.shutdown()
    yield


WORKS = (write, shorten, compact, remove, stop)


@dataclass
class Expected:
    """What a whole run of some work leaves behind each of its pieces; the first is nothing."""

    world: World
    after: list[dict[str, Partition]]

    def around(self, done: int) -> tuple[dict[str, Partition], dict[str, Partition]]:
        """Before and after what was being done when `done` pieces were."""
        return self.after[done], self.after[min(done + 1, len(self.after) - 1)]


@pytest.fixture(params=WORKS, ids=lambda work: work.__name__)
def work(request: pytest.FixtureRequest) -> Work:
    chosen: Work = request.param
    return chosen


@pytest.fixture
def expected(work: Work, tmp_path: Path) -> Expected:
    world = World(tmp_path / "whole")
    after = [world.partitions(), *(world.partitions() for _ in work(world))]
    world.manager.shutdown()
    return Expected(world, after)


def check(expected: Expected, directory: Path, done: int, is_power_lost: bool) -> None:
    """Open what was left, twice, and use it."""
    before, after = expected.around(done)
    was_clean = (directory / CLEAN_SHUTDOWN_FILE).exists()
    opened = Opened(expected.world, directory, before, after)
    for name, partition in after.items():
        known = before.get(name)
        if known is None or known.topic_id != partition.topic_id:
            known = Partition(partition.topic_id, 0, 0, 0, ())
        opened.check(name, known, partition, is_power_lost)
    left = opened.tree()
    opened.let_go()
    again = Opened(expected.world, directory, before, after)
    assert again.tree() == left or was_clean, "indexes made anew differ from those of a log that was closed and opened"
    again.close()
    assert not [name for name in os.listdir(directory) if is_delete_directory(name)]
    after_stop = Opened(expected.world, directory, before, after)
    assert [log.log_end_offset for log in after_stop.logs.values()] == [
        log.log_end_offset for log in again.logs.values()
    ]
    after_stop.close()


class Opened:
    """The directory after the crash, opened as its metadata says: a topic is made, or removed, there first."""

    def __init__(
        self, world: World, directory: Path, before: dict[str, Partition], after: dict[str, Partition]
    ) -> None:
        self.world = world
        self.directory = directory
        self.clock = ManualClock()
        self.manager = LogManager(directory, clock=self.clock, scheduler=Scheduler(self.clock))
        for name in before.keys() - after.keys():
            self.manager.delete(name, 0)
        self.logs = {
            name: self.manager.create(name, 0, partition.topic_id, world.CONFIGS[name])
            for name, partition in after.items()
        }
        self.manager.start()

    def check(self, name: str, before: Partition, after: Partition, is_power_lost: bool) -> None:
        log, records = self.logs[name], self.world.records[after.topic_id]
        least = before.recovery_point if is_power_lost else before.end_offset
        assert least <= log.log_end_offset <= max(before.end_offset, after.end_offset), (before, log)
        assert log.log_start_offset <= max(before.start_offset, after.start_offset)
        found = dict(records_of(log))
        for offset, (key, value) in found.items():
            assert records[offset][0] == key
            assert records[offset][1] in (None, value)
        if log.config.is_compacted and is_power_lost:
            for offset, (key, value) in records.items():
                assert value is None or offset >= least or max(found_of(key, found)) >= offset
        elif log.config.is_compacted:
            assert last_values(log) == self.world.values(after.topic_id, log.log_end_offset)
        else:
            missing = set(range(log.log_start_offset, log.log_end_offset)) - found.keys()
            assert not missing or (is_power_lost and min(missing) >= least), missing
        self._repeat_last(log, after.topic_id)
        for offset in found.keys() & range(after.start_offset, log.log_end_offset):
            last = [entry.epoch for entry in after.epochs if entry.start_offset <= offset]
            assert log.leader_epochs.of(offset) == last[-1]

    def _repeat_last(self, log: Log, topic_id: uuid.UUID) -> None:
        """What a producer sends again is answered as the first time."""
        end_offset = log.log_end_offset
        offset = max((offset for offset in self.world.repeatable[topic_id] if offset < end_offset), default=None)
        if offset is not None and holds(log, offset):
            assert log.append(self.world.repeatable[topic_id][offset]).first_offset == offset
            assert log.log_end_offset == end_offset

    def tree(self) -> dict[str, bytes]:
        """All files but those that a start puts aside, which are the next one's to remove."""
        paths = [path for path in self.directory.rglob("*") if path.is_file() and path.suffix != ".deleted"]
        return {str(path.relative_to(self.directory)): path.read_bytes() for path in paths}

    def let_go(self) -> None:
        """As a kill does."""
        self.manager._directory_lock.release()

    def close(self) -> None:
        """Use it, wait for what is due, and stop."""
        for log in self.logs.values():
            builder = RecordBatchBuilder()
            builder.append(b"key", b"value", self.clock.now_ms())
            assert log.append(builder.build()).first_offset == log.log_end_offset - 1
        self.clock.advance(PERIOD_MS)
        self.manager.shutdown()


def holds(log: Log, offset: int) -> bool:
    """Whether a batch is there in whose range the offset lies, with or without its record."""
    data = log.read(offset, 1).records.read()
    return bool(data) and RecordBatch(data).base_offset <= offset


def found_of(key: bytes, found: dict[int, tuple[bytes, bytes]]) -> list[int]:
    return [-1, *(offset for offset, record in found.items() if record[0] == key)]


def records_of(log: Log) -> Iterator[tuple[int, tuple[bytes, bytes]]]:
    offset = log.log_start_offset
    while data := log.read(offset, 1 << 20).records.read():
        for batch in iter_batches(data):
            assert batch.is_valid()
            for record in batch.records():
                if record.offset >= log.log_start_offset:
                    yield record.offset, (bytes(record.key or b""), bytes(record.value or b""))
            offset = batch.next_offset


def committed(log: Log, offset: int) -> FetchDataInfo:
    return log.read(offset, 1 << 20, up_to=log.last_stable_offset, with_aborted=True)


def last_values(log: Log) -> dict[bytes, bytes]:
    """Of each key, as a consumer of committed records finds them."""
    values, offset = {}, log.log_start_offset
    while data := (found := committed(log, offset)).records.read():
        void = {entry.producer_id for entry in found.aborted}
        for batch in iter_batches(data):
            if not batch.is_control and batch.producer_id not in void:
                for record in batch.records():
                    values[bytes(record.key or b"")] = bytes(record.value or b"")
            offset = batch.next_offset
    return values


def test_a_kill_at_any_step_loses_nothing(work: Work, expected: Expected, run_until: Any, tmp_path: Path) -> None:
    for step in itertools.count(0, STRIDE):
        directory = tmp_path / f"killed-{step}"
        is_killed, done = run_until(partial(do, work, directory), directory, step)
        for again in range(step % STRIDE, TIDYING_STEPS, STRIDE) if passing_files(directory) else ():
            copy = tmp_path / f"killed-{step}-{again}"
            shutil.copytree(directory, copy)
            run_until(partial(start, expected, copy, done), copy, again)
            check(expected, copy, done, is_power_lost=False)
            shutil.rmtree(copy)
        check(expected, directory, done, is_power_lost=False)
        shutil.rmtree(directory)
        if not is_killed:
            break
    assert step > 50


def lose_power(directory: Path, loss: tuple[bool, bool], disk: Any) -> None:
    disk.leave(directory, *loss)


def do(work: Work, directory: Path) -> Iterator[None]:
    yield from work(World(directory))


def start(expected: Expected, directory: Path, done: int) -> Iterator[None]:
    Opened(expected.world, directory, *expected.around(done))
    yield


def passing_files(directory: Path) -> list[Path]:
    return [path for path in directory.glob("*/*") if path.suffix in PASSING_SUFFIXES]


LOSSES = {"unsynced bytes": (True, False), "unsynced bytes are zeros": (True, True), "unsynced names": (False, False)}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_loss_of_power_at_any_step_leaves_what_was_flushed(
    work: Work, expected: Expected, run_until: Any, tmp_path: Path, loss: tuple[bool, bool]
) -> None:
    for step in itertools.count(2, STRIDE):
        directory, lost = tmp_path / f"killed-{step}", tmp_path / f"lost-{step}"
        lose = partial(lose_power, lost, loss)
        is_killed, done = run_until(partial(do, work, directory), directory, step, lose)
        if not is_killed:
            break
        check(expected, lost, done, is_power_lost=True)
        shutil.rmtree(directory)
        shutil.rmtree(lost)
    assert step > 50


def test_what_is_missing_between_two_segments_is_said(
    open_log: Any, make_batch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    log = open_log(segment_bytes=2 * len(make_batch(1)))
    for _ in range(5):
        log.append(make_batch(1))
    os.truncate(log.segments[1].records.path, len(make_batch(1)))
    again = Log.open(log.directory, log.config)
    assert [offset for offset, _ in records_of(again)] == [0, 1, 2, 4]
    assert f"{4:020d}.log: offsets 3 to 3 are missing before it" in caplog.text
