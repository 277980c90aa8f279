"""What does each copy cost? Copy mode x chunk size x working set x receiver, on the loopback interface.

The file is warm, sender and receiver are processes of their own, the connection and its congestion control are the same
for all arms, and each block runs every arm once, in an order of its own. Loopback shows 3 copies or 1, not 4 or 2:
there is no NIC, and the receiver copies unless it discards. mmap_send maps once a fetch. One run of each arm,
unrecorded, comes before the first block.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

from kfast.child_process import ChildProcess, Json
from kfast.lab.copy_sender import BARE_SENDFILE
from kfast.lab.counters import MachineCpu, difference, machine_cpu, stolen_blocks
from kfast.lab.lab_directory import LabDirectory
from kfast.lab.memory import touch_memory
from kfast.lab.provenance import Provenance, provenance
from kfast.lab.results import as_json
from kfast.lab.summary import Interval, interval, limiting_resource, paired_ratio, resolution
from kfast.lab.unavailable import Unavailable
from kfast.lab.usage import UsageInterval
from kfast.transfer.modes import COPY_MODES

CHUNK_SIZES = (4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20)
WORKING_SET_SIZE = 64 << 20
RUN_SIZE = 128 << 20
FETCH_SIZE = 4 << 20
BLOCK_COUNT = 20
GB = 1e9

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class CopyArm:
    """One way of running it. `replicate` 1 is the same arm again: an A/A pair."""

    copy_mode: str
    chunk_size: int
    working_set_size: int = WORKING_SET_SIZE
    is_discarded: bool = False
    replicate: int = 0


@dataclass(frozen=True, slots=True)
class CopyRun:
    """One arm in one block."""

    block: int
    arm: CopyArm
    sent_bytes: int
    elapsed_s: float
    sender: UsageInterval
    receiver: UsageInterval
    machine: MachineCpu | Unavailable
    syscalls: int
    receiver_syscalls: int
    cpu_copied_bytes: int
    residency: Any

    @property
    def sender_cpu_s_per_gb(self) -> float:
        return self.sender.cpu_s / self.sent_bytes * GB

    @property
    def receiver_cpu_s_per_gb(self) -> float:
        return self.receiver.cpu_s / self.sent_bytes * GB

    @property
    def throughput_bytes_per_s(self) -> float:
        return self.sent_bytes / self.elapsed_s


@dataclass(frozen=True, slots=True)
class CopySummary:
    """What all blocks say of one arm."""

    arm: CopyArm
    sender_cpu_s_per_gb: Interval
    receiver_cpu_s_per_gb: Interval
    throughput_bytes_per_s: Interval
    syscalls_per_gb: float
    cpu_copies: float
    limited_by: str


@dataclass(frozen=True, slots=True)
class CopyResult:
    """All runs with their provenance. `dropped_blocks` lost too much to other guests and count nowhere."""

    arms: Sequence[CopyArm]
    runs: Sequence[CopyRun]
    dropped_blocks: Sequence[int]
    provenance: Provenance
    congestion_control: str
    run_size: int
    fetch_size: int
    seed: int
    is_smoke: bool

    def runs_of(self, arm: CopyArm) -> list[CopyRun]:
        """The counted runs of one arm, in the order of their blocks."""
        runs = [run for run in self.runs if run.arm == arm and run.block not in self.dropped_blocks]
        return sorted(runs, key=lambda run: run.block)

    def summaries(self) -> list[CopySummary]:
        """Of the arms that have counted runs."""
        return [_summary(arm, runs) for arm in self.arms if (runs := self.runs_of(arm))]

    def cpu_ratio(self, over: CopyArm, under: CopyArm) -> Interval:
        """How many times more sender CPU a byte costs in `over` than in `under`, block by block."""
        return paired_ratio(_sender_cpu(self.runs_of(over)), _sender_cpu(self.runs_of(under)))

    def aa_resolution(self) -> float | Unavailable:
        """The factor two runs of the same arm differ by: no smaller effect can be seen."""
        for arm in self.arms:
            if arm.replicate:
                first = self.runs_of(replace(arm, replicate=0))
                return resolution(_sender_cpu(first), _sender_cpu(self.runs_of(arm)))
        return Unavailable("no arm was run twice")

    def to_json(self) -> Json:
        found: Json = as_json(self)
        found["summaries"] = as_json(self.summaries())
        found["aa_resolution"] = as_json(self.aa_resolution())
        return found


def copy_arms(
    copy_modes: Iterable[str] = tuple(COPY_MODES),
    chunk_sizes: Sequence[int] = CHUNK_SIZES,
    working_set_sizes: Sequence[int] = (WORKING_SET_SIZE,),
    is_discarded: Sequence[bool] = (False,),
) -> list[CopyArm]:
    """Every combination; and at the largest chunk the bare sendfile loop, and sendfile a second time (A/A)."""
    arms = [CopyArm(*values) for values in itertools.product(copy_modes, chunk_sizes, working_set_sizes, is_discarded)]
    control = (max(chunk_sizes), working_set_sizes[0], is_discarded[0])
    arms.append(CopyArm(BARE_SENDFILE, *control))
    if CopyArm("sendfile", *control) in arms:
        arms.append(CopyArm("sendfile", *control, replicate=1))
    return arms


@dataclass(slots=True)
class CopyExperiment:
    """Runs the arms in blocks. `run` returns the result; `blocks` hands them out one by one, for a live figure."""

    arms: Sequence[CopyArm] = field(default_factory=copy_arms)
    block_count: int = BLOCK_COUNT
    run_size: int = RUN_SIZE
    fetch_size: int = FETCH_SIZE
    seed: int = 0
    is_smoke: bool = False
    _congestion_control: str = ""
    _provenance: Provenance | None = None

    def run(self, progress: Progress | None = None) -> CopyResult:
        """Run all blocks. `progress(done, total, words)` is told of each run."""
        runs = list(itertools.chain.from_iterable(self.blocks(progress)))
        return self.result(runs)

    def result(self, runs: Sequence[CopyRun]) -> CopyResult:
        """The result of the blocks `blocks` has handed out so far."""
        assert self._provenance is not None, "no block has run"
        return CopyResult(
            arms=tuple(self.arms),
            runs=tuple(runs),
            dropped_blocks=() if self.is_smoke else stolen_blocks([(run.block, run.machine) for run in runs]),
            provenance=self._provenance,
            congestion_control=self._congestion_control,
            run_size=self.run_size,
            fetch_size=self.fetch_size,
            seed=self.seed,
            is_smoke=self.is_smoke,
        )

    def blocks(self, progress: Progress | None = None) -> Iterator[list[CopyRun]]:
        """Yield each block's runs when it is through. The file and the children go when the iterator is closed."""
        largest = max(arm.working_set_size for arm in self.arms)
        order, total = random.Random(self.seed), len(self.arms) * (self.block_count + 1)
        with LabDirectory() as directory:
            directory.ensure_fits(largest)
            path = directory.path / "00000000000000000000.log"
            _write_file(path, largest, order)
            touched = touch_memory(2 * self.fetch_size + largest)
            self._provenance = provenance(directory.path, touched)
            with CopyLink(str(path)) as link:
                self._congestion_control = link.congestion_control
                for block in range(-1, self.block_count):  # -1: once through every arm, unrecorded
                    runs = []
                    for index, arm in enumerate(order.sample(self.arms, len(self.arms))):
                        runs.append(link.run(arm, block, self.run_size, self.fetch_size))
                        if progress:
                            done = (block + 1) * len(self.arms) + index + 1
                            progress(done, total, f"{arm.copy_mode}, {arm.chunk_size >> 10} KiB chunks")
                    if block >= 0:
                        yield runs


class CopyLink:
    """The two children and the connection between them."""

    def __init__(self, path: str) -> None:
        self._receiver = ChildProcess("kfast.lab.copy_receiver", {})
        try:
            self._sender = ChildProcess("kfast.lab.copy_sender", {"path": path, "port": self._receiver.ready["port"]})
        except BaseException:
            self._receiver.stop()
            raise
        self._receiver.ask("accept")
        self._executor = ThreadPoolExecutor(1)
        ends = {self._sender.ready["congestion_control"], self._receiver.ready["congestion_control"]}
        self.congestion_control = ", ".join(sorted(ends))

    def run(self, arm: CopyArm, block: int, size: int, fetch_size: int) -> CopyRun:
        """Send `size` bytes once. Raises ChildError with a child's words when it could not."""
        before = machine_cpu()
        receiving = self._executor.submit(self._receiver.ask, "receive", size=size, is_discarded=arm.is_discarded)
        try:
            sent = self._sender.ask(
                "send",
                copy_mode=arm.copy_mode,
                chunk_size=arm.chunk_size,
                size=size,
                working_set_size=arm.working_set_size,
                fetch_size=fetch_size,
            )
        except BaseException:
            self._sender.stop()  # closes the connection, and so ends the receiver's wait
            raise
        received = receiving.result()
        sender, receiver = UsageInterval.from_json(sent["usage"]), UsageInterval.from_json(received["usage"])
        return CopyRun(
            block=block,
            arm=arm,
            sent_bytes=size,
            elapsed_s=(receiver.end_ns - sender.start_ns) / 1e9,
            sender=sender,
            receiver=receiver,
            machine=difference(machine_cpu(), before),
            syscalls=sent["syscalls"],
            receiver_syscalls=received["syscalls"],
            cpu_copied_bytes=sent["cpu_copied_bytes"],
            residency=sent["residency"],
        )

    def close(self) -> None:
        self._sender.stop()
        self._receiver.stop()
        self._executor.shutdown()

    def __enter__(self) -> CopyLink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _write_file(path: os.PathLike[str], size: int, generator: random.Random) -> None:
    step = generator.randbytes(min(size, 1 << 20))
    with open(path, "wb") as file:
        for start in range(0, size, len(step)):
            file.write(step[: size - start])
        file.flush()
        os.fsync(file.fileno())  # or write-back would run beside some of the arms


def _sender_cpu(runs: Sequence[CopyRun]) -> list[float]:
    return [run.sender_cpu_s_per_gb for run in runs]


def _summary(arm: CopyArm, runs: Sequence[CopyRun]) -> CopySummary:
    limits = [
        limiting_resource({"sender": run.sender.cpu_s, "receiver": run.receiver.cpu_s}, run.elapsed_s) for run in runs
    ]
    return CopySummary(
        arm=arm,
        sender_cpu_s_per_gb=interval(_sender_cpu(runs)),
        receiver_cpu_s_per_gb=interval([run.receiver_cpu_s_per_gb for run in runs]),
        throughput_bytes_per_s=interval([run.throughput_bytes_per_s for run in runs]),
        syscalls_per_gb=median(run.syscalls / run.sent_bytes * GB for run in runs),
        cpu_copies=median(run.cpu_copied_bytes / run.sent_bytes for run in runs),
        limited_by=max(set(limits), key=limits.count),
    )
