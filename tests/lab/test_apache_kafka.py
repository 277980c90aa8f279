import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kfast.client.cluster import connect_to_leader, create_topic
from kfast.lab import apache_kafka
from kfast.lab.apache_kafka import ApacheKafka, KafkaMissingError, kafka_libs, kafka_version

HOLDER = """
import sys
from pathlib import Path
from kfast.lab.apache_kafka import ApacheKafka
kafka = ApacheKafka(Path(sys.argv[1]))
print(kafka.pid, flush=True)
sys.stdin.read()
"""


def is_running(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


@pytest.fixture
def libs(request, monkeypatch):
    monkeypatch.setenv("KFAST_KAFKA_LIBS", str(request.getfixturevalue("kafka_libs")))


@pytest.fixture
def some_java(monkeypatch):
    monkeypatch.setattr(apache_kafka.shutil, "which", lambda name: f"/usr/bin/{name}")


def test_without_java_it_says_so(monkeypatch):
    monkeypatch.setattr(apache_kafka.shutil, "which", lambda name: None)
    with pytest.raises(KafkaMissingError, match=r"no java on this machine; Apache Kafka 4\.1 needs Java 17"):
        kafka_libs()


def test_without_jars_it_says_how_to_get_them_and_names_no_folder(some_java, monkeypatch, tmp_path):
    monkeypatch.setenv("KFAST_KAFKA_LIBS", str(tmp_path))
    with pytest.raises(
        KafkaMissingError, match="no jars of Apache Kafka in the folder that KFAST_KAFKA_LIBS names"
    ) as raised:
        kafka_libs()
    assert "Maven" in str(raised.value)
    assert str(tmp_path) not in str(raised.value)


def test_the_jars_are_looked_for_in_the_cache_folder(some_java, monkeypatch, tmp_path):
    monkeypatch.delenv("KFAST_KAFKA_LIBS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(KafkaMissingError, match="in kfast/kafka-libs of the user's cache folder"):
        kafka_libs()
    (tmp_path / "kfast" / "kafka-libs").mkdir(parents=True)
    (tmp_path / "kfast" / "kafka-libs" / "kafka_2.13-4.1.0.jar").touch()
    assert kafka_libs() == tmp_path / "kfast" / "kafka-libs"
    assert kafka_version(kafka_libs()) == "4.1.0"


@pytest.mark.kafka
def test_it_answers_on_loopback_alone_and_nothing_is_left(libs, tmp_path):
    with ApacheKafka(tmp_path / "kafka") as kafka:
        create_topic(kafka.bootstrap_servers, "orders")
        leader = connect_to_leader(kafka.bootstrap_servers, "orders", 0)
        leader.connection.close()
        assert leader.connection.address.startswith("127.0.0.1:")
        assert kafka.congestion_control == "reno" or "reno unavailable" in kafka.congestion_control
        assert kafka.version.startswith("4.1.0 on Java ")
        assert "-Xmx1g" in Path(f"/proc/{kafka.pid}/cmdline").read_text().split("\0")
        pids = (kafka.pid, kafka._child.pid)
    kafka.stop()
    assert not any(map(is_running, pids))
    assert [path.name for path in tmp_path.iterdir()] == ["kafka"]


@pytest.mark.kafka
def test_a_setting_it_does_not_take_is_told_in_its_own_words(libs, tmp_path):
    with pytest.raises(KafkaMissingError, match=r"could not format .*num\.network\.threads: Value must be at least 1"):
        ApacheKafka(tmp_path / "kafka", {"num.network.threads": "0"})


@pytest.mark.kafka
def test_what_ends_while_it_starts_is_told_in_its_own_words(libs, tmp_path):
    with pytest.raises(KafkaMissingError, match=r"did not start: .*no\.such\.Authorizer"):
        ApacheKafka(tmp_path / "kafka", {"authorizer.class.name": "no.such.Authorizer"})


@pytest.mark.kafka
def test_it_ends_when_whoever_started_it_is_killed(libs, tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "kafka")]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    pid = int(holder.stdout.readline())
    assert is_running(pid)
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    deadline = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline:
        os.sched_yield()
    assert not is_running(pid)
