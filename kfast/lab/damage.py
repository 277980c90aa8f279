"""Damage on purpose, in a copy: what a log must find, and what a broker must not depend on.

`DAMAGES` are what a crash or a failing disk does to a file from one position on, or at it. `erase_records` leaves every
header as it is and nothing behind it, so whoever still works has read headers alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from kfast.log.file_pool import FilePool
from kfast.log.file_records import FileRecords
from kfast.log.names import LOG_SUFFIX
from kfast.record.layout import HEADER_SIZE

GARBAGE_SIZE: Final = 100


def flip_bit(path: str | os.PathLike[str], position: int, bit: int = 0) -> None:
    """Turn one bit of the byte at `position` of a file over."""
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 1 << bit]))


def cut_off(path: str | os.PathLike[str], position: int) -> None:
    """End the file at `position`: the rest of a write never came."""
    os.truncate(path, position)


def zero_from(path: str | os.PathLike[str], position: int) -> None:
    """Put zeros in the place of all that follows: the file's size reached the disk, the bytes did not."""
    size = os.path.getsize(path)
    os.truncate(path, position)
    os.truncate(path, size)


def overwrite(path: str | os.PathLike[str], position: int) -> None:
    """Put GARBAGE_SIZE bytes of garbage at `position`, beyond the end of the file too."""
    with open(path, "r+b") as file:
        file.seek(position)
        file.write(b"\xa5" * GARBAGE_SIZE)


CUT_OFF, FLIPPED, ZEROS, GARBAGE = "cut off", "one bit flipped", "zeros from there on", "100 bytes of garbage"
DAMAGES: Final[Mapping[str, Callable[[Path, int], None]]] = {
    CUT_OFF: cut_off,
    FLIPPED: flip_bit,
    ZEROS: zero_from,
    GARBAGE: overwrite,
}


def erase_records(directory: str | os.PathLike[str]) -> int:
    """Put zeros in the place of every record of a partition; return how many bytes that were."""
    erased = 0
    for path in sorted(Path(directory).glob(f"*{LOG_SUFFIX}")):
        batches = list(FileRecords(str(path), FilePool(limit=1, is_read_only=True), path.stat().st_size).headers())
        with path.open("r+b") as file:
            for batch in batches:
                file.seek(batch.position + HEADER_SIZE)
                erased += file.write(bytes(batch.size_bytes - HEADER_SIZE))
    return erased
