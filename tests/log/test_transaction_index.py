import errno
import os

import pytest

from kfast.log.index import CorruptIndexError
from kfast.log.transaction_index import ENTRY, AbortedTransaction, TransactionIndex, parse_transaction_entries

FIRST = AbortedTransaction(producer_id=0, first_offset=39, last_offset=86, last_stable_offset=27)
SECOND = AbortedTransaction(2, 27, 87, 57)
THIRD = AbortedTransaction(1, 57, 94, 95)


@pytest.fixture
def index(tmp_path, file_pool):
    return TransactionIndex(str(tmp_path / "00000000000000000020.txnindex"), file_pool)


@pytest.fixture
def full(index):
    for entry in (FIRST, SECOND, THIRD):
        index.append(entry)
    return index


def test_without_an_aborted_transaction_there_is_no_file(index, tmp_path):
    assert len(index) == 0
    index.flush()
    index.reset()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_stays_without_entries(full, tmp_path):
    """Apache Kafka leaves it too, after recovery or a cut."""
    full.reset()
    assert (len(full), [path.stat().st_size for path in tmp_path.iterdir()]) == (0, [0])
    full.append(FIRST)
    assert TransactionIndex(full.path, full._file_pool).entries == (FIRST,)


def test_entries_are_read_back(full, file_pool):
    full.flush()
    assert TransactionIndex(full.path, file_pool).entries == (FIRST, SECOND, THIRD)


def test_the_file_is_kafkas(golden, file_pool):
    path = golden("06-transactions") / "log" / "ledger-0" / "00000000000000000020.txnindex"
    partitions = golden.manifest["cases"]["06-transactions"]["logdirs"]["log"]["partitions"]
    expected = partitions["ledger-0"]["segments"]["00000000000000000020"]["txnindex"]
    index = TransactionIndex(str(path), file_pool)
    assert [[0, *entry] for entry in index.entries] == expected
    assert path.read_bytes() == b"".join(ENTRY.pack(0, *entry) for entry in index.entries)


def test_what_the_disk_takes_half_of_is_not_there(full, file_pool, monkeypatch):
    pwrite = os.pwrite

    def half(fd, data, position):
        if len(data) < 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return pwrite(fd, data[:20], position)

    fourth = AbortedTransaction(3, 96, 97, 98)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", half)
        for write in (lambda: full.append(fourth), lambda: full.keep([FIRST])):
            with pytest.raises(OSError, match="No space left"):
                write()
    assert full.entries == (FIRST, SECOND, THIRD)
    full.trim()
    assert TransactionIndex(full.path, file_pool).entries == (FIRST, SECOND, THIRD)
    full.append(fourth)
    assert TransactionIndex(full.path, file_pool).entries == (FIRST, SECOND, THIRD, fourth)


@pytest.mark.parametrize(
    ("start", "end", "found", "is_complete"),
    [
        (0, 27, [], True),
        (0, 28, [SECOND], True),
        (0, 58, [FIRST, SECOND, THIRD], True),
        (87, 95, [SECOND, THIRD], True),
        (88, 96, [THIRD], False),
        (95, 96, [], False),
    ],
)
def test_what_overlaps_a_fetch_is_found(full, start, end, found, is_complete):
    assert full.overlapping(start, end) == (found, is_complete)


def test_entries_whose_markers_are_cut_off_go(full, file_pool):
    full.truncate_to_offset(87)
    assert TransactionIndex(full.path, file_pool).entries == full.entries == (FIRST,)
    full.truncate_to_offset(0)
    assert full.entries == ()
    assert TransactionIndex(full.path, file_pool).entries == ()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (ENTRY.pack(0, *FIRST)[:-1], "33 bytes are no multiple of 34"),
        (ENTRY.pack(1, *FIRST), "entry 0 has version 1"),
        (ENTRY.pack(0, *SECOND) + ENTRY.pack(0, *FIRST), "follows"),
    ],
)
def test_what_is_no_index_is_an_error(data, reason):
    with pytest.raises(CorruptIndexError, match=reason):
        parse_transaction_entries(data, "0.txnindex")


def test_an_entry_that_ends_before_the_segment_is_an_error(full, file_pool, tmp_path):
    full.check(86)
    with pytest.raises(CorruptIndexError, match="ends before the base offset 87"):
        full.check(87)
    TransactionIndex(str(tmp_path / "none.txnindex"), file_pool).check(87)
