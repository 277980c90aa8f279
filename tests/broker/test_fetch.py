import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

import kfast
from kfast.broker import fetch
from kfast.broker.context import RequestContext
from kfast.clock import ManualClock
from kfast.file_slice import FileSlice
from kfast.record.batches import iter_batches
from kfast.record.builder import RecordBatchBuilder
from kfast.record.control_records import AbortMarker, encode_control
from kfast.wire.fetch import (
    FetchPartition,
    FetchPartitionResponse,
    FetchRequest,
    FetchTopic,
    read_fetch_response,
    write_fetch_request,
)
from kfast.wire.framing import parse_request_header

VERSION = 16


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def broker(clock: ManualClock) -> Iterator[kfast.Broker]:
    with kfast.Broker(clock=clock) as broker:
        broker.metadata.create_topic("orders", 2)
        yield broker


def batch(size: int = 100, count: int = 1) -> bytearray:
    builder = RecordBatchBuilder()
    for _ in range(count):
        builder.append(None, b"x" * size, 1)
    return builder.build()


class Caller:
    """Calls the handler as the server does, and counts how often it said that it would wait."""

    def __init__(self, broker: kfast.Broker) -> None:
        self.broker = broker

    def __call__(
        self, *partitions: FetchPartition, topic: str = "orders", version: int = VERSION, **changes: object
    ) -> list[FetchPartitionResponse]:
        settings = {"max_wait_ms": 0, "min_bytes": 1, "max_bytes": 1 << 20, "isolation_level": 0} | changes
        image = self.broker.metadata.topic(topic)
        topic_id = image.topic_id if image else uuid.uuid4()
        request = FetchRequest(
            session_id=0, session_epoch=-1, topics=[FetchTopic(topic, topic_id, partitions)], **settings
        )
        frame = memoryview(bytearray(write_fetch_request(version, 1, "test", request)))[4:]
        context = RequestContext("127.0.0.1", "127.0.0.1", lambda: None, metrics=None)  # type: ignore[arg-type]
        context.header = parse_request_header(frame)
        self.chunks = fetch.answer(self.broker, frame, context)
        data = b"".join(chunk.read() if isinstance(chunk, FileSlice) else chunk for chunk in self.chunks)
        assert int.from_bytes(data[:4]) == len(data) - 4
        response = read_fetch_response(version, memoryview(data)[9:] if version >= 12 else memoryview(data)[8:])
        return [result for topic_response in response.topics for result in topic_response.partitions]


@pytest.fixture
def call(broker: kfast.Broker) -> Caller:
    return Caller(broker)


@pytest.fixture
def later() -> Iterator[Callable[..., Future]]:
    with ThreadPoolExecutor(4) as pool:
        yield pool.submit


def test_records_leave_as_a_slice_of_the_segment(broker: kfast.Broker, call: Caller) -> None:
    written = batch()
    broker.log("orders", 0).append(written)
    (result,) = call(FetchPartition(0, 0, 1 << 20))
    assert bytes(result.records) == bytes(written)
    assert (result.error_code, result.high_watermark, result.last_stable_offset, result.log_start_offset) == (
        0,
        1,
        1,
        0,
    )
    assert [type(chunk) for chunk in call.chunks].count(FileSlice) == 1


def test_a_batch_comes_whole_from_an_offset_inside_it(broker: kfast.Broker, call: Caller) -> None:
    written = batch(count=10)
    broker.log("orders", 0).append(written)
    (result,) = call(FetchPartition(0, 7, 10))
    assert bytes(result.records) == bytes(written)


def test_below_the_start_of_a_log_whose_records_were_deleted_there_is_nothing(
    broker: kfast.Broker, call: Caller
) -> None:
    broker.log("orders", 0).append(batch(count=10))
    broker.log("orders", 0).increment_log_start_offset(5)
    below, at = call(FetchPartition(0, 4, 1 << 20), FetchPartition(0, 5, 1 << 20))
    assert (below.error_code, below.high_watermark, below.log_start_offset, bytes(below.records)) == (1, -1, -1, b"")
    assert (at.error_code, at.high_watermark, at.log_start_offset) == (0, 10, 5)


@pytest.mark.parametrize("version", range(4, 17))
def test_every_version_gives_the_same_records(broker: kfast.Broker, call: Caller, version: int) -> None:
    written = batch()
    broker.log("orders", 0).append(written)
    (result,) = call(FetchPartition(0, 0, 1 << 20), version=version)
    assert bytes(result.records) == bytes(written)


def test_only_the_first_partition_with_data_may_exceed_max_bytes(broker: kfast.Broker, call: Caller) -> None:
    for partition in (0, 1):
        broker.log("orders", partition).append(batch(size=1000))
    first, second = call(FetchPartition(0, 0, 1 << 20), FetchPartition(1, 0, 1 << 20), max_bytes=10)
    assert next(iter_batches(first.records)).count == 1
    assert len(second.records) == 0
    assert second.high_watermark == 1


def test_an_empty_partition_passes_its_right_on(broker: kfast.Broker, call: Caller) -> None:
    broker.log("orders", 1).append(batch(size=1000))
    first, second = call(FetchPartition(0, 0, 1 << 20), FetchPartition(1, 0, 1 << 20), max_bytes=10)
    assert len(first.records) == 0
    assert next(iter_batches(second.records)).count == 1


@pytest.mark.parametrize(
    ("partition", "topic", "error_code"),
    [
        (FetchPartition(0, 5, 100), "orders", 1),
        (FetchPartition(0, -2, 100), "orders", 1),
        (FetchPartition(9, 0, 100), "orders", 3),
        (FetchPartition(0, 0, 100), "nothing", 100),
        (FetchPartition(0, 0, 100, current_leader_epoch=7), "orders", 75),
    ],
)
def test_errors_are_kafkas(call: Caller, partition: FetchPartition, topic: str, error_code: int) -> None:
    (result,) = call(partition, topic=topic, max_wait_ms=60_000)
    assert (result.error_code, len(result.records)) == (error_code, 0)


def test_an_unknown_name_is_answered_by_3_before_topic_ids(call: Caller) -> None:
    (result,) = call(FetchPartition(0, 0, 100), topic="nothing", version=11)
    assert result.error_code == 3


def test_a_fetch_of_nothing_waits_for_an_append(
    broker: kfast.Broker, call: Caller, clock: ManualClock, later: Callable[..., Future]
) -> None:
    answer = later(call, FetchPartition(0, 0, 1 << 20), FetchPartition(1, 0, 1 << 20), max_wait_ms=1000)
    clock.wait_for_waiters()
    written = batch()
    broker.log("orders", 1).append(written)
    assert bytes(answer.result(10)[1].records) == bytes(written)


def test_a_fetch_waits_until_it_has_min_bytes(
    broker: kfast.Broker, call: Caller, clock: ManualClock, later: Callable[..., Future]
) -> None:
    size = len(batch())
    answer = later(call, FetchPartition(0, 0, 1 << 20), max_wait_ms=1000, min_bytes=3 * size)
    for _ in range(3):
        clock.wait_for_waiters()
        assert not answer.done()
        broker.log("orders", 0).append(batch())
    assert len(answer.result(10)[0].records) == 3 * size


def test_a_fetch_gives_up_when_its_time_is_over(call: Caller, clock: ManualClock, later: Callable[..., Future]) -> None:
    answer = later(call, FetchPartition(0, 0, 1 << 20), max_wait_ms=1000)
    clock.wait_for_waiters()
    clock.advance(999)
    assert not answer.done()
    clock.advance(1)
    (result,) = answer.result(10)
    assert (result.error_code, len(result.records)) == (0, 0)


def test_no_client_can_make_a_thread_wait_for_hours(
    call: Caller, clock: ManualClock, later: Callable[..., Future]
) -> None:
    answer = later(call, FetchPartition(0, 0, 1 << 20), max_wait_ms=2**31 - 1)
    clock.wait_for_waiters()
    clock.advance(fetch.MAX_WAIT_MS)
    assert len(answer.result(10)) == 1


def test_a_stopping_broker_lets_its_waiting_fetches_go(
    broker: kfast.Broker, call: Caller, clock: ManualClock, later: Callable[..., Future]
) -> None:
    answer = later(call, FetchPartition(0, 0, 1 << 20), max_wait_ms=1000)
    clock.wait_for_waiters()
    broker.stop()
    assert len(answer.result(10)[0].records) == 0
    assert broker.delayed_fetches == set()


def test_a_fetch_that_is_over_listens_no_more(
    broker: kfast.Broker, call: Caller, clock: ManualClock, later: Callable[..., Future]
) -> None:
    answer = later(call, FetchPartition(0, 0, 1 << 20), max_wait_ms=1000)
    clock.wait_for_waiters()
    broker.log("orders", 0).append(batch())
    answer.result(10)
    assert broker.log("orders", 0)._listeners == ()


def test_a_reader_of_committed_records_is_told_what_was_aborted(broker: kfast.Broker, call: Caller) -> None:
    log = broker.log("orders", 0)

    def append(value: bytes, sequence: int, *, marker: AbortMarker | None = None) -> None:
        builder = RecordBatchBuilder(
            producer_id=5,
            producer_epoch=0,
            base_sequence=sequence,
            is_transactional=True,
            is_control=marker is not None,
        )
        builder.append(*(encode_control(marker) if marker else (b"k", value)), 1)
        log.append(builder.build())

    log.append(batch())
    append(b"void", 0)
    append(b"", -1, marker=AbortMarker(0))
    append(b"open", 1)
    (found,) = call(FetchPartition(0, 0, 1 << 20), isolation_level=1)
    assert (found.high_watermark, found.last_stable_offset) == (4, 3)
    assert found.aborted_transactions == [(5, 1)]
    assert [one.base_offset for one in iter_batches(bytes(found.records))] == [0, 1, 2]
    (found,) = call(FetchPartition(0, 0, 1 << 20))
    assert found.aborted_transactions is None
    assert [one.base_offset for one in iter_batches(bytes(found.records))] == [0, 1, 2, 3]
