import pytest

from kfast.errors import OffsetOutOfRangeError
from kfast.lab import log_worker
from kfast.lab.log_worker import COMPACTED, ONE_SEGMENT, LogWorker, keyed_batches, numbered_batches
from kfast.log.log import Log
from kfast.record.batches import iter_batches

BATCH_SIZE, SIZE = 4 << 10, 64 << 10
COUNT = SIZE // BATCH_SIZE


@pytest.fixture
def worker(disk_directory):
    path = disk_directory / "data.log"
    path.touch()
    return LogWorker({"path": str(path)})


def ask(worker, request, **changes):
    return worker.answer(request, {"block_size": BATCH_SIZE, "size": SIZE, "seed": 3} | changes)


def test_batches_are_numbered_by_one_producer_and_undamaged():
    batches = [batch for some in numbered_batches(BATCH_SIZE, SIZE) for batch in iter_batches(some)]
    assert [batch.base_sequence for batch in batches] == list(range(COUNT))
    assert all(batch.is_valid() and batch.has_producer_id for batch in batches)


def test_every_batch_of_keyed_records_keeps_some_of_them(tmp_path):
    log = Log.open(tmp_path / "keyed-0", COMPACTED)
    for batch in keyed_batches(16 << 10, 1 << 20):
        log.append(batch)
    log.roll()
    before = log.size_bytes
    log_worker.compact(log)
    assert 0.3 * before < log.size_bytes < 0.7 * before


def test_what_is_looked_up_is_in_the_log(worker, monkeypatch):
    read, offsets = Log.read, []
    monkeypatch.setattr(Log, "read", lambda log, offset, size: (offsets.append(offset), read(log, offset, size))[1])
    answer = ask(worker, "look_up", count=50)
    assert (answer["lookup_count"], answer["moved_bytes"], answer["planned_bytes"]) == (50, 0, 0)
    assert len(offsets) == 50
    assert set(offsets) <= set(range(COUNT))


def test_a_look_up_that_finds_nothing_is_no_measurement(tmp_path):
    with pytest.raises(OffsetOutOfRangeError):
        log_worker.look_up(Log.open(tmp_path / "log-0", ONE_SEGMENT), [1])


def test_a_bare_pread_looks_at_as_many_places(worker):
    answer = ask(worker, "pread", count=50)
    assert answer["lookup_count"] == 50


@pytest.mark.parametrize("request_", ["recover", "scan"])
def test_all_of_the_log_is_checked_again_in_each_run(worker, request_):
    for _ in range(2):
        answer = ask(worker, request_)
        assert answer["moved_bytes"] == answer["planned_bytes"] == pytest.approx(SIZE, rel=0.01)


def test_recovery_finds_what_the_bare_loop_finds(worker):
    assert ask(worker, "recover")["moved_bytes"] == ask(worker, "scan")["moved_bytes"]


def test_each_pass_compacts_a_copy(worker):
    for _ in range(2):
        answer = ask(worker, "compact", block_size=16 << 10, size=1 << 20)
        assert answer["moved_bytes"] == answer["planned_bytes"] == pytest.approx(1 << 20, rel=0.02)


def test_what_an_io_worker_answers_it_answers_too(worker):
    answer = worker.answer("bare", {"block_size": BATCH_SIZE, "sync_bytes": 0, "size": SIZE, "seed": 3})
    assert answer["moved_bytes"] == answer["planned_bytes"]
