import pytest

from kfast.lab import cold_send
from kfast.lab.cold_send import SENT_SIZE, SentOnce, send_cold_and_warm
from kfast.lab.residency import Residency
from kfast.lab.unavailable import Unavailable


def test_a_cold_page_is_waited_for_though_the_socket_never_waits():
    found = send_cold_and_warm()
    if isinstance(found, Unavailable):
        pytest.skip(found.reason)
    cold, warm = found
    assert (cold.sent_bytes, warm.sent_bytes) == (SENT_SIZE, SENT_SIZE)
    assert cold.waited_for_the_disk
    assert cold.sleeps > 0
    assert not warm.waited_for_the_disk
    assert warm.cached_before.cached_pages >= SENT_SIZE // 4096


def test_it_says_why_where_nothing_can_be_made_cold(monkeypatch):
    monkeypatch.setattr(cold_send, "make_cold", lambda fd: Residency(256, 3, 0, 0))
    assert str(send_cold_and_warm()) == (
        "unavailable: the file stays in the page cache: 3 of 256 pages cached, 0 dirty"
    )


def test_its_words():
    assert str(SentOnce(Residency(256, 0, 0, 0), 65_536, 1, 1_500_000)) == (
        "0 of 256 pages cached, 0 dirty: sent 65,536 bytes in 1.500 ms, the thread slept once"
    )
