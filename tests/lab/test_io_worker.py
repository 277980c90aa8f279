import os

import pytest

from kfast.errors import KfastError
from kfast.lab import io_worker
from kfast.lab.io_worker import NO_SYNC, SYNC_AT_END, IoWorker
from kfast.lab.unavailable import Unavailable

SIZE = 64 << 10


@pytest.fixture
def worker(disk_directory):
    path = disk_directory / "data.log"
    path.write_bytes(bytes(SIZE))
    return IoWorker({"path": str(path)})


@pytest.fixture
def syncs(monkeypatch):
    calls, real = [], io_worker.fdatasync
    monkeypatch.setattr(io_worker, "fdatasync", lambda fd: (calls.append(fd), real(fd))[1])
    return calls


def written_positions(monkeypatch, worker, **arguments) -> list[int]:
    positions, real = [], os.pwrite

    def record(fd, block, position):
        positions.append(position)
        return real(fd, block, position)

    with monkeypatch.context() as patch:
        patch.setattr(io_worker.os, "pwrite", record)
        worker.answer("write", {"block_size": 4096, "sync_bytes": NO_SYNC, "seed": 3} | arguments)
    return positions


def test_in_order_and_at_random_touch_every_block_once(worker, monkeypatch):
    in_order = written_positions(monkeypatch, worker, is_sequential=True)
    at_random = written_positions(monkeypatch, worker, is_sequential=False)
    assert in_order == list(range(0, SIZE, 4096))
    assert sorted(at_random) == in_order
    assert at_random != in_order


@pytest.mark.parametrize(("sync_bytes", "count"), [(NO_SYNC, 0), (SYNC_AT_END, 1), (16 << 10, 4), (SIZE * 2, 1)])
def test_the_sync_policy_is_kept(sync_bytes, count, worker, syncs):
    worker._write_blocks(range(0, SIZE, 4096), 4096, sync_bytes)
    assert len(syncs) == count


def test_a_cold_read_that_cannot_be_checked_is_refused(worker, monkeypatch):
    monkeypatch.setattr(io_worker, "make_cold", lambda fd: Unavailable("no cachestat"))
    with pytest.raises(KfastError, match="coldness cannot be checked: no cachestat"):
        worker.answer("read", {"block_size": 4096, "is_sequential": True, "is_cold": True, "seed": 0})


def test_an_answer_holds_the_counters_around_the_work(worker):
    answer = worker.answer("read", {"block_size": 4096, "is_sequential": False, "is_cold": False, "seed": 0})
    assert answer["moved_bytes"] == SIZE
    assert answer["usage"]["end_ns"] > answer["usage"]["start_ns"]
    assert set(answer) == {"moved_bytes", "usage", "device", "io", "residency_before", "residency_after"}


def test_other_questions_are_refused(worker):
    with pytest.raises(ValueError, match="not to erase"):
        worker.answer("erase", {})
