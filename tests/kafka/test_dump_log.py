"""`kfast dump-log --json` says of segments that Apache Kafka has just written what Kafka's DumpLogSegments says."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiokafka
import confluent_kafka
import kafka as kafka_python
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from kfast.log.dump import dump, is_invalid

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
JAVA_CODECS = ("none", "snappy", "lz4")
"""Those whose framing differs most between the clients; each is a Java process."""
LIMIT_S = 60.0
NOW_MS = 1_760_000_000_000
COMPLAINTS = ("Mismatch", "mismatch", "isvalid: false", "invalid bytes", "Non-consecutive", "out of order")

TOPICS: dict[str, dict[str, str]] = {
    **{f"librdkafka-{codec}": {"segment.bytes": "1048576", "index.interval.bytes": "500"} for codec in CODECS},
    **{f"kafka-python-{codec}": {"index.interval.bytes": "0"} for codec in CODECS},
    **{f"aiokafka-{codec}": {} for codec in CODECS},
    **{f"java-{codec}": {"index.interval.bytes": "1000"} for codec in JAVA_CODECS},
    **{f"recompressed-{codec}": {"compression.type": codec} for codec in CODECS[1:]},
    "append-time": {"message.timestamp.type": "LogAppendTime", "index.interval.bytes": "100"},
    "append-time-zstd": {"message.timestamp.type": "LogAppendTime", "compression.type": "zstd"},
    "transactions": {"index.interval.bytes": "100"},
    "compacted": {
        "cleanup.policy": "compact",
        "segment.ms": "60000",
        "index.interval.bytes": "100",
        "min.cleanable.dirty.ratio": "0.001",
        "delete.retention.ms": "86400000",
    },
}


@pytest.fixture(scope="module")
def written(start_shared_kafka: Any, java: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Log directories of one Apache Kafka: a copy as it is while the node runs, and after a clean stop."""
    workspace = tmp_path_factory.mktemp("written")
    kafka = start_shared_kafka(workspace / "stopped", log_cleaner_backoff_ms="100")
    servers = kafka.bootstrap_servers
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    created = admin.create_topics([NewTopic(name, 1, 1, config=config) for name, config in TOPICS.items()])
    for future in created.values():
        future.result(LIMIT_S)
    for codec in CODECS:
        produce(servers, f"librdkafka-{codec}", 2500, codec=codec, **{"enable.idempotence": True})
        produce_by_kafka_python(servers, f"kafka-python-{codec}", codec)
    for codec in JAVA_CODECS:
        produce_by_java(java, servers, codec)
    asyncio.run(produce_by_aiokafka(servers))
    for codec in CODECS[1:]:
        produce(servers, f"recompressed-{codec}", 200, codec="none")
    for topic in ("append-time", "append-time-zstd"):
        for codec in CODECS:
            produce(servers, topic, 60, codec=codec)
    transact(servers)
    write_what_is_compacted(servers, kafka.directory)
    shutil.copytree(kafka.directory, workspace / "running", ignore=vanishing)
    kafka.stop()
    return {"stopped": kafka.directory, "running": workspace / "running"}


def vanishing(_: str, names: list[str]) -> list[str]:
    return [name for name in names if name.endswith((".tmp", ".deleted", ".cleaned", ".swap"))]


def value(number: int) -> bytes:
    return b"value %d " % number + b"abc " * (number % 150)


def produce(servers: str, topic: str, count: int, codec: str, **settings: Any) -> None:
    """Through librdkafka: keys, null keys, headers, tombstones, in batches of up to 40 records."""
    producer = confluent_kafka.Producer(
        {
            "bootstrap.servers": servers,
            "log_level": 0,
            "compression.type": codec,
            "batch.num.messages": 40,
            **settings,
        }
    )
    for number in range(count):
        producer.produce(
            topic,
            value(number) if number % 17 else None,
            b"key %d" % (number % 20) if number % 3 else None,
            timestamp=NOW_MS + number * 7 % 1000,
            headers=[("name", b"x"), ("null", None)] if number % 11 == 0 else None,
        )
    assert producer.flush(LIMIT_S) == 0


def produce_by_kafka_python(servers: str, topic: str, codec: str) -> None:
    producer = kafka_python.KafkaProducer(
        bootstrap_servers=servers, compression_type=None if codec == "none" else codec, batch_size=2000, linger_ms=5
    )
    for number in range(150):
        producer.send(topic, value(number), b"key", [("name", b"x")], timestamp_ms=NOW_MS - number)
    producer.flush(LIMIT_S)
    producer.close()


async def produce_by_aiokafka(servers: str) -> None:
    for codec in CODECS:
        producer = aiokafka.AIOKafkaProducer(
            bootstrap_servers=servers, compression_type=None if codec == "none" else codec, max_batch_size=3000
        )
        await producer.start()
        sends = [await producer.send(f"aiokafka-{codec}", value(number), timestamp_ms=NOW_MS) for number in range(150)]
        await asyncio.gather(*sends)
        await producer.stop()


def produce_by_java(java: Any, servers: str, codec: str) -> None:
    java.run(
        "org.apache.kafka.tools.ProducerPerformance",
        *("--topic", f"java-{codec}", "--num-records", "2000", "--record-size", "100", "--throughput", "-1"),
        *("--producer-props", f"bootstrap.servers={servers}", f"compression.type={codec}", "batch.size=3000"),
    )


def transact(servers: str) -> None:
    """Commit, abort, commit, and leave one open; by two producers, one after the other."""
    for name in ("one", "two"):
        producer = confluent_kafka.Producer({"bootstrap.servers": servers, "log_level": 0, "transactional.id": name})
        producer.init_transactions(LIMIT_S)
        for end in (producer.commit_transaction, producer.abort_transaction, producer.commit_transaction, None):
            producer.begin_transaction()
            for number in range(30):
                producer.produce("transactions", value(number), b"key")
            assert producer.flush(LIMIT_S) == 0
            if end is not None:
                end(LIMIT_S)


def write_what_is_compacted(servers: str, directory: Path) -> None:
    """Write over the same keys, a segment an hour of record time, until the cleaner has been there."""
    producer = confluent_kafka.Producer({"bootstrap.servers": servers, "log_level": 0, "batch.num.messages": 10})
    for number in range(400):
        key = b"key %d" % (number % 23)
        text = None if number % 29 == 0 else value(number)
        producer.produce("compacted", text, key, timestamp=NOW_MS + number // 100 * 3_600_000)
    assert producer.flush(LIMIT_S) == 0
    limit = time.monotonic() + LIMIT_S
    checkpoint = directory / "cleaner-offset-checkpoint"
    while not checkpoint.exists() or "compacted 0 " not in checkpoint.read_text():
        assert time.monotonic() < limit, "the cleaner has not come"
        producer.poll(0.05)


# What each of the two says


Entry = dict[str, Any]


@pytest.fixture(scope="module", params=["stopped", "running"])
def files(request: pytest.FixtureRequest, written: dict[str, Path]) -> list[Path]:
    """All segments and indexes of the topics; those of a running node still have their preallocated indexes."""
    directory = written[request.param]
    return sorted(
        path
        for path in directory.glob("*-0/*")
        if path.suffix in (".log", ".index", ".timeindex") and not path.parent.name.startswith("__")
    )


@pytest.fixture(scope="module")
def by_kafka(java: Any, files: list[Path]) -> dict[Path, list[Entry]]:
    """What DumpLogSegments says of each file, in the form of dump-log."""
    output = java.run(
        "kafka.tools.DumpLogSegments", "--print-data-log", "--files", ",".join(str(path) for path in files)
    )
    for complaint in COMPLAINTS:
        assert complaint not in output
    entries: dict[Path, list[Entry]] = {path: [] for path in files}
    for line in output.splitlines():
        if line.startswith("Dumping "):
            current = entries[Path(line.removeprefix("Dumping "))]
        elif entry := parse(line):
            current.append(entry)
    return entries


@pytest.fixture(scope="module")
def by_kfast(files: list[Path]) -> dict[Path, list[Entry]]:
    """What `kfast dump-log --json --deep` says of each file; it has to find nothing wrong."""
    command = [sys.executable, "-m", "kfast", "dump-log", "--json", "--deep", *map(str, files)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert ended.returncode == 0, ended.stderr or [line for line in ended.stdout.splitlines() if '"error"' in line]
    entries: dict[Path, list[Entry]] = {path: [] for path in files}
    for line in ended.stdout.splitlines():
        entry = json.loads(line)
        if "file" in entry:
            current = entries[Path(entry.pop("file"))]
        current.append(entry)
    return entries


def parse(line: str) -> Entry | None:
    """A line of DumpLogSegments as the object that dump-log prints; of a record only what the line says."""
    words = dict(re.findall(r"(\w+): (\[[^]]*]|\S*)", line))
    if line.startswith("baseOffset: "):
        return parse_batch(words)
    if line.startswith("| offset: "):
        return parse_record(line, words)
    if line.startswith("offset: "):
        return {"type": "offset_index_entry", "offset": int(words["offset"]), "position": int(words["position"])}
    if line.startswith("timestamp: "):
        return {"type": "time_index_entry", "timestamp_ms": int(words["timestamp"]), "offset": int(words["offset"])}
    assert line.startswith("Log starting offset: ") or line.endswith("index is empty."), line
    return None


def parse_batch(words: dict[str, str]) -> Entry:
    timestamp_type = "CreateTime" if "CreateTime" in words else "LogAppendTime"
    horizon = re.findall(r"\d+", words["deleteHorizonMs"])
    return {
        "type": "batch",
        "base_offset": int(words["baseOffset"]),
        "last_offset": int(words["lastOffset"]),
        "count": int(words["count"]),
        "base_sequence": int(words["baseSequence"]),
        "last_sequence": int(words["lastSequence"]),
        "producer_id": int(words["producerId"]),
        "producer_epoch": int(words["producerEpoch"]),
        "partition_leader_epoch": int(words["partitionLeaderEpoch"]),
        "is_transactional": words["isTransactional"] == "true",
        "is_control": words["isControl"] == "true",
        "delete_horizon_ms": int(horizon[0]) if horizon else None,
        "position": int(words["position"]),
        "timestamp_type": timestamp_type,
        "max_timestamp_ms": int(words[timestamp_type]),
        "size_bytes": int(words["size"]),
        "magic": int(words["magic"]),
        "compression": words["compresscodec"],
        "crc": int(words["crc"]),
        "is_valid": words["isvalid"] == "true",
    }


def parse_record(line: str, words: dict[str, str]) -> Entry:
    timestamp_ms = words.get("CreateTime") or words["LogAppendTime"]
    return {
        "type": "record",
        "offset": int(words["offset"]),
        "timestamp_ms": int(timestamp_ms),
        "key_size": int(words["keySize"]),
        "value_size": int(words["valueSize"]),
        "header_names": words["headerKeys"].strip("[]"),
        "text": line.partition("] ")[2] if "endTxnMarker" not in words else "",
    }


def as_kafka_shows(entry: Entry) -> Entry:
    """A record of dump-log with no more than what DumpLogSegments prints of it."""
    key, value = (None if entry[name] is None else base64.b64decode(entry[name]) for name in ("key", "value"))
    shown = [f"{name}: {data.decode()}" for name, data in (("key", key), ("payload", value)) if data is not None]
    return {
        "type": "record",
        "offset": entry["offset"],
        "timestamp_ms": entry["timestamp_ms"],
        "key_size": -1 if key is None else len(key),
        "value_size": -1 if value is None else len(value),
        "header_names": ",".join(name for name, _ in entry["headers"]),
        "text": " ".join(shown),
    }


def of_type(entries: Sequence[Entry], *types: str) -> list[Entry]:
    return [entry for entry in entries if entry["type"] in types]


def test_the_segments_hold_what_these_tests_are_about(by_kafka: dict[Path, list[Entry]]) -> None:
    batches = [batch for entries in by_kafka.values() for batch in of_type(entries, "batch")]
    assert {batch["compression"] for batch in batches} == set(CODECS)
    assert {batch["timestamp_type"] for batch in batches} == {"CreateTime", "LogAppendTime"}
    assert {(batch["is_transactional"], batch["is_control"]) for batch in batches} == {(0, 0), (1, 0), (1, 1)}
    assert any(batch["count"] <= batch["last_offset"] - batch["base_offset"] for batch in batches), "compacted"
    assert any(batch["delete_horizon_ms"] for batch in batches)
    assert len({batch["producer_id"] for batch in batches}) > 10
    assert len([path for path in by_kafka if path.parent.name == "compacted-0" and path.suffix == ".log"]) > 1


def test_batches_are_the_same(by_kafka: dict[Path, list[Entry]], by_kfast: dict[Path, list[Entry]]) -> None:
    for path, entries in by_kafka.items():
        assert of_type(by_kfast[path], "batch") == of_type(entries, "batch"), path


def test_records_are_the_same_and_follow_their_batches(
    by_kafka: dict[Path, list[Entry]], by_kfast: dict[Path, list[Entry]]
) -> None:
    for path, entries in by_kafka.items():
        control_offsets = {batch["base_offset"] for batch in of_type(entries, "batch") if batch["is_control"]}
        ours = [
            entry if entry["type"] == "batch" else as_kafka_shows(entry)
            for entry in by_kfast[path]
            if entry["type"] in ("batch", "record")
        ]
        for entry in ours:
            if entry["type"] == "record" and entry["offset"] in control_offsets:
                entry["text"] = ""  # DumpLogSegments explains markers
        assert ours == of_type(entries, "batch", "record"), path


def test_index_entries_are_the_same(by_kafka: dict[Path, list[Entry]], by_kfast: dict[Path, list[Entry]]) -> None:
    count = 0
    for path, entries in by_kafka.items():
        base_offset = int(path.stem)
        empty = (
            {"type": "offset_index_entry", "offset": base_offset, "position": 0},
            {"type": "time_index_entry", "timestamp_ms": 0, "offset": base_offset},
        )
        # DumpLogSegments takes the zeros of an index that holds nothing yet for one entry
        theirs = [entry for entry in of_type(entries, "offset_index_entry", "time_index_entry") if entry not in empty]
        assert of_type(by_kfast[path], "offset_index_entry", "time_index_entry") == theirs, path
        count += len(theirs)
    assert count > 500


def test_a_whole_log_directory_of_kafkas_is_valid(written: dict[str, Path]) -> None:
    """With its internal topics and its metadata log, snapshots too."""
    entries = list(dump([written["stopped"]], deep=True))
    assert not [entry for entry in entries if is_invalid(entry)]
    seen = {Path(entry["file"]).parent.name for entry in entries if entry["type"] == "batch"}
    assert {"__cluster_metadata-0", "__transaction_state-0", "compacted-0"} <= seen
