import os

from kfast.transfer import capability, modes
from kfast.transfer.capability import Capability, probe
from kfast.transfer.modes import COPY_MODES


def test_all_modes_work_on_this_file_system_and_the_probe_leaves_no_file(tmp_path):
    assert probe(tmp_path) == dict.fromkeys(COPY_MODES, Capability(True))
    assert os.listdir(tmp_path) == []


def test_a_mode_the_kernel_refuses_is_reported_with_its_words(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(22, "Invalid argument")

    monkeypatch.setitem(capability.COPY_MODES, "sendfile", refused)
    report = probe(tmp_path)
    assert report["sendfile"] == Capability(False, "[Errno 22] Invalid argument")
    assert report["read_send"].is_available


def test_a_mode_that_delivers_something_else_does_not_pass(tmp_path, monkeypatch):
    monkeypatch.setitem(capability.COPY_MODES, "splice", lambda socket, *_: socket.send(b"something else"))
    assert probe(tmp_path)["splice"] == Capability(False, "14 bytes arrived that are not the 16383 of the file")


def test_without_splice_the_others_work_and_the_reason_is_said(tmp_path, monkeypatch):
    monkeypatch.delattr(modes.os, "splice")
    report = probe(tmp_path)
    assert not report["splice"].is_available
    assert "use sendfile" in report["splice"].reason
    assert report["sendfile"].is_available
