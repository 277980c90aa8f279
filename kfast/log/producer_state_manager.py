"""One log's producers: what they may append, what of it is stable, and how that is known again after a restart.

`ProducerStates` say what is known of them, `ProducerSnapshots` keep it on the disk, a `ProducerLoader` makes it anew
from both and the batches since. Source: Kafka's ProducerStateManager.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kfast.clock import Clock
from kfast.log.producer_loader import ProducerLoader
from kfast.log.producer_snapshot import ProducerSnapshots
from kfast.log.producer_state import Admission, ProducerState, ProducerStates
from kfast.log.segment import LogSegment
from kfast.log.transaction_index import TransactionIndex
from kfast.log.validator import of_producers
from kfast.record.batch import RecordBatch


class ProducerStateManager:
    """The producers of one log. Guarded by the log's lock; `stable` needs none."""

    __slots__ = ("_clock", "_snapshots", "_states")

    def __init__(self, states: ProducerStates, snapshots: ProducerSnapshots, clock: Clock) -> None:
        self._states = states
        self._snapshots = snapshots
        self._clock = clock

    def stable(self, end_offset: int) -> int:
        """The last stable offset of the log where it ends at `end_offset`."""
        return self._states.stable(end_offset)

    def admit(self, batches: list[RecordBatch], first_offset: int) -> Admission | None:
        """Decide on batches that would be written from `first_offset` on; None where no producer numbers them.

        Raises what `ProducerState.ensure_follows` raises.
        """
        return self._states.admit(batches, first_offset) if of_producers(batches) else None

    def apply(self, admission: Admission) -> None:
        """Take over what `admit` decided: the batches have been written."""
        self._states.apply(admission)

    def note_markers(
        self, buffer: bytearray | memoryview, batches: Sequence[RecordBatch], index: TransactionIndex
    ) -> None:
        """Take over the markers among `batches`, which lie stamped in `buffer`; `index` gets what they abort.

        Raises OSError, CorruptIndexError; then `reload` is needed.
        """
        position = 0
        for batch in batches:
            if batch.is_control:
                self._note_marker(RecordBatch(buffer, position), index)  # read again, with its offset
            position += batch.size_bytes

    def _note_marker(self, batch: RecordBatch, index: TransactionIndex) -> None:
        aborted = self._states.aborted_by(batch)
        if aborted is not None:
            index.append(aborted)
        self._states.replay(batch)  # last: readers of what is stable from now on look into the index

    def reload(self, segments: Sequence[LogSegment], end_offset: int, expiration_ms: int) -> None:
        """Know what was known at `end_offset`, the log's end: what followed has been dropped. Raises OSError."""
        self._states = ProducerLoader(self._snapshots, self._clock, expiration_ms).load(segments, end_offset)

    def take_snapshot(self, end_offset: int) -> None:
        """Write down what is known at `end_offset`, the log's end. Raises OSError."""
        self._snapshots.take(end_offset, self._states)

    def remove_expired(self, expiration_ms: int) -> int:
        """Forget the producers that have been silent for so long, unless their transaction is open; return how many."""
        return self._states.remove_expired(self._clock.now_ms(), expiration_ms)

    def __iter__(self) -> Iterator[ProducerState]:
        """In order of producer ids."""
        return iter(self._states)

    def __len__(self) -> int:
        return len(self._states)

    def __repr__(self) -> str:
        return f"ProducerStateManager({self._states!r}, {self._snapshots!r})"
