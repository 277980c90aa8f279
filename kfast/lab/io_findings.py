"""What an `IoResult` says, in sentences: computed from the runs, and worded for whatever came out.

A ratio is the throughput in order over that at random, paired block by block. Where random comes near to sequential the
sentences say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from kfast.lab.io_experiment import IoArm, IoResult, IoSummary
from kfast.lab.io_worker import NO_SYNC
from kfast.lab.prediction import SMOKE, factor, inverse, number
from kfast.lab.sizes import size_text
from kfast.lab.summary import BUSY_SHARE, Interval
from kfast.lab.unavailable import Unavailable

KAFKA_LINEAR_MB_PER_S, KAFKA_RANDOM_MB_PER_S = 600.0, 0.1
NEAR = 1.25  # what is no further apart than this is called nearly equal


def counted_blocks(result: IoResult) -> int:
    return len({run.block for run in result.runs} - set(result.dropped_blocks))


def no_finding(result: IoResult) -> str:
    """Why nothing may be concluded; empty where something may."""
    if result.is_smoke:
        return SMOKE
    if not counted_blocks(result):
        return f"All {len(result.dropped_blocks)} blocks lost too much processor time to other guests: no finding."
    return ""


def in_order_arms(result: IoResult, condition: str) -> list[IoArm]:
    """The arms in order under one condition ("cold", a sync policy) that ran, by block size."""
    arms = [arm for arm in result.arms if arm.is_sequential and not arm.replicate and arm.condition == condition]
    return sorted((arm for arm in arms if result.runs_of(arm)), key=lambda arm: arm.block_size)


def conditions(result: IoResult, operation: str) -> list[str]:
    """Those of reads or writes, in the order of the arms."""
    return list(dict.fromkeys(arm.condition for arm in result.arms if arm.operation == operation))


def order_effect(result: IoResult, in_order: IoArm) -> Interval:
    """How many times the throughput at random the arm in order has."""
    return result.speed_ratio(in_order, replace(in_order, is_sequential=False))


def device_requests(result: IoResult, in_order: IoArm) -> dict[str, float] | Unavailable:
    """Device requests per MiB, the median of the blocks, for "in order" and "at random"."""
    found = {}
    for arm in (in_order, replace(in_order, is_sequential=False)):
        requests = [run.device_requests_per_mib for run in result.runs_of(arm)]
        counted = [value for value in requests if not isinstance(value, Unavailable)]
        if not counted:
            return next((value for value in requests if isinstance(value, Unavailable)), Unavailable("nothing ran"))
        found[arm.order] = median(counted)
    return found


def read_headline(result: IoResult) -> str:
    """The finding about cold reads, short enough for the title of a figure."""
    arms = in_order_arms(result, "cold")
    if no_finding(result) or not arms:
        return _no_headline(result, "cold reads")
    small, large = (order_effect(result, arm) for arm in (arms[0], arms[-1]))
    return (
        f"Cold reads in order over at random: {number(small.median)} times at {size_text(arms[0].block_size)}, "
        f"{number(large.median)} times at {size_text(arms[-1].block_size)}"
    )


def read_sentences(result: IoResult) -> list[str]:
    """Does the order of reads matter, at which block size, and what did the device see?"""
    arms = in_order_arms(result, "cold")
    if reason := no_finding(result) or ("" if arms else _skip_reason(result)):
        return [reason]
    return [
        *(f"Cold reads of {size_text(arm.block_size)}: {_order_words(result, arm)}" for arm in arms),
        _near_sentence(result, arms),
        _requests_sentence(result, arms[0]),
        _resolution(result),
    ]


def write_headline(result: IoResult) -> str:
    """The finding about writes, short enough for the title of a figure."""
    if no_finding(result):
        return _no_headline(result, "writes")
    arms = [in_order_arms(result, condition)[0] for condition in conditions(result, "write")]
    factors = ", ".join(number(order_effect(result, arm).median) for arm in arms)
    return f"Writes of {size_text(arms[0].block_size)} in order over at random, from left to right: {factors} times"


def write_sentences(result: IoResult) -> list[str]:
    """Does the order of writes matter under each sync policy?"""
    if reason := no_finding(result):
        return [reason]
    sentences = []
    for condition in conditions(result, "write"):
        arm = in_order_arms(result, condition)[0]
        sentences.append(f"Writes of {size_text(arm.block_size)}, {condition}: {_order_words(result, arm)}")
        if arm.sync_bytes != NO_SYNC:
            sentences.append(_requests_sentence(result, arm))
    return [*sentences, _dirty_sentence(result)]


def slogan_sentence(result: IoResult) -> str:
    """The largest factor of this run beside the 6000 that is quoted, and what that one was measured on."""
    quoted = (
        f"Kafka's design page says {KAFKA_LINEAR_MB_PER_S:.0f} MB/s in order and "
        f"{KAFKA_RANDOM_MB_PER_S * 1000:.0f} KB/s at random, "
        f'"over {KAFKA_LINEAR_MB_PER_S / KAFKA_RANDOM_MB_PER_S:.0f}X", on six 7200 rpm SATA disks; '
        "it names no block size and no sync policy."
    )
    if reason := no_finding(result):
        return f"{quoted} {reason}"
    arms = [
        arm
        for operation in ("read", "write")
        for c in conditions(result, operation)
        for arm in in_order_arms(result, c)
    ]
    best = max(arms, key=lambda arm: order_effect(result, arm).median)
    found = factor(order_effect(result, best))
    return f"{quoted} Here the largest factor was {found}: {_what(best)}, on {device_words(result)}."


def device_words(result: IoResult) -> str:
    """What kind of device this is, as far as the kernel says."""
    device, filesystem = result.provenance.device, result.provenance.filesystem
    known = f"a device whose kind is {device}" if isinstance(device, Unavailable) else device
    return f"{known} ({filesystem})"


def device_sentence(result: IoResult) -> str:
    """The device, and what the kernel reads ahead of a reader that goes in order."""
    read_ahead = result.provenance.read_ahead_bytes
    ahead = str(read_ahead) if isinstance(read_ahead, Unavailable) else f"up to {size_text(read_ahead)} at a time"
    return (
        f"The device: {device_words(result)}. Read-ahead: {ahead}. "
        "Its requests are counted for the whole device, other programs' included."
    )


def limited_by(summary: IoSummary) -> str:
    """What the worker waited for: its own CPU, the disk where the arm needs it, or nothing that is counted."""
    cpu_share = summary.cpu_s_per_gb.median / 1e9 * summary.throughput_bytes_per_s.median
    if cpu_share >= BUSY_SHARE:
        return "worker CPU"
    arm = summary.arm
    needs_disk = arm.is_cold or (arm.operation == "write" and arm.sync_bytes != NO_SYNC)
    return "disk" if needs_disk else "none"


def _order_words(result: IoResult, in_order: IoArm) -> str:
    ratio, found = order_effect(result, in_order), result.aa_resolution()
    smallest = 1.0 if isinstance(found, Unavailable) else found
    if ratio.spans(1.0) or 1 / smallest <= ratio.median <= smallest:
        return f"no difference larger than chance, in order {factor(ratio)} the MB/s at random."
    if ratio.median < 1:
        return f"at random {factor(inverse(ratio))} the MB/s in order."
    return f"in order {factor(ratio)} the MB/s at random."


def _near_sentence(result: IoResult, arms: Sequence[IoArm]) -> str:
    near = [arm for arm in arms if order_effect(result, arm).median <= NEAR]
    if not near:
        return "At no block size of this run did reads at random come near to those in order."
    return (
        f"From blocks of {size_text(near[0].block_size)} on, at random is nearly as fast as in order: "
        "a large block is a batch, and the device does not mind where it lies."
        if near == list(arms[-len(near) :])
        else f"Nearly equal at {' and '.join(size_text(arm.block_size) for arm in near)}."
    )


def _requests_sentence(result: IoResult, in_order: IoArm) -> str:
    found = device_requests(result, in_order)
    if isinstance(found, Unavailable):
        return f"Device requests: {found}."
    words = ", ".join(f"{number(value)} {order}" for order, value in found.items())
    return f"Device requests for each MiB of {_what(in_order)}: {words}."


def _dirty_sentence(result: IoResult) -> str:
    shares = [
        run.residency_after["dirty_pages"] / run.residency_after["page_count"]
        for run in result.runs
        if run.arm.operation == "write" and run.arm.sync_bytes == NO_SYNC and isinstance(run.residency_after, dict)
    ]
    if not shares:
        return "How many pages were still dirty cannot be seen here."
    return (
        f"After the writes without a sync {median(shares):.0%} of the file's pages were in memory only: "
        "written is not on the disk."
    )


def _what(arm: IoArm) -> str:
    return f"{arm.operation}s of {size_text(arm.block_size)}, {arm.condition}"


def _resolution(result: IoResult) -> str:
    found = result.aa_resolution()
    if isinstance(found, Unavailable):
        return f"Resolution {found}."
    return f"The same arm run twice differed by up to {found:.2f} times."


def _skip_reason(result: IoResult) -> str:
    reasons = dict.fromkeys(str(reason) for arm, reason in result.skipped if arm.operation == "read")
    return f"Cold reads were skipped: {', '.join(reasons) or 'none was planned'}."


def _no_headline(result: IoResult, what: str) -> str:
    if result.is_smoke:
        return f"Smoke run, no finding about {what} ({counted_blocks(result)} blocks)"
    return f"No finding about {what}"
