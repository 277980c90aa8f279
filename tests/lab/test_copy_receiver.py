import socket
import sys

import pytest

from kfast.errors import KfastError
from kfast.lab import copy_receiver
from kfast.lab.copy_receiver import CopyReceiver


@pytest.fixture
def accepted():
    """A receiver and the peer it has accepted."""
    receiver = CopyReceiver({})
    with socket.create_connection(("127.0.0.1", receiver.ready()["port"])) as peer:
        assert receiver.answer("accept", {}) == {}
        yield receiver, peer
    receiver.close()


@pytest.mark.parametrize(
    "is_discarded", [False, pytest.param(True, marks=pytest.mark.skipif(sys.platform != "linux", reason="MSG_TRUNC"))]
)
def test_it_takes_as_many_bytes_as_it_is_asked_to(is_discarded, accepted):
    receiver, peer = accepted
    peer.sendall(b"x" * 1000 + b"rest")
    answer = receiver.answer("receive", {"size": 1000, "is_discarded": is_discarded})
    assert answer["received_bytes"] == 1000
    assert receiver.answer("receive", {"size": 4, "is_discarded": False})["received_bytes"] == 4
    assert bytes(receiver._buffer[:4]) == b"rest"


@pytest.mark.skipif(sys.platform != "linux", reason="MSG_TRUNC discards on Linux only")
def test_a_discarded_byte_is_not_copied(accepted):
    receiver, peer = accepted
    peer.sendall(b"secret")
    receiver.answer("receive", {"size": 6, "is_discarded": True})
    assert bytes(receiver._buffer[:6]) == bytes(6)


def test_a_sender_that_ends_early_is_an_error_with_the_numbers(accepted):
    receiver, peer = accepted
    peer.sendall(b"x" * 10)
    peer.shutdown(socket.SHUT_WR)
    with pytest.raises(KfastError, match="2 of 12 bytes missing"):
        receiver.answer("receive", {"size": 12, "is_discarded": False})


def test_where_nothing_can_be_discarded_it_refuses(accepted, monkeypatch):
    monkeypatch.setattr(copy_receiver.sys, "platform", "darwin")
    with pytest.raises(ValueError, match="Linux's"):
        accepted[0].answer("receive", {"size": 1, "is_discarded": True})
