import os

import pytest

from kfast.lab import io_work
from kfast.lab.io_work import NO_SYNC, SYNC_AT_END, Moved, counted, read_blocks_at_once, write_blocks

BLOCK, COUNT = bytes(range(256)) * 16, 16
SIZE = len(BLOCK) * COUNT


@pytest.fixture
def files(disk_directory):
    descriptors = [os.open(disk_directory / name, os.O_RDWR | os.O_CREAT) for name in "ab"]
    yield descriptors
    for fd in descriptors:
        os.close(fd)


@pytest.fixture
def synced(monkeypatch):
    calls, real = [], io_work.fdatasync
    monkeypatch.setattr(io_work, "fdatasync", lambda fd: (calls.append(fd), real(fd))[1])
    return calls


def in_turns(files):
    return [(files[turn % len(files)], turn // len(files) * len(BLOCK)) for turn in range(COUNT)]


@pytest.mark.parametrize(
    ("sync_bytes", "count"),
    [(NO_SYNC, 0), (SYNC_AT_END, 1), (len(BLOCK), COUNT), (4 * len(BLOCK), 4), (5 * len(BLOCK), 4), (SIZE * 2, 1)],
)
def test_the_sync_policy_is_kept(sync_bytes, count, files, synced):
    places = in_turns(files[:1])
    assert write_blocks(places, BLOCK, sync_bytes) == Moved(SIZE, count)
    assert len(synced) == count


def test_a_sync_is_of_all_files_written_since_the_last(files, synced):
    assert write_blocks(in_turns(files), BLOCK, 4 * len(BLOCK)).sync_count == len(synced) == 2 * COUNT // 4
    assert set(synced) == set(files)


def test_every_place_is_written(files):
    write_blocks(in_turns(files), BLOCK, NO_SYNC)
    assert [os.pread(fd, SIZE, 0) for fd in files] == [BLOCK * (COUNT // 2)] * 2


def test_threads_share_the_positions(files):
    write_blocks(in_turns(files[:1]), BLOCK, NO_SYNC)
    positions = range(0, SIZE, len(BLOCK))
    assert read_blocks_at_once(files[0], positions, len(BLOCK), 3) == Moved(SIZE)
    assert read_blocks_at_once(files[0], positions, len(BLOCK), 64) == Moved(SIZE)


def test_what_a_thread_cannot_read_is_raised():
    with pytest.raises(OSError):
        read_blocks_at_once(-1, range(4), 1, 2)


def test_the_counters_are_those_around_the_work(disk_directory):
    found = counted(str(disk_directory), lambda: Moved(7, 2))
    assert (found["moved_bytes"], found["sync_count"]) == (7, 2)
    assert found["usage"]["end_ns"] > found["usage"]["start_ns"]
    assert set(found) == {"moved_bytes", "sync_count", "usage", "device", "process"}
