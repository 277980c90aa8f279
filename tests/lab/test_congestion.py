import socket

import pytest

from kfast.lab import congestion
from kfast.lab.congestion import set_congestion_control


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
