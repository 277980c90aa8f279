"""Damage on purpose, in a copy: what a log must find, and what a broker must not depend on.

`flip_bit` is what a failing disk does; `erase_records` leaves every header as it is and nothing behind it, so whoever
still works has read headers alone.
"""

from __future__ import annotations

import os
from pathlib import Path

from kfast.log.file_pool import FilePool
from kfast.log.file_records import FileRecords
from kfast.log.names import LOG_SUFFIX
from kfast.record.layout import HEADER_SIZE


def flip_bit(path: str | os.PathLike[str], position: int, bit: int = 0) -> None:
    """Turn one bit of the byte at `position` of a file over."""
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 1 << bit]))


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
