"""The sending child of the copy experiment: puts ranges of a warm file on one TCP connection, and measures itself.

Run as `python -m kfast.lab.copy_sender`. The connection lasts for all runs, so none pays for its slow start.
"""

from __future__ import annotations

import os
import socket as sockets

from kfast.child_process import Json, run_child
from kfast.errors import KafkaStorageError
from kfast.file_slice import FileSlice, OpenFile
from kfast.lab.congestion import set_congestion_control
from kfast.lab.residency import cached_share, make_warm, residency
from kfast.lab.results import as_json
from kfast.lab.unavailable import Unavailable
from kfast.lab.usage import Usage, UsageInterval
from kfast.transfer.connection import Connection
from kfast.transfer.sender import TransferSettings

BARE_SENDFILE = "bare_sendfile"
NOT_COUNTED = Unavailable("the bare loop counts its calls only")
SEND_TIMEOUT_S = 60.0


class CopySender:
    """Settings: `path`, `port`. Answers `send` with the CPU it took, the system calls and the bytes the CPU copied."""

    def __init__(self, settings: Json) -> None:
        self._file = OpenFile(settings["path"])
        make_warm(self._file.fd)
        self._socket = sockets.socket()
        # Before it connects: a socket that BBR has begun to pace stays paced, whatever it is given afterwards.
        self._congestion_control = set_congestion_control(self._socket)
        self._socket.connect(("127.0.0.1", settings["port"]))
        self._connection = Connection(self._socket, SEND_TIMEOUT_S)

    def ready(self) -> Json:
        return {"congestion_control": self._congestion_control}

    def answer(self, request: str, arguments: Json) -> Json:
        if request != "send":
            raise ValueError(f"a copy sender is asked to send, not to {request}")
        return self._send(**arguments)

    def _send(self, copy_mode: str, chunk_size: int, size: int, working_set_size: int, fetch_size: int) -> Json:
        """Send `size` bytes as slices of `fetch_size`, from the first `working_set_size` bytes again and again."""
        slices = self._slices(size, working_set_size, fetch_size)
        before = self._connection.counters
        bare_syscalls = 0
        start = Usage.now()
        if copy_mode == BARE_SENDFILE:
            sent_bytes, bare_syscalls = self._send_bare(slices, chunk_size)
        else:
            sent_bytes = self._connection.send_chunks(slices, TransferSettings(copy_mode, chunk_size))
        usage = UsageInterval.since(start)
        after = self._connection.counters
        copied = NOT_COUNTED if copy_mode == BARE_SENDFILE else after.cpu_copied_bytes - before.cpu_copied_bytes
        return {
            "usage": usage.to_json(),
            "sent_bytes": sent_bytes,
            "syscalls": after.syscalls - before.syscalls + bare_syscalls,
            "cpu_copied_bytes": as_json(copied),
            "cached_share": as_json(cached_share([residency(self._file.fd)])),
        }

    def _slices(self, size: int, working_set_size: int, fetch_size: int) -> list[FileSlice]:
        if working_set_size > os.fstat(self._file.fd).st_size:
            raise KafkaStorageError(f"a working set of {working_set_size} bytes does not lie in {self._file.path}")
        slices, moved = [], 0
        while moved < size:
            position = moved % working_set_size
            count = min(fetch_size, working_set_size - position, size - moved)
            slices.append(FileSlice(self._file, position, count))
            moved += count
        return slices

    def _send_bare(self, slices: list[FileSlice], chunk_size: int) -> tuple[int, int]:
        """The control: nothing but os.sendfile in a loop. What the sender costs more than this is kfast's own."""
        out, fd, sent_bytes, syscalls = self._socket.fileno(), self._file.fd, 0, 0
        for file_slice in slices:
            position, remaining = file_slice.position, file_slice.size
            while remaining:
                count = os.sendfile(out, fd, position, min(chunk_size, remaining))
                assert count, f"{file_slice} ended {remaining} bytes early"
                position += count
                remaining -= count
                syscalls += 1
            sent_bytes += file_slice.size
        return sent_bytes, syscalls

    def close(self) -> None:
        self._connection.close()


if __name__ == "__main__":
    run_child(CopySender)
