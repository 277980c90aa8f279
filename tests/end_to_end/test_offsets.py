"""Where partitions begin and end, and where in them a time is."""

from __future__ import annotations

from typing import Any

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient, OffsetSpec

from kfast.record.record import Record

TIMES_MS = (5000, 1000, 7000, 7000, 3000, 9000)
"""Of records 0 to 5, out of order as producers' clocks may have it."""
LIMIT_S = 20


@pytest.fixture
def timed(clients: Any, topic: str) -> str:
    """A topic with one record a batch for each time above, and two more records in one batch."""
    writer = clients["confluent-kafka"]
    for offset, time_ms in enumerate(TIMES_MS):
        writer.produce(topic, [Record(offset, time_ms, None, b"%d" % offset)])
    writer.produce(topic, [Record(6, 20_000, None, b"6"), Record(7, 21_000, None, b"7")])
    return topic


@pytest.mark.parametrize(
    ("timestamp_ms", "offset"), [(0, 0), (5000, 0), (5001, 2), (7001, 5), (20_000, 6), (20_001, 7), (21_001, None)]
)
def test_the_first_record_not_earlier_than_a_time(
    client: Any, timed: str, timestamp_ms: int, offset: int | None
) -> None:
    assert client.offset_for_timestamp(timed, timestamp_ms) == offset


def test_a_consumer_seeks_to_a_time(client: Any, timed: str) -> None:
    offset = client.offset_for_timestamp(timed, 9000)
    assert [record.value for record in client.consume(timed, offset=offset)] == [b"5", b"6", b"7"]


def test_a_partition_begins_and_ends(client: Any, clients: Any, topic: str) -> None:
    clients["confluent-kafka"].produce(topic, [Record(0, 1, None, b"x")] * 7)
    assert client.range(topic) == (0, 7)


def test_the_admin_lists_earliest_latest_and_newest(clients: Any, timed: str) -> None:
    admin = AdminClient({"bootstrap.servers": clients["confluent-kafka"].bootstrap_servers})
    place = confluent_kafka.TopicPartition(timed, 0)
    found = {}
    for name, spec in (
        ("earliest", OffsetSpec.earliest()),
        ("latest", OffsetSpec.latest()),
        ("newest", OffsetSpec.max_timestamp()),
        ("at 6000", OffsetSpec.for_timestamp(6000)),
    ):
        result = admin.list_offsets({place: spec}, request_timeout=LIMIT_S)[place].result(LIMIT_S)
        found[name] = (result.offset, result.timestamp)
    assert found == {"earliest": (0, -1), "latest": (8, -1), "newest": (7, 21_000), "at 6000": (2, 7000)}
