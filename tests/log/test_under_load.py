"""The log while others use it: readers beside a writer, retention beside readers, and a process that is killed."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from kfast.errors import OffsetOutOfRangeError
from kfast.log.config import LogConfig
from kfast.log.file_pool import FilePool
from kfast.log.log import Log
from kfast.record.batches import iter_batches, valid_prefix

APPEND_UNTIL_KILLED = """
import sys
from kfast.log.config import LogConfig
from kfast.log.log import Log
from kfast.record.builder import RecordBatchBuilder

log = Log.open(sys.argv[1], LogConfig(segment_bytes=20_000, index_interval_bytes=500))
number = log.log_end_offset
while True:
    builder = RecordBatchBuilder()
    for _ in range(1 + number % 3):
        builder.append(b"%d" % number, bytes(number % 700), number)
        number += 1
    info = log.append(builder.build())
    print(info.last_offset, flush=True)
"""


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    directory = tmp_path / "orders-0"
    end_offset = 0
    for acknowledgements in (1, 57, 300):
        child = subprocess.Popen(
            [sys.executable, "-c", APPEND_UNTIL_KILLED, str(directory)], stdout=subprocess.PIPE, text=True
        )
        with child:
            assert child.stdout is not None
            for _ in range(acknowledgements):
                last_offset = int(child.stdout.readline())
            child.kill()
            last_offset = max([last_offset, *map(int, child.stdout.read().split("\n")[:-1])])
        log = Log.open(directory, LogConfig(segment_bytes=20_000, index_interval_bytes=500))
        assert log.log_end_offset > last_offset >= end_offset
        offset = 0
        while offset < log.log_end_offset:
            data = log.read(offset, 1 << 20).records.read()
            assert valid_prefix(data).size_bytes == len(data)
            for batch in iter_batches(data):
                for record in batch.records():
                    assert (record.offset, record.key) == (offset, b"%d" % offset)
                    offset += 1
        end_offset = log.log_end_offset
        log.close()
    assert len(log.segments) > 3


def test_a_torn_write_is_cut_and_said(tmp_path: Path, make_batch: Any, caplog: pytest.LogCaptureFixture) -> None:
    log = Log.open(tmp_path / "orders-0")
    log.append(make_batch(3))
    size = log.size_bytes
    with open(log.segments[0].records.path, "ab") as file:
        file.write(bytes(make_batch(2))[:-10])
    again = Log.open(tmp_path / "orders-0")
    assert (again.log_end_offset, again.size_bytes) == (3, size)
    dropped = len(make_batch(2)) - 10
    assert f"00000000000000000000.log: cut at position {size}, {dropped} bytes dropped" in caplog.text


def run_together(*functions: Any) -> None:
    """Run each in a thread of its own; raise what any of them raised."""
    errors: list[BaseException] = []

    def guarded(function: Any) -> None:
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        raise error


def test_readers_see_whole_batches_in_order_while_it_grows_and_rolls(tmp_path: Path, make_batch: Any) -> None:
    """With fewer descriptors than files, so that every read competes for them."""
    config = LogConfig(segment_bytes=5_000, index_interval_bytes=300)
    log = Log.open(tmp_path / "orders-0", config, file_pool=FilePool(limit=3))
    batch_count = 400

    def write() -> None:
        for number in range(batch_count):
            log.append(make_batch(1 + number % 2, size=number % 200))

    end_offset = sum(1 + number % 2 for number in range(batch_count))

    def read() -> None:
        offset = 0
        while offset < end_offset:
            found = log.read(offset, 10_000)
            data = found.records.read()
            assert len(data) == len(found.records)
            for batch in iter_batches(data):
                assert batch.base_offset == offset
                assert batch.is_valid()
                offset = batch.next_offset
            assert offset <= found.high_watermark

    run_together(write, read, read)
    assert (log.log_end_offset, len(log.segments) > 10) == (end_offset, True)


def test_readers_are_told_when_retention_overtook_them(tmp_path: Path, make_batch: Any) -> None:
    config = LogConfig(segment_bytes=2_000, retention_bytes=4_000)
    log = Log.open(tmp_path / "orders-0", config, file_pool=FilePool(limit=2))
    is_done = threading.Event()

    def write() -> None:
        for _ in range(100):
            log.append(make_batch(1))
            log.delete_old_segments()
        is_done.set()

    def read() -> None:
        while not is_done.is_set():
            offset = log.log_start_offset
            try:
                slice_ = log.read(offset, 1 << 20).records
            except OffsetOutOfRangeError:
                assert log.log_start_offset > offset
            else:
                data = slice_.read()
                assert valid_prefix(data).size_bytes == len(data)

    run_together(write, read, read)
    assert log.log_start_offset > 0


def test_appends_from_many_threads_get_offsets_of_their_own(tmp_path: Path, make_batch: Any) -> None:
    log = Log.open(tmp_path / "orders-0", LogConfig(segment_bytes=5_000, flush_messages=7))
    given: list[int] = []

    def write() -> None:
        for _ in range(100):
            info = log.append(make_batch(2))
            given.extend((info.first_offset, info.last_offset))

    run_together(*[write] * 4)
    assert sorted(given) == list(range(800))
    assert log.log_end_offset - log.recovery_point < 7 + 2 * 4
