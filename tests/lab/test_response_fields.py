"""The fields of a Fetch response lie where `wire.fetch` reads them, cover every byte once, and name the slice."""

from __future__ import annotations

from itertools import pairwise

import pytest

from kfast.lab.byte_fields import Part
from kfast.lab.golden import GoldenDirectory
from kfast.lab.response_fields import TOPIC_ID, VERSION, fetch_response, frame_of, response_fields
from kfast.log.log import Log
from kfast.wire.fetch import (
    API_KEY,
    AbortedTransaction,
    FetchPartitionResponse,
    FetchResponse,
    FetchTopicResponse,
    read_fetch_response,
    write_fetch_response,
)
from kfast.wire.fields import DECODE_ERRORS
from kfast.wire.framing import parse_response_header

RESPONSE = FetchResponse(
    [
        FetchTopicResponse(
            None,
            TOPIC_ID,
            [
                FetchPartitionResponse(3, 0, 900, 800, 7, [AbortedTransaction(11, 12), AbortedTransaction(13, 14)]),
                FetchPartitionResponse(4, 1, -1, -1, -1, []),
            ],
        ),
        FetchTopicResponse(None, TOPIC_ID, [FetchPartitionResponse(0, 0, 5, 5, 0)]),
    ],
    error_code=70,
    session_id=9,
    throttle_time_ms=250,
)


@pytest.fixture(scope="module")
def golden():
    return GoldenDirectory("01-plain")


@pytest.fixture(scope="module")
def log(golden):
    return Log.open(golden.path / "sparse-0", was_clean=True)


def parts_of(found):
    return [(field.name, field.value) for field in found]


def assert_end_to_end(found, size):
    assert found[0].position == 0
    for before, after in pairwise(found):
        assert before.position + before.size == after.position
    assert found[-1].position + found[-1].size == size


@pytest.mark.parametrize("offset", [0, 150, 515, 1063])
def test_every_byte_of_an_answer_is_in_one_field(log, offset):
    chunks = fetch_response(log, offset, max_bytes=1)
    assert_end_to_end(response_fields(chunks), sum(map(len, chunks)))


def test_the_slice_of_the_file_is_the_records_that_a_client_reads(log):
    chunks = fetch_response(log, 515, max_bytes=2000)
    frame, found = frame_of(chunks), response_fields(chunks)
    (field,) = [field for field in found if field.part is Part.SLICE]
    file_slice = chunks[1]
    assert (field.position, field.size) == (len(chunks[0]), file_slice.size)
    last = file_slice.position + file_slice.size - 1
    assert field.value == f"its bytes {file_slice.position:,} to {last:,}"
    _, body = parse_response_header(memoryview(frame)[4:], API_KEY, VERSION)
    response = read_fetch_response(VERSION, memoryview(frame), 4 + body)
    assert bytes(response.topics[0][2][0][6]) == frame[field.position : field.position + field.size]
    assert frame[field.position : field.position + field.size] == file_slice.read()


def test_the_fields_of_an_answer_exactly(log):
    chunks = fetch_response(log, 515, max_bytes=1)
    size, file_slice = sum(map(len, chunks)), chunks[1]
    last = file_slice.position + file_slice.size - 1
    assert parts_of(response_fields(chunks)) == [
        ("size", f"{size - 4} bytes follow"),
        ("correlation_id", "1"),
        ("header tags", "none"),
        ("throttle_time_ms", "0"),
        ("error_code", "0"),
        ("session_id", "0"),
        ("topics", "1"),
        ("topic_id", "6b666173-7400..."),
        ("partitions", "1"),
        ("partition", "0"),
        ("error_code", "0"),
        ("high_watermark", str(log.high_watermark)),
        ("last_stable_offset", str(log.last_stable_offset)),
        ("log_start_offset", str(log.log_start_offset)),
        ("aborted transactions", "null"),
        ("preferred_read_replica", "none"),
        ("records size", f"{file_slice.size} bytes follow"),
        ("slice of the file", f"its bytes {file_slice.position:,} to {last:,}"),
        ("tags", "none"),
        ("tags", "none"),
        ("tags", "none"),
    ]


def test_an_answer_with_everything_in_it_has_what_wire_wrote():
    chunks = [bytes(chunk) for chunk in write_fetch_response(VERSION, 77, RESPONSE)]
    found = response_fields(chunks)
    assert_end_to_end(found, sum(map(len, chunks)))
    values = {}
    for name, value in parts_of(found):
        values.setdefault(name, []).append(value)
    assert values["correlation_id"] == ["77"]
    assert (values["throttle_time_ms"], values["session_id"]) == (["250"], ["9"])
    assert values["error_code"] == ["70", "0", "1", "0"]
    assert (values["topics"], values["partitions"]) == (["2"], ["2", "1"])
    assert values["partition"] == ["3", "4", "0"]
    assert values["high_watermark"] == ["900", "-1", "5"]
    assert values["last_stable_offset"] == ["800", "-1", "5"]
    assert values["log_start_offset"] == ["7", "-1", "0"]
    assert values["aborted transactions"] == ["2", "0", "null"]
    assert (values["producer_id"], values["first_offset"]) == (["11", "13"], ["12", "14"])
    assert values["records size"] == ["0 bytes follow"] * 3
    assert not [field for field in found if field.part is Part.SLICE]


def test_what_is_cut_off_is_no_response():
    frame = b"".join(bytes(chunk) for chunk in write_fetch_response(VERSION, 77, RESPONSE))
    for size in range(len(frame)):
        with pytest.raises(DECODE_ERRORS):
            response_fields([frame[:size]])


def test_nothing_of_a_response_is_stamped_or_covered_by_a_checksum_here(log):
    found = response_fields(fetch_response(log, 515))
    assert not any(field.is_stamped or field.is_checked for field in found)
