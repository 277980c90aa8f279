"""Reading a metadata log from disk: Kafka's own, snapshots, open transactions, torn tails."""

from __future__ import annotations

from pathlib import Path

import pytest

from kfast.broker.metadata_replay import replay
from kfast.errors import LogDirectoryError
from kfast.record.builder import RecordBatchBuilder
from kfast.record.metadata_records import (
    TOPIC_RESOURCE,
    AbortTransactionRecord,
    BeginTransactionRecord,
    EndTransactionRecord,
    FeatureLevelRecord,
    MetadataRecord,
    UnknownMetadataRecord,
    encode,
    uuid_to_text,
)

LOG = f"{0:020d}.log"


def batch(base_offset: int, *records: MetadataRecord, epoch: int = 1) -> bytes:
    builder = RecordBatchBuilder(base_offset, leader_epoch=epoch)
    for record in records:
        builder.append(None, encode(record), 1_700_000_000_000)
    return bytes(builder.build())


def feature(name: str, level: int = 1) -> FeatureLevelRecord:
    return FeatureLevelRecord(name, level)


def test_topics_ids_and_configs_of_a_kafka_directory_are_those_kafka_named(golden) -> None:
    expected = golden.manifest["cases"]["12-kraft"]["topics"]
    image = replay(str(golden("12-kraft") / "log" / "__cluster_metadata-0")).image
    assert {
        topic.name: {
            "configs": dict(image.configs.get((TOPIC_RESOURCE, topic.name), {})),
            "partitions": len(topic.partitions),
            "topic_id": uuid_to_text(topic.topic_id),
        }
        for topic in image.topics.values()
    } == expected


def test_a_missing_directory_is_an_empty_log(tmp_path: Path) -> None:
    replayed = replay(str(tmp_path / "nowhere"))
    assert (replayed.end_offset, replayed.epoch, replayed.snapshot) == (0, 0, None)
    assert not (tmp_path / "nowhere").exists()


def test_records_of_a_transaction_count_from_its_end_on(tmp_path: Path) -> None:
    log = tmp_path / LOG
    begun = batch(0, feature("before"), BeginTransactionRecord("x"), feature("inside"))
    log.write_bytes(begun)
    assert dict(replay(str(tmp_path)).image.features) == {"before": 1}
    assert replay(str(tmp_path)).has_open_transaction
    log.write_bytes(begun + batch(3, EndTransactionRecord(), feature("after")))
    assert dict(replay(str(tmp_path)).image.features) == {"before": 1, "inside": 1, "after": 1}
    assert not replay(str(tmp_path)).has_open_transaction
    log.write_bytes(begun + batch(3, AbortTransactionRecord("no"), feature("after")))
    assert dict(replay(str(tmp_path)).image.features) == {"before": 1, "after": 1}


@pytest.mark.parametrize("cut", [1, 30, 62])
def test_a_torn_tail_ends_the_log_and_stays_as_it_is(tmp_path: Path, cut: int) -> None:
    log = tmp_path / LOG
    torn = batch(0, feature("whole"), epoch=4) + batch(1, feature("torn"))[:-cut]
    log.write_bytes(torn)
    replayed = replay(str(tmp_path))
    assert (dict(replayed.image.features), replayed.end_offset, replayed.epoch) == ({"whole": 1}, 1, 4)
    assert log.read_bytes() == torn


def test_a_damaged_batch_ends_the_log(tmp_path: Path) -> None:
    damaged = bytearray(batch(1, feature("damaged")))
    damaged[-3] ^= 1
    (tmp_path / LOG).write_bytes(batch(0, feature("whole")) + damaged + batch(2, feature("behind")))
    assert dict(replay(str(tmp_path)).image.features) == {"whole": 1}


def test_a_snapshot_stands_for_the_log_below_its_end(tmp_path: Path) -> None:
    (tmp_path / f"{2:020d}-{7:010d}.checkpoint").write_bytes(batch(0, feature("kept", 2)))
    (tmp_path / f"{1:020d}-{7:010d}.checkpoint").write_bytes(b"older, not read")
    (tmp_path / f"{9:020d}-{7:010d}.checkpoint.part").write_bytes(b"unfinished, not read")
    (tmp_path / LOG).write_bytes(batch(0, feature("dropped"), feature("kept", 1), feature("new"), epoch=6))
    replayed = replay(str(tmp_path))
    assert dict(replayed.image.features) == {"kept": 2, "new": 1}
    assert (replayed.end_offset, replayed.epoch, replayed.snapshot) == (3, 7, (2, 7))


def test_a_log_whose_early_segments_a_snapshot_replaced(tmp_path: Path) -> None:
    (tmp_path / f"{5:020d}-{1:010d}.checkpoint").write_bytes(batch(0, feature("old")))
    (tmp_path / f"{5:020d}.log").write_bytes(batch(5, feature("new")))
    replayed = replay(str(tmp_path))
    assert dict(replayed.image.features) == {"old": 1, "new": 1}
    assert (replayed.log_start_offset, replayed.end_offset) == (5, 6)


def test_a_log_that_ends_before_its_snapshot_starts_anew_behind_it(tmp_path: Path) -> None:
    (tmp_path / f"{5:020d}-{1:010d}.checkpoint").write_bytes(batch(0, feature("all")))
    assert (replay(str(tmp_path)).log_start_offset, replay(str(tmp_path)).end_offset) == (5, 5)
    (tmp_path / LOG).write_bytes(batch(0, feature("some")) + b"damaged")
    assert (replay(str(tmp_path)).log_start_offset, replay(str(tmp_path)).end_offset) == (5, 5)


def test_a_gap_between_snapshot_and_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / f"{5:020d}-{1:010d}.checkpoint").write_bytes(batch(0, feature("old")))
    (tmp_path / f"{6:020d}.log").write_bytes(batch(6, feature("new")))
    with pytest.raises(LogDirectoryError, match="from 5 on"):
        replay(str(tmp_path))


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:-1] + b"\xff"])
def test_a_damaged_snapshot_is_refused(tmp_path: Path, damage) -> None:
    (tmp_path / f"{5:020d}-{1:010d}.checkpoint").write_bytes(damage(batch(0, feature("old"))))
    with pytest.raises(LogDirectoryError, match="snapshot"):
        replay(str(tmp_path))


def test_a_record_kfast_must_not_lose_is_refused_with_its_offset(tmp_path: Path) -> None:
    (tmp_path / LOG).write_bytes(batch(0, feature("a"), UnknownMetadataRecord(18, 0, b"\x00")))
    with pytest.raises(LogDirectoryError, match=r"offset 1: .*ACL"):
        replay(str(tmp_path))
