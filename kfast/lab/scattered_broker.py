"""A broker whose topics are scattered logs, in a process of its own: `BrokerProcess(module=SCATTERED_BROKER)`."""

from __future__ import annotations

import socket as sockets
from typing import Final

from kfast.broker.process import BrokerService
from kfast.child_process import Json, run_child
from kfast.clock import SystemClock
from kfast.file_slice import FileSlice
from kfast.lab.scattered_log import ScatteredLogManager, ScatteredSlice
from kfast.scheduler import Scheduler
from kfast.transfer.modes import COPY_MODES, CopyMode
from kfast.transfer.scratch import Scratch

SCATTERED_BROKER: Final = "kfast.lab.scattered_broker"


class ScatteredBrokerService(BrokerService):
    """The child's side. It needs a `data_dir`."""

    def __init__(self, settings: Json) -> None:
        clock = SystemClock()
        self._scheduler = Scheduler(clock)
        for name, mode in COPY_MODES.items():
            COPY_MODES[name] = piece_by_piece(mode)
        logs = ScatteredLogManager(settings["data_dir"], clock=clock, scheduler=self._scheduler)
        super().__init__({**settings, "log_manager": logs})

    def close(self) -> None:
        super().close()
        self._scheduler.shutdown()


def piece_by_piece(mode: CopyMode) -> CopyMode:
    """`mode` for slices that lie apart: one after the other, the socket corked so that small ones share packets."""

    def send(socket: sockets.socket, file_slice: FileSlice, chunk_size: int, scratch: Scratch) -> int:
        if not isinstance(file_slice, ScatteredSlice):
            return mode(socket, file_slice, chunk_size, scratch)
        socket.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_CORK, 1)
        try:
            return sum(mode(socket, piece, chunk_size, scratch) for piece in file_slice.pieces)
        finally:
            socket.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_CORK, 0)

    return send


if __name__ == "__main__":
    run_child(ScatteredBrokerService)
