"""What a stopped Apache Kafka left is served as it is, and is Kafka's again when kfast has stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kfast.broker.broker import Broker
from kfast.broker.directory_check import check_directory
from kfast.log.dump import dump
from kfast.record.metadata_records import TOPIC_RESOURCE, uuid_to_text

CASES = [
    "01-plain",
    "02-codecs",
    "03-edge-records",
    "04-log-append-time",
    "05-idempotent",
    "06-transactions",
    "08-deleted",
    "09-groups",
    "10-crash",
    "11-time-index",
    "12-kraft",
]


def served_as_kafka_did(directory: Path, case: dict[str, Any], partitions: dict[str, Any]) -> None:
    with Broker(directory, config={"log.cleaner.enable": "false"}) as broker:
        for name, topic in case["topics"].items():
            found = broker.metadata.topics[name]
            assert uuid_to_text(found.topic_id) == topic["topic_id"]
            assert len(found.partitions) == topic["partitions"]
            assert broker.metadata.configs(TOPIC_RESOURCE, name) == topic["configs"]
            for number in found.partitions:
                log, facts = broker.log(name, number), partitions[f"{name}-{number}"]
                assert log.log_end_offset == (facts["end_offset"] or 0)
                assert log.log_start_offset == facts.get("log_start_offset", 0)
    assert check_directory(directory).findings == ()


def digests(directory: Path) -> dict[str, list[int]]:
    """CRCs of all batches, by partition."""
    found: dict[str, list[int]] = {}
    for entry in dump([directory]):
        if entry["type"] == "batch" and not Path(entry["file"]).parent.name.startswith("__cluster"):
            found.setdefault(Path(entry["file"]).parent.name, []).append(entry["crc"])
    return found


@pytest.mark.parametrize("case", CASES)
def test_a_stopped_kafkas_directory_just_works(golden: Any, tmp_path: Path, case: str) -> None:
    facts = golden.manifest["cases"][case]
    ((logdir, of_logdir),) = facts["logdirs"].items()
    directory = golden.extract(case, tmp_path) / logdir
    before = digests(directory)
    served_as_kafka_did(directory, facts, of_logdir["partitions"])
    assert digests(directory) == before


def test_one_with_compacted_topics_too(golden: Any, tmp_path: Path) -> None:
    facts = golden.manifest["cases"]["07-compaction"]
    directory = golden.extract("07-compaction", tmp_path) / "after-second"
    served_as_kafka_did(directory, facts, facts["logdirs"]["after-second"]["partitions"])
