from __future__ import annotations

import struct
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kio.index import load_payload_module
from kio.schema.errors import ErrorCode
from kio.static.constants import EntityType

from kfast.errors import MalformedFrameError
from kfast.file_slice import FileSlice, OpenFile
from kfast.wire import fetch, fields, framing
from kfast.wire.fetch import (
    AbortedTransaction,
    FetchPartition,
    FetchPartitionResponse,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    FetchTopicResponse,
    ForgottenTopic,
)

VERSIONS = range(4, 17)
QUICK = settings(derandomize=True, deadline=None, max_examples=30)

INT8 = st.integers(-128, 127)
INT32 = st.integers(-(2**31), 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(codec="utf-8"), max_size=12) | st.just("t" * 249)
UUIDS = st.integers(1, 2**128 - 1).map(lambda value: UUID(int=value))
RECORDS = st.binary(max_size=40) | st.just(bytes(200)) | st.just(bytes(20_000))


def some(strategy: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(strategy, max_size=3)


def topics_of(topic_type, version: int, partitions: st.SearchStrategy) -> st.SearchStrategy:
    names = {"name": st.none(), "topic_id": UUIDS} if version >= 13 else {"name": TEXT, "topic_id": st.none()}
    return some(st.builds(topic_type, **names, partitions=partitions))


def requests(version: int) -> st.SearchStrategy[FetchRequest]:
    """Requests whose fields all exist in `version`."""
    unset = st.just(-1)
    partitions = st.builds(
        FetchPartition,
        partition=INT32,
        fetch_offset=INT64,
        max_bytes=INT32,
        current_leader_epoch=INT32 if version >= 9 else unset,
        last_fetched_epoch=INT32 if version >= 12 else unset,
        log_start_offset=INT64 if version >= 5 else unset,
    )
    return st.builds(
        FetchRequest,
        max_wait_ms=INT32,
        min_bytes=INT32,
        max_bytes=INT32,
        isolation_level=INT8,
        session_id=INT32 if version >= 7 else st.just(0),
        session_epoch=INT32 if version >= 7 else unset,
        topics=topics_of(FetchTopic, version, some(partitions)),
        forgotten_topics=topics_of(ForgottenTopic, version, some(INT32).map(tuple)) if version >= 7 else st.just(()),
        rack_id=TEXT if version >= 11 else st.just(""),
        replica_id=INT32 if version < 15 else unset,
    )


def responses(version: int) -> st.SearchStrategy[FetchResponse]:
    partitions = st.builds(
        FetchPartitionResponse,
        partition=INT32,
        error_code=st.sampled_from([int(code) for code in ErrorCode]),
        high_watermark=INT64,
        last_stable_offset=INT64,
        log_start_offset=INT64 if version >= 5 else st.just(-1),
        aborted_transactions=st.none() | some(st.builds(AbortedTransaction, producer_id=INT64, first_offset=INT64)),
        records=RECORDS,
    )
    return st.builds(
        FetchResponse,
        topics=topics_of(FetchTopicResponse, version, some(partitions)),
        error_code=st.sampled_from([0, 70, 71]) if version >= 7 else st.just(0),
        session_id=INT32 if version >= 7 else st.just(0),
        throttle_time_ms=INT32,
    )


def kio_topic_names(version: int, topic) -> dict:
    return {"topic_id": topic.topic_id} if version >= 13 else {"topic": topic.name}


def kio_request(version: int, request: FetchRequest):
    module = load_payload_module(1, version, EntityType.request)

    def partition(asked: FetchPartition):
        values = {"partition": asked.partition, "fetch_offset": asked.fetch_offset}
        values["partition_max_bytes"] = asked.max_bytes
        if version >= 5:
            values["log_start_offset"] = asked.log_start_offset
        if version >= 9:
            values["current_leader_epoch"] = asked.current_leader_epoch
        if version >= 12:
            values["last_fetched_epoch"] = asked.last_fetched_epoch
        return module.FetchPartition(**values)

    values = {}
    if version >= 7:
        values["session_id"], values["session_epoch"] = request.session_id, request.session_epoch
        values["forgotten_topics_data"] = tuple(
            module.ForgottenTopic(partitions=topic.partitions, **kio_topic_names(version, topic))
            for topic in request.forgotten_topics
        )
    if version >= 11:
        values["rack_id"] = request.rack_id
    if version < 15:
        values["replica_id"] = request.replica_id
    return module.FetchRequest(
        max_wait=timedelta(milliseconds=request.max_wait_ms),
        min_bytes=request.min_bytes,
        max_bytes=request.max_bytes,
        isolation_level=request.isolation_level,
        topics=tuple(
            module.FetchTopic(
                partitions=tuple(partition(asked) for asked in topic.partitions), **kio_topic_names(version, topic)
            )
            for topic in request.topics
        ),
        **values,
    )


def kio_response(version: int, response: FetchResponse):
    module = load_payload_module(1, version, EntityType.response)

    def partition(result: FetchPartitionResponse):
        values = {"log_start_offset": result.log_start_offset} if version >= 5 else {}
        aborted = result.aborted_transactions
        return module.PartitionData(
            partition_index=result.partition,
            error_code=ErrorCode(result.error_code),
            high_watermark=result.high_watermark,
            last_stable_offset=result.last_stable_offset,
            aborted_transactions=None
            if aborted is None
            else tuple(module.AbortedTransaction(producer_id=pid, first_offset=first) for pid, first in aborted),
            records=result.records,
            **values,
        )

    values = {"error_code": ErrorCode(response.error_code), "session_id": response.session_id} if version >= 7 else {}
    return module.FetchResponse(
        throttle_time=timedelta(milliseconds=response.throttle_time_ms),
        responses=tuple(
            module.FetchableTopicResponse(
                partitions=tuple(partition(result) for result in topic.partitions), **kio_topic_names(version, topic)
            )
            for topic in response.topics
        ),
        **values,
    )


def request_body(version: int, request: FetchRequest) -> memoryview:
    frame = memoryview(fetch.write_fetch_request(version, 7, "client", request))
    header = framing.parse_request_header(frame[4:])
    assert struct.unpack_from(">i", frame) == (len(frame) - 4,)
    assert header[:4] == (1, version, 7, "client")
    return frame[4 + header.size_bytes :]


def response_body(version: int, response: FetchResponse) -> memoryview:
    frame = memoryview(b"".join(fetch.write_fetch_response(version, 7, response)))
    assert struct.unpack_from(">i", frame) == (len(frame) - 4,)
    correlation_id, position = framing.parse_response_header(frame[4:], 1, version)
    assert correlation_id == 7
    return frame[4 + position :]


@pytest.mark.parametrize("version", VERSIONS)
@QUICK
@given(data=st.data())
def test_requests_are_what_kio_writes(version, kio_bytes, data):
    request = data.draw(requests(version))
    body = request_body(version, request)
    assert body == kio_bytes(kio_request(version, request))
    read = fetch.read_fetch_request(version, body)
    assert read._replace(forgotten_topics=tuple(read.forgotten_topics)) == request._replace(
        forgotten_topics=tuple(request.forgotten_topics)
    )


@pytest.mark.parametrize("version", VERSIONS)
@QUICK
@given(data=st.data())
def test_responses_are_what_kio_writes(version, kio_bytes, data):
    response = data.draw(responses(version))
    body = response_body(version, response)
    assert body == kio_bytes(kio_response(version, response))
    assert fetch.read_fetch_response(version, body) == response


TOPIC_ID = UUID(int=99)


def a_request(version: int) -> FetchRequest:
    names = (None, TOPIC_ID) if version >= 13 else ("orders", None)
    return FetchRequest(
        500,
        1,
        1 << 20,
        1,
        0,
        -1,
        [FetchTopic(*names, [FetchPartition(0, 5, 1 << 20), FetchPartition(1, 6, 1 << 20)])],
        [ForgottenTopic(*names, (3, 4))] if version >= 7 else (),
        "rack" if version >= 11 else "",
    )


def a_response(version: int, records: object = b"batch") -> FetchResponse:
    names = (None, TOPIC_ID) if version >= 13 else ("orders", None)
    aborted = [AbortedTransaction(1, 2)]
    return FetchResponse(
        [
            FetchTopicResponse(
                *names,
                [
                    FetchPartitionResponse(0, 0, 9, 9, 0 if version >= 5 else -1, aborted, records),
                    FetchPartitionResponse(1, 1, -1, -1, -1, None, b""),
                ],
            )
        ]
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_a_message_that_is_cut_anywhere_is_malformed(version):
    body = request_body(version, a_request(version))
    for size in range(len(body)):
        with pytest.raises(MalformedFrameError, match=f"Fetch request v{version} of {size} bytes"):
            fetch.read_fetch_request(version, body[:size])
    body = response_body(version, a_response(version))
    for size in range(len(body)):
        with pytest.raises(MalformedFrameError, match=f"Fetch response v{version} of {size} bytes"):
            fetch.read_fetch_response(version, body[:size])


@pytest.mark.parametrize("version", VERSIONS)
def test_bytes_after_the_last_field_are_ignored(version):
    body = request_body(version, a_request(version))
    assert fetch.read_fetch_request(version, memoryview(bytes(body) + b"more")) == a_request(version)
    body = response_body(version, a_response(version))
    assert fetch.read_fetch_response(version, memoryview(bytes(body) + b"more")) == a_response(version)


def outcome_of(read, version: int, data: memoryview):
    """The message, or what is said about bytes that are none."""
    try:
        return read(version, data)
    except MalformedFrameError as error:
        return str(error)


@pytest.mark.parametrize("version", VERSIONS)
@QUICK
@given(data=st.binary(max_size=80))
def test_random_bytes_are_read_or_malformed(version, data):
    for read, message_type in ((fetch.read_fetch_request, FetchRequest), (fetch.read_fetch_response, FetchResponse)):
        outcome = outcome_of(read, version, memoryview(data))
        assert isinstance(outcome, message_type) or f"v{version} of {len(data)} bytes" in outcome


@pytest.mark.parametrize("version", [12, 14, 15, 16])
def test_tags_that_followers_and_newer_clients_send_are_understood(version, kio_bytes):
    module = load_payload_module(1, version, EntityType.request)
    tags = {"cluster_id": "wpXN6B9IQeGmRHVTZtTmZw"}
    if version >= 15:
        tags["replica_state"] = module.ReplicaState(replica_id=3, replica_epoch=8)
    else:
        tags["replica_id"] = 3
    entity = module.FetchRequest(
        max_wait=timedelta(0), min_bytes=1, max_bytes=1, isolation_level=0, topics=(), forgotten_topics_data=(), **tags
    )
    assert fetch.read_fetch_request(version, memoryview(kio_bytes(entity))).replica_id == 3


@pytest.mark.parametrize("version", VERSIONS)
def test_a_file_slice_is_framed_by_its_size_and_passed_on(version, tmp_path):
    path = tmp_path / "00000000000000000000.log"
    path.write_bytes(b"0123456789")
    records = FileSlice(OpenFile(path), 2, 5)
    chunks = fetch.write_fetch_response(version, 7, a_response(version, records))
    assert [chunk is records for chunk in chunks] == [False, True, False]
    moved = b"".join(chunk.read() if chunk is records else chunk for chunk in chunks)
    assert moved[4:] == b"".join(fetch.write_fetch_response(version, 7, a_response(version, b"23456")))[4:]
    assert struct.unpack_from(">i", moved) == (len(moved) - 4,)


def test_a_response_without_records_is_one_chunk():
    for version in VERSIONS:
        (only,) = fetch.write_fetch_response(version, 7, a_response(version, b""))
        assert struct.unpack_from(">i", only) == (len(only) - 4,)


def test_no_records_are_written_as_empty_never_as_null():
    for version in VERSIONS:
        none = fetch.write_fetch_response(version, 7, a_response(version, None))
        assert none == fetch.write_fetch_response(version, 7, a_response(version, b""))


def test_null_and_empty_aborted_transactions_differ():
    written = [
        fetch.write_fetch_response(
            16, 7, FetchResponse([FetchTopicResponse(None, TOPIC_ID, [FetchPartitionResponse(0, 0, 1, 1, 0, aborted)])])
        )
        for aborted in (None, [])
    ]
    assert written[0] != written[1]


def test_records_of_a_response_are_views_of_the_buffer():
    body = response_body(16, a_response(16))
    records = fetch.read_fetch_response(16, body).topics[0].partitions[0].records
    assert records.obj is body.obj


@pytest.mark.parametrize(
    ("version", "body"),
    [
        (4, struct.pack(">iiiibi", -1, 0, 0, 0, 0, 2**31 - 1)),
        (4, struct.pack(">iiiibi", -1, 0, 0, 0, 0, -1)),
        (12, struct.pack(">iiiibii", -1, 0, 0, 0, 0, 0, -1) + b"\xff\xff\xff\xff\x0f"),
        (16, struct.pack(">iiibii", 0, 0, 0, 0, 0, -1) + b"\x02" + bytes(16) + b"\xff\xff\xff\xff\x0f"),
        (16, struct.pack(">iiibii", 0, 0, 0, 0, 0, -1) + b"\x01\x02" + bytes(16) + b"\xff\xff\xff\xff\x0f"),
    ],
)
def test_impossible_counts_are_malformed(version, body):
    with pytest.raises(
        MalformedFrameError, match=r"-?\d+ items of at least \d+ bytes announced at position \d+, 0 byt"
    ):
        fetch.read_fetch_request(version, memoryview(body))


def test_the_items_of_a_request_are_limited_whatever_its_size():
    """Six million partitions fit into 100 MB, and would take 2 GB."""
    head = struct.pack(">iiiibii", -1, 0, 1, 1, 0, 0, -1)
    count = fields.MAX_ITEMS
    partitions = struct.pack(">h1si", 1, b"t", count) + bytes(24) * count
    for body in (
        head + struct.pack(">i", 1) + partitions,
        head + struct.pack(">i", count + 1) + b"\0\0\0\0\0\0" * (count + 1),
        head + struct.pack(">iih1si", 0, 1, 1, b"t", count) + bytes(4) * count,
    ):
        with pytest.raises(MalformedFrameError, match=f"more than {count} array items"):
            fetch.read_fetch_request(7, memoryview(body))
