from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kio.index import load_payload_module
from kio.schema.errors import ErrorCode
from kio.static.constants import EntityType

from kfast.errors import MalformedFrameError
from kfast.wire import framing, produce
from kfast.wire.produce import (
    ProducePartition,
    ProducePartitionResponse,
    ProduceRequest,
    ProduceResponse,
    ProduceTopic,
    ProduceTopicResponse,
    RecordError,
)

VERSIONS = range(3, 13)
QUICK = settings(derandomize=True, deadline=None, max_examples=30)

INT16 = st.integers(-(2**15), 2**15 - 1)
INT32 = st.integers(-(2**31), 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(codec="utf-8"), max_size=12) | st.just("t" * 249)
RECORDS = st.none() | st.binary(max_size=40) | st.just(bytes(200)) | st.just(bytes(20_000))


def some(strategy: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(strategy, max_size=3)


REQUESTS = st.builds(
    ProduceRequest,
    transactional_id=st.none() | TEXT,
    acks=INT16,
    timeout_ms=INT32,
    topics=some(
        st.builds(
            ProduceTopic,
            name=TEXT,
            topic_id=st.none(),
            partitions=some(st.builds(ProducePartition, partition=INT32, records=RECORDS)),
        )
    ),
)
RESPONSES = st.builds(
    ProduceResponse,
    topics=some(
        st.builds(
            ProduceTopicResponse,
            name=TEXT,
            topic_id=st.none(),
            partitions=some(
                st.builds(
                    ProducePartitionResponse,
                    partition=INT32,
                    error_code=st.sampled_from([int(code) for code in ErrorCode]),
                    base_offset=INT64,
                    log_append_time_ms=st.just(-1) | st.integers(0, 2**42),
                    log_start_offset=INT64,
                    record_errors=some(st.builds(RecordError, batch_index=INT32, message=st.none() | TEXT)),
                    error_message=st.none() | TEXT,
                )
            ),
        )
    ),
    throttle_time_ms=INT32,
)


def kio_request(version: int, request: ProduceRequest):
    module = load_payload_module(0, version, EntityType.request)
    return module.ProduceRequest(
        transactional_id=request.transactional_id,
        acks=request.acks,
        timeout=timedelta(milliseconds=request.timeout_ms),
        topic_data=tuple(
            module.TopicProduceData(
                name=topic.name,
                partition_data=tuple(
                    module.PartitionProduceData(index=partition, records=records)
                    for partition, records in topic.partitions
                ),
            )
            for topic in request.topics
        ),
    )


def kio_partition(version: int, module, result: ProducePartitionResponse):
    values = {
        "index": result.partition,
        "error_code": ErrorCode(result.error_code),
        "base_offset": result.base_offset,
        "log_append_time": None
        if result.log_append_time_ms < 0
        else datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=result.log_append_time_ms),
    }
    if version >= 5:
        values["log_start_offset"] = result.log_start_offset
    if version >= 8:
        values["error_message"] = result.error_message
        values["record_errors"] = tuple(
            module.BatchIndexAndErrorMessage(batch_index=index, batch_index_error_message=message)
            for index, message in result.record_errors
        )
    return module.PartitionProduceResponse(**values)


def kio_response(version: int, response: ProduceResponse):
    module = load_payload_module(0, version, EntityType.response)
    return module.ProduceResponse(
        responses=tuple(
            module.TopicProduceResponse(
                name=topic.name,
                partition_responses=tuple(kio_partition(version, module, result) for result in topic.partitions),
            )
            for topic in response.topics
        ),
        throttle_time=timedelta(milliseconds=response.throttle_time_ms),
    )


def without_newer_fields(version: int, response: ProduceResponse) -> ProduceResponse:
    newer = {}
    if version < 8:
        newer = {"record_errors": [], "error_message": None}
    if version < 5:
        newer["log_start_offset"] = -1
    topics = [
        topic._replace(partitions=[result._replace(**newer) for result in topic.partitions])
        for topic in response.topics
    ]
    return response._replace(topics=topics)


def request_frame(version: int, request: ProduceRequest) -> memoryview:
    return memoryview(b"".join(produce.write_produce_request(version, 7, "client", request)))


def response_body(version: int, response: ProduceResponse) -> memoryview:
    frame = memoryview(produce.write_produce_response(version, 7, *response))
    assert struct.unpack_from(">i", frame) == (len(frame) - 4,)
    correlation_id, position = framing.parse_response_header(frame[4:], 0, version)
    assert correlation_id == 7
    return frame[4 + position :]


@pytest.mark.parametrize("version", VERSIONS)
@QUICK
@given(request=REQUESTS)
def test_requests_are_what_kio_writes(version, kio_bytes, request):
    frame = request_frame(version, request)
    header = framing.parse_request_header(frame[4:])
    assert struct.unpack_from(">i", frame) == (len(frame) - 4,)
    assert header[:4] == (0, version, 7, "client")
    body = frame[4 + header.size_bytes :]
    assert body == kio_bytes(kio_request(version, request))
    assert produce.read_produce_request(version, body) == request
    assert produce.read_produce_request(version, frame, 4 + header.size_bytes) == request


@pytest.mark.parametrize("version", VERSIONS)
@QUICK
@given(response=RESPONSES)
def test_responses_are_what_kio_writes(version, kio_bytes, response):
    body = response_body(version, response)
    assert body == kio_bytes(kio_response(version, response))
    assert produce.read_produce_response(version, body) == without_newer_fields(version, response)


REQUEST = ProduceRequest(
    "tx",
    -1,
    30_000,
    [
        ProduceTopic("orders", None, [ProducePartition(0, b"batch"), ProducePartition(1, None)]),
        ProduceTopic("lines", None, [ProducePartition(5, b"")]),
    ],
)
RESPONSE = ProduceResponse(
    [
        ProduceTopicResponse(
            "orders", None, [ProducePartitionResponse(0, 87, -1, -1, 0, [RecordError(3, "no key")], "refused")]
        )
    ]
)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_message_that_is_cut_anywhere_is_malformed(version):
    frame = request_frame(version, REQUEST)
    body = frame[4 + framing.parse_request_header(frame[4:]).size_bytes :]
    for size in range(len(body)):
        with pytest.raises(MalformedFrameError, match=f"Produce request v{version} of {size} bytes"):
            produce.read_produce_request(version, body[:size])
    body = response_body(version, RESPONSE)
    for size in range(len(body)):
        with pytest.raises(MalformedFrameError, match=f"Produce response v{version} of {size} bytes"):
            produce.read_produce_response(version, body[:size])


@pytest.mark.parametrize("version", VERSIONS)
def test_bytes_after_the_last_field_are_ignored(version):
    frame = request_frame(version, REQUEST)
    position = 4 + framing.parse_request_header(frame[4:]).size_bytes
    more = memoryview(bytes(frame) + b"more")
    assert produce.read_produce_request(version, more, position) == REQUEST
    body = response_body(version, RESPONSE)
    more = memoryview(bytes(body) + b"more")
    assert produce.read_produce_response(version, more) == produce.read_produce_response(version, body)


def outcome_of(read, version: int, data: memoryview):
    """The message, or what is said about bytes that are none."""
    try:
        return read(version, data)
    except MalformedFrameError as error:
        return str(error)


@pytest.mark.parametrize("version", VERSIONS)
@QUICK
@given(data=st.binary(max_size=60))
def test_random_bytes_are_read_or_malformed(version, data):
    for read, message_type in (
        (produce.read_produce_request, ProduceRequest),
        (produce.read_produce_response, ProduceResponse),
    ):
        outcome = outcome_of(read, version, memoryview(data))
        assert isinstance(outcome, message_type) or f"v{version} of {len(data)} bytes" in outcome


def test_records_are_views_of_the_receive_buffer():
    buffer = bytearray(request_frame(9, REQUEST))
    request = produce.read_produce_request(
        9, memoryview(buffer), 4 + framing.parse_request_header(buffer[4:]).size_bytes
    )
    _, _, ((_, records), _) = request.topics[0]
    records[:] = b"STAMP"
    assert buffer.count(b"STAMP") == 1


def test_a_request_hands_the_senders_records_on_uncopied():
    records = bytearray(b"batch of records")
    request = ProduceRequest(None, 1, 1000, [ProduceTopic("t", None, [ProducePartition(0, records)])])
    chunks = produce.write_produce_request(9, 1, None, request)
    assert [chunk is records for chunk in chunks] == [False, True, False]


def test_empty_records_are_no_chunk():
    request = ProduceRequest(None, 1, 1000, [ProduceTopic("t", None, [ProducePartition(0, b"")])])
    assert len(produce.write_produce_request(9, 1, None, request)) == 1


@pytest.mark.parametrize(
    ("version", "body"),
    [
        (3, struct.pack(">hhii", -1, 1, 0, 2**31 - 1)),
        (3, struct.pack(">hhii", -1, 1, 0, -1)),
        (9, b"\0" + struct.pack(">hi", 1, 0) + b"\xff\xff\xff\xff\x0f"),
        (9, b"\0" + struct.pack(">hi", 1, 0) + b"\0"),
        (9, b"\0" + struct.pack(">hi", 1, 0) + b"\x02\x02t\xff\xff\xff\xff\x0f"),
    ],
)
def test_impossible_counts_are_malformed(version, body):
    with pytest.raises(
        MalformedFrameError, match=r"-?\d+ items of at least \d bytes announced at position \d+, 0 bytes"
    ):
        produce.read_produce_request(version, memoryview(body))


def test_records_longer_than_the_frame_are_malformed():
    body = struct.pack(">hhiih1siii", -1, 1, 0, 1, 1, b"t", 1, 0, 1_000_000) + b"abc"
    with pytest.raises(MalformedFrameError, match="1000000 bytes announced at position 27, 3 are left"):
        produce.read_produce_request(3, memoryview(body))
