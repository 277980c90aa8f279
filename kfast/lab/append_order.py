"""E4, why append? The same batches to one file, to a thousand, and to random places, under three sync policies.

All arms but the log's write by one loop of os.pwrite, so that they differ in the places alone; kfast's `Log`, which
checks each batch, has arms of its own to show what it adds. "In order" and "at random" go into a file that was laid out
beforehand: there the order is all that differs. An appended file grows, as a log does, and the file system must find
room for it and note its length: so one partition that grows stands beside the laid-out file written in order. At random
is in a file four times as large as what is written, as between two syncs a kernel sorts whatever it has; "shuffled"
goes to the places of "in order", which leaves no gaps.

Many partitions are two things at once: many places, and many files to sync, as every 64 MiB all are synced that were
written to. So the syncs are counted, and one file is synced as often as a thousand are: what then is left between the
two is the number of files.
"""

from __future__ import annotations

from itertools import product

from kfast.lab.experiment import Arm, Comparison, Experiment, Measure, Options, Plan
from kfast.lab.io_experiment import MIB, ORDERS, io_plan, sync_text, write_arm
from kfast.lab.io_session import IO_MEASURES, REQUESTS, SPEED, SYNCS
from kfast.lab.io_work import NO_SYNC
from kfast.lab.io_worker import IN_ORDER, SHUFFLED
from kfast.lab.sizes import size_text

BATCH_SIZE = 16 << 10  # Kafka's default batch.size
PARTITIONS = (1, 10, 100, 1000)
EVERY_BATCH, SOMETIMES = BATCH_SIZE, 64 * MIB
AS_OFTEN = 64 << 10  # one file is synced 2,048 times in a run; a thousand every 64 MiB are 2,000 syncs
SYNC_POLICIES = (SOMETIMES, EVERY_BATCH, NO_SYNC)
LOG_SYNC_POLICIES = (SOMETIMES, NO_SYNC)  # with the disk in it, and where nothing hides what the log adds
RUN_SIZE = 128 * MIB
SYNCED_RUN_SIZE = 32 * MIB  # of arms that sync every batch: so many batches that each of 1,000 files has two
SPREAD = 4  # times what is written is the laid-out file
SMOKE_PARTITIONS, SMOKE_RUN_SIZE = (1, 10), MIB


def run_size(sync_bytes: int, is_smoke: bool = False) -> int:
    """How much an arm writes: less where each batch waits for the disk, so that a run stays at about a second."""
    if is_smoke:
        return SMOKE_RUN_SIZE
    return SYNCED_RUN_SIZE if sync_bytes == EVERY_BATCH else RUN_SIZE


def append_arm(partitions: int, sync_bytes: int, is_smoke: bool = False) -> Arm:
    """One growing file a partition, each batch to the next of them."""
    return Arm.of(
        f"append to {partitions:,} {'partition' if partitions == 1 else 'partitions'}, {_sync_words(sync_bytes)}",
        operation="append",
        partitions=partitions,
        block_size=BATCH_SIZE,
        sync_bytes=sync_bytes,
        size=run_size(sync_bytes, is_smoke),
    )


def log_arm(sync_bytes: int, is_smoke: bool = False) -> Arm:
    """One partition through kfast's log."""
    return Arm.of(
        f"append to 1 partition by kfast's Log, {_sync_words(sync_bytes)}",
        operation="log",
        block_size=BATCH_SIZE,
        sync_bytes=sync_bytes,
        size=run_size(sync_bytes, is_smoke),
    )


def place_arm(order: str, sync_bytes: int, is_smoke: bool = False) -> Arm:
    """The batches into the laid-out file, in order or at random."""
    plain = write_arm(order, BATCH_SIZE, sync_bytes, run_size(sync_bytes, is_smoke))
    return Arm(f"one laid-out file {order}, {_sync_words(sync_bytes)}", plain.factors)


def append_arms(is_smoke: bool) -> list[Arm]:
    """Partitions by sync policy; both orders in one file by sync policy; the log; syncs and gaps; two A/A pairs."""
    partitions = SMOKE_PARTITIONS if is_smoke else PARTITIONS
    arms = [append_arm(count, sync, is_smoke) for sync, count in product(SYNC_POLICIES, partitions)]
    arms += [place_arm(order, sync, is_smoke) for sync, order in product(SYNC_POLICIES, ORDERS)]
    arms += [log_arm(sync, is_smoke) for sync in LOG_SYNC_POLICIES]
    arms += [append_arm(1, AS_OFTEN, is_smoke), place_arm(SHUFFLED, SOMETIMES, is_smoke)]
    return [*arms, *(place_arm(IN_ORDER, sync, is_smoke).again() for sync in (SOMETIMES, EVERY_BATCH))]


def append_comparisons(is_smoke: bool) -> list[Comparison]:
    """For each sync policy the order alone; then many partitions, growing, what the device saw, the log; the causes."""
    orders = [_order_comparison(sync, SPEED, is_smoke) for sync in SYNC_POLICIES]
    requests = [_order_comparison(sync, REQUESTS, is_smoke) for sync in SYNC_POLICIES if sync != NO_SYNC]
    files = [comparison for sync in SYNC_POLICIES for comparison in _file_comparisons(sync, is_smoke)]
    logs = [_log_comparison(sync, is_smoke) for sync in LOG_SYNC_POLICIES]
    return [*orders, *files, *requests, *logs, *_causes(is_smoke)]


def _order_comparison(sync_bytes: int, measure: str, is_smoke: bool) -> Comparison:
    """In one laid-out file: there the order is all that differs."""
    in_order, at_random = (place_arm(order, sync_bytes, is_smoke) for order in ORDERS)
    words, where = f"{_sync_words(sync_bytes)}:", "in one laid-out file"
    if measure == REQUESTS:
        return Comparison(f"{words} at random over in order {where}, device requests", measure, at_random, in_order)
    return Comparison(f"{words} in order over at random {where}, MB/s", measure, in_order, at_random)


def _file_comparisons(sync_bytes: int, is_smoke: bool) -> list[Comparison]:
    """One growing file beside many, many beside random places, and growing beside laid out."""
    many = (SMOKE_PARTITIONS if is_smoke else PARTITIONS)[-1]
    one, thousand = (append_arm(count, sync_bytes, is_smoke) for count in (1, many))
    in_order, at_random = (place_arm(order, sync_bytes, is_smoke) for order in ORDERS)
    named = {
        f"appended to 1 partition over {many:,}": (one, thousand),
        f"appended to {many:,} partitions over at random in one laid-out file": (thousand, at_random),
        "appended to 1 growing file over in order in a laid-out one": (one, in_order),
    }
    return [Comparison(f"{_sync_words(sync_bytes)}: {words}, MB/s", SPEED, *arms) for words, arms in named.items()]


def _causes(is_smoke: bool) -> list[Comparison]:
    """Of many partitions the syncs alone and the files alone; of random places the order without the gaps."""
    many = (SMOKE_PARTITIONS if is_smoke else PARTITIONS)[-1]
    one, thousand = (append_arm(count, SOMETIMES, is_smoke) for count in (1, many))
    in_order, shuffled = (place_arm(order, SOMETIMES, is_smoke) for order in (IN_ORDER, SHUFFLED))
    as_often = append_arm(1, AS_OFTEN, is_smoke)
    named = {
        f"appended to 1 partition over 1 that is synced as often as {many:,} are": (one, as_often),
        f"appended to 1 partition that is synced as often as {many:,} are over those {many:,}": (as_often, thousand),
        "in order over the same places shuffled in one laid-out file": (in_order, shuffled),
    }
    return [Comparison(f"{_sync_words(SOMETIMES)}: {words}, MB/s", SPEED, *arms) for words, arms in named.items()]


def _log_comparison(sync_bytes: int, is_smoke: bool) -> Comparison:
    words = f"{_sync_words(sync_bytes)}: kfast's Log over a bare loop of pwrite, 1 partition, MB/s"
    return Comparison(words, SPEED, log_arm(sync_bytes, is_smoke), append_arm(1, sync_bytes, is_smoke))


def _sync_words(sync_bytes: int) -> str:
    """A sync policy in words; without one, whose figure it is."""
    if sync_bytes == NO_SYNC:
        return "not synced (memory only)"
    return "fdatasync every batch" if sync_bytes == EVERY_BATCH else sync_text(sync_bytes)


def _plan(options: Options) -> Plan:
    conditions = {
        "batches": f"{size_text(BATCH_SIZE)} each, one writer, one write under way",
        "sync policy": "as each arm says; a figure without one is the memory's and not the disk's",
        "laid-out file": "written whole and synced before the first run; out of the page cache before each",
        "bytes a run": f"{size_text(RUN_SIZE)}, or {size_text(SYNCED_RUN_SIZE)} where every batch is synced",
    }
    run_bytes, run_s = (SMOKE_RUN_SIZE, 0.02) if options.is_smoke else (RUN_SIZE, 0.45)
    arms, comparisons = append_arms(options.is_smoke), append_comparisons(options.is_smoke)
    return io_plan(options, arms, comparisons, SPREAD * run_bytes, run_s, conditions)


APPEND_ORDER = Experiment(
    name="E4",
    slug="append-order",
    title="Why append, and to few files?",
    question="what do random places cost the writer of the same batches, what do more files, and what more syncs?",
    factors={
        "operation": "append: to growing files; write: into one laid-out file; log: by kfast's Log",
        "partitions": "files that are appended to in turns, a batch each",
        "order": "of the places in the laid-out file; shuffled are those of in order, at random is anywhere in it",
        "sync_bytes": (
            f"bytes between two syncs of all files written meanwhile; {BATCH_SIZE} is every batch, which is one file "
            "whatever the partitions; 0 is never"
        ),
        "size": "bytes written in a run",
    },
    control="one partition, appended in order; the laid-out file, synced, in order, runs twice in each block (A/A)",
    measures=(*IO_MEASURES, Measure(SYNCS, "file syncs per MiB", "less")),
    falsifier="at random is about as fast as in order; or a thousand synced partitions are about as slow as at random",
    shows=(
        "what this file system and this device make of the places that batches are written to, by sync policy; and how "
        "much of what a thousand partitions cost is in their syncs, beside one file that is synced as often"
    ),
    shows_not=(
        "what many partitions cost by their places alone: every 64 MiB they also bring a thousand syncs for one; nor "
        "a disk with an arm, unless this is one; nor a flash disk that must collect garbage; nor the kernel's own "
        "write-back, which Kafka relies on and which waits for no single file; nor, without a sync, anything of a disk"
    ),
    counter_check=(
        "head -c 512M /dev/urandom > w; sync w; for rw in randwrite write; do fio --name=$rw --filename=w --size=512M "
        "--io_size=128M --bs=16k --rw=$rw --fdatasync=4096 --end_fsync=1; done; rm w  "
        "# then with --io_size=32M --fdatasync=1 for every batch"
    ),
    plan=_plan,
)
