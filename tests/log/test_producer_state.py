import pytest

from kfast.errors import InvalidProducerEpochError, InvalidTxnStateError, OutOfOrderSequenceNumberError
from kfast.log.producer_state import ProducerStates
from kfast.log.transaction_index import AbortedTransaction
from kfast.record.batch import RecordBatch, stamp
from kfast.record.builder import RecordBatchBuilder
from kfast.record.control_records import AbortMarker, CommitMarker, encode_control
from kfast.record.layout import MAX_SEQUENCE

NOW_MS = 1_700_000_000_000


def a_batch(sequence, count=1, producer_id=7, epoch=0, is_transactional=False):
    builder = RecordBatchBuilder(
        producer_id=producer_id, producer_epoch=epoch, base_sequence=sequence, is_transactional=is_transactional
    )
    for number in range(count):
        builder.append(b"k", b"%d" % number, NOW_MS)
    return RecordBatch(builder.build())


def a_marker(marker, offset, producer_id=7, epoch=0):
    builder = RecordBatchBuilder(producer_id=producer_id, producer_epoch=epoch, is_transactional=True, is_control=True)
    builder.append(*encode_control(marker), NOW_MS)
    buffer = builder.build()
    stamp(buffer, 0, offset, 0)
    return RecordBatch(buffer)


@pytest.fixture
def states():
    return ProducerStates()


def append(states, batch, offset):
    admission = states.admit([batch], offset)
    states.apply(admission)
    return admission.duplicate


def replay(states, batch):
    before = states.first_unstable_offset
    aborted = states.aborted_by(batch)
    assert states.first_unstable_offset == before, "nothing is stable before the index has it"
    states.replay(batch)
    return aborted


def test_batches_that_follow_each_other_are_taken(states):
    assert append(states, a_batch(0, count=3), 100) is None
    assert append(states, a_batch(3, count=2), 103) is None
    state = states.state_of(7)
    assert (state.last_sequence, state.last_offset, len(states)) == (4, 104, 1)


def test_a_gap_is_refused_and_changes_nothing(states):
    append(states, a_batch(0), 0)
    with pytest.raises(OutOfOrderSequenceNumberError, match="sequence number 2; the next one is 1"):
        states.admit([a_batch(2)], 1)
    assert append(states, a_batch(1), 1) is None


def test_each_of_the_last_five_batches_is_known_again(states):
    for number in range(6):
        append(states, a_batch(2 * number, count=2), 2 * number)
    for number in range(1, 6):
        duplicate = states.admit([a_batch(2 * number, count=2)], 12).duplicate
        assert (duplicate.first_offset, duplicate.last_offset) == (2 * number, 2 * number + 1)
    with pytest.raises(OutOfOrderSequenceNumberError):
        states.admit([a_batch(0, count=2)], 12)


def test_a_part_of_a_batch_is_no_duplicate(states):
    append(states, a_batch(0, count=4), 0)
    with pytest.raises(OutOfOrderSequenceNumberError):
        states.admit([a_batch(2, count=2)], 4)


def test_a_new_epoch_begins_with_0_and_shuts_the_old_one_out(states):
    append(states, a_batch(0, count=3), 0)
    with pytest.raises(OutOfOrderSequenceNumberError, match="the next one is 0"):
        states.admit([a_batch(3, epoch=1)], 3)
    append(states, a_batch(0, epoch=1), 3)
    with pytest.raises(InvalidProducerEpochError, match="epoch 0; its epoch is 1"):
        states.admit([a_batch(3)], 4)


def test_a_producer_nothing_is_known_of_may_begin_anywhere(states):
    assert append(states, a_batch(42), 0) is None


def test_sequence_numbers_wrap(states):
    append(states, a_batch(MAX_SEQUENCE - 1, count=2), 0)
    assert append(states, a_batch(0), 2) is None
    append(states, a_batch(1, count=MAX_SEQUENCE.bit_length()), 3)
    assert states.state_of(7).last_sequence == 31


def test_a_batch_that_wraps_is_known_again(states):
    append(states, a_batch(MAX_SEQUENCE, count=3), 0)
    assert states.state_of(7).last_sequence == 1
    assert states.admit([a_batch(MAX_SEQUENCE, count=3)], 3).duplicate.first_offset == 0


def test_batches_of_one_append_follow_each_other_too(states):
    states.apply(states.admit([a_batch(0), a_batch(1), a_batch(0, producer_id=8)], 0))
    assert [(state.producer_id, state.last_offset) for state in states] == [(7, 1), (8, 2)]
    with pytest.raises(OutOfOrderSequenceNumberError):
        states.admit([a_batch(2), a_batch(4)], 3)


def test_the_oldest_open_transaction_bounds_what_is_stable(states):
    append(states, a_batch(0, producer_id=1, is_transactional=True), 10)
    append(states, a_batch(0, producer_id=2, is_transactional=True), 11)
    append(states, a_batch(1, producer_id=1, is_transactional=True), 12)
    assert states.first_unstable_offset == 10
    assert replay(states, a_marker(AbortMarker(3), 13, producer_id=1)) == AbortedTransaction(1, 10, 13, 11)
    assert states.first_unstable_offset == 11
    assert replay(states, a_marker(CommitMarker(3), 14, producer_id=2)) is None
    assert states.first_unstable_offset is None
    assert states.state_of(2).coordinator_epoch == 3


def test_the_last_aborted_transaction_leaves_all_before_its_end_stable(states):
    append(states, a_batch(0, is_transactional=True), 10)
    assert replay(states, a_marker(AbortMarker(0), 11)) == AbortedTransaction(7, 10, 11, 12)
    assert replay(states, a_marker(AbortMarker(0), 12)) is None, "there was no transaction any more"


def test_a_marker_of_a_new_epoch_forgets_the_batches(states):
    append(states, a_batch(0, is_transactional=True), 0)
    states.replay(a_marker(CommitMarker(0), 1, epoch=1))
    state = states.state_of(7)
    assert (state.producer_epoch, state.last_sequence, state.last_offset) == (1, -1, -1)
    assert append(states, a_batch(0, epoch=1, is_transactional=True), 2) is None


def test_an_open_transaction_takes_only_its_own_batches(states):
    append(states, a_batch(0, is_transactional=True), 5)
    with pytest.raises(InvalidTxnStateError, match="open since offset 5"):
        states.admit([a_batch(1)], 6)


def test_what_is_silent_for_long_is_forgotten_unless_its_transaction_is_open(states):
    append(states, a_batch(0, producer_id=1), 0)
    append(states, a_batch(0, producer_id=2, is_transactional=True), 1)
    assert states.remove_expired(NOW_MS + 999, 1000) == 0
    assert states.remove_expired(NOW_MS + 1000, 1000) == 1
    assert [state.producer_id for state in states] == [2]


def test_it_goes_on_from_what_a_snapshot_holds(states):
    append(states, a_batch(0, producer_id=3, is_transactional=True), 20)
    append(states, a_batch(0, producer_id=1, is_transactional=True), 21)
    again = ProducerStates(states)
    assert again.first_unstable_offset == 20
    again.replay(a_marker(CommitMarker(0), 22, producer_id=3))
    assert again.first_unstable_offset == 21
