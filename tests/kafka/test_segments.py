"""Apache Kafka's DumpLogSegments reads what a kfast broker wrote, internal logs included, without a complaint."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest

import kfast
from kfast.record.metadata_records import TOPIC_RESOURCE

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
COMPLAINTS = ("Mismatch", "mismatch", "isvalid: false", "invalid bytes", "Non-consecutive", "out of order", "rror")
COUNT = 4000
LIMIT_S = 60.0


@pytest.fixture(scope="module")
def written(java: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log directory with segments rolled in the middle of load by librdkafka, in every codec."""
    directory = tmp_path_factory.mktemp("written")
    settings = {"log.segment.bytes": "1048576", "log.index.interval.bytes": "1000", "offsets.topic.num.partitions": "2"}
    with kfast.Broker(directory, config=settings) as broker:
        broker.metadata.create_topic("append-time", 1, {"message.timestamp.type": "LogAppendTime"})
        broker.metadata.alter_configs(TOPIC_RESOURCE, "append-time", {"retention.ms": "-1"})
        for codec in CODECS:
            produce(broker, codec, codec, value_size=500)
            produce(broker, "append-time", codec, value_size=20)
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": broker.bootstrap_servers, "log_level": 0, "group.id": "readers"}
        )
        consumer.commit(offsets=[confluent_kafka.TopicPartition("none", 0, 7)], asynchronous=False)
        consumer.close()
    return directory


def produce(broker: kfast.Broker, topic: str, codec: str, value_size: int) -> None:
    producer = confluent_kafka.Producer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "log_level": 0,
            "compression.type": codec,
            "batch.num.messages": 37,
            "enable.idempotence": True,
        }
    )
    for number in range(COUNT):
        # a different text each time, or compression would leave too little to roll a segment
        text = b"".join(b"%x" % (number * number * step % 999_983) for step in range(1, value_size // 4))
        producer.produce(topic, text, b"key %d" % number, timestamp=1_760_000_000_000 + number * 13 % 500)
    assert producer.flush(LIMIT_S) == 0


def dump_log_segments(java: Any, *arguments: str | Path, files: list[Path]) -> str:
    output: str = java.run("kafka.tools.DumpLogSegments", *arguments, "--files", ",".join(map(str, files)))
    for complaint in COMPLAINTS:
        assert complaint not in output
    return output


def test_segments_and_indexes_are_read_without_complaint(java: Any, written: Path) -> None:
    directories = [written / f"{topic}-0" for topic in (*CODECS, "append-time")]
    files = sorted(path for directory in directories for path in directory.iterdir() if path.stem.isdigit())
    assert len([path for path in files if path.suffix == ".log"]) > len(directories), "segments have rolled"
    output = dump_log_segments(java, "--deep-iteration", files=files)
    batches = re.findall(r" count: (\d+) .* compresscodec: (\w+) .*isvalid: true", output)
    assert sum(int(count) for count, _ in batches) == 2 * COUNT * len(CODECS)
    assert {codec for _, codec in batches} == set(CODECS)
    assert len(re.findall(r"^offset: \d+ position: \d+$", output, re.MULTILINE)) > 500
    assert len(re.findall(r"^timestamp: \d+ offset: \d+$", output, re.MULTILINE)) > 10


def test_the_metadata_log_is_decoded(java: Any, written: Path) -> None:
    files = sorted((written / "__cluster_metadata-0").glob("*.log"))
    output = dump_log_segments(java, "--cluster-metadata-decoder", files=files)
    types = re.findall(r'"type":"(\w+)"', output)
    assert types.count("TOPIC_RECORD") == len(CODECS) + 2
    assert types.count("PARTITION_RECORD") == len(CODECS) + 1 + 2
    assert {"FEATURE_LEVEL_RECORD", "CONFIG_RECORD", "PRODUCER_IDS_RECORD"} <= set(types)
    assert '"resourceName":"append-time","name":"retention.ms","value":"-1"' in output


def test_committed_offsets_are_decoded(java: Any, written: Path) -> None:
    files = sorted(path for directory in written.glob("__consumer_offsets-*") for path in directory.glob("*.log"))
    output = dump_log_segments(java, "--offsets-decoder", files=files)
    assert '"group":"readers","topic":"none","partition":0' in output
    assert '"offset":7' in output
