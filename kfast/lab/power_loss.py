"""What would be gone if the power went now: records that were acknowledged, and whose pages are dirty.

    power_losses()      for each flush policy: what was acknowledged, what is dirty, what a recovery would find

The power stays on. cachestat(2) says which pages are not on the disk yet; a copy of the log without them is opened
instead of the log. That is the worst case: the kernel may have been about to write them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kfast.lab.io_work import make_batch
from kfast.lab.lab_directory import LabDirectory
from kfast.lab.recovery import recover
from kfast.lab.residency import PAGE_SIZE, Residency, residency_map
from kfast.lab.unavailable import Unavailable
from kfast.log.config import LogConfig
from kfast.log.log import Log

RECORDS: Final = 250
RECORD_SIZE: Final = 10_000
"""A batch of one record each: what a page holds of two of them is the case to get right."""

NEVER, SOMETIMES, ALWAYS = "never flushed", "flush.messages=100", "flush.messages=1"
POLICIES: Final[Mapping[str, LogConfig]] = {
    NEVER: LogConfig(),
    SOMETIMES: LogConfig(flush_messages=100),
    ALWAYS: LogConfig(flush_messages=1),
}


@dataclass(frozen=True, slots=True)
class PowerLoss:
    """One log: its `pages` in order, and how many records a recovery would find without the dirty ones."""

    policy: str
    acknowledged: int
    recovery_point: int
    pages: Sequence[Residency] | Unavailable
    left: int | Unavailable

    @property
    def lost(self) -> int | Unavailable:
        return self.left if isinstance(self.left, Unavailable) else self.acknowledged - self.left

    @property
    def dirty_pages(self) -> int | Unavailable:
        if isinstance(self.pages, Unavailable):
            return self.pages
        return sum(map(is_at_risk, self.pages))

    def __str__(self) -> str:
        return (
            f"{self.policy}: {self.acknowledged} records acknowledged, of these known to be on the disk "
            f"{self.recovery_point}; dirty pages: {self.dirty_pages}; lost with the power: {self.lost}"
        )


def power_losses(records: int = RECORDS) -> list[PowerLoss]:
    """Append so many records to a log for each policy, and look at it right after the last one."""
    with LabDirectory() as directory:
        directory.ensure_fits(2 * len(POLICIES) * records * RECORD_SIZE)
        return [_power_loss(directory.path / str(number), policy, records) for number, policy in enumerate(POLICIES)]


def _power_loss(directory: Path, policy: str, records: int) -> PowerLoss:
    log = Log.open(directory / "acknowledged-0", POLICIES[policy])
    batch = make_batch(RECORD_SIZE)
    for _ in range(records):
        log.append(batch)
    path = Path(log.segments[0].records.path)
    # Once: ext4 begins to write a file that was truncated to nothing, as a new one is, when somebody closes it.
    pages = residency_map(path, part_count=log.size_bytes)
    flushed_bytes = log.size_bytes - log.unflushed_bytes
    left: int | Unavailable
    if isinstance(pages, Unavailable):
        left = pages
    else:
        left = recover(without_dirty_pages(path, pages, flushed_bytes), records, log.config).end_offset
    found = PowerLoss(policy, log.log_end_offset, log.recovery_point, pages, left)
    log.delete()  # not closed, or all of it would be flushed first
    return found


def what_was_flushed_stays(losses: Sequence[PowerLoss]) -> bool:
    """Whether no log would lose what lies below its recovery point; where nobody can say, none does."""
    return all(
        isinstance(loss.left, Unavailable) or loss.recovery_point <= loss.left <= loss.acknowledged for loss in losses
    )


def is_at_risk(page: Residency) -> bool:
    """Whether it is not known to be on the disk."""
    return page.dirty_pages > 0 or page.writeback_pages > 0


def without_dirty_pages(path: Path, pages: Sequence[Residency], flushed_bytes: int) -> Path:
    """Copy a segment as the disk has it, into a directory of its own, and return that.

    A page that was flushed and then written to has its old bytes there: those below `flushed_bytes`. That the file has
    its full size already changes nothing: zeros are no batch.
    """
    directory = path.parent.parent / "on-the-disk-0"
    directory.mkdir()
    copy = shutil.copy(path, directory / path.name)
    with open(copy, "r+b") as file:
        for number, page in enumerate(pages):
            start, end = max(number * PAGE_SIZE, flushed_bytes), min((number + 1) * PAGE_SIZE, os.path.getsize(path))
            if is_at_risk(page) and start < end:
                file.seek(start)
                file.write(bytes(end - start))
    return directory
