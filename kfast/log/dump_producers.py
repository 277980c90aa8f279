"""Producer snapshots as entries: what a partition remembered of each producer.

{"type": "producer", "file", "producer_id", "producer_epoch", "coordinator_epoch", "last_sequence", "last_offset",
 "offset_delta", "last_timestamp_ms", "transaction_first_offset" (None without an open one)}
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kfast.log.dump_entries import Entry, error_entry
from kfast.log.producer_snapshot import CorruptSnapshotError, read_snapshot
from kfast.log.producer_state import ProducerState


def dump_producers(path: Path, offset: int) -> Iterator[Entry]:
    """All or nothing: one checksum covers the whole file. None can have written at `offset`, its name, or after it."""
    try:
        states = read_snapshot(path)
    except CorruptSnapshotError as error:
        yield error_entry(path, 0, str(error).removeprefix(f"{path}: "))
        return
    for state in states:
        yield _producer_entry(path, state)
        if state.last_offset >= offset:
            reason = f"producer {state.producer_id} has written offset {state.last_offset}; the snapshot is of {offset}"
            yield error_entry(path, 0, reason)


def _producer_entry(path: Path, state: ProducerState) -> Entry:
    return {
        "type": "producer",
        "file": str(path),
        "producer_id": state.producer_id,
        "producer_epoch": state.producer_epoch,
        "coordinator_epoch": state.coordinator_epoch,
        "last_sequence": state.last_sequence,
        "last_offset": state.last_offset,
        "offset_delta": state.offset_delta,
        "last_timestamp_ms": state.last_timestamp_ms,
        "transaction_first_offset": state.transaction_first_offset,
    }
