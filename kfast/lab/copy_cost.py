"""E2, what does each copy cost? Copy mode x chunk size x working set x a receiver that copies or discards.

Every mode is run in every chunk size, on one working set and with a receiver that copies. The other two factors are
varied where they can be seen: the receiver in the largest chunks, the working set in chunks of 1 MiB. The control is a
bare loop of os.sendfile.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from kfast.lab.copy_sender import BARE_SENDFILE
from kfast.lab.copy_session import (
    COPIES,
    MACHINE_CPU,
    RECEIVER_CPU,
    SENDER_CPU,
    SYSCALLS,
    THROUGHPUT,
    open_copy_session,
)
from kfast.lab.experiment import Arm, Comparison, Experiment, Factor, Measure, Options, Plan, block_count
from kfast.lab.mode_comparison import LABELS
from kfast.lab.provenance import last_level_cache_size
from kfast.lab.sizes import size_text
from kfast.lab.unavailable import Unavailable
from kfast.transfer.modes import COPY_MODES

MIB = 1 << 20
CHUNK_SIZES = (4 << 10, 16 << 10, 64 << 10, 256 << 10, MIB, 4 * MIB)
DISCARDED_CHUNK_SIZES = (MIB, 4 * MIB)
WORKING_SET_SIZE = 64 * MIB
SMALL_WORKING_SET = MIB  # no more than a processor's own caches
MAX_WORKING_SET = 512 * MIB  # an upper bound for what a reader's disk and patience shall bear
FETCH_SIZE = 4 * MIB
RUN_SIZE = 2048 * MIB

SMOKE_CHUNK_SIZES = (4 << 10, MIB)
SMOKE_SIZE, SMOKE_WORKING_SETS = 4 * MIB, (MIB, 8 * MIB)

COPYING, ZERO_COPY = "read_send", "sendfile"
ARM_LABELS = {**LABELS, BARE_SENDFILE: "bare sendfile loop"}
MEASURED = {
    SENDER_CPU: "sender CPU a GB",
    RECEIVER_CPU: "receiver CPU a GB",
    MACHINE_CPU: "whole-machine CPU a GB",
    THROUGHPUT: "GB/s",
}


def copy_arm(
    copy_mode: str, chunk_size: int, working_set_size: int = WORKING_SET_SIZE, is_discarded: bool = False
) -> Arm:
    """One way of sending. Its name leaves out the usual working set and the usual receiver, which copies."""
    words = [ARM_LABELS[copy_mode], f"{size_text(chunk_size)} chunks"]
    words += [] if working_set_size == WORKING_SET_SIZE else [f"{size_text(working_set_size)} working set"]
    words += ["receiver discards"] if is_discarded else []
    return Arm.of(
        ", ".join(words),
        copy_mode=copy_mode,
        chunk_size=chunk_size,
        working_set_size=working_set_size,
        is_discarded=is_discarded,
    )


def changed(arm: Arm, **factors: Factor) -> Arm:
    """The same arm but for these factors."""
    return copy_arm(**{**dict(arm.factors), **factors})  # type: ignore[arg-type]  # the factors are its arguments


def copy_arms(
    chunk_sizes: Sequence[int] = CHUNK_SIZES,
    working_set_size: int = WORKING_SET_SIZE,
    discarded_chunk_sizes: Sequence[int] = DISCARDED_CHUNK_SIZES,
) -> list[Arm]:
    """Every mode in every chunk size; those with a receiver that discards; the bare loop, and sendfile again (A/A)."""
    usual = partial(copy_arm, working_set_size=working_set_size)
    arms = [usual(mode, size) for mode, size in itertools.product(COPY_MODES, chunk_sizes)]
    arms += [usual(mode, size, is_discarded=True) for mode in COPY_MODES for size in discarded_chunk_sizes]
    chunk_size = reference_chunk_size(arms)
    return [*arms, usual(BARE_SENDFILE, chunk_size), usual(ZERO_COPY, chunk_size).again()]


def working_set_arms(sizes: Sequence[int], chunk_size: int = MIB) -> list[Arm]:
    """read+send and sendfile on each working set."""
    return [copy_arm(mode, chunk_size, size) for size in sizes for mode in (COPYING, ZERO_COPY)]


def reference_chunk_size(arms: Sequence[Arm]) -> int:
    """The chunk size that modes, receivers and working sets are compared in: 1 MiB, or the largest below it."""
    return max(int(arm["chunk_size"]) for arm in arms if arm["chunk_size"] <= MIB)


def large_working_set() -> int:
    """Twice the last-level cache as announced, at least the usual working set and at most MAX_WORKING_SET."""
    cache_size = last_level_cache_size()
    if isinstance(cache_size, Unavailable):
        return 256 * MIB
    return min(MAX_WORKING_SET, max(WORKING_SET_SIZE, 2 * cache_size))


def working_set_words(sizes: Sequence[int], cache_size: int | Unavailable) -> str:
    """Which sizes are within the last-level cache, and which above."""
    if isinstance(cache_size, Unavailable):
        return f"{', '.join(map(size_text, sizes))}; the size of the last-level cache is {cache_size}"
    places = [f"{size_text(size)} {'within' if size <= cache_size else 'above'}" for size in sizes]
    return f"{', '.join(places)} the last-level cache: {size_text(cache_size)}, as announced; guests of a host share it"


def copy_comparisons(arms: Sequence[Arm]) -> list[Comparison]:
    """The copy mode and the chunk size, each alone; other modes, kfast's own share, the receiver, the working set.

    Those whose arms are all there.
    """
    usual, chunk = arms[0]["working_set_size"], reference_chunk_size(arms)
    smallest = min(arm["chunk_size"] for arm in arms)
    copying, zero = (copy_arm(mode, chunk, usual) for mode in (COPYING, ZERO_COPY))
    found = [
        _modes(copying, zero),
        _chunks(changed(copying, chunk_size=smallest), copying),
        _modes(changed(copying, chunk_size=smallest), changed(zero, chunk_size=smallest)),
        _modes(changed(zero, copy_mode="mmap_send"), zero),
        _modes(changed(zero, copy_mode="splice"), zero),
        _modes(zero, changed(zero, copy_mode=BARE_SENDFILE)),
        _modes(copying, zero, MACHINE_CPU),
        _modes(zero, copying, THROUGHPUT),
        *(_receivers(arm) for arm in (copying, zero)),
        _modes(changed(copying, is_discarded=True), changed(zero, is_discarded=True)),
        *_working_sets(copying, zero, sorted({arm["working_set_size"] for arm in arms})),
    ]
    return [one for one in found if one.over in arms and one.under in arms and one.over != one.under]


def _modes(over: Arm, under: Arm, measure: str = SENDER_CPU) -> Comparison:
    words = [f"{ARM_LABELS[over['copy_mode']]} over {ARM_LABELS[under['copy_mode']]}", *over.name.split(", ")[1:]]
    return Comparison(f"{', '.join(words)}, {MEASURED[measure]}", measure, over, under)


def _chunks(over: Arm, under: Arm) -> Comparison:
    sizes = " over ".join(size_text(arm["chunk_size"]) for arm in (over, under))
    words = f"{ARM_LABELS[over['copy_mode']]} in chunks of {sizes}, {MEASURED[SENDER_CPU]}"
    return Comparison(words, SENDER_CPU, over, under)


def _receivers(copies: Arm) -> Comparison:
    words = f"{copies}: a receiver that copies over one that discards, {MEASURED[RECEIVER_CPU]}"
    return Comparison(words, RECEIVER_CPU, copies, changed(copies, is_discarded=True))


def _working_sets(copying: Arm, zero: Arm, sizes: Sequence[int]) -> list[Comparison]:
    """The modes on each size but the usual one, and for each mode the largest over the smallest."""
    small, large = sizes[0], sizes[-1]
    others = [size for size in sizes if size != copying["working_set_size"]]
    found = [_modes(changed(copying, working_set_size=size), changed(zero, working_set_size=size)) for size in others]
    for arm in (copying, zero):
        label, ends = ARM_LABELS[arm["copy_mode"]], f"{size_text(large)} over one of {size_text(small)}"
        over, under = (changed(arm, working_set_size=size) for size in (large, small))
        words = f"{label} on a working set of {ends}, {MEASURED[SENDER_CPU]}"
        found.append(Comparison(words, SENDER_CPU, over, under))
    return found


def copy_plan(arms: Sequence[Arm], run_size: int, options: Options) -> Plan:
    """These arms, each run sending `run_size` bytes of a file that holds the largest working set."""
    sizes = sorted({arm["working_set_size"] for arm in arms})
    file_size = sizes[-1]
    open_session = partial(
        open_copy_session,
        file_size=file_size,
        run_size=run_size,
        fetch_size=FETCH_SIZE,
        working_sets=working_set_words(sizes, last_level_cache_size()),
    )
    return Plan(
        arms=arms,
        comparisons=copy_comparisons(arms),
        block_count=block_count(options),
        run_s=0.01 + run_size / 3.5e9,
        open_session=open_session,
        touched_bytes=file_size + 2 * FETCH_SIZE,
        warms_up=not options.is_smoke,
    )


def _plan(options: Options) -> Plan:
    if options.is_smoke:
        arms = copy_arms(SMOKE_CHUNK_SIZES, SMOKE_SIZE, SMOKE_CHUNK_SIZES[-1:])
        return copy_plan([*arms, *working_set_arms(SMOKE_WORKING_SETS)], max(SMOKE_WORKING_SETS), options)
    large = large_working_set()
    # Each run goes through the large set twice at least, or would find in the cache what the last one left there.
    arms = [*copy_arms(), *working_set_arms((SMALL_WORKING_SET, large))]
    once = list(dict.fromkeys(arms))  # the large set may be the usual one
    return replace(copy_plan(once, max(RUN_SIZE, 2 * large), options), reopens=True)


COPY_COST = Experiment(
    name="E2",
    slug="copy-cost",
    title="What does each copy cost?",
    question="how much processor time does a GB take the sender by each copy mode, and in which chunks?",
    factors={
        "copy_mode": "read+send copies each byte twice, mmap+send once, sendfile and splice never; or a bare loop",
        "chunk_size": "bytes a system call is asked to move",
        "working_set_size": "bytes of the file that are sent again and again: within the caches, or larger than them",
        "is_discarded": "the receiver copies the bytes out (recv_into), or drops them in the kernel (MSG_TRUNC)",
    },
    control="a bare loop of os.sendfile in 1 MiB chunks; sendfile in 1 MiB chunks runs twice in each block (A/A)",
    measures=(
        Measure(SENDER_CPU, "sender CPU s/GB", "less"),
        Measure(RECEIVER_CPU, "receiver CPU s/GB", "less"),
        Measure(MACHINE_CPU, "machine CPU s/GB", "less"),
        Measure(THROUGHPUT, "GB/s", "more", scale=1e9),
        Measure(SYSCALLS, "sender's system calls/GB", "less"),
        Measure(COPIES, "copies by the sender's CPU", "less"),
    ),
    falsifier="the interval of read+send over sendfile spans 1",
    shows="what copies and system calls cost in processor time, for each end, from a warm file over loopback",
    shows_not="more GB/s: those follow only where this CPU is the limit; nor a network card's work, TLS or a cold file",
    counter_check=(
        "head -c 64M /dev/urandom > f; nc -lk 127.0.0.1 9000 > /dev/null & sleep 1; S='import os, socket; "
        's = socket.socket(); s.setsockopt(6, socket.TCP_CONGESTION, b"reno"); s.connect(("127.0.0.1", 9000)); '
        'f = open("f", "rb", 0); b = memoryview(bytearray(1 << 20))\'; '
        'time python3 -c "$S; [s.sendall(b[:f.readinto(b)]) for i in range(8192) if i % 64 or f.seek(0) == 0]"; '
        'time python3 -c "$S; [os.sendfile(s.fileno(), f.fileno(), i % 64 << 20, 1 << 20) for i in range(8192)]"; '
        "kill $!; rm f  # compare user + sys; nc is netcat-openbsd's"
    ),
    plan=_plan,
)
