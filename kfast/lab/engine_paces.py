"""How fast the log does what it does seldom: finds an offset, checks itself after a crash, compacts.

    look-up      Log.read of random offsets in one segment whose pages are in memory
    recovery     Log.open without a recovery point, beside a loop that reads the same file and takes CRC-32C alone
    compaction   one pass over 1 KiB records, every key twice, so that half of the bytes go

Everything is in the page cache: these are the costs of the processor.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kfast.clock import SystemClock
from kfast.lab.lab_directory import LabDirectory
from kfast.log.cleanable import cleanable
from kfast.log.cleaner import Cleaner
from kfast.log.config import LogConfig
from kfast.log.log import Log
from kfast.record.builder import RecordBatchBuilder
from kfast.record.checksum import crc32c

SEGMENT_SIZE = 1 << 30
RECOVERY_SIZE = 512 << 20
COMPACTION_SIZE = 128 << 20
RECOVERY_BATCH_SIZES = (4 << 10, 1 << 20)
LOOKUP_COUNT = 20_000
APPEND_SIZE = 1 << 20
RECORD_SIZE = 1 << 10

_COMPACTED = LogConfig(cleanup_policy=frozenset({"compact"}), segment_bytes=32 << 20, retention_ms=-1)


@dataclass(frozen=True, slots=True)
class RecoveryPace:
    """Bytes a second of a log that is checked, and of a bare loop over its file."""

    batch_size: int
    bytes_per_s: float
    bare_bytes_per_s: float


@dataclass(frozen=True, slots=True)
class EnginePaces:
    """What one run has measured, once each."""

    segment_size: int
    lookup_us: float
    recoveries: tuple[RecoveryPace, ...]
    compaction_bytes_per_s: float


def measure_paces(share: float = 1.0, seed: int = 1) -> EnginePaces:
    """Measure in a directory of its own, on files of `share` of their usual sizes."""
    draw = random.Random(seed)
    with LabDirectory() as directory:
        segment_size = int(SEGMENT_SIZE * share)
        directory.ensure_fits(segment_size + int(2 * COMPACTION_SIZE * share))
        lookup_us = _lookup_us(directory.path / "lookup-0", segment_size, draw)
        recoveries = tuple(
            _recovery(directory.path / f"recovery-{size}", size, int(RECOVERY_SIZE * share))
            for size in RECOVERY_BATCH_SIZES
        )
        compaction = _compaction(directory.path / "compaction-0", int(COMPACTION_SIZE * share), draw)
    return EnginePaces(segment_size, lookup_us, recoveries, compaction)


def _lookup_us(path: Path, size: int, draw: random.Random) -> float:
    log = Log.open(path, LogConfig(segment_bytes=2 * size + APPEND_SIZE))
    batch = _batch(16 << 10, b"")
    for _ in range(max(1, size // APPEND_SIZE)):
        log.append(batch * (APPEND_SIZE // len(batch)))
    offsets = [draw.randrange(log.log_end_offset) for _ in range(LOOKUP_COUNT)]
    for offset in offsets[:100]:
        log.read(offset, 1)
    start_ns = time.perf_counter_ns()
    for offset in offsets:
        log.read(offset, 1)
    elapsed_ns = time.perf_counter_ns() - start_ns
    log.delete()
    return elapsed_ns / LOOKUP_COUNT / 1000


def _recovery(path: Path, batch_size: int, size: int) -> RecoveryPace:
    log = Log.open(path, LogConfig(segment_bytes=2 * size + APPEND_SIZE))
    batch = _batch(batch_size, b"")
    at_once = max(1, APPEND_SIZE // len(batch))
    for _ in range(max(1, size // (at_once * len(batch)))):
        log.append(batch * at_once)
    log.close()
    written = log.size_bytes
    bare_s = _seconds_to_read(Path(log.segments[0].records.path))
    start_ns = time.perf_counter_ns()
    again = Log.open(path)
    elapsed_s = (time.perf_counter_ns() - start_ns) / 1e9
    again.delete()
    return RecoveryPace(batch_size, written / elapsed_s, written / bare_s)


def _seconds_to_read(path: Path) -> float:
    fd = os.open(path, os.O_RDONLY)
    try:
        position, start_ns = 0, time.perf_counter_ns()
        while data := os.pread(fd, APPEND_SIZE, position):
            crc32c(data)
            position += len(data)
        return (time.perf_counter_ns() - start_ns) / 1e9
    finally:
        os.close(fd)


def _compaction(path: Path, size: int, draw: random.Random) -> float:
    log = Log.open(path, _COMPACTED)
    keys = list(range(size // RECORD_SIZE // 2))
    for _ in range(2):
        draw.shuffle(keys)
        for batch in _keyed_batches(keys):
            log.append(batch)
    log.roll()
    report = Cleaner(SystemClock()).clean(cleanable(log, None, 0))
    log.delete()
    return report.bytes_before / max(1, report.elapsed_ms) * 1000


def _keyed_batches(keys: list[int]) -> Iterator[bytearray]:
    count = 16
    for start in range(0, len(keys), count):
        builder = RecordBatchBuilder()
        for key in keys[start : start + count]:
            builder.append(b"%020d" % key, bytes(RECORD_SIZE - 40), 1_700_000_000_000)
        yield builder.build()


def _batch(size: int, key: bytes) -> bytearray:
    builder = RecordBatchBuilder()
    builder.append(key, bytes(size - 75), 1_700_000_000_000)
    return builder.build()
