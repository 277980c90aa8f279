"""What does the log add to the disk's own cost? `Log.append` against a loop that does CRC-32C and pwrite alone.

Both write the same batches, which are in memory already, into files of the same size on the same file system; blocks
are interleaved at random and each starts on a new, empty file. Nothing is flushed: the sync policy is none for both, so
this is the cost of the processor, not the disk's.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kfast.lab.lab_directory import LabDirectory
from kfast.lab.memory import touch_memory
from kfast.lab.summary import Interval, paired_ratio, resolution
from kfast.lab.usage import Usage, UsageInterval
from kfast.log.log import Log
from kfast.record.builder import RecordBatchBuilder
from kfast.record.checksum import crc32c
from kfast.record.layout import ATTRIBUTES_POSITION

BATCH_SIZES = (1 << 10, 16 << 10, 1 << 20)
RUN_SIZE = 256 << 20
MAX_BATCHES_A_RUN = 20_000
BLOCK_COUNT = 20
SYNC_POLICY = "none: the bytes are in the page cache when the clock stops"

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class LogRun:
    """One arm in one block: `log`, `bare`, or `bare again`, whose distance from `bare` is the resolution."""

    block: int
    arm: str
    batch_size: int
    written_bytes: int
    elapsed_s: float
    cpu_s: float

    @property
    def throughput_bytes_per_s(self) -> float:
        return self.written_bytes / self.elapsed_s

    @property
    def cpu_us_a_batch(self) -> float:
        return self.cpu_s * 1e6 / (self.written_bytes / self.batch_size)


@dataclass(frozen=True, slots=True)
class LogSummary:
    """For one batch size: how fast `Log.append` is as a share of the bare loop (1.0 is equal, more is faster)."""

    batch_size: int
    share_of_bare: Interval
    aa_resolution: float
    log_cpu_us_a_batch: float
    bare_cpu_us_a_batch: float


def run_log_experiment(
    batch_sizes: Sequence[int] = BATCH_SIZES,
    block_count: int = BLOCK_COUNT,
    run_size: int = RUN_SIZE,
    seed: int = 1,
    progress: Progress | None = None,
) -> list[LogRun]:
    """Return the runs of all blocks, each with every arm and batch size once, in an order drawn anew."""
    arms = {"log": _append_to_log, "bare": _write_bare, "bare again": _write_bare}
    generator = random.Random(seed)
    runs: list[LogRun] = []
    with LabDirectory() as directory:
        directory.ensure_fits(run_size)
        touch_memory(run_size)
        plans = list(_plans(generator, list(arms), batch_sizes, block_count))
        for number, (block, arm, batch_size) in enumerate(plans):
            if progress is not None:
                progress(number, len(plans), f"{arm}, batches of {batch_size} bytes")
            batch = make_batch(batch_size)
            count = max(1, min(run_size // len(batch), MAX_BATCHES_A_RUN))
            used = arms[arm](directory.path / f"{number}", batch, count)
            runs.append(LogRun(block, arm, len(batch), count * len(batch), used.elapsed_s, used.cpu_s))
    if progress is not None:
        progress(len(plans), len(plans), "done")
    return runs


def _plans(
    generator: random.Random, arms: list[str], batch_sizes: Sequence[int], block_count: int
) -> Iterator[tuple[int, str, int]]:
    for block in range(block_count):
        for batch_size in generator.sample(list(batch_sizes), len(batch_sizes)):
            for arm in generator.sample(arms, len(arms)):
                yield block, arm, batch_size


def summarize(runs: Sequence[LogRun]) -> list[LogSummary]:
    """One line a batch size, smallest first."""
    summaries = []
    for batch_size in sorted({run.batch_size for run in runs}):
        by_arm = {
            arm: [run for run in runs if run.batch_size == batch_size and run.arm == arm]
            for arm in ("log", "bare", "bare again")
        }
        rates = {arm: [run.throughput_bytes_per_s for run in chosen] for arm, chosen in by_arm.items()}
        summaries.append(
            LogSummary(
                batch_size,
                paired_ratio(rates["log"], rates["bare"]),
                resolution(rates["bare"], rates["bare again"]),
                min(run.cpu_us_a_batch for run in by_arm["log"]),
                min(run.cpu_us_a_batch for run in by_arm["bare"]),
            )
        )
    return summaries


def make_batch(size: int) -> bytearray:
    """A batch of one record, `size` bytes or a few more, whose value does not compress."""
    builder = RecordBatchBuilder()
    builder.append(None, random.Random(7).randbytes(max(1, size - 75)), 1_700_000_000_000)
    return builder.build()


def _append_to_log(path: Path, batch: bytearray, count: int) -> UsageInterval:
    log = Log.open(path)
    start = Usage.now()
    for _ in range(count):
        log.append(batch)
    used = UsageInterval.since(start)
    log.delete()
    return used


def _write_bare(path: Path, batch: bytearray, count: int) -> UsageInterval:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        position, checked = 0, memoryview(batch)[ATTRIBUTES_POSITION:]
        start = Usage.now()
        for _ in range(count):
            crc32c(checked)
            position += os.pwrite(fd, batch, position)
        return UsageInterval.since(start)
    finally:
        os.close(fd)
        path.unlink()
