"""Producers and transactions in the log: what Kafka's own logs say of them, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kfast.errors import InvalidProducerEpochError, InvalidTxnStateError, OutOfOrderSequenceNumberError
from kfast.file_slice import FileSlice
from kfast.log.cleanable import cleanable
from kfast.log.cleaner import Cleaner
from kfast.log.config import DAY_MS
from kfast.log.log import Log
from kfast.log.names import SNAPSHOT_SUFFIX, TRANSACTION_INDEX_SUFFIX
from kfast.log.producer_snapshot import read_snapshot
from kfast.log.segment import LogSegment
from kfast.log.segments import LogSegments
from kfast.log.transaction_index import TransactionIndex
from kfast.record.batches import iter_batches
from kfast.record.builder import RecordBatchBuilder
from kfast.record.control_records import AbortMarker, CommitMarker, encode_control
from kfast.record.record import Record

CASES = ["05-idempotent", "06-transactions"]


def partitions(golden: Any, case: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    facts = golden.manifest["cases"][case]
    for name, partition in facts["logdirs"]["log"]["partitions"].items():
        if name.rpartition("-")[0] in facts["topics"] and not name.startswith("__"):
            yield golden(case) / "log" / name, partition


def read_committed(log: Log, max_bytes: int = 2000) -> Iterator[Record]:
    """What a consumer makes of fetches: data up to the last stable offset without the aborted transactions'."""
    offset = log.log_start_offset
    while (found := log.read(offset, max_bytes, up_to=log.last_stable_offset, with_aborted=True)).records.size:
        aborted = sorted(found.aborted, key=lambda entry: -entry.first_offset)
        void: set[int] = set()
        for batch in iter_batches(found.records.read()):
            while aborted and aborted[-1].first_offset <= batch.last_offset:
                void.add(aborted.pop().producer_id)
            if batch.is_control:
                void.discard(batch.producer_id)
            elif not (batch.is_transactional and batch.producer_id in void):
                yield from (record for record in batch.records() if record.offset >= offset)
            next_offset = batch.next_offset
        offset = next_offset


@pytest.mark.parametrize("was_clean", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_the_last_stable_offset_and_what_was_aborted_are_kafkas(
    golden: Any, tmp_path: Path, case: str, was_clean: bool, digest: Any
) -> None:
    for source, facts in partitions(golden, case):
        directory = tmp_path / source.name
        shutil.copytree(source, directory)
        log = Log.open(directory, was_clean=was_clean)
        assert (log.log_end_offset, log.last_stable_offset) == (facts["end_offset"], facts["last_stable_offset"])
        for max_bytes in (1, 500, 1 << 20):
            assert digest(read_committed(log, max_bytes)) == facts["digest_read_committed"]
        log.close()
        for name in facts["files"]:
            if name.endswith(TRANSACTION_INDEX_SUFFIX):
                assert (directory / name).read_bytes() == (source / name).read_bytes()


@pytest.mark.parametrize("case", CASES)
def test_snapshots_made_anew_from_the_log_alone_are_kafkas(golden: Any, tmp_path: Path, case: str) -> None:
    for source, _ in partitions(golden, case):
        directory = tmp_path / source.name
        shutil.copytree(source, directory, ignore=shutil.ignore_patterns(f"*{SNAPSHOT_SUFFIX}"))
        Log.open(directory).close()
        for path in source.glob(f"*{SNAPSHOT_SUFFIX}"):
            known = {state.producer_id: state for state in read_snapshot(path)}
            made = {state.producer_id: state for state in read_snapshot(directory / path.name)}
            assert made == {number: state for number, state in known.items() if number in made}
            assert path.read_bytes() == (directory / path.name).read_bytes() or len(made) < len(known)  # some expired


# What is refused, and what was there already


def batch_of(
    sequence: int, count: int = 1, producer_id: int = 9, epoch: int = 0, transactional: bool = False, time_ms: int = 1
) -> bytearray:
    builder = RecordBatchBuilder(
        producer_id=producer_id, producer_epoch=epoch, base_sequence=sequence, is_transactional=transactional
    )
    for number in range(count):
        builder.append(b"k", b"%d" % number, time_ms)
    return builder.build()


def marker(is_abort: bool, producer_id: int = 9, epoch: int = 0) -> bytearray:
    builder = RecordBatchBuilder(producer_id=producer_id, producer_epoch=epoch, is_transactional=True, is_control=True)
    builder.append(*encode_control(AbortMarker(0) if is_abort else CommitMarker(0)), 1)
    return builder.build()


def test_a_batch_sent_twice_is_appended_once(open_log: Any) -> None:
    log = open_log()
    for sequence in range(0, 14, 2):
        log.append(batch_of(sequence, 2))
    again = log.append(batch_of(6, 2, time_ms=1))
    assert (again.first_offset, again.last_offset, again.log_append_time_ms) == (6, 7, 1)
    assert log.log_end_offset == 14
    with pytest.raises(OutOfOrderSequenceNumberError, match="sequence number 2; the next one is 14"):
        log.append(batch_of(2, 2))  # older than the last five


def test_a_gap_an_old_epoch_and_a_batch_outside_a_transaction_are_refused(open_log: Any) -> None:
    log = open_log()
    log.append(batch_of(0, epoch=1))
    with pytest.raises(OutOfOrderSequenceNumberError):
        log.append(batch_of(2, epoch=1))
    with pytest.raises(InvalidProducerEpochError):
        log.append(batch_of(1, epoch=0))
    with pytest.raises(OutOfOrderSequenceNumberError, match="the next one is 0"):
        log.append(batch_of(1, epoch=2))
    log.append(batch_of(1, epoch=1, transactional=True))
    with pytest.raises(InvalidTxnStateError):
        log.append(batch_of(2, epoch=1))
    assert log.log_end_offset == 2


@pytest.mark.parametrize("is_abort", [True, False])
@pytest.mark.parametrize("was_clean", [True, False])
def test_an_open_transaction_holds_the_last_stable_offset_until_its_marker(
    open_log: Any, make_batch: Any, is_abort: bool, was_clean: bool
) -> None:
    log = open_log()
    log.append(make_batch(3))
    log.append(batch_of(0, 2, transactional=True))
    log.append(make_batch(1))
    assert (log.last_stable_offset, log.high_watermark) == (3, 6)
    assert log.read(0, 1 << 20).last_stable_offset == 3
    log.close()
    log = open_log(log_arguments={"was_clean": was_clean, "recovery_point": 6 if was_clean else 0})
    assert log.last_stable_offset == 3
    log.append(marker(is_abort))
    assert log.last_stable_offset == 7
    aborted = log.read(0, 1 << 20, with_aborted=True).aborted
    assert aborted == ([(9, 3, 6, 7)] if is_abort else [])


@pytest.mark.parametrize("has_aborted", [True, False])
def test_what_is_appended_to_is_known_before_the_first_reader_comes(
    open_log: Any, monkeypatch: pytest.MonkeyPatch, has_aborted: bool
) -> None:
    """One that read a file meanwhile would put what the writer adds out of memory again."""
    log = open_log()
    log.append(batch_of(0, transactional=True, time_ms=1000))
    log.append(marker(is_abort=has_aborted))
    log.close()
    log = open_log(log_arguments={"was_clean": True, "recovery_point": 2})
    for place in ((TransactionIndex, "_read"), (LogSegment, "_max_timestamp_before")):
        monkeypatch.setattr(*place, lambda *arguments: pytest.fail("read by a reader"))
    assert log.aborted_between(0, 2) == ([(9, 0, 1, 2)] if has_aborted else [])
    assert log.segments[0].max_timestamp() == (1000, 0)


def test_deleting_records_moves_the_last_stable_offset_along(open_log: Any) -> None:
    log = open_log()
    log.append(batch_of(0, 4, transactional=True))
    log.increment_log_start_offset(2)
    assert (log.log_start_offset, log.last_stable_offset) == (2, 2)


def test_silent_producers_are_forgotten_unless_their_transaction_is_open(open_log: Any, clock: Any) -> None:
    log = open_log()
    log.append(batch_of(0, time_ms=clock.now_ms()))
    log.append(batch_of(0, producer_id=10, transactional=True, time_ms=clock.now_ms()))
    clock.advance(DAY_MS - 1)
    assert log.remove_expired_producers() == 0
    clock.advance(1)
    assert log.remove_expired_producers() == 1
    assert [state.producer_id for state in log.producer_states()] == [10]
    assert log.append(batch_of(7, time_ms=clock.now_ms())).first_offset == 2  # a forgotten one may go on anywhere


def test_what_truncation_takes_away_its_producers_send_again(open_log: Any, clock: Any) -> None:
    log = open_log(segment_bytes=200)
    for sequence in range(6):
        log.append(batch_of(sequence, time_ms=clock.now_ms()))
    log.truncate_to(4)
    assert [state.last_sequence for state in log.producer_states()] == [3]
    assert log.append(batch_of(4)).first_offset == 4


@pytest.mark.parametrize("entry", [bytes(34), b"\0\7" + bytes(32)], ids=["zeros", "version 7"])
@pytest.mark.parametrize("is_active", [True, False])
def test_a_transaction_index_that_cannot_be_right_is_made_anew(
    open_log: Any, make_batch: Any, is_active: bool, entry: bytes
) -> None:
    log = open_log()
    log.append(make_batch(3))
    log.roll()
    log.append(batch_of(0, transactional=True))
    log.append(marker(is_abort=True))
    if not is_active:
        log.roll()
        log.append(make_batch(1))
    log.close()
    path = log.directory / f"{3:020d}{TRANSACTION_INDEX_SUFFIX}"
    whole = path.read_bytes()
    path.write_bytes(entry)
    log = open_log(log_arguments={"was_clean": True, "recovery_point": log.log_end_offset})
    assert log.aborted_between(0, log.log_end_offset) == [(9, 3, 4, 5)]
    assert path.read_bytes() == whole


def test_what_was_aborted_is_that_of_the_segments_that_were_read(
    open_log: Any, make_batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compaction in between merges segments, and the place of the records found says nothing of the new one."""
    log = open_log(cleanup_policy=frozenset({"compact"}), index_interval_bytes=100, file_delete_delay_ms=60_000)
    for number in range(40):
        log.append(make_batch(1, key=b"a%d" % number))
    log.roll()
    log.append(batch_of(0, 2, transactional=True))
    log.append(marker(is_abort=True))
    for number in range(40):
        log.append(make_batch(1, key=b"b%d" % number))
    log.roll()
    log.append(make_batch(1))
    before = log.segments[1]
    find = LogSegments.find

    def find_and_clean(*arguments: Any) -> FileSlice:
        found = find(*arguments)
        monkeypatch.undo()
        Cleaner(log._clock).clean(cleanable(log, None, log._clock.now_ms()))
        return found

    monkeypatch.setattr(LogSegments, "find", find_and_clean)
    found = log.read(40, before.size_bytes // 4, with_aborted=True)
    assert before not in log.segments
    again = log.read(40, before.size_bytes // 4, with_aborted=True)
    assert (found.records.read(), found.aborted) == (again.records.read(), again.aborted)
    assert found.aborted == [(9, 40, 42, 43)]
