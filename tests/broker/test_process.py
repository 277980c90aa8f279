import os
import socket
import subprocess
import sys

import pytest

import kfast
from kfast.child_process import ChildError
from kfast.client.connection import ClientConnection
from kfast.wire.api_versions import ApiKey


@pytest.fixture(scope="module")
def broker():
    with kfast.BrokerProcess(config={"num.partitions": "3"}) as broker:
        yield broker


def address(broker: kfast.BrokerProcess) -> tuple[str, int]:
    host, _, port = broker.bootstrap_servers.rpartition(":")
    return host, int(port)


def test_it_is_another_process_and_ready(broker: kfast.BrokerProcess) -> None:
    assert broker.pid != os.getpid()
    with ClientConnection(*address(broker)) as connection:
        assert connection.address == broker.bootstrap_servers


def test_its_counts_are_final_once_its_clients_are_gone(broker: kfast.BrokerProcess) -> None:
    with (
        ClientConnection(*address(broker)),
        pytest.raises(ChildError, match="0 s after its clients the broker has 1 connections"),
    ):
        broker.metrics_at_rest(0)
    assert broker.metrics_at_rest()["connections"] == 0


def test_its_counts_can_be_read(broker: kfast.BrokerProcess) -> None:
    before = broker.metrics()
    with ClientConnection(*address(broker)) as connection:
        connection.call(ApiKey.API_VERSIONS, 0, b"")  # once this is answered, the first answer has been counted
        during = broker.metrics()
    assert during["requests"]["API_VERSIONS"] == before["requests"].get("API_VERSIONS", 0) + 2
    assert during["received_bytes"] > before["received_bytes"]
    assert during["inline_bytes"] > before["inline_bytes"]
    assert during["cpu_user_s"] + during["cpu_system_s"] > 0
    assert during["resident_bytes"] > 1 << 20
    assert during["sent_bytes"] == {"read_send": 0, "mmap_send": 0, "sendfile": 0, "splice": 0}


def test_its_copy_mode_can_be_set(broker: kfast.BrokerProcess) -> None:
    broker.set("kfast.copy.mode", "mmap_send")
    assert broker.metrics()["copy_mode"] == "mmap_send"
    with pytest.raises(ChildError, match="teleport"):
        broker.set("kfast.copy.mode", "teleport")


def test_what_keeps_it_from_starting_is_told() -> None:
    with pytest.raises(ChildError, match=r"no\.such\.key"):
        kfast.BrokerProcess(config={"no.such.key": "1"})


def test_it_stops_when_its_parent_is_killed() -> None:
    script = (
        "import kfast, os, signal\n"
        "broker = kfast.BrokerProcess()\n"
        "print(broker.bootstrap_servers, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    parent = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    host, _, port = parent.stdout.strip().rpartition(":")
    # its stderr, a pipe we have read to the end, was open in the broker too: so it has ended
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)


def test_it_says_which_certificate_to_trust(broker: kfast.BrokerProcess) -> None:
    assert broker.ssl_ca_location is None
    with kfast.BrokerProcess(listen="SSL://127.0.0.1:0") as encrypted:
        with ClientConnection(*address(encrypted), ssl_ca_location=encrypted.ssl_ca_location) as connection:
            assert connection.address == encrypted.bootstrap_servers
        during = encrypted.metrics()
    assert during["inline_bytes"] > 0
    assert set(during["sent_bytes"]) == {"tls"}
