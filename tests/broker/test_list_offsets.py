"""ListOffsets and OffsetForLeaderEpoch, against what Apache Kafka 4.1 answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kfast.broker.broker import Broker
from kfast.record.builder import RecordBatchBuilder
from kfast.wire.api_versions import API_VERSIONS, ApiKey

LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED = -1, -2, -3, -4, -5


@pytest.fixture
def events(broker: Broker) -> str:
    """A topic of one partition with records at offsets 0, 1, 2, of the times 1000, 1020, 1010 ms."""
    broker.metadata.create_topic("events", 1)
    builder = RecordBatchBuilder()
    for timestamp_ms in (1000, 1020, 1010):
        builder.append(None, b"value", timestamp_ms)
    broker.log("events", 0).append(builder.build())
    return "events"


def list_offset(
    client: Any, topic: str, timestamp_ms: int, *, partition: int = 0, epoch: int = -1, version: int | None = None
) -> tuple[int, int, int]:
    asked = {"partition_index": partition, "current_leader_epoch": epoch, "timestamp": timestamp_ms}
    topics = [{"name": topic, "partitions": [asked]}]
    response = client.ask(ApiKey.LIST_OFFSETS, version, replica_id=-1, topics=topics)
    (found,) = response.topics[0].partitions
    return found.error_code, found.timestamp, found.offset


@pytest.mark.parametrize(
    ("timestamp_ms", "expected"),
    [
        (LATEST, (0, -1, 3)),
        (EARLIEST, (0, -1, 0)),
        (MAX_TIMESTAMP, (0, 1020, 1)),
        (EARLIEST_LOCAL, (0, -1, 0)),
        (LATEST_TIERED, (0, -1, -1)),
        (0, (0, 1000, 0)),
        (1000, (0, 1000, 0)),
        (1001, (0, 1020, 1)),
        (1020, (0, 1020, 1)),
        (1021, (0, -1, -1)),
        (10**15, (0, -1, -1)),
        (-6, (35, -1, -1)),
    ],
)
def test_offsets_by_time_and_by_name(client: Any, events: str, timestamp_ms: int, expected: Any) -> None:
    assert list_offset(client, events, timestamp_ms) == expected


@pytest.mark.parametrize("timestamp_ms", [MAX_TIMESTAMP, 0])
def test_an_empty_log_has_no_time(broker: Broker, client: Any, timestamp_ms: int) -> None:
    broker.metadata.create_topic("empty", 1)
    assert list_offset(client, "empty", timestamp_ms) == (0, -1, -1)


@pytest.mark.parametrize("version", range(API_VERSIONS[ApiKey.LIST_OFFSETS].min, 10))
def test_every_version_finds_both_ends(client: Any, events: str, version: int) -> None:
    assert list_offset(client, events, LATEST, version=version) == (0, -1, 3)
    assert list_offset(client, events, EARLIEST, version=version) == (0, -1, 0)


@pytest.mark.parametrize(
    ("timestamp_ms", "version"), [(MAX_TIMESTAMP, 6), (EARLIEST_LOCAL, 7), (LATEST_TIERED, 8), (-6, 9)]
)
def test_a_version_knows_only_the_names_of_its_time(client: Any, events: str, timestamp_ms: int, version: int) -> None:
    assert list_offset(client, events, timestamp_ms, version=version) == (35, -1, -1)


def test_the_leader_epoch_goes_with_an_offset(client: Any, events: str) -> None:
    def epoch(timestamp_ms: int) -> int:
        topics = [{"name": events, "partitions": [{"partition_index": 0, "timestamp": timestamp_ms}]}]
        found = client.ask(ApiKey.LIST_OFFSETS, replica_id=-1, topics=topics).topics[0].partitions[0]
        return found.leader_epoch

    assert [epoch(LATEST), epoch(1000), epoch(10**15)] == [0, 0, -1]


def test_the_end_of_an_open_transaction_has_the_epoch_of_whoever_goes_on_there(
    tmp_path: Path, golden: Any, connect: Any
) -> None:
    with Broker(golden.extract("06-transactions", tmp_path) / "log") as broker:
        topics = [{"name": "ledger", "partitions": [{"partition_index": 0, "timestamp": LATEST}]}]
        answer = connect(broker.port).ask(ApiKey.LIST_OFFSETS, replica_id=-1, isolation_level=1, topics=topics)
        (found,) = answer.topics[0].partitions
        assert (found.offset, found.leader_epoch) == (131, broker.metadata.leader_epoch("ledger", 0))
        assert broker.log("ledger", 0).leader_epochs.of(131) < found.leader_epoch


def test_unknown_partitions_and_epochs_are_answered_as_kafka_does(client: Any, events: str) -> None:
    assert list_offset(client, "nope", LATEST)[0] == 3
    assert list_offset(client, events, LATEST, partition=7)[0] == 3
    assert list_offset(client, events, LATEST, epoch=0) == (0, -1, 3)
    assert list_offset(client, events, LATEST, epoch=9) == (75, -1, -1)


def test_a_partition_twice_is_refused_twice(client: Any, events: str) -> None:
    asked = {"partition_index": 0, "timestamp": LATEST}
    topics = [{"name": events, "partitions": [asked, asked]}]
    response = client.ask(ApiKey.LIST_OFFSETS, replica_id=-1, topics=topics)
    assert [partition.error_code for partition in response.topics[0].partitions] == [42, 42]


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize(
    ("topic", "partition", "epoch", "current_epoch", "expected"),
    [
        ("events", 0, 0, -1, (0, 0, 3)),
        ("events", 0, 0, 0, (0, 0, 3)),
        ("events", 0, 1, -1, (0, -1, -1)),
        ("events", 0, -1, -1, (0, -1, -1)),
        ("events", 0, 0, 4, (75, -1, -1)),
        ("events", 9, 0, -1, (3, -1, -1)),
        ("nope", 0, 0, -1, (3, -1, -1)),
    ],
)
def test_where_an_epoch_ends(
    client: Any, events: str, version: int, topic: str, partition: int, epoch: int, current_epoch: int, expected: Any
) -> None:
    asked = {"partition": partition, "current_leader_epoch": current_epoch, "leader_epoch": epoch}
    topics = [{"topic": topic, "partitions": [asked]}]
    response = client.ask(ApiKey.OFFSET_FOR_LEADER_EPOCH, version, replica_id=-1, topics=topics)
    (end,) = response.topics[0].partitions
    assert (end.error_code, end.leader_epoch, end.end_offset) == expected


def test_an_epoch_of_the_past_has_all_its_records(tmp_path, golden, connect: Any) -> None:
    with Broker(golden.extract("12-kraft", tmp_path) / "log") as broker:
        other = connect(broker.port)
        assert broker.metadata.leader_epoch("events", 0) == 1
        topics = [{"topic": "events", "partitions": [{"partition": 0, "leader_epoch": 0}]}]
        (end,) = other.ask(ApiKey.OFFSET_FOR_LEADER_EPOCH, replica_id=-1, topics=topics).topics[0].partitions
        assert (end.leader_epoch, end.end_offset) == (0, 25)
