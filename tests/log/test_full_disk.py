"""A disk that is really full: a small one, made for the test where that is allowed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kfast.errors import KafkaStorageError
from kfast.log.config import LogConfig
from kfast.log.file_pool import FilePool
from kfast.log.log import Log

SIZE = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("to make a small disk takes root and mount(8)")
    path = tmp_path / "small"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", path], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def fill(log: Log, batch: bytearray) -> int:
    """Append until the disk takes no more; return how many batches it took."""
    for count in range(1000):
        try:
            log.append(batch)
        except KafkaStorageError:
            return count
    raise AssertionError("the disk never filled up")


@pytest.mark.parametrize("size", [100, 5_000, 60_000])
def test_what_it_took_stays_and_what_it_did_not_take_leaves_no_trace(
    small_disk: Path, make_batch: Any, size: int, base_offsets: Any
) -> None:
    config = LogConfig(segment_bytes=200_000, index_interval_bytes=1000, retention_bytes=300_000, retention_ms=-1)
    log = Log.open(small_disk / "orders-0", config)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(SIZE - 150_000 if size == 100 else 0))
    count = fill(log, make_batch(1, size=size))
    assert count > 3
    assert base_offsets(log) == list(range(count))
    for _ in range(3):
        assert fill(log, make_batch(1, size=size)) == 0
    assert base_offsets(log) == list(range(count))
    file_pool = FilePool()
    assert base_offsets(Log.open(small_disk / "orders-0", config, file_pool=file_pool)) == list(range(count))
    file_pool.clear()  # open files keep their space

    filler.unlink()
    if size > 100:
        assert log.delete_old_segments() > 0
    start = log.log_start_offset
    assert log.append(make_batch(1, size=size)).first_offset == count
    log.close()
    again = Log.open(small_disk / "orders-0", config, log_start_offset=start)
    assert base_offsets(again) == list(range(start, count + 1))


def test_retention_makes_room_even_where_there_is_none_for_a_new_segment(
    small_disk: Path, make_batch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    log = Log.open(small_disk / "orders-0", LogConfig(segment_bytes=200_000, retention_ms=1))
    count = fill(log, make_batch(1, size=5000))
    segment_count = len(log.segments)
    assert log.delete_old_segments() == segment_count - 1
    assert "a new segment cannot begin" in caplog.text
    assert log.append(make_batch(1, size=5000)).first_offset == count
    assert log.delete_old_segments() == 1
    assert (log.log_start_offset, log.log_end_offset, log.size_bytes) == (count + 1, count + 1, 0)


def test_a_stop_that_has_no_room_says_so_and_loses_nothing(
    small_disk: Path, make_batch: Any, base_offsets: Any
) -> None:
    log = Log.open(small_disk / "orders-0")
    count = fill(log, make_batch(1, size=5000))
    (small_disk / "filler").write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096))
    with pytest.raises(OSError, match=r"No space left on device: '.*/orders-0/0+\.(time)?index'|orders-0/.*snapshot'"):
        log.close()
    (small_disk / "filler").unlink()
    assert base_offsets(Log.open(small_disk / "orders-0")) == list(range(count))
