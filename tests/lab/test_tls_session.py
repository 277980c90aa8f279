from pathlib import Path

import pytest

from kfast.child_process import ChildError
from kfast.lab import tls_session
from kfast.lab.experiment import ArmUnavailableError
from kfast.lab.tls_cost import consume_arm, produce_arm
from kfast.lab.tls_session import (
    PLAINTEXT,
    SSL,
    Listener,
    Moment,
    copies,
    measurement,
    open_tls_session,
    tls_missing,
)
from kfast.lab.unavailable import Unavailable

LOG_SIZE = 1 << 20


def broker(second, cpu_s, sent=0, copied=0, appended=0):
    return {
        "monotonic_ns": int(second * 1e9),
        "cpu_user_s": cpu_s / 2,
        "cpu_system_s": cpu_s / 2,
        "sent_bytes": {"sendfile": 0, "tls": sent},
        "cpu_copied_bytes": copied,
        "appended_bytes": appended,
    }


def client(second, cpu_s, size):
    return {"monotonic_ns": int(second * 1e9), "cpu_user_s": cpu_s, "cpu_system_s": 0.0, "bytes": size}


def moment(client_counts, broker_counts):
    return Moment(client_counts, broker_counts, Unavailable("made up"))


def test_each_process_is_measured_by_what_it_moved_itself():
    before = moment(client(10.0, 1.0, 10**9), broker(10.1, 2.0, sent=10**9))
    after = moment(client(12.0, 2.0, 3 * 10**9), broker(12.1, 4.0, sent=5 * 10**9))
    found = measurement(before, after, {"cpu_copies": 3.0})
    assert found.values["broker_cpu_s_per_gb"] == pytest.approx(0.5)
    assert found.values["broker_user_cpu_s_per_gb"] == pytest.approx(0.25)
    assert found.values["client_cpu_s_per_gb"] == pytest.approx(0.5)
    assert found.values["throughput_bytes_per_s"] == pytest.approx(1e9)
    assert found.values["cpu_copies"] == 3.0
    assert found.cpu_s == {"broker": pytest.approx(2.0), "client": pytest.approx(1.0)}
    assert found.elapsed_s == pytest.approx(2.0)
    assert found.limited_by == "broker CPU"


def test_what_a_producer_sends_counts_as_well():
    before, after = (
        moment(client(0, 0.0, 0), broker(0, 0.0)),
        moment(client(1, 0.5, 10**9), broker(1, 1.0, 0, 0, 10**9)),
    )
    assert measurement(before, after, {}).values["broker_cpu_s_per_gb"] == pytest.approx(1.0)


def test_where_nothing_moved_there_is_no_figure():
    found = measurement(moment(client(0, 0.0, 0), broker(0, 0.0)), moment(client(1, 0.1, 0), broker(1, 0.1)), {})
    assert found.values["broker_cpu_s_per_gb"] == Unavailable("nothing moved in this run")
    assert found.values["client_cpu_s_per_gb"] == Unavailable("nothing moved in this run")


def test_copies_are_those_of_the_bytes_sent_in_between():
    assert copies(broker(0, 0.0, sent=100, copied=200), broker(1, 0.0, sent=300, copied=800)) == 3
    assert copies(broker(0, 0.0), broker(1, 0.0)) == Unavailable("nothing is sent")


def processes():
    """The pids of all children that this process has now."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except OSError:  # it has ended meanwhile
            continue
        if fields["PPid"].strip() == str(Path("/proc/self").resolve().name):
            found.add(int(fields["Pid"]))
    return found


def test_neither_logs_nor_processes_outlive_a_session_that_is_stopped_in_the_middle(tmp_path, monkeypatch):
    before, during = processes(), set()

    def stop(client, broker):
        during.update(processes() - before)
        raise KeyboardInterrupt

    def run():
        with open_tls_session(tmp_path, [LOG_SIZE], 0.0, 0.0) as session:
            session.run(produce_arm(SSL))

    monkeypatch.setattr(Moment, "now", stop)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert len(during) == 3, "two brokers and a client"
    assert processes() == before
    assert list(tmp_path.iterdir()) == []


def test_a_broker_that_fails_with_tls_fails_the_session_in_its_own_words(tmp_path, monkeypatch):
    def listener(directory, security_protocol, log_sizes):
        if security_protocol == SSL:
            raise ChildError("kfast.broker.process (pid 1) ended with status -11")
        return Listener(directory, security_protocol, log_sizes)

    monkeypatch.setattr(tls_session, "Listener", listener)
    with (
        pytest.raises(ChildError, match="ended with status -11"),
        open_tls_session(tmp_path, [LOG_SIZE], 0.0, 0.0),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_only_what_this_machine_lacks_is_a_reason_to_leave_tls_out(monkeypatch):
    assert tls_missing() is None
    monkeypatch.setattr("kfast.lab.tls_session.importlib.util.find_spec", lambda name: None)
    assert tls_missing() == Unavailable("to make a certificate takes cryptography: pip install 'kfast[tls]'")
    monkeypatch.setattr("kfast.lab.tls_session.ssl.HAS_TLSv1_2", False)
    monkeypatch.setattr("kfast.lab.tls_session.ssl.HAS_TLSv1_3", False)
    assert tls_missing() == Unavailable("Python's OpenSSL has neither TLS 1.2 nor 1.3")


def test_without_tls_its_arms_say_why_and_the_others_run(tmp_path, monkeypatch):
    monkeypatch.setattr(tls_session, "tls_missing", lambda: Unavailable("pip install 'kfast[tls]'"))
    with open_tls_session(tmp_path, [LOG_SIZE], 0.0, 0.01) as session:
        assert session.conditions["encryption"].startswith("unavailable: pip install")
        with pytest.raises(ArmUnavailableError, match=r"pip install 'kfast\[tls\]'"):
            session.run(consume_arm("tls", LOG_SIZE))
        assert session.run(produce_arm(PLAINTEXT)).cpu_s["broker"] > 0
