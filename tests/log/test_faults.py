"""Disks that do not do what they are asked to: one log says so with Kafka's error, and the others go on."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kfast.clock import ManualClock
from kfast.errors import KafkaStorageError
from kfast.log.file_pool import FilePool
from kfast.log.index import CorruptIndexError
from kfast.log.local_log import LocalLog
from kfast.log.producer_state import ProducerStates
from kfast.log.segment import LogSegment
from kfast.log.transaction_index import TransactionIndex
from kfast.record.builder import RecordBatchBuilder


def failing(number: int) -> Callable[..., Any]:
    def fail(*arguments: Any, **named: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("function", "number"), [("pread", errno.EIO), ("open", errno.EMFILE)], ids=["input/output error", "descriptors"]
)
def test_a_file_that_cannot_be_read_is_a_storage_error(
    open_log: Any, make_batch: Any, monkeypatch: pytest.MonkeyPatch, function: str, number: int, base_offsets: Any
) -> None:
    log = open_log(log_arguments={"file_pool": FilePool(limit=1)})
    for _ in range(3):
        log.append(make_batch(2))
    log.roll()
    log.append(make_batch(2))
    with monkeypatch.context() as patch:
        patch.setattr(os, function, failing(number))
        for look in (lambda: log.read(2, 1000), lambda: log.offset_for_timestamp(0), lambda: log.max_timestamp()):
            with pytest.raises(KafkaStorageError, match=rf"orders-0: reading failed: .*{os.strerror(number)}"):
                look()
    assert base_offsets(log) == [0, 2, 4, 6]


def test_a_file_removed_underneath_is_a_storage_error_and_no_clean_stop(open_log: Any, make_batch: Any) -> None:
    log = open_log(segment_bytes=500, log_arguments={"file_pool": FilePool(limit=1)})
    for _ in range(6):
        log.append(make_batch(2))
    Path(log.segments[0].records.path).unlink()
    with pytest.raises(KafkaStorageError, match=r"00000000000000000000\.log"):
        log.read(0, 1000)
    assert log.read(log.segments[1].base_offset, 1000).records.read()
    Path(log.segments[-1].records.path).unlink()
    with pytest.raises(OSError, match=r"\.log"):
        log.close()
    log.delete()


@pytest.mark.parametrize("step", ["flush", "roll"])
def test_a_file_that_is_removed_while_it_is_open_takes_the_log_offline_at_the_next_flush_or_roll(
    open_log: Any, make_batch: Any, step: str
) -> None:
    log = open_log(segment_bytes=500)
    log.append(make_batch(2))
    Path(log.segments[0].records.path).unlink()
    assert log.append(make_batch(1)).first_offset == 2  # nothing that an append does can tell
    with pytest.raises(KafkaStorageError, match=r"/00000000000000000000\.log.*; it takes no more records"):
        log.flush() if step == "flush" else log.append(make_batch(3))
    with pytest.raises(KafkaStorageError, match=r"/00000000000000000000\.log.*; it takes no more records"):
        log.append(make_batch(1))
    log.delete()


def test_a_flush_that_retention_overtakes_is_no_fault(open_log: Any, make_batch: Any) -> None:
    log = open_log(segment_bytes=500, retention_bytes=0)
    for _ in range(4):
        log.append(make_batch(2))
    segments, end = log._local.segments, log._local.end
    assert log.delete_old_segments() == 4
    for segment in segments:
        segment.unlink()
    log._flusher.flush(segments, end, ())
    assert log.append(make_batch(1)).first_offset == 8


@pytest.mark.parametrize("suffix", [".log", ".index", ".timeindex"])
@pytest.mark.parametrize("number", [0, -1])
def test_a_log_does_not_close_cleanly_without_one_of_its_files(
    open_log: Any, make_batch: Any, suffix: str, number: int
) -> None:
    log = open_log(segment_bytes=500)
    for _ in range(6):
        log.append(make_batch(2))
    log.flush()
    path = Path(log.segments[number].records.path).with_suffix(suffix)
    path.unlink()
    with pytest.raises((KafkaStorageError, OSError), match=path.name):
        log.close()
    log.delete()


def test_a_tail_that_a_failed_write_left_is_cut_before_the_segment_is_finished(
    open_log: Any, make_batch: Any, monkeypatch: pytest.MonkeyPatch, base_offsets: Any
) -> None:
    """A disk that takes neither the write nor the cut: what lies beyond the end would be taken for damage later."""
    log = open_log()
    log.append(make_batch(2))
    size = log.size_bytes
    pwrite = os.pwrite

    def half(fd: int, data: Any, position: int) -> int:
        if position == size:
            return pwrite(fd, bytes(data)[:50], position)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", half)
        patch.setattr(os, "ftruncate", failing(errno.EIO))
        with pytest.raises(KafkaStorageError):
            log.append(make_batch(2))
    path = Path(log.segments[0].records.path)
    assert (path.stat().st_size, log.size_bytes, log.log_end_offset) == (size + 50, size, 2)
    assert base_offsets(log) == [0]
    log.close()
    assert path.stat().st_size == size


def test_a_marker_whose_index_entry_cannot_be_written_is_not_there(
    open_log: Any, make_batch: Any, monkeypatch: pytest.MonkeyPatch, base_offsets: Any, make_transactional_batch: Any
) -> None:
    log = open_log()
    log.append(make_batch(1))
    log.append(make_transactional_batch())
    with monkeypatch.context() as patch:
        patch.setattr(TransactionIndex, "append", failing(errno.ENOSPC))
        with pytest.raises(KafkaStorageError, match="No space left"):
            log.append(make_transactional_batch(is_marker=True))
    assert (log.log_end_offset, log.last_stable_offset) == (2, 1)
    assert log.append(make_transactional_batch(is_marker=True)).first_offset == 2
    assert (log.log_end_offset, log.last_stable_offset) == (3, 3)
    assert base_offsets(log) == [0, 1, 2]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), CorruptIndexError("0.timeindex")], ids=["interrupt", "index"])
@pytest.mark.parametrize("place", [(LogSegment, "_index"), (ProducerStates, "apply"), (LocalLog, "publish")])
def test_an_append_that_is_broken_off_leaves_no_trace(
    open_log: Any, monkeypatch: pytest.MonkeyPatch, place: tuple[type, str], error: BaseException
) -> None:
    """Whatever ends it: the batch would share its offsets with the next one, or its repetition be taken for it."""

    def batch(sequence: int) -> bytearray:
        builder = RecordBatchBuilder(producer_id=9, producer_epoch=0, base_sequence=sequence)
        builder.append(b"k", b"v", 1)
        return builder.build()

    log = open_log()
    log.append(batch(0))
    size = log.size_bytes
    real = getattr(*place)

    def broken_off(*arguments: Any) -> None:
        if place[0] is not LocalLog:
            real(*arguments)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(*place, broken_off)
        with pytest.raises(type(error)):
            log.append(batch(1))
    assert (log.log_end_offset, log.size_bytes) == (1, size)
    assert log.append(batch(1)).first_offset == 1
    assert [position for position, _ in log.segments[0].records.batches()] == [0, size]


def test_a_directory_that_takes_no_more_files_refuses_a_roll_and_nothing_else(
    open_log: Any, make_batch: Any, monkeypatch: pytest.MonkeyPatch, base_offsets: Any
) -> None:
    log = open_log(segment_bytes=600)
    log.append(make_batch(2))
    with monkeypatch.context() as patch:
        patch.setattr(FilePool, "create", failing(errno.EROFS))
        with pytest.raises(KafkaStorageError, match="Read-only file system"):
            log.append(make_batch(4))
        assert log.append(make_batch(1)).first_offset == 2
    assert log.append(make_batch(4)).first_offset == 3
    assert base_offsets(log) == [0, 2, 3]
    assert len(log.segments) == 2


def test_a_clock_that_goes_backwards_deletes_nothing_and_keeps_look_ups_right(
    open_log: Any, make_batch: Any, clock: ManualClock, base_offsets: Any
) -> None:
    log = open_log(segment_bytes=600, retention_ms=10_000, index_interval_bytes=0)
    for step_ms in (0, 5000, -100_000, 1000, 2000):
        clock._now_ns += step_ms * 1_000_000
        log.append(make_batch(2, timestamp_ms=clock.now_ms()))
        log.remove_expired_producers()
        assert log.delete_old_segments() == 0
    assert base_offsets(log) == [0, 2, 4, 6, 8]
    found = log.offset_for_timestamp(clock.now_ms())
    assert found is not None
    assert found.offset == 0  # in order of offsets the first one that is not earlier
    log.close()
    again = open_log(segment_bytes=600, retention_ms=10_000, index_interval_bytes=0)
    assert base_offsets(again) == [0, 2, 4, 6, 8]


def test_a_segment_that_cannot_begin_leaves_no_file_open(
    open_log: Any, make_batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its .log is gone by then: what follows must not go into a file that has no name."""
    log = open_log()
    log.append(make_batch(2))
    path = log.directory / f"{2:020d}.log"

    def fail(index: TransactionIndex) -> None:
        path.unlink()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(TransactionIndex, "reset", fail)
    with pytest.raises(KafkaStorageError, match="No space left"):
        log.roll()
    monkeypatch.undo()
    log.roll()
    log.append(make_batch(2))
    assert path.stat().st_size == len(make_batch(2))
