import errno
import os

import pytest

from kfast.lab import io_worker
from kfast.lab.io_work import NO_SYNC, make_batch
from kfast.lab.io_worker import AT_RANDOM, COLD, IN_ORDER, SHUFFLED, WARM, IoWorker
from kfast.lab.unavailable import Unavailable

SIZE, BLOCK_SIZE = 64 << 10, 4096


@pytest.fixture
def worker(disk_directory):
    path = disk_directory / "data.log"
    path.write_bytes(bytes(SIZE))
    return IoWorker({"path": str(path)})


@pytest.fixture
def written(monkeypatch):
    """(descriptor, position) of each write, in turn."""
    places, real = [], os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, block, at: (places.append((fd, at)), real(fd, block, at))[1])
    return places


def read(worker, **changes):
    arguments = {"order": IN_ORDER, "block_size": BLOCK_SIZE, "cache": WARM, "advice": "normal", "threads": 1}
    return worker.answer("read", {"seed": 3} | arguments | changes)


def write(worker, **changes):
    arguments = {"order": IN_ORDER, "block_size": BLOCK_SIZE, "sync_bytes": NO_SYNC, "size": SIZE, "seed": 3}
    return worker.answer("write", arguments | changes)


def append(worker, request="append", **changes):
    arguments = {"block_size": BLOCK_SIZE, "sync_bytes": NO_SYNC, "size": SIZE, "seed": 3}
    return worker.answer(request, arguments | changes)


def test_in_order_and_at_random_touch_every_block_once(worker, written):
    write(worker)
    in_order = [position for _, position in written]
    written.clear()
    write(worker, order=AT_RANDOM)
    at_random = [position for _, position in written]
    assert in_order == list(range(0, SIZE, BLOCK_SIZE))
    assert sorted(at_random) == in_order
    assert at_random != in_order


def test_a_part_of_the_file_is_its_beginning_or_spread_over_all_of_it(worker, written):
    assert write(worker, size=SIZE // 4)["moved_bytes"] == SIZE // 4
    assert [position for _, position in written] == list(range(0, SIZE // 4, BLOCK_SIZE))
    written.clear()
    write(worker, order=AT_RANDOM, size=SIZE // 4)
    positions = [position for _, position in written]
    assert len(set(positions)) == SIZE // 4 // BLOCK_SIZE
    assert max(positions) >= SIZE // 4


def test_shuffled_goes_to_the_places_of_in_order(worker, written):
    write(worker, size=SIZE // 4)
    in_order = [position for _, position in written]
    written.clear()
    write(worker, order=SHUFFLED, size=SIZE // 4)
    shuffled = [position for _, position in written]
    assert sorted(shuffled) == in_order
    assert shuffled != in_order


@pytest.mark.parametrize("partitions", [1, 4, 16])
def test_partitions_are_appended_to_in_turns(worker, written, partitions):
    assert append(worker, partitions=partitions)["moved_bytes"] == SIZE
    files = [fd for fd, _ in written]
    assert len(set(files)) == partitions
    assert files == files[:partitions] * (len(files) // partitions)
    for fd in set(files):
        assert [at for one, at in written if one == fd] == list(range(0, SIZE // partitions, BLOCK_SIZE))


def test_new_files_are_gone_afterwards_also_after_an_error(worker, disk_directory, monkeypatch):
    append(worker, partitions=4)
    append(worker, "log")
    monkeypatch.setattr(io_worker, "write_blocks", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        append(worker, partitions=4)
    assert [path.name for path in disk_directory.iterdir()] == ["data.log"]


@pytest.mark.parametrize(("sync_bytes", "flushes"), [(NO_SYNC, 0), (2 * BLOCK_SIZE, 8), (3 * BLOCK_SIZE, 6)])
def test_the_log_gets_as_many_batches_and_is_flushed_as_often(worker, monkeypatch, sync_bytes, flushes):
    calls, real = [], io_worker.Log.flush
    monkeypatch.setattr(io_worker.Log, "flush", lambda log: (calls.append(log), real(log))[1])
    answer = append(worker, "log", sync_bytes=sync_bytes)
    assert answer["moved_bytes"] == answer["planned_bytes"] == pytest.approx(SIZE, rel=0.01)
    assert answer["sync_count"] == len(calls) == flushes


def test_the_bare_loop_writes_the_batches_of_the_log_one_behind_the_other(worker, written, disk_directory):
    answer, of_log = append(worker, "bare"), append(worker, "log")
    assert answer["moved_bytes"] == answer["planned_bytes"] == of_log["moved_bytes"]
    positions = [position for _, position in written[: SIZE // BLOCK_SIZE]]
    assert positions == list(range(0, answer["moved_bytes"], len(make_batch(BLOCK_SIZE))))
    assert [path.name for path in disk_directory.iterdir()] == ["data.log"]


def test_a_cold_read_that_cannot_be_checked_is_refused(worker, monkeypatch):
    monkeypatch.setattr(io_worker, "make_cold", lambda fd: Unavailable("no cachestat"))
    assert read(worker, cache=COLD) == {"unavailable": "coldness cannot be checked: no cachestat"}


def test_a_file_that_stays_in_the_page_cache_is_not_called_cold(worker, monkeypatch):
    monkeypatch.setattr(io_worker, "make_cold", io_worker.make_warm)
    reason = read(worker, cache=COLD)["unavailable"]
    assert reason.startswith(("not cold after all: 16 of 16 pages cached", "coldness cannot be checked"))


@pytest.mark.parametrize(("number", "is_fatal"), [(errno.EMFILE, False), (errno.ENOSYS, False), (errno.EIO, True)])
def test_an_error_of_the_disk_is_none_of_the_machine(worker, monkeypatch, number, is_fatal):
    def fail(*arguments):
        raise OSError(number, os.strerror(number), "/home/somebody/data.log")

    monkeypatch.setattr(io_worker, "write_blocks", fail)
    if is_fatal:
        with pytest.raises(OSError, match="Input/output error"):
            write(worker)
    else:
        assert write(worker) == {"unavailable": os.strerror(number)}


@pytest.mark.parametrize("threads", [1, 4])
def test_every_block_is_read_by_one_thread_or_by_many(worker, threads):
    answer = read(worker, order=AT_RANDOM, threads=threads)
    assert answer["moved_bytes"] == answer["planned_bytes"] == SIZE


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="posix_fadvise(2) is not offered here")
def test_readahead_is_advised_before_each_read(worker, monkeypatch):
    advised, real = [], os.posix_fadvise
    monkeypatch.setattr(os, "posix_fadvise", lambda *words: (advised.append(words[-1]), real(*words))[1])
    read(worker, advice="random")
    read(worker)
    assert advised == [os.POSIX_FADV_RANDOM, os.POSIX_FADV_NORMAL]


def test_an_answer_holds_the_counters_and_what_was_cached(worker):
    assert set(read(worker)) == {
        "moved_bytes", "planned_bytes", "sync_count", "usage", "device", "process",
        "cached_share_before", "dirty_share_after",
    }  # fmt: skip


@pytest.mark.parametrize(("partitions", "sync_bytes"), [(1, 4 * BLOCK_SIZE), (8, 8 * BLOCK_SIZE), (8, BLOCK_SIZE)])
def test_strace_counts_the_same_writes_and_syncs(traced, disk_directory, partitions, sync_bytes):
    path = disk_directory / "data.log"
    path.write_bytes(b"")
    arguments = {"partitions": partitions, "block_size": BLOCK_SIZE, "sync_bytes": sync_bytes, "size": SIZE, "seed": 3}
    messages = [{"path": str(path)}, {"request": "append", **arguments}]
    (_, answer), calls = traced("kfast.lab.io_worker", messages)
    assert calls["pwrite64"] == answer["moved_bytes"] // BLOCK_SIZE == 16
    assert calls["fdatasync"] == answer["sync_count"] > 0


def test_other_questions_are_refused(worker):
    with pytest.raises(ValueError, match="not to erase"):
        worker.answer("erase", {})
