import pytest

from kfast.log.producer_snapshot import (
    CorruptSnapshotError,
    ProducerSnapshots,
    decode_snapshot,
    encode_snapshot,
    read_snapshot,
    write_snapshot,
)
from kfast.log.producer_state import BatchMetadata, ProducerState
from kfast.record.builder import RecordBatchBuilder

STATES = [
    ProducerState(1, 0, -1, 1_700_000_000_000, None, (BatchMetadata(9, 99, 4, 1_700_000_000_000),)),
    ProducerState(2, 3, 0, 1_700_000_000_001, 95, ()),
]


def test_what_is_written_is_read_back(tmp_path):
    path = write_snapshot(str(tmp_path), 100, STATES)
    assert path == str(tmp_path / "00000000000000000100.snapshot")
    assert read_snapshot(path) == STATES


def offsets(directory):
    return sorted(int(path.stem) for path in directory.glob("*.snapshot"))


def test_one_is_taken_where_something_was_appended_since(tmp_path):
    snapshots = ProducerSnapshots(str(tmp_path), [], 5)
    for offset in (5, 10, 10, 20):
        snapshots.take(offset, STATES)
    assert offsets(tmp_path) == [10, 20]
    assert snapshots.last_offset == 20
    assert snapshots.last_before(19) == (10, STATES)
    assert snapshots.last_before(9) is None
    snapshots.truncate_to(15, 5)
    assert (offsets(tmp_path), snapshots.last_offset) == ([10], 10)


def test_one_that_cannot_be_believed_is_removed_and_an_older_one_taken(tmp_path, caplog):
    snapshots = ProducerSnapshots(str(tmp_path), [], 0)
    for offset in (10, 20, 30):
        snapshots.take(offset, STATES)
    (tmp_path / f"{30:020d}.snapshot").write_bytes(b"junk")
    (tmp_path / f"{20:020d}.snapshot").unlink()
    assert snapshots.last_before(99) == (10, STATES)
    assert offsets(tmp_path) == [10]
    assert "4 bytes; its head alone has 10; removed" in caplog.text


def test_up_to_the_start_of_the_log_none_is_kept(tmp_path):
    snapshots = ProducerSnapshots(str(tmp_path), [], 0)
    for offset in (10, 20, 30):
        snapshots.take(offset, STATES)
    snapshots.truncate_to(30, 20)
    assert offsets(tmp_path) == [30]
    assert snapshots.last_before(29) is None


def test_producers_are_in_the_order_of_javas_hash_map(tmp_path):
    """Seen in snapshots of Apache Kafka: by the low bits of their ids, of which more count the more there are."""
    for ids, order in (
        ((14, 15, 16, 17), (16, 17, 14, 15)),
        (range(1006, 1018), (1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015, 1016, 1017, 1006, 1007)),
        (range(20, 33), (32, *range(20, 32))),
        ((1 << 32, 2), (1 << 32, 2)),
    ):
        path = write_snapshot(str(tmp_path), 1, [ProducerState(producer_id) for producer_id in ids])
        assert tuple(state.producer_id for state in read_snapshot(path)) == order


def test_of_those_that_belong_to_no_segment_the_one_of_the_end_stays(tmp_path):
    for end_offset, kept in ((40, [10, 30, 40]), (25, [10, 30])):
        for offset in (10, 20, 30, end_offset):
            write_snapshot(str(tmp_path), offset, [])
        snapshots = ProducerSnapshots(str(tmp_path), offsets(tmp_path), 0)
        snapshots.remove_stray([10, 30])
        assert offsets(tmp_path) == kept
        snapshots.truncate_to(0, 0)


def test_without_producers_it_has_ten_bytes():
    assert len(encode_snapshot([])) == 10
    assert decode_snapshot(encode_snapshot([]), "0.snapshot") == []


def test_of_the_batches_the_last_one_is_kept():
    batches = tuple(BatchMetadata(number, number, 0, 0) for number in range(5))
    state = ProducerState(1, 0, -1, 0, None, batches)
    (read,) = decode_snapshot(encode_snapshot([state]), "0.snapshot")
    assert read.batches == batches[-1:]


@pytest.mark.parametrize("case", ["05-idempotent", "06-transactions", "09-groups"])
def test_the_bytes_are_kafkas(golden, case):
    for name, logdir in golden.manifest["cases"][case]["logdirs"].items():
        for directory, partition in logdir["partitions"].items():
            for file, entries in partition["snapshots"].items():
                data = (golden(case) / name / directory / file).read_bytes()
                states = decode_snapshot(data, file)
                assert [as_manifest(state) for state in states] == entries
                assert encode_snapshot(states) == data
                assert states == sorted(states)


def as_manifest(state):
    first_offset = state.transaction_first_offset
    return {
        "producer_id": state.producer_id,
        "producer_epoch": state.producer_epoch,
        "coordinator_epoch": state.coordinator_epoch,
        "last_seq": state.last_sequence,
        "last_offset": state.last_offset,
        "offset_delta": state.offset_delta,
        "last_timestamp": state.last_timestamp_ms,
        "current_txn_first_offset": -1 if first_offset is None else first_offset,
    }


def test_damage_is_reported_with_its_numbers():
    data = encode_snapshot(STATES)
    for damaged, reason in (
        (data[:9], "9 bytes; its head alone has 10"),
        (b"\0\2" + data[2:], "version 2; 1 is known"),
        (data[:-1], "CRC"),
        (data[:-1] + bytes([data[-1] ^ 1]), "CRC"),
    ):
        with pytest.raises(CorruptSnapshotError, match=reason):
            decode_snapshot(damaged, "0.snapshot")


@pytest.mark.parametrize("was_clean", [True, False])
def test_producers_below_the_start_of_the_log_are_not_remembered(open_log, clock, was_clean):
    """As in Kafka: neither from snapshots nor from the segments that recovery reads."""
    log = open_log()
    for producer_id in range(3):
        builder = RecordBatchBuilder(producer_id=producer_id, producer_epoch=0, base_sequence=0)
        builder.append(b"key", b"value", clock.now_ms())
        log.append(builder.build())
        log.roll()
    log.close()
    assert offsets(log.directory) == [1, 2, 3]
    again = open_log(log_arguments={"was_clean": was_clean, "recovery_point": 0, "log_start_offset": 1})
    assert [state.producer_id for state in again.producer_states()] == ([0, 1, 2] if was_clean else [1, 2])
    assert offsets(again.directory) == [2, 3]
