"""The receiving child of the copy experiment: takes so many bytes off one TCP connection, and measures itself.

Run as `python -m kfast.lab.copy_receiver`. With MSG_TRUNC the kernel drops the bytes without copying them out: that
takes away the receiver's copy and nothing else.
"""

from __future__ import annotations

import socket as sockets
import sys

from kfast.child_process import Json, run_child
from kfast.errors import KfastError
from kfast.lab.congestion import set_congestion_control
from kfast.lab.usage import Usage, UsageInterval

BUFFER_SIZE = 1 << 20  # the same in every arm


class CopyReceiver:
    """Listens on a port of the kernel's choice. Answers `accept`, and `receive` with the CPU it took."""

    def __init__(self, settings: Json) -> None:
        self._server = sockets.create_server(("127.0.0.1", 0), backlog=1)
        self._congestion_control = set_congestion_control(self._server)  # an accepted socket inherits it
        self._socket: sockets.socket | None = None
        self._buffer = memoryview(bytearray(BUFFER_SIZE))

    def ready(self) -> Json:
        return {"port": self._server.getsockname()[1], "congestion_control": self._congestion_control}

    def answer(self, request: str, arguments: Json) -> Json:
        if request == "accept":
            self._socket, _ = self._server.accept()
            return {}
        if request == "receive":
            return self._receive(**arguments)
        raise ValueError(f"a copy receiver is asked to accept or to receive, not to {request}")

    def _receive(self, size: int, is_discarded: bool) -> Json:
        if self._socket is None:
            raise ValueError("asked to receive before anybody was accepted")
        if is_discarded and sys.platform != "linux":
            raise ValueError("discarding by MSG_TRUNC is Linux's: elsewhere the receiver would copy all the same")
        flags = sockets.MSG_TRUNC if is_discarded else 0
        start, remaining = Usage.now(), size
        while remaining:
            count = self._socket.recv_into(self._buffer, min(BUFFER_SIZE, remaining), flags)
            if count == 0:
                raise KfastError(f"the sender ended with {remaining} of {size} bytes missing")
            remaining -= count
        return {"usage": UsageInterval.since(start).to_json(), "received_bytes": size - remaining}

    def close(self) -> None:
        self._server.close()
        if self._socket is not None:
            self._socket.close()


if __name__ == "__main__":
    run_child(CopyReceiver)
