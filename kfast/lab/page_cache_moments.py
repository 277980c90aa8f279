"""One file at five moments, by what the page cache holds of it: what reading brings in, and what writing leaves dirty.

    thrown out -> an eighth read in order -> 64 blocks read at random -> an eighth written -> flushed

It takes what `kfast.viz.residency_figure` draws. Each moment is seen by cachestat(2); nothing is timed.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence
from typing import Final

from kfast.lab.lab_directory import LabDirectory
from kfast.lab.residency import Residency, make_cold, residency_map
from kfast.lab.unavailable import Unavailable

SIZE: Final = 64 << 20
CHUNK_SIZE: Final = 1 << 20
BLOCK_SIZE: Final = 4 << 10
BLOCK_COUNT: Final = 64
THROWN_OUT, IN_ORDER, AT_RANDOM, WRITTEN, FLUSHED = (
    "thrown out",
    "an eighth read in order",
    "64 blocks at random",
    "an eighth written",
    "flushed",
)

Moments = Mapping[str, Sequence[Residency] | Unavailable]


def page_cache_moments(seed: int = 0) -> Moments:
    """The parts of the file at each moment, by its name."""
    with LabDirectory() as directory, open(directory.data_file(SIZE), "r+b", buffering=0) as file:
        fd, path = file.fileno(), str(file.name)
        found: dict[str, list[Residency] | Unavailable] = {}
        make_cold(fd)
        found[THROWN_OUT] = residency_map(path)
        for position in range(0, SIZE // 8, CHUNK_SIZE):
            os.pread(fd, CHUNK_SIZE, position)
        found[IN_ORDER] = residency_map(path)
        blocks = range(SIZE // 2, SIZE * 3 // 4, BLOCK_SIZE)
        for position in random.Random(seed).sample(blocks, BLOCK_COUNT):
            os.pread(fd, BLOCK_SIZE, position)
        found[AT_RANDOM] = residency_map(path)
        os.pwrite(fd, bytes(SIZE // 8), SIZE * 7 // 8)
        found[WRITTEN] = residency_map(path)
        os.fdatasync(fd)
        found[FLUSHED] = residency_map(path)
    return found


def is_dirty_until_flushed(moments: Moments) -> bool:
    """Whether pages that were written waited in memory until somebody insisted; where nobody can say, nothing is."""
    written, flushed = moments[WRITTEN], moments[FLUSHED]
    if isinstance(written, Unavailable) or isinstance(flushed, Unavailable):
        return True
    return sum(part.dirty_pages for part in written) > 0 and not any(part.dirty_pages for part in flushed)
