"""What is on the disk when an operation returns, in which order: bytes by fsync, names by that of their directory."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import kfast
from kfast.clock import ManualClock
from kfast.errors import KafkaStorageError
from kfast.log.config import LogConfig
from kfast.log.flusher import Flusher
from kfast.log.log import Log
from kfast.log.manager import LogManager
from kfast.record.builder import RecordBatchBuilder
from kfast.scheduler import Scheduler

TOPIC_ID = uuid.UUID(int=7)

Steps = list[tuple[str, str]]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Steps:
    """("rename", the new name) and ("fsync", the name of the file or directory), in their order; within tmp_path."""
    found: Steps = []

    def note(operation: Callable[..., None], kind: str, named: Callable[..., str]) -> Callable[..., None]:
        def noted(*arguments: Any) -> None:
            operation(*arguments)
            found.append((kind, named(*arguments)))

        return noted

    def path_of(fd: int) -> str:
        inode = os.fstat(fd).st_ino
        paths = (tmp_path, *tmp_path.rglob("*"))
        return next(str(path.relative_to(tmp_path)) for path in paths if path.stat().st_ino == inode)

    def target(_: Any, path: str | os.PathLike[str]) -> str:
        return str(Path(path).relative_to(tmp_path))

    for name in ("rename", "replace"):
        monkeypatch.setattr(os, name, note(getattr(os, name), "rename", target))
    monkeypatch.setattr(os, "fsync", note(os.fsync, "fsync", path_of))
    return found


@pytest.fixture
def manager(tmp_path: Path, clock: ManualClock, scheduler: Scheduler) -> Iterator[LogManager]:
    (tmp_path / "data").mkdir()
    manager = LogManager(tmp_path / "data", clock=clock, scheduler=scheduler)
    yield manager
    manager.shutdown()


def test_a_new_directory_for_logs_has_its_name_on_the_disk(
    tmp_path: Path, clock: ManualClock, scheduler: Scheduler, steps: Steps
) -> None:
    (tmp_path / "place").mkdir()
    LogManager(tmp_path / "place" / "data", clock=clock, scheduler=scheduler).shutdown()
    assert steps == [("fsync", "place")]


def test_a_checkpoint_is_whole_under_its_own_name(manager: LogManager, steps: Steps) -> None:
    manager.write_checkpoints()
    assert steps == [
        step
        for name in (
            "recovery-point-offset-checkpoint",
            "log-start-offset-checkpoint",
            "replication-offset-checkpoint",
        )
        for step in (("fsync", f"data/{name}.tmp"), ("rename", f"data/{name}"), ("fsync", "data"))
    ]


def test_a_deleted_partition_does_not_come_back(manager: LogManager, steps: Steps) -> None:
    manager.create("orders", 0, TOPIC_ID)
    del steps[:]
    manager.delete("orders", 0)
    (_, renamed), synced = steps
    assert renamed.startswith("data/orders-0.")
    assert renamed.endswith("-delete")
    assert synced == ("fsync", "data")


def test_what_compaction_made_has_its_names_before_it_counts_as_done(
    open_log: Any, make_batch: Any, steps: Steps
) -> None:
    log = open_log(segment_bytes=len(make_batch(1)), cleanup_policy=frozenset({"compact"}))
    for _ in range(3):
        log.append(make_batch(1))
    log.flush()
    del steps[:]
    old = log.segments[:2]
    new = log.create_cleaned(old[0].base_offset)
    log.replace_segments(old, new)
    renamed = [name for kind, name in steps if kind == "rename"]
    offered, in_place = renamed.index("orders-0/00000000000000000000.log.swap"), steps[-1]
    assert ("fsync", "orders-0") in steps[offered:-1]
    assert in_place == ("fsync", "orders-0")
    assert steps[-2][0] == "rename"
    assert not steps[-2][1].endswith((".swap", ".deleted"))


def test_a_clean_stop_says_so_last(manager: LogManager, make_batch: Any, steps: Steps) -> None:
    manager.create("orders", 0, TOPIC_ID).append(make_batch(1))
    del steps[:]
    manager.shutdown()
    assert steps[-2:] == [("rename", "data/.kafka_cleanshutdown"), ("fsync", "data")]
    for name in ("00000000000000000000.log", "00000000000000000000.index", "00000000000000000000.timeindex"):
        assert ("fsync", f"data/orders-0/{name}") in steps
    snapshot = steps.index(("fsync", "data/orders-0/00000000000000000001.snapshot"))
    assert ("fsync", "data/orders-0") in steps[snapshot:]


def batch_of_a_producer() -> bytearray:
    builder = RecordBatchBuilder(producer_id=7, producer_epoch=0, base_sequence=0)
    builder.append(b"k", b"v", 1)
    return builder.build()


def test_what_a_producer_repeats_is_not_acknowledged_once_its_flush_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log.open(tmp_path / "orders-0", LogConfig(flush_messages=1))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output error")))
        with pytest.raises(KafkaStorageError, match="Input/output error"):
            log.append(batch_of_a_producer())
    with pytest.raises(KafkaStorageError, match="Input/output error"):
        log.append(batch_of_a_producer())
    log.delete()


def test_what_a_producer_repeats_while_it_is_flushed_is_acknowledged_when_it_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log.open(tmp_path / "orders-0", LogConfig(flush_messages=1))
    real, recovery_points = Flusher.flush, []

    def repeat_first(self: Flusher, *arguments: Any) -> None:
        monkeypatch.setattr(Flusher, "flush", real)
        log.append(batch_of_a_producer())
        recovery_points.append(log.recovery_point)
        real(self, *arguments)

    monkeypatch.setattr(Flusher, "flush", repeat_first)
    log.append(batch_of_a_producer())
    assert (recovery_points, log.recovery_point, log.log_end_offset) == ([1], 1, 1)
    log.close()


def test_the_current_directory_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_batch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with kfast.Broker(".") as broker:
        broker.metadata.create_topic("orders", 1)
        broker.log("orders", 0).append(make_batch(1))
        broker.log("orders", 0).flush()
        broker.metadata.create_topic("gone", 1)
        broker.metadata.delete_topic("gone")
    with kfast.Broker(tmp_path) as broker:
        assert broker.log("orders", 0).log_end_offset == 1


def test_indexes_of_a_finished_segment_are_on_the_disk_though_its_records_were_before(
    tmp_path: Path, make_batch: Any, clock: ManualClock, scheduler: Scheduler, steps: Steps
) -> None:
    log = Log.open(tmp_path / "orders-0", LogConfig(flush_messages=1), clock=clock, scheduler=scheduler)
    for _ in range(2):
        log.append(make_batch(1))
        log.roll()
    del steps[:]
    clock.advance(1)
    indexes = [f"orders-0/{offset:020d}{suffix}" for offset in (0, 1) for suffix in (".index", ".timeindex")]
    flushed = [name for kind, name in steps if kind == "fsync" and name.endswith("index")]
    assert (flushed, log.recovery_point) == (indexes[2:], 2)  # those before went with the second append
    del steps[:]
    log.append(make_batch(1))
    log.flush()
    log.close()
    assert not {name for kind, name in steps if kind == "fsync"}.intersection(indexes)


def test_a_clean_stop_vouches_for_indexes_of_segments_that_nobody_had_the_time_to_flush(
    tmp_path: Path, make_batch: Any, steps: Steps
) -> None:
    log = Log.open(tmp_path / "orders-0")
    log.append(make_batch(1))
    log.flush()
    log.roll()
    log.close()
    names = [name.removeprefix("orders-0/") for kind, name in steps if kind == "fsync"]
    for offset in (0, 1):
        assert f"{offset:020d}.index" in names
        assert f"{offset:020d}.timeindex" in names
    assert names.count(f"{0:020d}.log") == 1


def test_indexes_made_anew_below_the_recovery_point_are_on_the_disk(
    tmp_path: Path, make_batch: Any, steps: Steps
) -> None:
    log = Log.open(tmp_path / "orders-0")
    log.append(make_batch(1))
    log.roll()
    log.close()
    index = tmp_path / "orders-0" / f"{0:020d}.index"
    index.unlink()
    del steps[:]
    Log.open(tmp_path / "orders-0", was_clean=True, recovery_point=1)
    assert ("fsync", f"orders-0/{index.name}") in steps
