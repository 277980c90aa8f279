import socket

import pytest

from kfast.errors import KafkaStorageError
from kfast.lab.copy_sender import BARE_SENDFILE, NOT_COUNTED, CopySender

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def sender_and_peer(tmp_path):
    path = tmp_path / "data.log"
    path.write_bytes(CONTENT)
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = CopySender({"path": str(path), "port": server.getsockname()[1]})
        peer, _ = server.accept()
    with peer:
        yield sender, peer
    sender.close()


@pytest.mark.parametrize(
    ("mode", "syscalls", "copied"),
    [("sendfile", 5, 0), (BARE_SENDFILE, 5, str(NOT_COUNTED)), ("read_send", 10, 20_000)],
)
def test_the_working_set_is_sent_again_and_again(mode, syscalls, copied, sender_and_peer):
    sender, peer = sender_and_peer
    arguments = {"copy_mode": mode, "chunk_size": 2000, "size": 10_000, "working_set_size": 4000, "fetch_size": 4000}
    answer = sender.answer("send", arguments)
    with peer.makefile("rb") as stream:
        assert stream.read(10_000) == CONTENT[:4000] * 2 + CONTENT[:2000]
    assert answer["sent_bytes"] == 10_000
    assert answer["syscalls"] == syscalls
    assert answer["cpu_copied_bytes"] == copied


@pytest.mark.parametrize("mode", ["sendfile", BARE_SENDFILE])
def test_strace_counts_the_same_calls(traced, tmp_path, mode):
    path = tmp_path / "data.log"
    path.write_bytes(CONTENT)
    arguments = {"copy_mode": mode, "chunk_size": 2000, "size": 10_000, "working_set_size": 4000, "fetch_size": 4000}
    with socket.create_server(("127.0.0.1", 0)) as server:  # which takes 10,000 bytes before anybody accepts
        settings = {"path": str(path), "port": server.getsockname()[1]}
        (_, answer), calls = traced("kfast.lab.copy_sender", [settings, {"request": "send", **arguments}])
    assert calls["sendfile"] == answer["syscalls"] == 5


def test_a_working_set_larger_than_the_file_is_refused(sender_and_peer):
    arguments = {"copy_mode": "splice", "chunk_size": 1, "size": 1, "working_set_size": 1 << 20, "fetch_size": 1}
    with pytest.raises(KafkaStorageError, match="1048576 bytes does not lie in"):
        sender_and_peer[0].answer("send", arguments)
