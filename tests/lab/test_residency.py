import os

import pytest

from kfast.lab import residency as module
from kfast.lab.residency import (
    PAGE_SIZE,
    Residency,
    cached_share,
    make_cold,
    make_warm,
    residency,
    residency_map,
    together,
)
from kfast.lab.unavailable import Unavailable


@pytest.fixture
def file_of_ten_pages(disk_directory):
    with open(disk_directory / "ten.log", "w+b") as file:
        file.write(b"x" * (10 * PAGE_SIZE - 1))  # the last page is not full
        file.flush()
        if isinstance(found := residency(file.fileno()), Unavailable):
            pytest.skip(str(found))
        yield file.fileno()


def test_what_was_just_written_is_cached(file_of_ten_pages):
    found = residency(file_of_ten_pages)
    assert (found.page_count, found.cached_pages) == (10, 10)
    assert found.is_warm
    assert not found.is_cold


def test_cold_is_checked_and_warm_brings_it_back(file_of_ten_pages):
    cold = make_cold(file_of_ten_pages)
    assert cold == Residency(page_count=10, cached_pages=0, dirty_pages=0, writeback_pages=0)
    assert cold.is_cold
    assert residency(file_of_ten_pages).is_cold  # looking does not load
    assert make_warm(file_of_ten_pages).is_warm


def test_parts_are_looked_at_one_by_one(file_of_ten_pages):
    make_cold(file_of_ten_pages)
    os.posix_fadvise(file_of_ten_pages, 0, 0, os.POSIX_FADV_RANDOM)  # no read-ahead
    os.pread(file_of_ten_pages, 1, 5 * PAGE_SIZE)
    parts = residency_map(f"/proc/self/fd/{file_of_ten_pages}", part_count=4)
    assert [(part.page_count, part.cached_pages) for part in parts] == [(3, 0), (3, 1), (3, 0), (1, 0)]
    assert residency(file_of_ten_pages, 5 * PAGE_SIZE).page_count == 5


def test_an_empty_file_has_no_parts(tmp_path):
    (tmp_path / "empty").touch()
    assert residency_map(tmp_path / "empty") == []


def test_files_are_counted_together_as_if_they_were_one():
    one, other, unknown = Residency(10, 4, 1, 0), Residency(30, 6, 2, 3), Unavailable("no cachestat here")
    assert together([one, other]) == Residency(40, 10, 3, 3)
    assert together([one, unknown]) == cached_share([unknown]) == unknown


def test_it_reads_as_counts():
    assert str(Residency(10, 4, 1, 0)) == "4 of 10 pages cached, 1 dirty"


def test_a_refused_system_call_gives_its_reason(monkeypatch):
    monkeypatch.setattr(module, "SYS_CACHESTAT", 100_000)
    assert residency(0) == Unavailable(f"cachestat(2), Linux 6.5 or newer: {os.strerror(38)}")


def test_another_platform_gives_its_reason(monkeypatch):
    monkeypatch.setattr(module.sys, "platform", "darwin")
    assert "this is darwin" in residency(0).reason
    monkeypatch.delattr(module.os, "posix_fadvise")
    assert "darwin" in make_cold(0).reason


def test_what_is_cached_of_many_files():
    files = [Residency(30, 30, 0, 0), Residency(10, 0, 0, 0)]
    assert cached_share(files) == 0.75
    assert cached_share([*files, Unavailable("no cachestat")]) == Unavailable("no cachestat")
