"""A log's producers as a whole: markers, reloading, snapshots and silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kfast.clock import ManualClock
from kfast.log.file_pool import FilePool
from kfast.log.producer_snapshot import ProducerSnapshots, read_snapshot
from kfast.log.producer_state import ProducerStates
from kfast.log.producer_state_manager import ProducerStateManager
from kfast.log.transaction_index import AbortedTransaction, TransactionIndex
from kfast.record.batch import RecordBatch, stamp


@pytest.fixture
def manager(tmp_path: Path, clock: ManualClock) -> ProducerStateManager:
    return ProducerStateManager(ProducerStates(), ProducerSnapshots(str(tmp_path), [], 0), clock)


@pytest.fixture
def index(tmp_path: Path, file_pool: FilePool) -> TransactionIndex:
    return TransactionIndex(str(tmp_path / "00000000000000000000.txnindex"), file_pool)


def append(manager: ProducerStateManager, buffer: bytearray, offset: int, index: Any) -> None:
    batches = [RecordBatch(buffer)]
    admission = manager.admit(batches, offset)
    stamp(buffer, 0, offset, 0)
    if admission is not None:
        manager.apply(admission)
        manager.note_markers(buffer, batches, index)


def test_an_aborted_transaction_is_in_the_index_before_its_records_are_stable(
    manager: ProducerStateManager, index: TransactionIndex, clock: ManualClock, make_transactional_batch: Any
) -> None:
    class Index:
        def append(self, aborted: AbortedTransaction) -> None:
            assert manager.stable(6) == 5
            index.append(aborted)

    append(manager, make_transactional_batch(), 5, Index())
    append(manager, make_transactional_batch(is_marker=True), 6, Index())
    assert (manager.stable(7), index.entries) == (7, ((9, 5, 6, 7),))


def test_batches_that_nobody_numbers_need_no_decision(manager: ProducerStateManager, make_batch: Any) -> None:
    assert manager.admit([RecordBatch(make_batch(1))], 0) is None


def test_what_a_snapshot_holds_is_known_again(
    manager: ProducerStateManager,
    index: TransactionIndex,
    clock: ManualClock,
    tmp_path: Path,
    make_transactional_batch: Any,
) -> None:
    append(manager, make_transactional_batch(), 5, index)
    manager.take_snapshot(6)
    assert [state.producer_id for state in read_snapshot(tmp_path / "00000000000000000006.snapshot")] == [9]
    append(manager, make_transactional_batch(is_marker=True), 6, index)
    manager.reload((), 6, expiration_ms=1000)
    assert (manager.stable(7), len(manager)) == (5, 1)


def test_silence_makes_it_forget_a_producer(
    manager: ProducerStateManager, index: TransactionIndex, clock: ManualClock, make_transactional_batch: Any
) -> None:
    append(manager, make_transactional_batch(), 5, index)
    append(manager, make_transactional_batch(is_marker=True), 6, index)
    assert manager.remove_expired(1000) == 0
    clock.advance(1000)
    assert (manager.remove_expired(1000), list(manager)) == (1, [])
