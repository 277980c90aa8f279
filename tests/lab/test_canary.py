import os

import pytest

from kfast.lab.canary import SIZE, CanaryResult, canaries, canary, tls_canary
from kfast.transfer import modes
from kfast.transfer.modes import COPY_MODES


@pytest.mark.parametrize("mode", ["sendfile", "splice"])
@pytest.mark.parametrize("chunk_size", [4096, SIZE])
def test_zero_copy_delivers_every_byte_as_it_became(mode, chunk_size, disk_directory):
    found = canary(mode, disk_directory, chunk_size)
    assert found == CanaryResult(mode, SIZE, old_bytes=0, new_bytes=SIZE)
    assert found.is_zero_copy


@pytest.mark.parametrize("mode", ["read_send", "mmap_send"])
def test_a_copying_mode_delivers_every_byte_as_it_was(mode, disk_directory):
    found = canary(mode, disk_directory)
    assert found == CanaryResult(mode, SIZE, old_bytes=SIZE, new_bytes=0)
    assert not found.is_zero_copy


def test_tls_delivers_what_it_encrypted(disk_directory):
    assert tls_canary(disk_directory) == CanaryResult("tls", SIZE, old_bytes=SIZE, new_bytes=0)


def test_a_sendfile_that_secretly_copies_is_found_out(disk_directory, monkeypatch):
    monkeypatch.setitem(COPY_MODES, "sendfile", COPY_MODES["read_send"])
    assert not canary("sendfile", disk_directory).is_zero_copy


def test_all_modes_are_asked_and_no_file_is_left(disk_directory):
    assert list(canaries(disk_directory)) == list(COPY_MODES)
    assert os.listdir(disk_directory) == []


def test_a_mode_that_is_not_there_says_why(disk_directory, monkeypatch):
    monkeypatch.delattr(modes.os, "splice")
    assert "use sendfile" in canary("splice", disk_directory).reason


def test_the_finding_is_a_sentence():
    assert str(CanaryResult("sendfile", 10, 0, 10)) == (
        "sendfile: 10 of 10 bytes arrived as they became after the send: the socket held references to the page cache"
    )
    assert str(CanaryResult("read_send", 10, 10, 0)).endswith("the socket held a copy")
