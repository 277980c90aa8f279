"""Apache Kafka for the tests of every layer: its command line tools, and a node of it over a directory.

Needs Java 17 or newer and the jars of Apache Kafka 4.1 (`mvn -f .ci/kafka-pom.xml dependency:copy-dependencies`), in
KFAST_KAFKA_LIBS or ~/.cache/kfast/kafka-libs. Without them the fixtures `java` and `start_kafka` skip their tests and
say so.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from kfast.lab.apache_kafka import CLUSTER_ID, LOGGING, free_ports, server_properties

LIMIT_S = 60.0

SETTINGS = {  # beside those of the lab's node
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "2",
    # a node that was killed waits for its own old session to end
    "broker.session.timeout.ms": "1500",
    "broker.heartbeat.interval.ms": "300",
    "log.initial.task.delay.ms": "100",
}


class Java:
    """Runs classes out of Apache Kafka's jars."""

    def __init__(self, libs: Path, workspace: Path) -> None:
        log4j = workspace / "log4j2.properties"
        log4j.write_text(LOGGING)
        # what starts fast rather than runs fast: these are short lives
        fast = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        self._command = ["java", f"-Dlog4j2.configurationFile={log4j}", "-Xmx512m", *fast, "-cp", f"{libs}/*"]

    def run(self, main_class: str, *arguments: str | Path, stdin: str | None = None, status: int = 0) -> str:
        """Run to the end and return what it printed; it has to exit with `status`."""
        command = [*self._command, main_class, *map(str, arguments)]
        ended = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        assert ended.returncode == status, f"{main_class}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    def start(self, main_class: str, *arguments: str | Path, errors: Path) -> subprocess.Popen[bytes]:
        with errors.open("ab") as file:
            return subprocess.Popen([*self._command, main_class, *map(str, arguments)], stdout=file, stderr=file)


class Kafka:
    """One node of Apache Kafka over `directory`; ready when the constructor returns."""

    def __init__(self, java: Java, directory: Path, bootstrap_servers: str, properties: Path) -> None:
        self.directory = directory
        self.bootstrap_servers = bootstrap_servers
        self._errors = directory.with_name(directory.name + ".kafka.err")
        self._process = java.start("kafka.Kafka", properties, errors=self._errors)
        self.wait_until_ready()

    @classmethod
    def formatted(cls, java: Java, directory: Path, settings: Mapping[str, str]) -> Self:
        """By the settings of these tests, and `settings`; a directory that is new is formatted first."""
        port, controller_port = free_ports(2)
        file = directory.with_name(directory.name + ".properties")
        file.write_text(server_properties(directory, port, controller_port, {**SETTINGS, **settings}))
        if not (directory / "meta.properties").exists():
            java.run("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", file)
        return cls(java, directory, f"127.0.0.1:{port}", file)

    def wait_until_ready(self) -> None:
        """Until it answers, and leads all partitions: its port is open a second before that."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        limit = time.monotonic() + LIMIT_S
        try:
            while not self._leads_all_partitions(admin):
                assert self._process.poll() is None, self.errors()
                assert time.monotonic() < limit, self.errors()
                admin.poll(0.1)
        except BaseException:
            self.kill()
            raise

    def _leads_all_partitions(self, admin: AdminClient) -> bool:
        try:
            topics = admin.list_topics(timeout=1).topics.values()
            places = [TopicPartition(topic.topic, partition) for topic in topics for partition in topic.partitions]
            for place in places:  # one request each: of several, one that failed takes the others with it
                admin.list_offsets({place: OffsetSpec.latest()}, request_timeout=1)[place].result()
        except KafkaException:
            return False
        return True

    def errors(self) -> str:
        return self._errors.read_text()

    def stop(self) -> None:
        """SIGTERM, and wait for the clean shutdown."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(LIMIT_S)
        assert (self.directory / ".kafka_cleanshutdown").exists(), self.errors()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
