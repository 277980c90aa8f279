import errno
import logging
import os
import threading
from collections.abc import Iterator
from zlib import crc32

import pytest

import kfast
from kfast.broker import produce
from kfast.broker.context import RequestContext
from kfast.broker.metrics import ConnectionMetrics
from kfast.errors import InvalidRequiredAcksError
from kfast.log.file_records import FileRecords
from kfast.record.batch import set_max_timestamp
from kfast.record.builder import RecordBatchBuilder
from kfast.record.layout import TimestampType
from kfast.transfer.connection import Connection
from kfast.transfer.loopback import loopback_pair
from kfast.wire.framing import parse_request_header
from kfast.wire.produce import (
    ProducePartition,
    ProducePartitionResponse,
    ProduceRequest,
    ProduceTopic,
    read_produce_response,
    write_produce_request,
)


@pytest.fixture
def broker() -> Iterator[kfast.Broker]:
    with kfast.Broker() as broker:
        broker.metadata.create_topic("orders", 2)
        yield broker


@pytest.fixture
def waits() -> list[str]:
    """A line each time the handler said that it was about to wait."""
    return []


@pytest.fixture
def context(waits: list[str]) -> Iterator[RequestContext]:
    ours, theirs = loopback_pair()
    connection = Connection(ours)
    metrics = ConnectionMetrics(connection)
    yield RequestContext("127.0.0.1", "127.0.0.1", lambda: waits.append("about to wait"), metrics)
    connection.close()
    theirs.close()


def batch(count: int = 1, *, is_control: bool = False) -> bytearray:
    builder = RecordBatchBuilder(is_control=is_control)
    for number in range(count):
        builder.append(b"\0\0\0\0", b"v%d" % number, 1)
    return builder.build()


def send(
    broker: kfast.Broker,
    context: RequestContext,
    records: bytes | bytearray | None,
    topic: str = "orders",
    partition: int = 0,
    acks: int = -1,
    version: int = 9,
) -> ProducePartitionResponse:
    data = None if records is None else memoryview(records)
    request = ProduceRequest(None, acks, 1000, [ProduceTopic(topic, None, [ProducePartition(partition, data)])])
    frame = memoryview(bytearray(b"".join(write_produce_request(version, 1, "test", request))))[4:]
    context.header = parse_request_header(frame)
    (answer,) = produce.answer(broker, frame, context)
    position = 9 if version >= 9 else 8
    return read_produce_response(version, memoryview(answer)[position:]).topics[0].partitions[0]


def test_a_batch_is_appended_and_gets_its_offsets(broker: kfast.Broker, context: RequestContext) -> None:
    first = send(broker, context, batch(3))
    second = send(broker, context, batch(2))
    assert (first.error_code, first.base_offset, second.base_offset) == (0, 0, 3)
    assert broker.log("orders", 0).log_end_offset == 5


def test_a_disk_that_takes_nothing_is_one_line_in_the_log_and_one_when_it_works_again(
    broker: kfast.Broker,
    context: RequestContext,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "kfast.broker")
    path = broker.log("orders", 0).segments[0].records.path
    with monkeypatch.context() as patch:
        patch.setattr(FileRecords, "append", fail)
        answers = [send(broker, context, batch()) for _ in range(20)]
    assert {answer.error_code for answer in answers} == {56}
    assert send(broker, context, batch()).error_code == 0
    assert caplog.messages == [
        f"appending to orders-0 fails: {path}: writing {len(batch())} bytes at position 0: No space left on device",
        "appending to orders-0 works again",
    ]


def fail(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("version", range(3, 12))
def test_every_version_is_served(broker: kfast.Broker, context: RequestContext, version: int) -> None:
    result = send(broker, context, batch(), version=version)
    assert (result.error_code, result.base_offset) == (0, 0)


def test_bytes_on_disk_are_those_sent_but_for_offset_and_epoch(broker: kfast.Broker, context: RequestContext) -> None:
    send(broker, context, batch())
    sent = bytes(batch(4))
    send(broker, context, sent)
    stored = broker.log("orders", 0).read(1, 1 << 20).records.read()
    assert stored[:8] == (1).to_bytes(8)
    assert stored[8:12] == sent[8:12]
    assert stored[12:16] == bytes(4)
    assert stored[16:] == sent[16:]


def damaged(position: int) -> bytearray:
    records = batch()
    records[position] ^= 0xFF
    return records


def old_message(magic: int, size: int) -> bytes:
    """One of version 0 or 1, without a key: Kafka takes them no more from Produce 3 on, and says INVALID_RECORD."""
    content = bytes([magic, 0]) + bytes(8 * magic) + b"\xff" * 4 + size.to_bytes(4) + bytes(size)
    return bytes(8) + (4 + len(content)).to_bytes(4) + crc32(content).to_bytes(4) + content


@pytest.mark.parametrize(
    ("records", "error_code"),
    [
        (None, 87),
        (b"", 87),
        (bytes(60), 87),
        (batch() + batch(), 87),
        (batch()[:-1], 87),
        (batch() + b"\0", 87),
        (batch(is_control=True), 87),
        (old_message(0, 10), 87),
        (old_message(0, 100), 87),
        (old_message(1, 100), 87),
        (old_message(1, 100) * 2, 87),
        (damaged(-1), 2),
        (damaged(16), 2),
        (damaged(17), 2),
    ],
    ids=[
        *("null", "empty", "short", "two", "cut off", "more", "control"),
        *("short version 0", "version 0", "version 1", "two of version 1", "flipped bit", "magic", "checksum"),
    ],
)
def test_what_is_no_good_batch_is_refused_and_nothing_appended(
    broker: kfast.Broker, context: RequestContext, records: bytes, error_code: int
) -> None:
    result = send(broker, context, records)
    assert (result.error_code, result.base_offset) == (error_code, -1)
    assert result.error_message
    assert broker.log("orders", 0).log_end_offset == 0


@pytest.mark.parametrize(
    ("topic", "partition", "acks", "error_code"),
    [
        ("nothing", 0, 1, 3),
        ("orders", 2, 1, 3),
        ("orders", -1, 1, 3),
        ("orders", 0, 2, 21),
        ("__consumer_offsets", 0, 1, 17),
    ],
)
def test_errors_are_kafkas(
    broker: kfast.Broker, context: RequestContext, topic: str, partition: int, acks: int, error_code: int
) -> None:
    assert send(broker, context, batch(), topic, partition, acks).error_code == error_code


def test_a_batch_above_max_message_bytes_is_refused(broker: kfast.Broker, context: RequestContext) -> None:
    builder = RecordBatchBuilder()
    builder.append(None, bytes(1 << 21), 1)
    result = send(broker, context, builder.build())
    assert result.error_code == 10
    assert "1048588" in (result.error_message or "")


def test_one_bad_partition_does_not_hold_up_the_others(broker: kfast.Broker, context: RequestContext) -> None:
    partitions = [ProducePartition(0, memoryview(damaged(-1))), ProducePartition(1, memoryview(batch()))]
    request = ProduceRequest(None, 1, 1000, [ProduceTopic("orders", None, partitions)])
    frame = memoryview(bytearray(b"".join(write_produce_request(9, 1, "test", request))))[4:]
    context.header = parse_request_header(frame)
    (answer,) = produce.answer(broker, frame, context)
    results = read_produce_response(9, memoryview(answer)[9:]).topics[0].partitions
    assert [result.error_code for result in results] == [2, 0]
    assert broker.log("orders", 1).log_end_offset == 1


def test_with_acks_0_there_is_no_answer(broker: kfast.Broker, context: RequestContext) -> None:
    request = ProduceRequest(None, 0, 1000, [ProduceTopic("orders", None, [ProducePartition(0, memoryview(batch()))])])
    frame = memoryview(bytearray(b"".join(write_produce_request(9, 1, "test", request))))[4:]
    context.header = parse_request_header(frame)
    assert produce.answer(broker, frame, context) == []
    assert broker.log("orders", 0).log_end_offset == 1


def test_with_acks_0_an_error_costs_the_connection(broker: kfast.Broker, context: RequestContext) -> None:
    request = ProduceRequest(None, 0, 1000, [ProduceTopic("nothing", None, [ProducePartition(0, memoryview(batch()))])])
    frame = memoryview(bytearray(b"".join(write_produce_request(9, 1, "test", request))))[4:]
    context.header = parse_request_header(frame)
    with pytest.raises(InvalidRequiredAcksError, match="nothing-0"):
        produce.answer(broker, frame, context)


def test_before_an_fsync_pending_answers_are_sent(
    broker: kfast.Broker, context: RequestContext, waits: list[str]
) -> None:
    send(broker, context, batch())
    assert waits == []
    broker.metadata.alter_configs(2, "orders", {"flush.messages": "1"})
    send(broker, context, batch())
    assert waits == ["about to wait"]
    assert broker.log("orders", 0).unflushed_bytes == 0


def test_concurrent_producers_get_offsets_without_gap_or_overlap(broker: kfast.Broker) -> None:
    offsets: list[int] = []

    def produce_many() -> None:
        log = broker.log("orders", 0)
        offsets.extend(log.append(batch(2)).first_offset for _ in range(200))

    threads = [threading.Thread(target=produce_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(offsets) == list(range(0, 1600, 2))


def numbered(sequence: int, epoch: int = 0, transactional: bool = False) -> bytearray:
    builder = RecordBatchBuilder(
        producer_id=5, producer_epoch=epoch, base_sequence=sequence, is_transactional=transactional
    )
    builder.append(b"k", b"v", 1)
    return builder.build()


def test_what_an_idempotent_producer_repeats_is_answered_as_the_first_time(
    broker: kfast.Broker, context: RequestContext
) -> None:
    for sequence in range(3):
        assert send(broker, context, numbered(sequence)).base_offset == sequence
    again = send(broker, context, numbered(1))
    assert (again.error_code, again.base_offset) == (0, 1)
    assert broker.log("orders", 0).log_end_offset == 3


def test_what_does_not_follow_is_refused_with_kafkas_codes(broker: kfast.Broker, context: RequestContext) -> None:
    send(broker, context, numbered(0, epoch=2, transactional=True))
    for records, error_code in (
        (numbered(2, epoch=2, transactional=True), 45),  # OUT_OF_ORDER_SEQUENCE_NUMBER
        (numbered(1, epoch=1, transactional=True), 47),  # INVALID_PRODUCER_EPOCH
        (numbered(1, epoch=2), 48),  # INVALID_TXN_STATE
    ):
        assert send(broker, context, records).error_code == error_code
    assert broker.log("orders", 0).log_end_offset == 1


def test_what_only_a_broker_may_set_is_refused(broker: kfast.Broker, context: RequestContext) -> None:
    placed = batch()
    placed[7] = 5
    unnumbered = RecordBatchBuilder(producer_id=1, producer_epoch=0)
    unnumbered.append(b"k", b"v", 1)
    for records, words in ((placed, "base offset"), (unnumbered.build(), "sequence number -1")):
        result = send(broker, context, records)
        assert result.error_code == 87
        assert words in (result.error_message or "")


@pytest.mark.parametrize("is_told_to", [False, True])
def test_records_are_looked_at_when_the_broker_is_told_to(context: RequestContext, is_told_to: bool) -> None:
    builder = RecordBatchBuilder()
    for timestamp_ms in (1, 10**15, 2):
        builder.append(b"k", b"v", timestamp_ms)
    records = builder.build()
    set_max_timestamp(records, 0, TimestampType.CREATE_TIME, 2)  # which hides the second one's
    with kfast.Broker(config={"kfast.validate.records": str(is_told_to).lower()}) as broker:
        broker.metadata.create_topic("orders", 1)
        result = send(broker, context, records)
    expected = (32, [1]) if is_told_to else (0, [])
    assert (result.error_code, [error.batch_index for error in result.record_errors]) == expected
