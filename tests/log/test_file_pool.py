"""Open files: few enough, found again, and never closed under somebody who reads."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kfast.file_slice import FileSlice
from kfast.log.file_pool import FilePool, default_limit
from kfast.record.batch import RecordBatch


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    for number in range(5):
        (tmp_path / str(number)).write_bytes(b"%d" % number)
    return [str(tmp_path / str(number)) for number in range(5)]


def test_the_least_recently_used_file_goes_first(paths: list[str]) -> None:
    pool = FilePool(limit=2)
    first = pool.open(paths[0])
    pool.open(paths[1])
    assert pool.open(paths[0]) is first
    pool.open(paths[2])
    assert len(pool) == 2
    assert pool.open(paths[0]) is first


def test_a_slice_keeps_its_file_open_after_eviction(paths: list[str]) -> None:
    pool = FilePool(limit=1)
    in_flight = FileSlice(pool.open(paths[3]), 0, 1)
    for path in paths:
        pool.open(path)
    os.unlink(paths[3])
    assert in_flight.read() == b"3"
    fd = in_flight.file.fd
    del in_flight
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_discarded_file_is_opened_anew(paths: list[str]) -> None:
    pool = FilePool()
    old = pool.open(paths[0])
    os.unlink(paths[0])
    pool.discard(paths[0])
    pool.discard(paths[0])
    with pytest.raises(FileNotFoundError):
        pool.open(paths[0])
    assert pool.create(paths[0]) is not old
    assert os.path.getsize(paths[0]) == 0


def test_a_directory_is_discarded_without_those_in_it_and_beside_it(tmp_path: Path) -> None:
    pool = FilePool()
    kept = [tmp_path / "a" / "b" / "0", tmp_path / "ab" / "0"]
    for path in (tmp_path / "a" / "0", tmp_path / "a" / "1", *kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        pool.create(str(path))
    pool.discard_directory(str(tmp_path / "a"))
    assert list(pool._files) == list(map(str, kept))


def test_a_read_only_pool_cannot_write(paths: list[str]) -> None:
    file = FilePool(is_read_only=True).open(paths[0])
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.pwrite(file.fd, b"x", 0)


def test_the_limit_leaves_descriptors_to_others() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 16 <= default_limit() <= 16384
    assert soft == resource.RLIM_INFINITY or default_limit() <= max(16, soft // 4)


def test_a_log_works_in_a_pool_that_drops_a_file_before_each_call_on_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, paths: list[str], open_log: Any, make_batch: Any
) -> None:
    pool = FilePool(limit=1)

    def evicting(call: Callable[..., Any]) -> Callable[..., Any]:
        def evict_and_call(fd: int, *arguments: Any) -> Any:
            pool.open(paths[0])
            return call(fd, *arguments)

        return evict_and_call

    for name in ("pread", "pwrite", "fsync", "ftruncate"):
        monkeypatch.setattr(os, name, evicting(getattr(os, name)))
    log = open_log(log_arguments={"file_pool": pool}, segment_bytes=20_000, index_interval_bytes=0)
    for number in range(30):
        log.append(make_batch(size=1000, timestamp_ms=number))
    assert len(log.segments) > 1
    assert [RecordBatch(log.read(offset, 1).records.read()).base_offset for offset in range(30)] == list(range(30))
    assert log.offset_for_timestamp(25).offset == 25
    log.truncate_to(29)
    log.close()
    assert Path(paths[0]).read_bytes() == b"0"
    assert open_log(log_arguments={"file_pool": pool}).log_end_offset == 29


def test_a_log_uses_the_pool_it_is_given_although_that_is_still_empty(open_log: Any, make_batch: Any) -> None:
    pool = FilePool()
    open_log(log_arguments={"file_pool": pool}).append(make_batch())
    assert len(pool) == 3
