"""Touch memory before measuring, the same for every arm, so that no arm pays for the host's having to provide it.

On a virtual machine a page the guest has not used for a while is slow to allocate: the first pass of a page-cache write
measured 0.24 GB/s, the second 2.6 GB/s. And the kernel hands out what was freed last first.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass

from kfast.lab.counters import memory_state

STEP_SIZE = 16 << 20


@dataclass(frozen=True, slots=True)
class TouchedMemory:
    """How much was touched and freed; part of a result's provenance."""

    size_bytes: int


def touch_memory(size_bytes: int) -> TouchedMemory:
    """Write to each page of `size_bytes` of new memory, at most half of what is available, and free it again."""
    state = memory_state()
    if state:
        size_bytes = min(size_bytes, state.available_bytes // 2)
    steps = []
    try:
        for start in range(0, size_bytes, STEP_SIZE):
            size = min(STEP_SIZE, size_bytes - start)
            step = mmap.mmap(-1, size)
            steps.append(step)
            for position in range(0, size, mmap.PAGESIZE):
                step[position] = 1
    finally:
        for step in steps:
            step.close()
    return TouchedMemory(size_bytes)
