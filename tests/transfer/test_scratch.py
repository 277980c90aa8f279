import fcntl
import os

import pytest

from kfast.transfer import scratch as scratch_module
from kfast.transfer.scratch import Scratch


def test_the_buffer_is_reused_and_grows():
    scratch = Scratch()
    first = scratch.buffer(100)
    first[:3] = b"abc"
    assert bytes(scratch.buffer(50)[:3]) == b"abc"
    assert len(scratch.buffer(5000)) >= 5000


def test_the_pipe_holds_a_chunk():
    scratch = Scratch()
    ends = scratch.pipe(1 << 20)
    assert scratch.pipe_size == 1 << 20
    assert scratch.pipe(1 << 18) == ends
    assert scratch.pipe_size == 1 << 18
    scratch.close()


def test_close_closes_both_ends_and_twice_is_no_error():
    scratch = Scratch()
    ends = scratch.pipe(65536)
    scratch.close()
    scratch.close()
    for fd in ends:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
    assert scratch.pipe_size == 0


def test_a_pipe_size_the_kernel_refuses_is_halved_until_it_does_not(monkeypatch):
    real, asked = fcntl.fcntl, []

    def refuse_large(fd, command, size=0):
        if command == scratch_module.F_SETPIPE_SZ:
            asked.append(size)
            if size > 256 * 1024:
                raise PermissionError
        return real(fd, command, size)

    monkeypatch.setattr(fcntl, "fcntl", refuse_large)
    scratch = Scratch()
    scratch.pipe(1 << 20)
    assert asked == [1 << 20, 1 << 19, 1 << 18]
    assert scratch.pipe_size == 1 << 18
    scratch.close()


def test_a_pipe_that_may_not_grow_at_all_stays_as_it_was_born(monkeypatch):
    real = fcntl.fcntl

    def refuse(fd, command, size=0):
        if command == scratch_module.F_SETPIPE_SZ:
            raise PermissionError
        return real(fd, command, size)

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    scratch = Scratch()
    scratch.pipe(1 << 20)
    assert scratch.pipe_size > 0
    scratch.close()
