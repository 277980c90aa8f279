import os
import socket

import pytest

from kfast.lab import congestion
from kfast.lab.congestion import set_congestion_control, set_listener_congestion_control


@pytest.fixture
def sock():
    with socket.socket() as sock:
        yield sock


def test_reno_is_set_and_read_back(sock):
    found = set_congestion_control(sock)
    assert found.startswith("unavailable:") or found == "reno" or "reno unavailable" in found
    if found == "reno":
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0") == b"reno"


def test_one_the_kernel_does_not_have_leaves_what_was_and_says_so(sock):
    if not hasattr(socket, "TCP_CONGESTION"):
        pytest.skip("no TCP_CONGESTION on this platform")
    before = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode()
    assert set_congestion_control(sock, "nosuch").startswith(f"{before} (nosuch unavailable: ")


def test_another_platform_says_so(sock, monkeypatch):
    monkeypatch.delattr(congestion.sockets, "TCP_CONGESTION")
    assert set_congestion_control(sock).startswith("unavailable: ")


def test_a_listener_is_set_from_outside_and_what_it_accepts_inherits_it():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        found = set_listener_congestion_control(os.getpid(), port)
        if found != "reno":
            assert "(reno unavailable: " in found
            pytest.skip(found)
        with socket.create_connection(("127.0.0.1", port)), listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0") == b"reno"
        assert listener.fileno() > 0, "the listener itself stays open"


def test_a_listener_that_is_not_there_is_said_to_be_missing():
    found = set_listener_congestion_control(os.getpid(), 1)
    assert f"process {os.getpid()} does not listen at port 1" in found or "pidfd" in found


def test_a_process_that_is_not_there_has_no_listener():
    assert "(reno unavailable: " in set_listener_congestion_control(2**22 + 1, 1)
