"""ListOffsets, OffsetForLeaderEpoch and DeleteRecords: kfast and Kafka over copies of one directory answer alike.

All but the number of the current leader epoch: Kafka elects a leader at each start, which kfast has no need of.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import kfast
from kfast.client.cluster import ask, connect
from kfast.client.connection import ClientConnection
from kfast.record.batches import iter_batches
from kfast.wire.api_versions import ApiKey

Place = tuple[str, int]
Answers = list[tuple[Any, ...]]

LOG_DIRECTORIES = {
    "01-plain": "log",
    "03-edge-records": "log",
    "04-log-append-time": "log",
    "05-idempotent": "log",
    "06-transactions": "log",
    "07-compaction": "after-second",
    "08-deleted": "log",
    "11-time-index": "log",
    "12-kraft": "log",
}

NAMES = range(-6, 0)
"""Latest, earliest, largest timestamp, earliest local, last tiered, and one that there is not."""

MOST_TIMESTAMPS = 60
ISOLATION_LEVELS = (0, 1)
DELETED_BELOW = (0, 3, 1, 10**9, -2, 7, 25, -1, 5)
SOON = timedelta(seconds=30)

LATER = str(10**9)
SETTINGS = {"log.cleaner.enable": "false", "log.retention.check.interval.ms": LATER}


class Asker:
    """Asks one broker the same about every partition. The current leader epoch is shown as `current`."""

    def __init__(self, connection: ClientConnection, places: list[Place]) -> None:
        self._connection = connection
        self._places = places
        described = ask(connection, ApiKey.METADATA, topics=None, allow_auto_topic_creation=False)
        self.epochs = {
            (topic.name, partition.partition_index): partition.leader_epoch
            for topic in described.topics
            for partition in topic.partitions
        }

    def list_offsets(self, timestamp_ms: int, isolation_level: int) -> Answers:
        topics = self._topics("name", "partition_index", timestamp=lambda _: timestamp_ms)
        answer = ask(
            self._connection, ApiKey.LIST_OFFSETS, replica_id=-1, isolation_level=isolation_level, topics=topics
        )
        return [
            (*place, int(one.error_code), one.timestamp, one.offset, self._shown(place, one.leader_epoch))
            for place, one in self._by_place(answer)
        ]

    def epoch_ends(self, epoch: Callable[[Place], int]) -> Answers:
        topics = self._topics("topic", "partition", leader_epoch=epoch)
        answer = ask(self._connection, ApiKey.OFFSET_FOR_LEADER_EPOCH, replica_id=-1, topics=topics)
        return [
            (*place, int(one.error_code), self._shown(place, one.leader_epoch), one.end_offset)
            for place, one in self._by_place(answer)
        ]

    def delete_records(self, offset: int) -> Answers:
        topics = self._topics("name", "partition_index", offset=lambda _: offset)
        answer = ask(self._connection, ApiKey.DELETE_RECORDS, topics=topics, timeout=SOON)
        return [(*place, int(one.error_code), one.low_watermark) for place, one in self._by_place(answer)]

    def _topics(self, name: str, number: str, **asked: Callable[[Place], int]) -> list[dict[str, Any]]:
        topics: dict[str, list[dict[str, int]]] = {}
        for place in self._places:
            partition = {number: place[1], **{key: value(place) for key, value in asked.items()}}
            topics.setdefault(place[0], []).append(partition)
        return [{name: topic, "partitions": partitions} for topic, partitions in topics.items()]

    def _by_place(self, answer: Any) -> list[tuple[Place, Any]]:
        found = {}
        for topic in answer.topics:
            name = topic.topic if hasattr(topic, "topic") else topic.name
            for one in topic.partitions:
                found[name, one.partition if hasattr(one, "partition") else one.partition_index] = one
        assert len(found) == len(self._places)
        return sorted(found.items())

    def _shown(self, place: Place, epoch: int) -> int | str:
        return "current" if epoch == self.epochs[place] else epoch


def timestamps(broker: kfast.Broker, places: list[Place]) -> list[int]:
    """Of records that are there, and a millisecond before and after."""
    found = set()
    for place in places:
        for segment in broker.log(*place).segments:
            for batch in iter_batches(segment.records.slice(0, segment.size_bytes).read()):
                found |= {record.timestamp_ms for record in batch.records()}
    near = sorted({max(0, timestamp_ms + step) for timestamp_ms in found for step in (-1, 0, 1)})
    return sorted({*near[:: max(1, len(near) // MOST_TIMESTAMPS)], *near[-3:]})


@pytest.mark.parametrize("case", LOG_DIRECTORIES)
def test_every_answer_is_kafkas(golden: Any, tmp_path: Path, start_kafka: Any, case: str) -> None:
    directory = golden.extract(case, tmp_path / "kafka") / LOG_DIRECTORIES[case]
    topics = golden.manifest["cases"][case]["topics"]
    places = [(name, number) for name, topic in topics.items() for number in range(topic["partitions"])]
    shutil.copytree(directory, tmp_path / "kfast")
    settings = {name.replace(".", "_"): value for name, value in SETTINGS.items()}
    kafka = start_kafka(directory, **settings, log_initial_task_delay_ms=LATER)
    with (
        kfast.Broker(tmp_path / "kfast", config=SETTINGS) as broker,
        connect(kafka.bootstrap_servers) as to_kafka,
        connect(broker.bootstrap_servers) as to_kfast,
    ):
        theirs, ours = Asker(to_kafka, places), Asker(to_kfast, places)
        for timestamp_ms in [*NAMES, *timestamps(broker, places)]:
            for isolation_level in ISOLATION_LEVELS:
                found = ours.list_offsets(timestamp_ms, isolation_level)
                assert found == theirs.list_offsets(timestamp_ms, isolation_level), timestamp_ms
        for epoch in range(-1, min(ours.epochs.values())):
            assert ours.epoch_ends(lambda _, epoch=epoch: epoch) == theirs.epoch_ends(lambda _, epoch=epoch: epoch)
        for step in (0, 1):
            assert ours.epoch_ends(lambda place, step=step: ours.epochs[place] + step) == theirs.epoch_ends(
                lambda place, step=step: theirs.epochs[place] + step
            )
        for offset in DELETED_BELOW:
            assert ours.delete_records(offset) == theirs.delete_records(offset), offset
            for timestamp_ms in (*NAMES, 0):
                assert ours.list_offsets(timestamp_ms, 1) == theirs.list_offsets(timestamp_ms, 1), (
                    offset,
                    timestamp_ms,
                )


def everything(asker: Asker) -> list[Answers]:
    return [asker.list_offsets(timestamp_ms, 1) for timestamp_ms in (*NAMES, 0, 1_760_000_000_500)]


def test_each_finds_what_the_other_deleted(golden: Any, tmp_path: Path, start_kafka: Any) -> None:
    directory = golden.extract("01-plain", tmp_path) / "log"
    topics = golden.manifest["cases"]["01-plain"]["topics"]
    places = [(name, number) for name, topic in topics.items() for number in range(topic["partitions"])]
    settings = SETTINGS | {"log.retention.ms": "-1"}
    with kfast.Broker(directory, config=settings) as broker, connect(broker.bootstrap_servers) as connection:
        asker = Asker(connection, places)
        assert {low_watermark for *_, low_watermark in asker.delete_records(77)} == {77}
        assert broker.logs.delete_old_segments() > 0
        kept = everything(asker)
    kafka = start_kafka(directory, log_retention_ms="-1", log_initial_task_delay_ms=LATER)
    with connect(kafka.bootstrap_servers) as connection:
        asker = Asker(connection, places)
        assert everything(asker) == kept
        assert {low_watermark for *_, low_watermark in asker.delete_records(111)} == {111}
        kept = everything(asker)
    kafka.stop()
    with kfast.Broker(directory, config=settings) as broker, connect(broker.bootstrap_servers) as connection:
        assert everything(Asker(connection, places)) == kept
