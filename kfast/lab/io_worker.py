"""The child of the input/output experiment: reads or writes every block of one file once, and measures itself.

Run as `python -m kfast.lab.io_worker`. One thread and one request at a time, as a log is written and read; a flash disk
can do more random reads than one synchronous reader asks of it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence

from kfast.child_process import Json, run_child
from kfast.errors import KfastError
from kfast.file_slice import OpenFile
from kfast.lab.counters import device_io, difference, process_io
from kfast.lab.residency import Residency, make_cold, make_warm, residency
from kfast.lab.results import as_json
from kfast.lab.unavailable import Unavailable
from kfast.lab.usage import Usage, UsageInterval

fdatasync = getattr(os, "fdatasync", os.fsync)  # macOS has only the latter
NO_SYNC = 0
SYNC_AT_END = -1


class IoWorker:
    """Settings: `path`. Answers `read` and `write` with the time, the CPU and the device requests they took."""

    def __init__(self, settings: Json) -> None:
        self._file = OpenFile(settings["path"], os.O_RDWR)
        self._size = os.fstat(self._file.fd).st_size

    def ready(self) -> Json:
        return {"size": self._size}

    def answer(self, request: str, arguments: Json) -> Json:
        if request == "read":
            return self._read(**arguments)
        if request == "write":
            return self._write(**arguments)
        raise ValueError(f"an input/output worker is asked to read or to write, not to {request}")

    def _read(self, block_size: int, is_sequential: bool, is_cold: bool, seed: int) -> Json:
        positions = self._positions(block_size, is_sequential, seed)
        before = self._prepare_cold() if is_cold else make_warm(self._file.fd)
        return self._measured(lambda: self._read_blocks(positions, block_size), before)

    def _write(self, block_size: int, is_sequential: bool, sync_bytes: int, seed: int) -> Json:
        positions = self._positions(block_size, is_sequential, seed)
        before = make_cold(self._file.fd)  # every arm begins with nothing cached; for writing that need not be proven
        answer = self._measured(lambda: self._write_blocks(positions, block_size, sync_bytes), before)
        fdatasync(self._file.fd)  # the next arm shall not wait for what this one left behind
        return answer

    def _positions(self, block_size: int, is_sequential: bool, seed: int) -> Sequence[int]:
        """Where to go, each block once: in order, or in one random order that the seed names."""
        positions = range(0, self._size - self._size % block_size, block_size)
        return positions if is_sequential else random.Random(seed).sample(positions, len(positions))

    def _prepare_cold(self) -> Residency:
        """Out of the page cache, and cachestat says so; else there is nothing to measure."""
        found = make_cold(self._file.fd)
        if isinstance(found, Unavailable):
            raise KfastError(f"coldness cannot be checked: {found.reason}")
        if not found.is_cold:
            raise KfastError(f"not cold after all: {found}")
        return found

    def _measured(self, work: Callable[[], int], before: Residency | Unavailable) -> Json:
        device, io = device_io(self._file.path), process_io(os.getpid())
        start = Usage.now()
        moved = work()
        usage = UsageInterval.since(start)
        return {
            "moved_bytes": moved,
            "usage": usage.to_json(),
            "device": as_json(difference(device_io(self._file.path), device)),
            "io": as_json(difference(process_io(os.getpid()), io)),
            "residency_before": as_json(before),
            "residency_after": as_json(residency(self._file.fd)),
        }

    def _read_blocks(self, positions: Sequence[int], block_size: int) -> int:
        fd, moved = self._file.fd, 0
        buffers = [bytearray(block_size)]
        for position in positions:
            moved += os.preadv(fd, buffers, position)
        return moved

    def _write_blocks(self, positions: Sequence[int], block_size: int, sync_bytes: int) -> int:
        fd, moved, unsynced = self._file.fd, 0, 0
        block = os.urandom(block_size)  # some disks make little of zeros
        for position in positions:
            moved += os.pwrite(fd, block, position)
            unsynced += block_size
            if 0 < sync_bytes <= unsynced:
                fdatasync(fd)
                unsynced = 0
        if sync_bytes != NO_SYNC and unsynced:
            fdatasync(fd)
        return moved

    def close(self) -> None:
        """The file closes with its last reference."""


if __name__ == "__main__":
    run_child(IoWorker)
