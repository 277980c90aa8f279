"""One node of Apache Kafka 4.1, broker and controller in one, to measure beside kfast: loopback only, data where asked.

    with ApacheKafka(directory) as kafka:
        kafka.bootstrap_servers, kafka.pid

Needs Java 17 or newer and Kafka's jars: those of $KFAST_KAFKA_LIBS, or of the user's cache folder. Its settings are
Kafka's own defaults, the options of its Java machine those of Kafka's own start script, but for a heap of 1 GiB that
neither grows nor shrinks. Its parent is a small process that ends it when told to, and when its own parent is gone.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from kfast.child_process import ChildProcess, Json, run_child
from kfast.client.cluster import ask, connect
from kfast.errors import KfastError
from kfast.lab.congestion import set_listener_congestion_control
from kfast.wire.api_versions import ApiKey

LIBS_VARIABLE: Final = "KFAST_KAFKA_LIBS"
HEAP: Final = "1g"
JAVA_OPTIONS: Final = (  # KAFKA_JVM_PERFORMANCE_OPTS of bin/kafka-run-class.sh
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:MaxInlineLevel=15",
    "-Djava.awt.headless=true",
)
SETTINGS: Final = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
}
LOGGING: Final = """\
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %p %c: %m%n
"""
CLUSTER_ID: Final = "AAAAAAAAAAAAAAAAAAAAZg"
START_LIMIT_S: Final = 60.0
STOP_LIMIT_S: Final = 6.0
"""Less than the parent's patience with its child (`child_process.STOP_TIMEOUT_S`); a clean stop takes one to two."""

_POLL_S: Final = 0.05
_MODULE: Final = "kfast.lab.apache_kafka"


class KafkaMissingError(KfastError):
    """Java or Kafka's jars are not here, or it did not start; the message says which, and how to get it."""


def kafka_libs() -> Path:
    """The folder with Kafka's jars. Raises KafkaMissingError where it or Java is missing; no message names a folder."""
    if shutil.which("java") is None:
        raise KafkaMissingError("there is no java on this machine; Apache Kafka 4.1 needs Java 17 or newer")
    named = os.environ.get(LIBS_VARIABLE)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    libs = Path(named) if named else cache / "kfast" / "kafka-libs"
    if not any(libs.glob("kafka_*.jar")):
        place = f"the folder that {LIBS_VARIABLE} names" if named else "kfast/kafka-libs of the user's cache folder"
        raise KafkaMissingError(
            f"no jars of Apache Kafka in {place}: let {LIBS_VARIABLE} name the folder libs of an unpacked Kafka "
            "4.1, or have Maven fetch them (dependency:copy-dependencies with kfast's .ci/kafka-pom.xml, or a pom.xml "
            "that names org.apache.kafka's kafka_2.13, kafka-tools and kafka-server 4.1.0)"
        )
    return libs


def kafka_version(libs: Path) -> str:
    """By the name of its jar, such as kafka_2.13-4.1.0.jar, which begins with Scala's version."""
    return min(libs.glob("kafka_*.jar")).stem.partition("-")[2]


def java_version() -> str:
    """What `java -version` says first: the version in quotes."""
    said = subprocess.run(
        ["java", "-version"], capture_output=True, text=True, timeout=START_LIMIT_S, check=False
    ).stderr
    found = re.search(r'"(.+?)"', said)
    return found[1] if found else _last_words(said)


class ApacheKafka:
    """Formatted, started, and answering when the constructor returns; `stop` or the end of a `with` block ends it.

    `directory` is made; its data, settings and output lie there and stay for the caller to remove. `settings` are
    Kafka's broker settings. Raises KafkaMissingError. `version` is that of Kafka and of Java, `congestion_control` says
    what the connections it accepts have.
    """

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        libs = kafka_libs()
        self.version = f"{kafka_version(libs)} on Java {java_version()}"
        port, controller_port = free_ports(2)
        self.bootstrap_servers = f"127.0.0.1:{port}"
        self.data_dir = directory / "data"
        directory.mkdir(parents=True, exist_ok=True)
        self._output = directory / "output"
        self._properties = directory / "server.properties"
        self._properties.write_text(server_properties(self.data_dir, port, controller_port, settings or {}))
        (directory / "log4j2.properties").write_text(LOGGING)
        self._java = ["java", f"-Dlog4j2.configurationFile={directory / 'log4j2.properties'}", "-cp", f"{libs}/*"]
        self._format()
        command = [self._java[0], f"-Xms{HEAP}", f"-Xmx{HEAP}", *JAVA_OPTIONS, *self._java[1:], "kafka.Kafka"]
        self._child = ChildProcess(_MODULE, {"command": [*command, str(self._properties)], "output": str(self._output)})
        try:
            self._wait_until_it_answers()
            self.congestion_control = set_listener_congestion_control(self.pid, port)
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """Kafka's own process."""
        return int(self._child.ready["pid"])

    def stop(self) -> None:
        """End it cleanly, or by force where that takes longer than STOP_LIMIT_S. Calling it twice does no harm."""
        self._child.stop()

    def _format(self) -> None:
        command = [*self._java, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(self._properties)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=START_LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            raise KafkaMissingError(f"Apache Kafka did not format its directory in {START_LIMIT_S} s") from None
        if done.returncode:
            raise KafkaMissingError(
                f"Apache Kafka could not format its directory (it needs Java 17 or newer): {_last_words(done.stderr)}"
            )

    def _wait_until_it_answers(self) -> None:
        """Until it names itself as a broker: its port is open before that."""
        deadline = time.monotonic() + START_LIMIT_S
        while not self._answers():
            if self._child.ask("status")["status"] is not None or time.monotonic() > deadline:
                words = _last_words(self._output.read_text(errors="replace"))
                raise KafkaMissingError(f"Apache Kafka did not start: {words}")
            time.sleep(_POLL_S)

    def _answers(self) -> bool:
        try:
            with connect(self.bootstrap_servers, timeout_s=5.0) as connection:
                return bool(ask(connection, ApiKey.METADATA, topics=[], allow_auto_topic_creation=False).brokers)
        except (KfastError, OSError):
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"ApacheKafka({self.bootstrap_servers!r})"


class KafkaService:
    """The child's side: it is Kafka's parent, and outlives nobody."""

    def __init__(self, settings: Json) -> None:
        with open(settings["output"], "wb") as output:
            self._process = subprocess.Popen(
                settings["command"], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )

    def ready(self) -> Json:
        return {"pid": self._process.pid}

    def answer(self, request: str, arguments: Json) -> Json:
        if request != "status":
            raise ValueError(f"Apache Kafka's parent answers status, not {request!r}")
        return {"status": self._process.poll()}

    def close(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def server_properties(data_dir: Path, port: int, controller_port: int, settings: Mapping[str, str]) -> str:
    """The text of a node's server.properties."""
    address, controller = f"127.0.0.1:{port}", f"127.0.0.1:{controller_port}"
    places = {
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{address},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{address}",
        "log.dirs": str(data_dir),
    }
    return "".join(f"{key}={value}\n" for key, value in {**SETTINGS, **places, **settings}.items())


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]


def _last_words(output: str) -> str:
    """The last line that says something, without a stack trace."""
    lines = [line.strip() for line in output.splitlines() if line.strip() and not line.startswith(("\t", " "))]
    return lines[-1] if lines else "it said nothing"


if __name__ == "__main__":
    run_child(KafkaService)
