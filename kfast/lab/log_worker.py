"""The child of the log experiment: does what an IoWorker does, and what a log does seldom: finds, checks, compacts.

Run as `python -m kfast.lab.log_worker`. The logs that are looked up in, checked and compacted are made when they are
first asked for, of batches numbered by a producer, as clients send them; they stay for all runs, in the page cache.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

from kfast.child_process import Json, run_child
from kfast.clock import SystemClock
from kfast.file_slice import OpenFile
from kfast.lab.io_work import Moved, counted, make_batch
from kfast.lab.io_worker import IoWorker
from kfast.lab.memory import touch_memory
from kfast.lab.residency import make_warm
from kfast.log.cleanable import cleanable
from kfast.log.cleaner import Cleaner
from kfast.log.config import LogConfig
from kfast.log.file_records import BLOCK_SIZE, SCAN_SIZE
from kfast.log.log import Log
from kfast.log.names import LOG_SUFFIX
from kfast.record.builder import RecordBatchBuilder
from kfast.record.checksum import crc32c
from kfast.record.layout import ATTRIBUTES_POSITION, CRC_POSITION, PRODUCER_ID_POSITION

WRITING = ("log", "bare", "compact")
RECORD_SIZE = 1 << 10
ONE_SEGMENT = LogConfig(segment_bytes=(1 << 31) - 1, max_message_bytes=2 << 20)
COMPACTED = LogConfig(cleanup_policy=frozenset({"compact"}), segment_bytes=32 << 20, retention_ms=-1)
TIMESTAMP_MS = 1_700_000_000_000
PRODUCER_ID = 1
PRODUCER, CRC = struct.Struct(">qhi"), struct.Struct(">I")
"""Of a batch's header: producer id, epoch and first sequence number; and its checksum."""


class LogWorker(IoWorker):
    """Answers `look_up`, `pread`, `recover`, `scan` and `compact` as well."""

    def __init__(self, settings: Json) -> None:
        super().__init__(settings)
        self._work |= {
            "look_up": self._look_up,
            "pread": self._pread,
            "recover": self._recover,
            "scan": self._scan,
            "compact": self._compact,
        }

    def answer(self, request: str, arguments: Json) -> Json:
        """Before new files are written, the memory for them is touched: a block of many arms is too long for once."""
        if request in WRITING:
            touch_memory(arguments["size"])
        return super().answer(request, arguments)

    def _look_up(self, block_size: int, size: int, count: int, seed: int) -> Json:
        """`Log.read` of offsets drawn anew in each run: a place is found, and no record is read."""
        log = Log.open(self._log_of(block_size, size), ONE_SEGMENT, was_clean=True)
        draw = Random(seed)
        offsets = [draw.randrange(log.log_end_offset) for _ in range(count)]
        return self._found(count, lambda: look_up(log, offsets))

    def _pread(self, block_size: int, size: int, count: int, seed: int) -> Json:
        """What each look-up does at least: read a block of the file, at a place that is known."""
        directory, draw = self._log_of(block_size, size), Random(seed)
        file, end = _segment(directory), _size_bytes(directory) - BLOCK_SIZE
        positions = [draw.randrange(end) for _ in range(count)]
        return self._found(count, lambda: read_at(file.fd, positions))

    def _found(self, count: int, work: Callable[[], Moved]) -> Json:
        return counted(self._file.path, work) | {"planned_bytes": 0, "lookup_count": count}

    def _recover(self, block_size: int, size: int, seed: int) -> Json:
        """`Log.open` as after a crash, with no recovery point: all is checked, and the index made anew."""
        directory = self._log_of(block_size, size)
        return counted(self._file.path, lambda: recover(directory)) | {"planned_bytes": _size_bytes(directory)}

    def _scan(self, block_size: int, size: int, seed: int) -> Json:
        """The same bytes by a loop that reads them and takes the CRC-32C of each batch."""
        directory, batch_size = self._log_of(block_size, size), len(make_batch(block_size))
        file = _segment(directory)
        return counted(file.path, lambda: scan(file.fd, batch_size)) | {"planned_bytes": _size_bytes(directory)}

    def _compact(self, block_size: int, size: int, seed: int) -> Json:
        """One pass over a copy of a log of keyed records: see `keyed_batches`."""
        directory = self._directory / "keyed-0"
        if not directory.exists():
            _make(directory, COMPACTED, keyed_batches(block_size, size))
        with self._new_directory() as copies:
            shutil.copytree(directory, copies / directory.name)
            log = Log.open(copies / directory.name, COMPACTED, was_clean=True)
            log.roll()  # what is active is never compacted
            answer = counted(self._file.path, lambda: compact(log))
        return answer | {"planned_bytes": _size_bytes(directory)}

    def _log_of(self, block_size: int, size: int) -> Path:
        """The directory of a log of so many bytes in one segment, all of it in the page cache."""
        directory = self._directory / f"{block_size}-{size}"
        if not directory.exists():
            _make(directory, ONE_SEGMENT, numbered_batches(block_size, size))
        file = _segment(directory)
        make_warm(file.fd)
        return directory


def look_up(log: Log, offsets: Sequence[int]) -> Moved:
    """Find the batch that holds each of the offsets."""
    for offset in offsets:
        log.read(offset, 1)
    return Moved(0)


def read_at(fd: int, positions: Sequence[int]) -> Moved:
    """Read a block at each position; no byte of it is looked at."""
    for position in positions:
        os.pread(fd, BLOCK_SIZE, position)
    return Moved(0)


def recover(directory: Path) -> Moved:
    """Open the log, and say how much was found whole."""
    return Moved(Log.open(directory, ONE_SEGMENT).size_bytes)


def scan(fd: int, batch_size: int) -> Moved:
    """Read a file of batches of one size, and take the CRC-32C of each."""
    position, at_once = 0, max(1, SCAN_SIZE // batch_size) * batch_size
    while block := os.pread(fd, at_once, position):
        view = memoryview(block)
        for start in range(0, len(block), batch_size):
            crc32c(view[start + ATTRIBUTES_POSITION : start + batch_size])
        position += len(block)
    return Moved(position)


def compact(log: Log) -> Moved:
    """Clean the whole log once. What was read twice counts once: the bytes that were there before."""
    return Moved(Cleaner(SystemClock()).clean(cleanable(log, None, 0)).bytes_before)


def numbered_batches(block_size: int, total_size: int) -> Iterator[bytearray]:
    """Batches of one record, numbered by one producer, about a MiB of them together at a time."""
    batch, count = make_batch(block_size), total_size // block_size
    at_once = max(1, SCAN_SIZE // block_size)
    for first in range(0, count, at_once):
        together = bytearray()
        for sequence in range(first, min(first + at_once, count)):
            PRODUCER.pack_into(batch, PRODUCER_ID_POSITION, PRODUCER_ID, 0, sequence)
            CRC.pack_into(batch, CRC_POSITION, crc32c(memoryview(batch)[ATTRIBUTES_POSITION:]))
            together += batch
        yield together


def keyed_batches(block_size: int, total_size: int) -> Iterator[bytearray]:
    """Batches of records of about 1 KiB whose keys are drawn from half as many: a batch keeps some of its records."""
    draw, count = Random(0), total_size // RECORD_SIZE
    value = draw.randbytes(RECORD_SIZE - 40)
    for _ in range(total_size // block_size):
        builder = RecordBatchBuilder()
        for _ in range(block_size // RECORD_SIZE):
            builder.append(b"%020d" % draw.randrange(count // 2), value, TIMESTAMP_MS)
        yield builder.build()


def _make(directory: Path, config: LogConfig, batches: Iterator[bytearray]) -> None:
    log = Log.open(directory, config)
    for batch in batches:
        log.append(batch)
    log.close()


def _segment(directory: Path) -> OpenFile:
    """The file of the first segment."""
    return OpenFile(min(directory.glob(f"*{LOG_SUFFIX}")))


def _size_bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.glob(f"*{LOG_SUFFIX}"))


if __name__ == "__main__":
    run_child(LogWorker)
