"""What the child of the input/output experiments does to files, and how it counts while it works.

One loop writes for all arms that go to different places, so that they differ in nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

from kfast.child_process import Json
from kfast.lab.counters import device_io, difference, process_io
from kfast.lab.results import as_json
from kfast.lab.usage import Usage, UsageInterval
from kfast.record.builder import RecordBatchBuilder
from kfast.record.checksum import crc32c
from kfast.record.layout import ATTRIBUTES_POSITION

fdatasync = getattr(os, "fdatasync", os.fsync)  # macOS has only the latter
NO_SYNC = 0
SYNC_AT_END = -1

Place = tuple[int, int]
"""A file's descriptor and a position in it."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What a loop did: the bytes it moved, and how often it had a file synced meanwhile."""

    size_bytes: int
    sync_count: int = 0


def make_batch(size: int) -> bytearray:
    """A batch of one record, `size` bytes or a few more, whose value does not compress."""
    builder = RecordBatchBuilder()
    builder.append(None, Random(7).randbytes(max(1, size - 75)), 1_700_000_000_000)
    return builder.build()


def counted(path: str, work: Callable[[], Moved]) -> Json:
    """Do the work, and say what it moved, and what that took of the processor and of the device."""
    device, process = device_io(path), process_io(os.getpid())
    start = Usage.now()
    moved = work()
    usage = UsageInterval.since(start)
    return {
        "moved_bytes": moved.size_bytes,
        "sync_count": moved.sync_count,
        "usage": usage.to_json(),
        "device": as_json(difference(device_io(path), device)),
        "process": as_json(difference(process_io(os.getpid()), process)),
    }


def read_blocks(fd: int, positions: Sequence[int], block_size: int) -> Moved:
    """Read a block at each position, one after the other, into one buffer."""
    moved, buffers = 0, [bytearray(block_size)]
    for position in positions:
        moved += os.preadv(fd, buffers, position)
    return Moved(moved)


def read_blocks_at_once(fd: int, positions: Sequence[int], block_size: int, threads: int) -> Moved:
    """The same by so many threads, each with its share of the positions. os.preadv lets the others go on."""
    with ThreadPoolExecutor(threads) as pool:
        shares = [positions[first::threads] for first in range(threads)]
        return Moved(sum(one.size_bytes for one in pool.map(lambda share: read_blocks(fd, share, block_size), shares)))


def write_blocks(places: Sequence[Place], block: bytes, sync_bytes: int) -> Moved:
    """Write `block` to each place. Each time `sync_bytes` more are written, the files they went to are synced."""
    moved = unsynced_bytes = sync_count = 0
    unsynced: set[int] = set()
    for fd, position in places:
        moved += os.pwrite(fd, block, position)
        unsynced.add(fd)
        unsynced_bytes += len(block)
        if 0 < sync_bytes <= unsynced_bytes:
            sync_count += _sync(unsynced)
            unsynced_bytes = 0
    if sync_bytes != NO_SYNC:
        sync_count += _sync(unsynced)
    return Moved(moved, sync_count)


def check_and_write(fd: int, batch: bytearray, count: int) -> Moved:
    """What a log cannot do without, `count` times: the batch's CRC-32C, and a write behind the last one."""
    position, checked = 0, memoryview(batch)[ATTRIBUTES_POSITION:]
    for _ in range(count):
        crc32c(checked)
        position += os.pwrite(fd, batch, position)
    return Moved(position)


def _sync(descriptors: set[int]) -> int:
    """Return how many there were, none of which is left."""
    count = len(descriptors)
    while descriptors:
        fdatasync(descriptors.pop())
    return count
