"""What a partition remembers of its producers: so that a batch sent twice is appended once, and none gets lost between.

A producer numbers its records. A batch follows the last one of its producer, repeats one of the last five (then it is
a duplicate and is answered like the first time), or is refused. Transactional batches open a transaction that a marker
ends; below the first offset of the oldest open one lies the last stable offset.

`admit` decides, without changing anything; `apply` takes its decision over once the batches are written; `replay` takes
over what lies in the log already, and `aborted_by` says before what that ends. States are immutable, so that a decision
is a few new ones.
Source: Kafka's ProducerStateManager, ProducerStateEntry and ProducerAppendInfo (KIP-98).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from kfast.errors import InvalidProducerEpochError, InvalidTxnStateError, OutOfOrderSequenceNumberError
from kfast.log.transaction_index import AbortedTransaction
from kfast.record.batch import RecordBatch
from kfast.record.control_records import AbortMarker, CommitMarker, ControlRecordType, decode_control, read_control_type
from kfast.record.layout import MAX_SEQUENCE, NO_PRODUCER_EPOCH, NO_SEQUENCE, NO_TIMESTAMP

REMEMBERED_BATCHES: Final = 5
"""As many as a producer may have under way (max.in.flight.requests.per.connection with idempotence)."""

NO_COORDINATOR_EPOCH: Final = -1


class BatchMetadata(NamedTuple):
    """One batch of a producer, as its repetition is known by."""

    last_sequence: int
    last_offset: int
    offset_delta: int
    timestamp_ms: int

    @property
    def first_sequence(self) -> int:
        return (self.last_sequence - self.offset_delta) & MAX_SEQUENCE

    @property
    def first_offset(self) -> int:
        return self.last_offset - self.offset_delta


class ProducerState(NamedTuple):
    """One producer's: its epoch, its last batches, oldest first, and where its open transaction began."""

    producer_id: int
    producer_epoch: int = NO_PRODUCER_EPOCH
    coordinator_epoch: int = NO_COORDINATOR_EPOCH
    last_timestamp_ms: int = NO_TIMESTAMP
    transaction_first_offset: int | None = None
    batches: tuple[BatchMetadata, ...] = ()

    @property
    def last_sequence(self) -> int:
        return self.batches[-1].last_sequence if self.batches else NO_SEQUENCE

    @property
    def last_offset(self) -> int:
        return self.batches[-1].last_offset if self.batches else -1

    @property
    def offset_delta(self) -> int:
        return self.batches[-1].offset_delta if self.batches else 0

    def repeated(self, batch: RecordBatch) -> BatchMetadata | None:
        """The batch that `batch` is a second copy of; None where it is new."""
        if batch.producer_epoch == self.producer_epoch:
            first, last = batch.base_sequence, batch.last_sequence
            for known in self.batches:
                if known.last_sequence == last and known.first_sequence == first:
                    return known
        return None

    def ensure_follows(self, batch: RecordBatch) -> None:
        """Raises InvalidProducerEpochError, OutOfOrderSequenceNumberError, InvalidTxnStateError."""
        if batch.producer_epoch < self.producer_epoch:
            raise InvalidProducerEpochError(
                f"producer {self.producer_id} writes with epoch {batch.producer_epoch}; "
                f"its epoch is {self.producer_epoch} by now"
            )
        expected = 0 if batch.producer_epoch > self.producer_epoch else next_sequence(self.last_sequence)
        is_known = self.producer_epoch != NO_PRODUCER_EPOCH  # of one that was forgotten any sequence may come
        if is_known and batch.base_sequence != expected:
            raise OutOfOrderSequenceNumberError(
                f"producer {self.producer_id} of epoch {batch.producer_epoch} sends sequence number "
                f"{batch.base_sequence}; the next one is {expected}"
            )
        if self.transaction_first_offset is not None and not batch.is_transactional:
            raise InvalidTxnStateError(
                f"producer {self.producer_id} writes outside of its transaction, which is open since "
                f"offset {self.transaction_first_offset}"
            )

    def after_batch(self, batch: RecordBatch, base_offset: int) -> ProducerState:
        """Its state once `batch` lies at `base_offset`."""
        last_offset = base_offset + batch.last_offset_delta
        known = self.batches if batch.producer_epoch == self.producer_epoch else ()
        written = BatchMetadata(batch.last_sequence, last_offset, batch.last_offset_delta, batch.max_timestamp_ms)
        transaction_first_offset = self.transaction_first_offset
        if transaction_first_offset is None and batch.is_transactional:
            transaction_first_offset = base_offset
        return ProducerState(
            self.producer_id,
            batch.producer_epoch,
            self.coordinator_epoch,
            batch.max_timestamp_ms,
            transaction_first_offset,
            (*known[1 - REMEMBERED_BATCHES :], written),
        )

    def after_marker(self, batch: RecordBatch, coordinator_epoch: int) -> ProducerState:
        """Its state once the marker in `batch` has ended its transaction; a new epoch forgets the batches."""
        return ProducerState(
            self.producer_id,
            batch.producer_epoch,
            coordinator_epoch,
            batch.max_timestamp_ms,
            None,
            self.batches if batch.producer_epoch == self.producer_epoch else (),
        )


class Admission(NamedTuple):
    """What `admit` decided: `duplicate` is the batch that is there already, `states` those that follow otherwise."""

    duplicate: BatchMetadata | None
    states: dict[int, ProducerState]


class ProducerStates:
    """All producers of one partition. Guarded by the log's lock; `first_unstable_offset` may be read without it."""

    __slots__ = ("_ongoing", "_states", "first_unstable_offset")

    def __init__(self, states: Iterable[ProducerState] = ()) -> None:
        self._states = {state.producer_id: state for state in states}
        open_transactions = [state for state in self._states.values() if state.transaction_first_offset is not None]
        self._ongoing: dict[int, int] = {
            state.producer_id: state.transaction_first_offset or 0
            for state in sorted(open_transactions, key=lambda state: state.transaction_first_offset or 0)
        }
        """First offsets of open transactions by producer, the oldest first."""
        self.first_unstable_offset: int | None = None
        """Of the oldest open transaction; None where all have ended."""
        self._publish()

    def admit(self, batches: Iterable[RecordBatch], first_offset: int) -> Admission:
        """Decide on batches that would be written from `first_offset` on. Raises what `ensure_follows` raises.

        A duplicate ends it: what a producer repeats, it repeats alone.
        """
        states: dict[int, ProducerState] = {}
        offset = first_offset
        for batch in batches:
            if batch.has_producer_id and not batch.is_control:
                state = states.get(batch.producer_id) or self.state_of(batch.producer_id)
                duplicate = state.repeated(batch)
                if duplicate is not None:
                    return Admission(duplicate, {})
                state.ensure_follows(batch)
                states[batch.producer_id] = state.after_batch(batch, offset)
            offset += batch.last_offset_delta + 1
        return Admission(None, states)

    def apply(self, admission: Admission) -> None:
        """Take over what `admit` decided: the batches have been written."""
        for state in admission.states.values():
            self._put(state)
        self._publish()

    def aborted_by(self, batch: RecordBatch) -> AbortedTransaction | None:
        """The transaction that `batch` aborts, if it does, once it is replayed; nothing is changed.

        It belongs into the index first: `replay` makes its records stable, and a reader of them looks there.
        """
        if not (batch.has_producer_id and batch.is_control and isinstance(_marker_of(batch), AbortMarker)):
            return None
        first_offset = self._ongoing.get(batch.producer_id)
        if first_offset is None:
            return None
        others = (offset for producer_id, offset in self._ongoing.items() if producer_id != batch.producer_id)
        return AbortedTransaction(batch.producer_id, first_offset, batch.last_offset, next(others, batch.next_offset))

    def replay(self, batch: RecordBatch) -> None:
        """Take over a batch that lies in the log, unasked."""
        if not batch.has_producer_id:
            return
        state = self.state_of(batch.producer_id)
        if not batch.is_control:
            self._put(state.after_batch(batch, batch.base_offset))
        elif (marker := _marker_of(batch)) is not None:
            self._put(state.after_marker(batch, marker.coordinator_epoch))
        self._publish()

    def _put(self, state: ProducerState) -> None:
        self._states[state.producer_id] = state
        if state.transaction_first_offset is None:
            self._ongoing.pop(state.producer_id, None)
        else:
            self._ongoing.setdefault(state.producer_id, state.transaction_first_offset)

    def _publish(self) -> None:
        self.first_unstable_offset = next(iter(self._ongoing.values()), None)

    def stable(self, end_offset: int) -> int:
        """The last stable offset of a log that ends at `end_offset`."""
        first_unstable_offset = self.first_unstable_offset
        return end_offset if first_unstable_offset is None else min(first_unstable_offset, end_offset)

    def state_of(self, producer_id: int) -> ProducerState:
        """An empty one of a producer nothing is known of."""
        return self._states.get(producer_id) or ProducerState(producer_id)

    def remove_expired(self, now_ms: int, expiration_ms: int) -> int:
        """Forget the producers that have been silent for so long, unless their transaction is open; return how many."""
        expired = [state.producer_id for state in self if is_expired(state, now_ms, expiration_ms)]
        for producer_id in expired:
            del self._states[producer_id]
        return len(expired)

    def __iter__(self) -> Iterator[ProducerState]:
        """In order of producer ids."""
        return iter(sorted(self._states.values()))

    def __len__(self) -> int:
        return len(self._states)

    def __repr__(self) -> str:
        return f"ProducerStates({len(self)} producers, {len(self._ongoing)} open transactions)"


def _marker_of(batch: RecordBatch) -> AbortMarker | CommitMarker | None:
    """What a control batch says of a transaction; None where it is about something else."""
    record = next(batch.records(), None)
    if record is None or record.key is None or record.value is None:
        return None
    if read_control_type(record.key) not in (ControlRecordType.ABORT, ControlRecordType.COMMIT):
        return None
    marker = decode_control(record.key, record.value)
    return marker if isinstance(marker, (AbortMarker, CommitMarker)) else None


def is_expired(state: ProducerState, now_ms: int, expiration_ms: int) -> bool:
    """Whether its last batch is that old and no transaction of it is open."""
    return state.transaction_first_offset is None and now_ms - state.last_timestamp_ms >= expiration_ms


def next_sequence(sequence: int) -> int:
    """They wrap from 2**31 - 1 to 0; a producer that has sent nothing begins with 0."""
    return (sequence + 1) & MAX_SEQUENCE
