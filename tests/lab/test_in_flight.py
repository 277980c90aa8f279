import pytest

from kfast.lab.in_flight import (
    APPENDED,
    CHANGES,
    ReaderGot,
    append_only_is_safe,
    overwriting_is_unsafe,
    what_readers_get,
)
from kfast.lab.unavailable import Unavailable
from kfast.transfer import modes
from kfast.transfer.modes import COPY_MODES, CPU_COPIES


@pytest.fixture
def got(disk_directory):
    return what_readers_get(disk_directory)


def test_every_change_is_tried_under_every_mode(got):
    found = [(one.change, one.copy_mode) for one in got if isinstance(one, ReaderGot)]
    assert len(got) == len(CHANGES) * len(COPY_MODES)
    assert len(set(found)) == len(found)


def test_appending_changes_nothing_for_any_reader(got):
    assert append_only_is_safe(got)
    assert all(one.is_what_was_there for one in got if one and one.change == APPENDED)


def test_zero_copy_delivers_the_future_and_mixtures_that_copies_do_not(got):
    values = {(one.change, one.copy_mode): (one.has_valid_crc, one.values) for one in got if isinstance(one, ReaderGot)}
    for mode in {mode for _, mode in values}:
        is_zero_copy = CPU_COPIES[mode] == 0
        assert values["overwritten", mode] == (True, "new" if is_zero_copy else "old")
        expected = (False, "new, then old") if is_zero_copy else (True, "old")
        assert values["half overwritten", mode] == expected


def test_a_sendfile_that_copies_is_noticed(disk_directory, monkeypatch):
    monkeypatch.setitem(COPY_MODES, "sendfile", modes.read_send)
    assert not overwriting_is_unsafe(what_readers_get(disk_directory))


def test_a_reader_reads_in_a_line():
    one = ReaderGot("half overwritten", "sendfile", False, "new, then old")
    assert str(one).split() == ["half", "overwritten", "sendfile", "CRC", "wrong", "new,", "then", "old"]
    assert not append_only_is_safe([ReaderGot(APPENDED, "sendfile", True, "new")])
    assert append_only_is_safe([ReaderGot(APPENDED, "sendfile", True, "old"), Unavailable("no splice here")])


def test_where_nothing_was_sent_nothing_is_shown():
    nothing = [Unavailable("no socket")]
    assert not append_only_is_safe(nothing)
    assert not overwriting_is_unsafe(nothing)
