"""E5, why read in order? Cold and warm, in blocks of 4 KiB to 1 MiB, with readahead advised and with a deep queue.

Read ahead is what makes the order count on flash, so advice that switches it off is a factor; and many reads at random
under way at once are the modern objection, so that is one too: by threads, as Python's os.preadv lets others go on
meanwhile. An arm that should be cold and is not, by cachestat, is left out with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kfast.lab.experiment import Arm, Comparison, Experiment, Options, Plan
from kfast.lab.io_experiment import BLOCK_SIZES, COLDNESS, MIB, ORDERS, io_plan, order_comparison, read_arm
from kfast.lab.io_session import IO_MEASURES, REQUESTS, SPEED
from kfast.lab.io_worker import AT_RANDOM, COLD, IN_ORDER, WARM
from kfast.lab.sizes import size_text

SMALL = BLOCK_SIZES[0]
ADVICES = ("sequential", "random")  # beside "normal", which all other arms have
THREADS = (4, 16, 64)
FILE_SIZE, SMOKE_FILE_SIZE = 128 * MIB, 2 * MIB
DEEPEST = read_arm(AT_RANDOM, SMALL, threads=THREADS[-1])


def read_arms(is_smoke: bool) -> list[Arm]:
    """Order by block size, cold and warm; at 4 KiB cold also by advice, and at random by threads; two A/A pairs."""
    block_sizes = BLOCK_SIZES[::4] if is_smoke else BLOCK_SIZES
    arms = [read_arm(order, size, cache) for cache in (COLD, WARM) for size in block_sizes for order in ORDERS]
    arms += [read_arm(order, SMALL, advice=advice) for advice in ADVICES for order in ORDERS]
    arms += [read_arm(AT_RANDOM, SMALL, threads=threads) for threads in (THREADS[-1:] if is_smoke else THREADS)]
    return [*arms, *(read_arm(order, SMALL).again() for order in ORDERS)]


def _comparisons(arms: Sequence[Arm]) -> list[Comparison]:
    in_order, at_random = (read_arm(order, SMALL) for order in ORDERS)
    plain = [arm for arm in arms if arm["order"] == IN_ORDER and arm["advice"] == "normal" and not arm.replicate]
    requests = replace(
        order_comparison(in_order, REQUESTS), words="reads of 4 KiB, cold: device requests at random over in order"
    )
    found = [order_comparison(arm) for arm in plain]
    found.append(replace(requests, over=at_random, under=in_order))
    for arm in arms:
        if arm["advice"] != "normal":
            words = f"reads of 4 KiB, cold, {arm['order']}: advice {arm['advice']} over no advice, MB/s"
            found.append(Comparison(words, SPEED, arm, read_arm(arm["order"], SMALL)))
        if arm["threads"] > 1:
            words = f"reads of 4 KiB, cold, at random: {arm['threads']} threads over 1, MB/s"
            found.append(Comparison(words, SPEED, arm, at_random))
    words = f"reads of 4 KiB, cold: in order by 1 thread over at random by {THREADS[-1]}, MB/s"
    return [*found, Comparison(words, SPEED, in_order, DEEPEST)]


def _plan(options: Options) -> Plan:
    arms = read_arms(options.is_smoke)
    way = "one, or as many as an arm has threads: they call os.preadv, not io_uring, and share Python's lock"
    conditions = {**COLDNESS, "requests under way": way}
    file_size, run_s = (SMOKE_FILE_SIZE, 0.02) if options.is_smoke else (FILE_SIZE, 0.5)
    return io_plan(options, arms, _comparisons(arms), file_size, run_s, conditions)


READ_ORDER = Experiment(
    name="E5",
    slug="read-order",
    title="Why read in order?",
    question="how many times the MB/s at random does a file give in order, and what makes the difference?",
    factors={
        "order": "in order: from the beginning of the file on; at random: each block once, in one random order",
        "block_size": "bytes a read",
        "cache": "cold: not in the page cache, checked by cachestat; warm: all of it there",
        "advice": "posix_fadvise's: normal, sequential (reads further ahead) or random (reads nothing ahead)",
        "threads": "reads under way at once",
    },
    control=f"cold reads of {size_text(SMALL)}, no advice, one thread; both orders run twice in each block (A/A)",
    measures=IO_MEASURES,
    falsifier="at random is about as fast as in order: at the same block size, or with many reads under way",
    shows="what readahead, block size and queue depth are worth to one cold file on this machine's device",
    shows_not=(
        "a disk with an arm, unless this is one; nor what an NVMe drive does with thousands under way, which takes "
        "more than Python threads"
    ),
    counter_check=(
        "for rw in read randread; do fio --name=$rw --filename=r --size=128M --bs=4k --rw=$rw --invalidate=1 "
        "--fadvise_hint=0; done; fio --name=deep --filename=r --size=128M --bs=4k --rw=randread --ioengine=libaio "
        "--direct=1 --iodepth=64; rm r  "
        "# the first number of /sys/block/*/stat counts the device's reads"
    ),
    plan=_plan,
)
