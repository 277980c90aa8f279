"""Why in order? The same bytes of one file written and read in order and at random, in blocks of 4 KiB to 1 MiB.

Each arm touches every block of the file exactly once, so only the order differs. A read is cold or warm, and cold is
checked: cachestat must say 0 before the first byte, or the arm is skipped with the reason. A write always names its
sync policy; without one its figure is the memory's. Beside the throughput stand the device's requests per MiB, which
show what the kernel made of the order; they are counted for the whole device. "Cold" ends at the guest: the host's
cache cannot be seen. What is asked further has experiments of its own: `read_order` (E5) and `append_order` (E4).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kfast.lab.experiment import Arm, Comparison, Experiment, Options, Plan, block_count
from kfast.lab.io_session import IO_MEASURES, SPEED, IoSession
from kfast.lab.io_work import NO_SYNC, SYNC_AT_END
from kfast.lab.io_worker import AT_RANDOM, COLD, IN_ORDER
from kfast.lab.sizes import size_text

MIB = 1 << 20
BLOCK_SIZES = (4 << 10, 16 << 10, 64 << 10, 256 << 10, MIB)
SYNC_POLICIES = (NO_SYNC, SYNC_AT_END, MIB)
FILE_SIZE, SMOKE_FILE_SIZE = 32 * MIB, 2 * MIB
ORDERS = (IN_ORDER, AT_RANDOM)
COLDNESS = {"cold": "cachestat found no page before the first read; what a host keeps cannot be seen from its guest"}


def read_arm(order: str, block_size: int, cache: str = COLD, advice: str = "normal", threads: int = 1) -> Arm:
    """Read each block of the file once. `advice` is posix_fadvise's; each thread has one request under way."""
    words = [f"read {order}", f"{size_text(block_size)} blocks", cache]
    words += [f"advice {advice}"] if advice != "normal" else []
    words += [f"{threads} threads"] if threads > 1 else []
    return Arm.of(
        ", ".join(words),
        operation="read",
        order=order,
        block_size=block_size,
        cache=cache,
        advice=advice,
        threads=threads,
    )


def write_arm(order: str, block_size: int, sync_bytes: int = NO_SYNC, size: int = FILE_SIZE) -> Arm:
    """Write `size` bytes into the laid-out file. `sync_bytes`: NO_SYNC, SYNC_AT_END, or how much between two syncs."""
    return Arm.of(
        f"write {order}, {size_text(block_size)} blocks, {sync_text(sync_bytes)}",
        operation="write",
        order=order,
        block_size=block_size,
        sync_bytes=sync_bytes,
        size=size,
    )


def sync_text(sync_bytes: int) -> str:
    """A sync policy in words; without one the figure is the memory's."""
    if sync_bytes == NO_SYNC:
        return "no sync: page cache only"
    return "fdatasync at the end" if sync_bytes == SYNC_AT_END else f"fdatasync every {size_text(sync_bytes)}"


def condition(arm: Arm) -> str:
    """In words: what a read finds in the page cache, or the sync policy of a write."""
    return arm["cache"] if arm["operation"] == "read" else sync_text(arm["sync_bytes"])


def at_random(in_order: Arm) -> Arm:
    """The arm that differs in its order alone."""
    factors: dict[str, Any] = {**dict(in_order.factors), "order": AT_RANDOM}
    make: Callable[..., Arm] = read_arm if factors.pop("operation") == "read" else write_arm
    return make(**factors)


def order_comparison(in_order: Arm, measure: str = SPEED) -> Comparison:
    """How many times the MB/s at random there are in order."""
    words = f"{in_order['operation']}s of {size_text(in_order['block_size'])}, {condition(in_order)}"
    return Comparison(f"{words}: in order over at random, MB/s", measure, in_order, at_random(in_order))


def io_arms(
    block_sizes: Sequence[int] = BLOCK_SIZES,
    caches: Sequence[str] = (COLD,),
    sync_policies: Sequence[int] = SYNC_POLICIES,
    file_size: int = FILE_SIZE,
) -> list[Arm]:
    """Reads cold or warm, writes of each sync policy, in order and at random; and an A/A pair."""
    reads = itertools.product(caches, block_sizes, ORDERS)
    writes = itertools.product(sync_policies, block_sizes, ORDERS)
    arms = [read_arm(order, block_size, cache) for cache, block_size, order in reads]
    arms += [write_arm(order, block_size, sync_bytes, file_size) for sync_bytes, block_size, order in writes]
    control = next(arm for arm in arms if arm["order"] == IN_ORDER and arm["block_size"] == max(block_sizes))
    return [*arms, control.again()]


def io_plan(
    options: Options,
    arms: Sequence[Arm],
    comparisons: Sequence[Comparison],
    file_size: int,
    run_s: float,
    conditions: Mapping[str, str],
) -> Plan:
    """A plan whose arms are run on one laid-out file of `file_size`."""

    def open_session(directory: Path) -> IoSession:
        return IoSession(directory, file_size, conditions)

    return Plan(
        arms=arms,
        comparisons=comparisons,
        block_count=block_count(options),
        run_s=run_s,
        open_session=open_session,
        touched_bytes=2 * file_size,
        warms_up=not options.is_smoke,
    )


def _plan(options: Options) -> Plan:
    file_size = SMOKE_FILE_SIZE if options.is_smoke else FILE_SIZE
    arms = io_arms(BLOCK_SIZES[::4] if options.is_smoke else BLOCK_SIZES, file_size=file_size)
    in_order = [arm for arm in arms if arm["order"] == IN_ORDER and not arm.replicate]
    conditions = {**COLDNESS, "requests under way": "one", "sync policy": "as each arm says"}
    return io_plan(options, arms, [order_comparison(arm) for arm in in_order], file_size, 0.05, conditions)


IO_ORDER = Experiment(
    name="IO",
    slug="io-order",
    title="Why in order?",
    question="how do MB/s and device requests change when the same bytes are read or written at random?",
    factors={
        "order": "in order: from the beginning of the file on; at random: each block once, in one random order",
        "block_size": "bytes a read or a write",
        "cache": "cold or warm, for reads",
        "sync_bytes": "bytes between two fdatasyncs, for writes; 0 is never, -1 once at the end",
    },
    control="in order; cold reads of the largest blocks in order run twice in each block (A/A)",
    measures=IO_MEASURES,
    falsifier="at random is as fast as in order",
    shows="what the kernel and this device make of the order of one reader's and one writer's requests",
    shows_not="a disk with many requests under way, nor a file spread over a device that is nearly full",
    counter_check=(
        "for rw in read randread; do fio --name=$rw --filename=r --size=32M --bs=4k --rw=$rw --invalidate=1 "
        "--fadvise_hint=0; done; rm r  # then with --bs=1m"
    ),
    plan=_plan,
)
