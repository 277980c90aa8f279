"""What does the log add to the disk's own cost? Each thing it does beside a loop that does no more than it must.

    append       Log.append beside CRC-32C and pwrite, by the size of the batches
    look-up      Log.read of random offsets in one segment, beside a pread of a block at a place that is known
    recovery     Log.open after a crash, with no recovery point, beside pread and the CRC-32C of each batch
    compaction   one pass over records of 1 KiB; nothing simple does the same, so it stands alone

All bytes are in the page cache, so this is the cost of the processor, not the disk's; of these, compaction alone syncs
what it has written, as it must. Appends go to a new file in each run, and are flushed by neither side. E4 has the log
beside the disk, E9 has recovery after real crashes.
"""

from __future__ import annotations

from pathlib import Path

from kfast.lab.experiment import Arm, Comparison, Experiment, Measure, Options, Plan, block_count
from kfast.lab.io_session import CPU_A_BLOCK, FILE_SIZE, LOOKUP_US, SPEED, IoSession
from kfast.lab.io_work import NO_SYNC
from kfast.lab.sizes import size_text

BATCH_SIZES = (1 << 10, 16 << 10, 1 << 20)
RUN_SIZE, SMOKE_RUN_SIZE = 256 << 20, 4 << 20
MAX_BATCHES_A_RUN = 20_000

SEGMENT_SIZE = 1 << 30
LOOKUP_COUNT = 20_000
RECOVERY_SIZE = 128 << 20
COMPACTION_SIZE = 64 << 20
LOOKUP_BATCH_SIZE, RECOVERY_BATCH_SIZES, COMPACTION_BATCH_SIZE = 4 << 10, (4 << 10, 1 << 20), 16 << 10
SMOKE_SHARE = 64
"""What a smoke run has is smaller by so many times."""

LOG, BARE = "log", "bare"
LOOK_UP, PREAD = "look_up", "pread"
RECOVER, SCAN = "recover", "scan"
COMPACT = "compact"
NAMES = {
    LOG: "Log.append",
    BARE: "a bare loop of CRC-32C and pwrite",
    LOOK_UP: "look-up of a random offset",
    PREAD: "a bare pread of 4 KiB",
    RECOVER: "recovery",
    SCAN: "a bare loop of pread and CRC-32C",
    COMPACT: "compaction of 1 KiB records",
}
COMPARED = {SPEED: "MB/s", CPU_A_BLOCK: "CPU a batch"}


def log_arm(operation: str, batch_size: int, run_size: int = RUN_SIZE) -> Arm:
    """Batches by the log, or by the bare loop."""
    return Arm.of(
        _arm_name(operation, batch_size),
        operation=operation,
        block_size=batch_size,
        sync_bytes=NO_SYNC,
        size=min(run_size, MAX_BATCHES_A_RUN * batch_size),
    )


def lookup_arm(operation: str, share: int = 1) -> Arm:
    """Places in one segment found by the log, or known already."""
    size, count = SEGMENT_SIZE // share, LOOKUP_COUNT // share
    name = f"{NAMES[operation]} in a segment of {size_text(size)}, {size_text(LOOKUP_BATCH_SIZE)} batches"
    return Arm.of(name, operation=operation, block_size=LOOKUP_BATCH_SIZE, size=size, count=count)


def kept_log_arm(operation: str, batch_size: int, size: int) -> Arm:
    """All of a log that is there already, checked by the log or by the bare loop, or compacted."""
    return Arm.of(_arm_name(operation, batch_size), operation=operation, block_size=batch_size, size=size)


def _arm_name(operation: str, batch_size: int) -> str:
    return f"{NAMES[operation]}, {size_text(batch_size)} batches"


def append_pairs(run_size: int) -> list[tuple[Arm, Arm]]:
    """For each batch size the log and the bare loop."""
    return [(log_arm(LOG, size, run_size), log_arm(BARE, size, run_size)) for size in BATCH_SIZES]


def recovery_pairs(share: int) -> list[tuple[Arm, Arm]]:
    """The same for what checks them."""
    size = RECOVERY_SIZE // share
    return [
        (kept_log_arm(RECOVER, batch_size, size), kept_log_arm(SCAN, batch_size, size))
        for batch_size in RECOVERY_BATCH_SIZES
    ]


def log_arms(run_size: int, share: int = 1) -> list[Arm]:
    """The log at each thing it does, the bare loop beside it, and the bare loop again (A/A); and compaction."""
    pairs = [*append_pairs(run_size), (lookup_arm(LOOK_UP, share), lookup_arm(PREAD, share)), *recovery_pairs(share)]
    compaction = kept_log_arm(COMPACT, COMPACTION_BATCH_SIZE, COMPACTION_SIZE // share)
    return [*(arm for log, bare in pairs for arm in (log, bare, bare.again())), compaction]


def log_comparisons(run_size: int, share: int = 1) -> list[Comparison]:
    """The log over the bare loop: how fast, and of appends how much CPU a batch."""
    appends = [
        _comparison(log, bare, measure, words)
        for measure, words in COMPARED.items()
        for log, bare in append_pairs(run_size)
    ]
    look_up, pread = lookup_arm(LOOK_UP, share), lookup_arm(PREAD, share)
    words = f"{NAMES[LOOK_UP]} in {size_text(look_up['size'])} over {NAMES[PREAD]}, us"
    recoveries = [_comparison(log, bare, SPEED, COMPARED[SPEED]) for log, bare in recovery_pairs(share)]
    return [*appends, Comparison(words, LOOKUP_US, look_up, pread), *recoveries]


def _comparison(log: Arm, bare: Arm, measure: str, words: str) -> Comparison:
    names = f"{NAMES[log['operation']]} over {NAMES[bare['operation']]}"
    return Comparison(f"{size_text(log['block_size'])} batches: {names}, {words}", measure, log, bare)


def _plan(options: Options) -> Plan:
    run_size, share = (SMOKE_RUN_SIZE, SMOKE_SHARE) if options.is_smoke else (RUN_SIZE, 1)
    kept_bytes = (SEGMENT_SIZE + len(RECOVERY_BATCH_SIZES) * RECOVERY_SIZE + COMPACTION_SIZE) // share
    conditions = {
        FILE_SIZE: f"new in each run: {size_text(run_size)}, or {MAX_BATCHES_A_RUN:,} batches where that is less",
        "batches": "of one record, and in memory already; what is looked up in and checked is numbered by a producer",
        "compacted": "16 records a batch, with keys drawn from half as many; MB/s are of what was there before",
        "memory": "touched before each run that writes new files",
        "sync policy": "none: the bytes are in the page cache when the clock stops; compaction syncs what it writes",
    }

    def open_session(directory: Path) -> IoSession:
        return IoSession(directory, 0, conditions, "kfast.lab.log_worker", kept_bytes + run_size)

    return Plan(
        arms=log_arms(run_size, share),
        comparisons=log_comparisons(run_size, share),
        block_count=block_count(options),
        run_s=0.02 if options.is_smoke else 0.3,
        open_session=open_session,
        touched_bytes=run_size,
        warms_up=not options.is_smoke,
    )


LOG_COST = Experiment(
    name="LOG",
    slug="log-cost",
    title="What does the log add?",
    question="how much slower than the least that must be done does the log append, find an offset and check itself?",
    factors={
        "operation": "what the log does, or the bare loop that does no more than it must",
        "block_size": "bytes of a batch",
        "size": "bytes written in a run, or of the log that is there",
        "count": "look-ups a run",
    },
    control="the bare loops, which run twice in each block (A/A)",
    measures=(
        Measure(SPEED, "MB/s", "more", 1e6),
        Measure(CPU_A_BLOCK, "CPU us a batch", "less"),
        Measure(LOOKUP_US, "us a look-up", "less"),
    ),
    falsifier="the log is as fast as the bare loops: then it would cost nothing",
    shows="what the log's own work costs the processor: validation, offsets, indexes, producers",
    shows_not="a disk: all is in the page cache; nor the broker around the log",
    counter_check=(
        "dd if=/dev/zero of=w bs=16k count=16384; rm w  # what writing alone does: the bare loop is of the same order"
    ),
    plan=_plan,
)
