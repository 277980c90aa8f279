"""Apache Kafka's own command line tools, and with them its Java clients, work against kfast."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import kfast

COUNT = 5000
VALUE_SIZE = 200


class Tools:
    """The tools by their shell names, all told the same broker."""

    def __init__(self, java: Any, bootstrap_servers: str) -> None:
        self._java = java
        self.bootstrap_servers = bootstrap_servers

    def _run(self, main_class: str, *arguments: str, stdin: str | None = None, status: int = 0) -> str:
        output: str = self._java.run(
            main_class, "--bootstrap-server", self.bootstrap_servers, *arguments, stdin=stdin, status=status
        )
        return output

    def topics(self, *arguments: str, status: int = 0) -> str:
        return self._run("org.apache.kafka.tools.TopicCommand", *arguments, status=status)

    def configs(self, *arguments: str) -> str:
        return self._run("kafka.admin.ConfigCommand", *arguments)

    def delete_records(self, offsets: Path) -> str:
        return self._run("org.apache.kafka.tools.DeleteRecordsCommand", "--offset-json-file", str(offsets))

    def get_offsets(self, *arguments: str) -> str:
        return self._run("org.apache.kafka.tools.GetOffsetShell", *arguments)

    def consumer_groups(self, *arguments: str) -> str:
        return self._run("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", *arguments)

    def console_producer(self, *arguments: str, stdin: str) -> str:
        return self._run("org.apache.kafka.tools.ConsoleProducer", *arguments, stdin=stdin)

    def console_consumer(self, *arguments: str) -> str:
        return self._run("org.apache.kafka.tools.consumer.ConsoleConsumer", *arguments)

    def broker_api_versions(self) -> str:
        return self._run("org.apache.kafka.tools.BrokerApiVersionsCommand")

    def consumer_perf_test(self, *arguments: str) -> str:
        return self._run("org.apache.kafka.tools.ConsumerPerformance", *arguments)

    def producer_perf_test(self, topic: str, *properties: str) -> str:
        output: str = self._java.run(
            "org.apache.kafka.tools.ProducerPerformance",
            *("--topic", topic, "--num-records", str(COUNT), "--record-size", str(VALUE_SIZE), "--throughput", "-1"),
            *("--producer-props", f"bootstrap.servers={self.bootstrap_servers}", *properties),
        )
        return output


@pytest.fixture(scope="module")
def broker(java: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[kfast.Broker]:
    with kfast.Broker(tmp_path_factory.mktemp("data")) as broker:
        yield broker


@pytest.fixture(scope="module")
def tools(java: Any, broker: kfast.Broker) -> Tools:
    return Tools(java, broker.bootstrap_servers)


def test_kafka_topics(tools: Tools, broker: kfast.Broker) -> None:
    tools.topics("--create", "--topic", "made", "--partitions", "3", "--config", "retention.ms=1000000")
    assert "made" in tools.topics("--list").split()
    described = tools.topics("--describe", "--topic", "made")
    assert re.search(r"Topic: made\tTopicId: \S{22}\tPartitionCount: 3\tReplicationFactor: 1\tConfigs: ", described)
    assert "retention.ms=1000000" in described
    assert described.count("Leader: 1\tReplicas: 1\tIsr: 1") == 3
    tools.topics("--create", "--topic", "made", status=1)
    tools.topics("--create", "--topic", "made", "--if-not-exists")
    tools.topics("--delete", "--topic", "made")
    assert "made" not in tools.topics("--list").split()
    assert broker.logs.get("made", 0) is None


def test_kafka_configs(tools: Tools, broker: kfast.Broker) -> None:
    tools.topics("--create", "--topic", "configured")
    topic = ("--entity-type", "topics", "--entity-name", "configured")
    tools.configs("--alter", *topic, "--add-config", "retention.ms=5000,cleanup.policy=[compact,delete]")
    described = tools.configs("--describe", *topic)
    assert "retention.ms=5000 sensitive=false" in described
    assert "DYNAMIC_TOPIC_CONFIG:retention.ms=5000" in described
    assert "cleanup.policy=compact,delete" in described
    tools.configs("--alter", *topic, "--delete-config", "retention.ms")
    assert "retention.ms" not in tools.configs("--describe", *topic)
    node = ("--entity-type", "brokers", "--entity-name", "1")
    tools.configs("--alter", *node, "--add-config", "kfast.copy.mode=splice")
    assert broker.copy_mode == "splice"
    assert "kfast.copy.mode=splice" in tools.configs("--describe", *node)
    assert "log.segment.bytes" in tools.configs("--describe", "--all", *node)


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_kafka_producer_perf_test(tools: Tools, broker: kfast.Broker, codec: str) -> None:
    """With idempotence on, which is the Java producer's default."""
    printed = tools.producer_perf_test(f"perf-{codec}", f"compression.type={codec}", "batch.size=16384")
    assert f"{COUNT} records sent" in printed
    assert broker.log(f"perf-{codec}", 0).log_end_offset == COUNT


def test_kafka_consumer_perf_test(tools: Tools) -> None:
    tools.producer_perf_test("consumed")
    printed = tools.consumer_perf_test("--topic", "consumed", "--messages", str(COUNT), "--timeout", "20000")
    header, line = printed.strip().splitlines()[-2:]
    measured = dict(zip(header.split(", "), line.split(", "), strict=True))
    assert int(measured["data.consumed.in.nMsg"]) == COUNT
    assert float(measured["data.consumed.in.MB"]) == pytest.approx(COUNT * VALUE_SIZE / 1024 / 1024, abs=0.001)


def test_kafka_get_offsets(tools: Tools) -> None:
    tools.topics("--create", "--topic", "offsets", "--partitions", "2")
    tools.console_producer("--topic", "offsets", "--sync", stdin="a\nb\nc\n")
    latest = tools.get_offsets("--topic", "offsets").split()
    assert [line[:10] for line in latest] == ["offsets:0:", "offsets:1:"]
    assert sum(int(line.rpartition(":")[2]) for line in latest) == 3
    assert tools.get_offsets("--topic", "offsets", "--time", "earliest").split() == ["offsets:0:0", "offsets:1:0"]
    assert "offsets:" in tools.get_offsets("--topic", "offsets", "--time", "max-timestamp")


def test_kafka_delete_records(tools: Tools, broker: kfast.Broker, tmp_path: Path) -> None:
    tools.topics("--create", "--topic", "trimmed")
    tools.console_producer("--topic", "trimmed", "--sync", stdin="a\nb\nc\n")
    file = tmp_path / "offsets.json"

    def delete(*offsets: tuple[int, int]) -> str:
        partitions = [{"topic": "trimmed", "partition": number, "offset": offset} for number, offset in offsets]
        file.write_text(json.dumps({"version": 1, "partitions": partitions}))
        return tools.delete_records(file)

    assert "partition: trimmed-0\tlow_watermark: 2" in delete((0, 2))
    assert tools.get_offsets("--topic", "trimmed", "--time", "earliest").split() == ["trimmed:0:2"]
    refused = delete((0, 4))
    assert re.search(r"partition: trimmed-0\terror: .*OffsetOutOfRangeException", refused)
    assert "partition: trimmed-0\tlow_watermark: 3" in delete((0, -1))
    assert broker.log("trimmed", 0).log_start_offset == 3


def test_kafka_console_producer_and_consumer(tools: Tools) -> None:
    lines = [f"h:{number}\tkey {number}\tvalue {number}" for number in range(50)]
    tools.console_producer(
        *("--topic", "lines", "--compression-codec", "lz4"),
        *("--property", "parse.key=true", "--property", "parse.headers=true", "--property", "headers.delimiter=\t"),
        stdin="".join(line + "\n" for line in lines),
    )
    printed = tools.console_consumer(
        *("--topic", "lines", "--from-beginning", "--max-messages", "50", "--timeout-ms", "20000"),
        *("--property", "print.key=true", "--property", "print.headers=true", "--property", "print.offset=true"),
    )
    assert printed.splitlines() == [f"Offset:{offset}\t{line}" for offset, line in enumerate(lines)]


def test_kafka_consumer_groups(tools: Tools) -> None:
    tools.console_producer("--topic", "grouped", stdin="".join(f"{number}\n" for number in range(10)))
    reading = ("--topic", "grouped", "--group", "readers", "--from-beginning", "--timeout-ms", "20000")
    assert tools.console_consumer(*reading, "--max-messages", "4").split() == ["0", "1", "2", "3"]
    assert "readers" in tools.consumer_groups("--list").split()
    assert described(tools) == {"CURRENT-OFFSET": "4", "LOG-END-OFFSET": "10", "LAG": "6"}
    assert "Empty" in tools.consumer_groups("--describe", "--group", "readers", "--state")
    assert tools.console_consumer(*reading, "--max-messages", "6").split() == ["4", "5", "6", "7", "8", "9"]
    tools.consumer_groups(
        "--reset-offsets", "--group", "readers", "--topic", "grouped", "--to-offset", "7", "--execute"
    )
    assert described(tools) == {"CURRENT-OFFSET": "7", "LOG-END-OFFSET": "10", "LAG": "3"}


def described(tools: Tools) -> dict[str, str]:
    lines = [line.split() for line in tools.consumer_groups("--describe", "--group", "readers").splitlines() if line]
    header, values = (line for line in lines if line[0] in ("GROUP", "readers"))
    table = dict(zip(header, values, strict=False))
    return {name: table[name] for name in ("CURRENT-OFFSET", "LOG-END-OFFSET", "LAG")}


def test_kafka_broker_api_versions(tools: Tools) -> None:
    printed = tools.broker_api_versions()
    assert re.search(r"Produce\(0\): 0 to 11 \[usable: 11\]", printed)
    assert re.search(r"Fetch\(1\): 4 to 16 \[usable: 16\]", printed)


def test_java_reads_the_same_in_another_copy_mode(tools: Tools, broker: kfast.Broker) -> None:
    tools.producer_perf_test("modes", "compression.type=zstd")
    for copy_mode in ("read_send", "splice"):
        broker.copy_mode = copy_mode
        printed = tools.consumer_perf_test("--topic", "modes", "--messages", str(COUNT), "--timeout", "20000")
        assert f", {COUNT}, " in printed.strip().splitlines()[-1]
