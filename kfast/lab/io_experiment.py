"""Why in order? The same bytes written and read in order and at random, in blocks of 4 KiB to 1 MiB.

Each arm touches every block of one file exactly once, so only the order differs. A read is cold or warm, and cold is
checked: cachestat must say 0 before the first byte, or the arm is skipped with the reason. A write always names its
sync policy; without one its figure is the memory's. Beside the throughput stand the device's requests per MiB, which
show what the kernel made of the order; they are counted for the whole device. "Cold" ends at the guest: the host's
cache cannot be seen.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from kfast.child_process import ChildError, ChildProcess, Json
from kfast.errors import KafkaStorageError
from kfast.lab.counters import MachineCpu, difference, machine_cpu, stolen_blocks
from kfast.lab.io_worker import NO_SYNC, SYNC_AT_END
from kfast.lab.lab_directory import LabDirectory
from kfast.lab.memory import touch_memory
from kfast.lab.provenance import Provenance, provenance
from kfast.lab.results import as_json
from kfast.lab.sizes import size_text
from kfast.lab.summary import Interval, interval, paired_ratio, resolution
from kfast.lab.unavailable import Unavailable
from kfast.lab.usage import UsageInterval

BLOCK_SIZES = (4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20)
FILE_SIZE = 64 << 20
BLOCK_COUNT = 20
MIB = 1 << 20

Progress = Callable[[int, int, str], None]
Operation = Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class IoArm:
    """One way of going through the file. `is_cold` is for reads, `sync_bytes` for writes; `replicate` 1 is an A/A run.

    `sync_bytes`: NO_SYNC, SYNC_AT_END, or how many bytes are written between two fdatasyncs.
    """

    operation: Operation
    is_sequential: bool
    block_size: int
    is_cold: bool = False
    sync_bytes: int = NO_SYNC
    replicate: int = 0

    @property
    def order(self) -> str:
        return "in order" if self.is_sequential else "at random"

    @property
    def condition(self) -> str:
        """In words: what a read finds in the page cache, or the sync policy of a write."""
        if self.operation == "read":
            return "cold" if self.is_cold else "warm"
        if self.sync_bytes == NO_SYNC:
            return "no sync: page cache only"
        if self.sync_bytes == SYNC_AT_END:
            return "fdatasync at the end"
        return f"fdatasync every {size_text(self.sync_bytes)}"

    def __str__(self) -> str:
        return f"{self.operation} {self.order}, {size_text(self.block_size)} blocks, {self.condition}"


@dataclass(frozen=True, slots=True)
class IoRun:
    """One arm in one block. `device` and `io` are counters as JSON, or the words why there are none."""

    block: int
    arm: IoArm
    moved_bytes: int
    usage: UsageInterval
    device: Any
    io: Any
    residency_before: Any
    residency_after: Any
    machine: MachineCpu | Unavailable

    @property
    def throughput_bytes_per_s(self) -> float:
        return self.moved_bytes / self.usage.elapsed_s

    @property
    def device_requests_per_mib(self) -> float | Unavailable:
        """Of the arm's own direction, for each MiB it moved. The whole device's: other programs' requests included."""
        if isinstance(self.device, str):
            return Unavailable(self.device.removeprefix("unavailable: "))
        return float(self.device[f"{self.arm.operation}_requests"]) / (self.moved_bytes / MIB)


@dataclass(frozen=True, slots=True)
class IoSummary:
    """What all blocks say of one arm."""

    arm: IoArm
    throughput_bytes_per_s: Interval
    device_requests_per_mib: Interval | Unavailable
    voluntary_switches_per_mib: Interval
    cpu_s_per_gb: Interval


@dataclass(frozen=True, slots=True)
class IoResult:
    """All runs with their provenance; `skipped` says why an arm could not be run."""

    arms: Sequence[IoArm]
    runs: Sequence[IoRun]
    skipped: Sequence[tuple[IoArm, Unavailable]]
    dropped_blocks: Sequence[int]
    provenance: Provenance
    file_size: int
    seed: int
    is_smoke: bool

    def runs_of(self, arm: IoArm) -> list[IoRun]:
        """The counted runs of one arm, in the order of their blocks."""
        return [run for run in self.runs if run.arm == arm and run.block not in self.dropped_blocks]

    def summaries(self) -> list[IoSummary]:
        """Of the arms that ran."""
        return [_summary(arm, runs) for arm in self.arms if (runs := self.runs_of(arm))]

    def speed_ratio(self, over: IoArm, under: IoArm) -> Interval:
        """How many times the throughput of `under` the arm `over` has, block by block."""
        return paired_ratio(_throughput(self.runs_of(over)), _throughput(self.runs_of(under)))

    def aa_resolution(self) -> float | Unavailable:
        """The factor two runs of the same arm differ by: no smaller effect can be seen."""
        for arm in self.arms:
            if arm.replicate and self.runs_of(arm):
                first = self.runs_of(replace(arm, replicate=0))
                return resolution(_throughput(first), _throughput(self.runs_of(arm)))
        return Unavailable("no arm was run twice")

    def to_json(self) -> Json:
        found: Json = as_json(self)
        found["summaries"] = as_json(self.summaries())
        found["aa_resolution"] = as_json(self.aa_resolution())
        return found


def io_arms(
    block_sizes: Sequence[int] = BLOCK_SIZES,
    temperatures: Sequence[bool] = (True,),
    sync_policies: Sequence[int] = (NO_SYNC, SYNC_AT_END, MIB),
) -> list[IoArm]:
    """Reads of each temperature (True is cold), writes of each sync policy, in order and at random; and an A/A pair."""
    orders = (True, False)
    arms = [
        IoArm("read", is_sequential, block_size, is_cold=is_cold)
        for is_cold, block_size, is_sequential in itertools.product(temperatures, block_sizes, orders)
    ]
    arms += [
        IoArm("write", is_sequential, block_size, sync_bytes=sync_bytes)
        for sync_bytes, block_size, is_sequential in itertools.product(sync_policies, block_sizes, orders)
    ]
    control = next(arm for arm in arms if arm.is_sequential and arm.block_size == max(block_sizes))
    return [*arms, replace(control, replicate=1)]


@dataclass(slots=True)
class IoExperiment:
    """Runs the arms in blocks. `run` returns the result; `blocks` hands them out one by one, for a live figure."""

    arms: Sequence[IoArm] = field(default_factory=io_arms)
    block_count: int = BLOCK_COUNT
    file_size: int = FILE_SIZE
    seed: int = 0
    is_smoke: bool = False
    _provenance: Provenance | None = None
    _skipped: dict[IoArm, Unavailable] = field(default_factory=dict)

    def run(self, progress: Progress | None = None) -> IoResult:
        """Run all blocks. `progress(done, total, words)` is told of each run."""
        return self.result(list(itertools.chain.from_iterable(self.blocks(progress))))

    def result(self, runs: Sequence[IoRun]) -> IoResult:
        """The result of the blocks `blocks` has handed out so far."""
        assert self._provenance is not None, "no block has run"
        return IoResult(
            arms=tuple(self.arms),
            runs=tuple(runs),
            skipped=tuple(self._skipped.items()),
            dropped_blocks=() if self.is_smoke else stolen_blocks([(run.block, run.machine) for run in runs]),
            provenance=self._provenance,
            file_size=self.file_size,
            seed=self.seed,
            is_smoke=self.is_smoke,
        )

    def blocks(self, progress: Progress | None = None) -> Iterator[list[IoRun]]:
        """Yield each block's runs when it is through. The file and the child go when the iterator is closed."""
        order, total = random.Random(self.seed), len(self.arms) * self.block_count
        with LabDirectory() as directory:
            directory.ensure_fits(self.file_size)
            path = directory.path / "00000000000000000000.log"
            _write_file(path, self.file_size)
            self._provenance = provenance(directory.path, touch_memory(2 * self.file_size))
            self._skipped = {}
            worker = ChildProcess("kfast.lab.io_worker", {"path": str(path)})
            try:
                for block in range(self.block_count):
                    runs = []
                    for index, arm in enumerate(order.sample(self.arms, len(self.arms))):
                        run = self._run_arm(worker, arm, block)
                        runs += [run] if run else []
                        if progress:
                            progress(block * len(self.arms) + index + 1, total, str(arm))
                    yield runs
            finally:
                worker.stop()

    def _run_arm(self, worker: ChildProcess, arm: IoArm, block: int) -> IoRun | None:
        """One run, or None for an arm that cannot be run here, with its reason noted once."""
        if arm in self._skipped:
            return None
        arguments: Json = {"block_size": arm.block_size, "is_sequential": arm.is_sequential, "seed": self.seed + block}
        arguments |= {"is_cold": arm.is_cold} if arm.operation == "read" else {"sync_bytes": arm.sync_bytes}
        before = machine_cpu()
        try:
            answer = worker.ask(arm.operation, **arguments)
        except ChildError as error:
            if not worker.is_running:
                raise
            self._skipped[arm] = Unavailable(str(error))
            return None
        machine = difference(machine_cpu(), before)
        expected = self.file_size - self.file_size % arm.block_size
        if answer["moved_bytes"] != expected:
            raise KafkaStorageError(f"{arm}: moved {answer['moved_bytes']} of {expected} bytes")
        usage = UsageInterval.from_json(answer.pop("usage"))
        return IoRun(block=block, arm=arm, usage=usage, machine=machine, **answer)


def _write_file(path: os.PathLike[str], size: int) -> None:
    """All of it written and synced, so that no arm finds holes or makes the file grow."""
    step = random.Random(0).randbytes(min(size, MIB))
    with open(path, "wb") as file:
        for start in range(0, size, len(step)):
            file.write(step[: size - start])
        file.flush()
        os.fsync(file.fileno())


def _throughput(runs: Sequence[IoRun]) -> list[float]:
    return [run.throughput_bytes_per_s for run in runs]


def _summary(arm: IoArm, runs: Sequence[IoRun]) -> IoSummary:
    requests = [run.device_requests_per_mib for run in runs]
    counted = [value for value in requests if not isinstance(value, Unavailable)]
    missing = [value for value in requests if isinstance(value, Unavailable)]
    return IoSummary(
        arm=arm,
        throughput_bytes_per_s=interval(_throughput(runs)),
        device_requests_per_mib=missing[0] if missing else interval(counted),
        voluntary_switches_per_mib=interval([run.usage.voluntary_switches / (run.moved_bytes / MIB) for run in runs]),
        cpu_s_per_gb=interval([run.usage.cpu_s / run.moved_bytes * 1e9 for run in runs]),
    )
