from __future__ import annotations

from uuid import UUID

import pytest

from kfast.client.fetch_head import HEAD_SIZE, read_fetch_head
from kfast.errors import MalformedFrameError
from kfast.wire.fetch import (
    AbortedTransaction,
    FetchPartitionResponse,
    FetchResponse,
    FetchTopicResponse,
    read_fetch_response,
    write_fetch_response,
)

VERSIONS = range(5, 17)
TOPIC_ID = UUID("12345678-1234-1234-1234-123456789abc")
LONGEST_NAME = "n" * 249


def response(
    version: int,
    records: bytes = b"r" * 1000,
    error_code: int = 0,
    aborted: list[AbortedTransaction] | None = None,
    topic_count: int = 1,
) -> bytes:
    partition = FetchPartitionResponse(3, error_code, 500, 400, 7, aborted, records)
    topics = [FetchTopicResponse(LONGEST_NAME, TOPIC_ID, [partition])] * topic_count
    chunks = write_fetch_response(version, 42, FetchResponse(topics))
    return b"".join(bytes(chunk) for chunk in chunks)  # type: ignore[call-overload]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_head_says_where_the_records_are(version: int) -> None:
    frame = response(version)
    head = read_fetch_head(version, memoryview(frame)[:HEAD_SIZE])
    assert (head.frame_size, head.correlation_id, head.error_code) == (len(frame), 42, 0)
    assert (head.high_watermark, head.log_start_offset) == (500, 7)
    assert frame[head.records_position : head.records_position + head.records_size] == b"r" * 1000


@pytest.mark.parametrize("version", VERSIONS)
def test_it_agrees_with_the_reader_of_whole_responses(version: int) -> None:
    frame = response(version, b"", error_code=1, aborted=[])
    head = read_fetch_head(version, memoryview(frame))
    body = 9 if version >= 12 else 8
    partition = read_fetch_response(version, memoryview(frame), body).topics[0].partitions[0]
    assert head.error_code == partition.error_code == 1
    assert head.high_watermark == partition.high_watermark
    assert head.log_start_offset == partition.log_start_offset
    assert head.records_size == 0


def test_an_answer_without_topics_has_the_error_of_the_whole() -> None:
    chunks = write_fetch_response(16, 1, FetchResponse([], error_code=70))
    head = read_fetch_head(16, memoryview(b"".join(bytes(chunk) for chunk in chunks)))  # type: ignore[call-overload]
    assert (head.error_code, head.records_size) == (70, 0)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_head_cut_anywhere_is_malformed_and_nothing_else(version: int) -> None:
    frame = response(version)
    whole = read_fetch_head(version, memoryview(frame))
    for size in range(whole.records_position):
        with pytest.raises(MalformedFrameError):
            read_fetch_head(version, memoryview(frame)[:size])


def test_transactions_are_not_for_a_consumer_that_reads_uncommitted() -> None:
    frame = response(16, aborted=[AbortedTransaction(1, 2)])
    with pytest.raises(MalformedFrameError, match="1 aborted"):
        read_fetch_head(16, memoryview(frame))
