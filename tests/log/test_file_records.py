"""The .log file: written at the end, searched by headers, read batch by batch."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from kfast.errors import CorruptRecordError
from kfast.file_slice import WRITE_SIZE
from kfast.log.file_pool import FilePool
from kfast.log.file_records import BLOCK_SIZE, SCAN_SIZE, FileRecords
from kfast.record.batch import RecordBatch, stamp

SIZES = [1, 100, BLOCK_SIZE, 10, 10, 3 * BLOCK_SIZE, 0, SCAN_SIZE, 5, 2 * SCAN_SIZE + 7, 50]


@pytest.fixture
def records(tmp_path: Path, file_pool: FilePool, make_batch: Any) -> FileRecords:
    """Batches of very different sizes, two records each."""
    path = str(tmp_path / "00000000000000000000.log")
    file_pool.create(path)
    records = FileRecords(path, file_pool, 0)
    for number, size in enumerate(SIZES):
        batch = make_batch(2, size=size // 2, timestamp_ms=1000 + number)
        stamp(batch, 0, 2 * number, 0)
        records.append(batch)
    return records


def test_batches_and_headers_tell_the_same(records: FileRecords) -> None:
    batches = list(records.batches())
    assert [batch.base_offset for _, batch in batches] == [2 * number for number in range(len(SIZES))]
    assert all(batch.is_valid() for _, batch in batches)
    assert [
        (position, batch.size_bytes, batch.base_offset, batch.last_offset, batch.max_timestamp_ms)
        for position, batch in batches
    ] == list(records.headers())
    last_position, last = batches[-1]
    assert last_position + last.size_bytes == records.size_bytes == Path(records.path).stat().st_size


def test_only_what_is_large_is_written_in_more_than_one_call(
    tmp_path: Path, file_pool: FilePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "00000000000000000000.log"
    file_pool.create(str(path))
    calls: list[int] = []
    real_pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: (calls.append(len(data)), real_pwrite(fd, data, at))[1])
    records = FileRecords(str(path), file_pool, 0)
    for data in (b"a" * WRITE_SIZE, b"b" * (WRITE_SIZE + 1), bytearray(b"c" * 2 * WRITE_SIZE)):
        records.append(memoryview(data))
    assert calls == [WRITE_SIZE, WRITE_SIZE, 1, WRITE_SIZE, WRITE_SIZE]
    assert path.read_bytes() == b"a" * WRITE_SIZE + b"b" * (WRITE_SIZE + 1) + b"c" * 2 * WRITE_SIZE
    assert records.size_bytes == path.stat().st_size


def test_every_offset_is_found_from_every_batch_before_it(records: FileRecords) -> None:
    headers = list(records.headers())
    for start in headers:
        for wanted in headers[headers.index(start) :]:
            for offset in (wanted.base_offset, wanted.last_offset):
                found = records.find(offset, start.position, records.size_bytes, start.last_offset)
                assert found == (wanted.position, wanted.size_bytes)
    assert records.find(2 * len(SIZES), 0, records.size_bytes) is None


def test_nothing_is_found_beyond_the_given_end(records: FileRecords) -> None:
    headers = list(records.headers())
    for before, after in pairwise(headers):
        assert records.find(after.base_offset, 0, after.position) is None
        assert records.find(before.base_offset, 0, after.position) == (before.position, before.size_bytes)
        assert [header.position for header in records.headers(end=after.position)][-1] == before.position


def test_an_index_entry_is_checked(records: FileRecords) -> None:
    second = list(records.headers())[1]
    assert records.holds_entry(second.last_offset, second.position)
    for offset, position in ((second.base_offset, second.position), (second.last_offset, 5), (3, 2**31 - 1)):
        assert not records.holds_entry(offset, position)
        if position < records.size_bytes:
            with pytest.raises(CorruptRecordError, match="no batch at position"):
                records.find(9, position, records.size_bytes, offset)


@pytest.mark.parametrize("missing", [1, 40, 90])
def test_a_batch_that_is_cut_off_is_left_out(records: FileRecords, missing: int) -> None:
    whole = len(list(records.headers()))
    records.truncate_to(records.size_bytes - missing)
    assert len(list(records.headers())) == len(list(records.batches())) == whole - 1


def test_an_impossible_size_is_an_error(records: FileRecords) -> None:
    records.append(b"\xa5" * 100)
    for walk in (records.headers, records.batches):
        with pytest.raises(CorruptRecordError, match="-1515870811"):
            list(walk())
    with pytest.raises(CorruptRecordError, match="-1515870811"):
        records.find(2**62, 0, records.size_bytes)


def test_a_slice_is_found_and_not_read(records: FileRecords) -> None:
    header = list(records.headers())[4]
    slice_ = records.slice(header.position, header.size_bytes)
    assert RecordBatch(slice_.read()).base_offset == header.base_offset
    assert records.read(header.position, header.size_bytes) == slice_.read()


def test_a_batch_of_an_impossible_size_is_never_what_was_looked_for(records: FileRecords) -> None:
    end = 2 * len(SIZES)
    records.append(end.to_bytes(8) + b"\xa5" * 92)
    assert records.find(end - 1, 0, records.size_bytes) is not None
    with pytest.raises(CorruptRecordError, match="-1515870811"):
        records.find(end, 0, records.size_bytes)
