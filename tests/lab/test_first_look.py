"""A first look moves bytes in each mode, and the broker counts copies where there are some."""

from __future__ import annotations

from kfast.lab.data_way import Station
from kfast.lab.first_look import first_look


def test_each_mode_takes_its_own_way():
    looks = first_look(seconds=0.1)
    assert list(looks) == ["read_send", "sendfile"]
    copying, zero_copy = looks["read_send"], looks["sendfile"]
    assert copying.sent_bytes > 0
    assert zero_copy.sent_bytes > 0
    assert copying.copies_a_byte == 2.0
    assert zero_copy.copies_a_byte == 0.0
    assert zero_copy.way.hop(Station.PAGE_CACHE, Station.APPLICATION).is_skipped
    assert not copying.way.hop(Station.PAGE_CACHE, Station.APPLICATION).is_skipped
