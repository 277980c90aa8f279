from kfast.transfer.loopback import loopback_pair


def test_what_one_end_sends_the_other_receives():
    first, second = loopback_pair()
    with first, second:
        first.sendall(b"there")
        assert second.recv(100) == b"there"
        second.sendall(b"back")
        assert first.recv(100) == b"back"
