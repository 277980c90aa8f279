import re
import threading
from pathlib import Path

import pytest

import kfast
from kfast.child_process import ChildError
from kfast.client.cluster import ask, connect
from kfast.lab import beside_session
from kfast.lab.apache_kafka import KafkaMissingError
from kfast.lab.beside_kafka import beside_arm
from kfast.lab.beside_loads import BYTES, CPU_PER_GB, FETCH, LIBRARY_PRODUCE, LOADS, PRODUCE
from kfast.lab.beside_session import CHECKING_KFAST, CLUSTER, KAFKA, KFAST, BesideSession, Extent, pacing_words
from kfast.lab.copy_session import CACHED_SHARE
from kfast.lab.experiment import ArmUnavailableError
from kfast.wire.api_versions import ApiKey

TINY = Extent(settle_s=0.0, measure_s=0.05, warm_up_s=0.0, read_bytes=1 << 20)


def topics(bootstrap_servers):
    with connect(bootstrap_servers) as connection:
        return [topic.name for topic in ask(connection, ApiKey.METADATA, topics=None).topics]


@pytest.fixture
def no_kafka(monkeypatch):
    def missing(*arguments):
        raise KafkaMissingError("there is no java on this machine")

    monkeypatch.setattr(beside_session, "ApacheKafka", missing)


def test_every_load_moves_something_on_kfast(disk_directory):
    arms, threads_before = [beside_arm(KFAST, load) for load in LOADS], threading.active_count()
    with BesideSession(disk_directory, arms, TINY) as session:
        for arm in arms:
            found = session.run(arm)
            assert found.values[BYTES] > 0, arm
            assert found.cpu_s["broker"] >= 0
        assert "congestion control reno" in session.conditions["clients and brokers"]
        assert re.search(r"kfast (\d+) of \1 pages cached, 0 dirty|unavailable", session.conditions["to read"])
        assert KAFKA not in session.conditions
    assert not list(disk_directory.iterdir())
    assert threading.active_count() <= threads_before


def test_where_kafka_is_missing_its_arms_say_why_and_the_others_go_on(disk_directory, no_kafka):
    arms = [beside_arm(KFAST, FETCH), beside_arm(KAFKA, FETCH)]
    with BesideSession(disk_directory, arms, TINY) as session:
        assert session.run(arms[0]).values[BYTES] > 0
        with pytest.raises(ArmUnavailableError, match="no java on this machine"):
            session.run(arms[1])


def test_a_named_cluster_is_measured_without_its_cpu_and_left_as_it_was(disk_directory):
    with kfast.Broker() as broker:
        cluster = broker.bootstrap_servers
        arms = [beside_arm(CLUSTER, load) for load in (FETCH, PRODUCE)]
        with BesideSession(disk_directory, arms, TINY, cluster) as session:
            for arm in arms:
                found = session.run(arm)
                assert found.values[BYTES] > 0
                assert str(found.values[CPU_PER_GB]) == "unavailable: not on this machine"
            assert session.conditions["to read"].endswith(f"{CLUSTER} unavailable: not on this machine")
            assert len(topics(cluster)) == 1, "the topic that is read"
            assert CLUSTER in session.conditions
        assert topics(cluster) == []


def test_a_cluster_that_does_not_answer_leaves_nothing_behind(disk_directory):
    arms = [beside_arm(KFAST, FETCH), beside_arm(CLUSTER, FETCH)]
    with pytest.raises(kfast.errors.KfastError, match=r"no broker answers at 127\.0\.0\.1:1"):
        BesideSession(disk_directory, arms, TINY, "127.0.0.1:1")
    assert not list(disk_directory.iterdir())


def test_a_run_that_fails_leaves_no_client_and_no_topic(disk_directory, monkeypatch):
    arm = beside_arm(KFAST, PRODUCE)
    with BesideSession(disk_directory, [arm], TINY) as session:
        servers = session._brokers[KFAST].bootstrap_servers
        monkeypatch.setattr(beside_session, "load_measurement", interrupted)
        with pytest.raises(KeyboardInterrupt):
            session.run(arm)
        assert topics(servers) == []
    assert not list(disk_directory.iterdir())


def test_one_kfast_looks_at_records_and_the_other_does_not(disk_directory):
    arms = [beside_arm(broker, PRODUCE) for broker in (KFAST, CHECKING_KFAST)]
    with BesideSession(disk_directory, arms, TINY) as session:
        assert all(session.run(arm).values[BYTES] > 0 for arm in arms)
        assert "kfast.validate.records=true" in session.conditions[CHECKING_KFAST]
        assert "to read" not in session.conditions
        for broker, is_asked in ((KFAST, "false"), (CHECKING_KFAST, "true")):
            with connect(session._brokers[broker].bootstrap_servers) as connection:
                resource = {"resource_type": 4, "resource_name": "1", "configuration_keys": None}
                found = ask(connection, ApiKey.DESCRIBE_CONFIGS, resources=[resource])
                values = {config.name: config.value for config in found.results[0].configs}
            assert values["kfast.validate.records"] == is_asked


def interrupted(*arguments):
    raise KeyboardInterrupt


def test_without_the_library_its_arms_say_so(disk_directory, monkeypatch):
    arm = beside_arm(KFAST, LIBRARY_PRODUCE)
    monkeypatch.setattr("kfast.lab.beside_loads.importlib.util.find_spec", lambda name: None)
    with (
        BesideSession(disk_directory, [arm], TINY) as session,
        pytest.raises(ArmUnavailableError, match="confluent-kafka is not installed"),
    ):
        session.run(arm)


def test_a_client_that_fails_is_told_in_its_own_words(disk_directory):
    arm = beside_arm(KFAST, FETCH)
    with BesideSession(disk_directory, [arm], TINY) as session:
        session._brokers[KFAST] = beside_session.RunningBroker("127.0.0.1:1", None)
        with pytest.raises(ChildError, match="no broker answers"):
            session.run(arm)


def test_pacing_is_said_where_reno_could_not_be_set():
    assert "pacing" not in pacing_words("reno")
    assert "bbr (reno unavailable: no right)" in pacing_words("bbr (reno unavailable: no right)")
    assert "include the pacing" in pacing_words("bbr (reno unavailable: no right)")


@pytest.mark.kafka
def test_kafka_runs_beside_kfast_and_ends_with_it(disk_directory, kafka_libs, monkeypatch):
    monkeypatch.setenv("KFAST_KAFKA_LIBS", str(kafka_libs))
    arms = [beside_arm(broker, load) for load in (FETCH, PRODUCE) for broker in (KFAST, KAFKA)]
    with BesideSession(disk_directory, arms, TINY) as session:
        pid = session._brokers[KAFKA].pid
        for arm in arms:
            found = session.run(arm)
            assert found.values[BYTES] > 0
            assert found.cpu_s["broker"] > 0
            assert not LOADS[arm["load"]].reads or found.values[CACHED_SHARE] == 1
        assert re.match(r"4\.1\.0 on Java \d+.*; warmed up by 0 s of each load", session.conditions[KAFKA])
        assert session.conditions["to read"].count(" pages cached, 0 dirty") == 2
    assert not Path(f"/proc/{pid}").exists()
    assert not list(disk_directory.iterdir())
