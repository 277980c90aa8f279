"""What does the log add to the disk's own cost? `Log.append` against a loop that does CRC-32C and pwrite alone.

Both write the same batches, which are in memory already, into files of the same size on the same file system, each run
into a new one. Nothing is flushed: the sync policy is none for both, so this is the cost of the processor, not the
disk's. E4 has the log beside the disk.
"""

from __future__ import annotations

from functools import partial

from kfast.lab.experiment import Arm, Comparison, Experiment, Measure, Options, Plan, block_count
from kfast.lab.io_session import CPU_A_BLOCK, FILE_SIZE, SPEED, IoSession
from kfast.lab.io_work import NO_SYNC
from kfast.lab.sizes import size_text

BATCH_SIZES = (1 << 10, 16 << 10, 1 << 20)
RUN_SIZE, SMOKE_RUN_SIZE = 256 << 20, 4 << 20
MAX_BATCHES_A_RUN = 20_000
LOG, BARE = "log", "bare"
NAMES = {LOG: "Log.append", BARE: "a bare loop of CRC-32C and pwrite"}
COMPARED = {SPEED: "MB/s", CPU_A_BLOCK: "CPU a batch"}


def log_arm(operation: str, batch_size: int, run_size: int = RUN_SIZE) -> Arm:
    """Batches by the log, or by the bare loop."""
    return Arm.of(
        f"{NAMES[operation]}, {size_text(batch_size)} batches",
        operation=operation,
        block_size=batch_size,
        sync_bytes=NO_SYNC,
        size=min(run_size, MAX_BATCHES_A_RUN * batch_size),
    )


def log_arms(run_size: int) -> list[Arm]:
    """For each batch size the log, the bare loop, and the bare loop again (A/A)."""
    pairs = [(log_arm(LOG, size, run_size), log_arm(BARE, size, run_size)) for size in BATCH_SIZES]
    return [arm for log, bare in pairs for arm in (log, bare, bare.again())]


def log_comparisons(run_size: int) -> list[Comparison]:
    """The log over the bare loop, for each batch size: how fast, and how much CPU a batch."""
    return [
        Comparison(
            f"{size_text(size)} batches: {NAMES[LOG]} over {NAMES[BARE]}, {words}",
            measure,
            log_arm(LOG, size, run_size),
            log_arm(BARE, size, run_size),
        )
        for measure, words in COMPARED.items()
        for size in BATCH_SIZES
    ]


def _plan(options: Options) -> Plan:
    run_size = SMOKE_RUN_SIZE if options.is_smoke else RUN_SIZE
    conditions = {
        FILE_SIZE: f"new in each run: {size_text(run_size)}, or {MAX_BATCHES_A_RUN:,} batches where that is less",
        "batches": "of one record, and in memory already",
        "sync policy": "none: the bytes are in the page cache when the clock stops",
    }
    return Plan(
        arms=log_arms(run_size),
        comparisons=log_comparisons(run_size),
        block_count=block_count(options),
        run_s=0.02 if options.is_smoke else 0.25,
        open_session=partial(IoSession, file_size=0, conditions=conditions),
        touched_bytes=run_size,
        warms_up=not options.is_smoke,
    )


LOG_COST = Experiment(
    name="LOG",
    slug="log-cost",
    title="What does the log add?",
    question="how much slower than CRC-32C and pwrite alone does Log.append take batches of one size?",
    factors={
        "operation": "log: Log.append; bare: CRC-32C and os.pwrite in a loop",
        "block_size": "bytes of a batch",
        "size": "bytes written in a run",
    },
    control="the bare loop, which runs twice in each block for each batch size (A/A)",
    measures=(Measure(SPEED, "MB/s", "more", 1e6), Measure(CPU_A_BLOCK, "CPU us a batch", "less")),
    falsifier="Log.append is as fast as the bare loop: then the log would cost nothing",
    shows="what the log's own work costs the processor: validation, offsets, indexes",
    shows_not="a disk: nothing is synced; nor the broker around the log",
    counter_check=(
        "dd if=/dev/zero of=w bs=16k count=16384; rm w  # what writing alone does: the bare loop is of the same order"
    ),
    plan=_plan,
)
