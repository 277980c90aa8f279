"""What the input/output experiment says, in sentences: computed from the runs, and worded for whatever came out.

A ratio is the throughput in order over that at random, paired block by block. Where random comes near to sequential the
sentences say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from kfast.lab.experiment import Arm
from kfast.lab.experiment_findings import is_effect, no_finding, no_finding_headline, resolution_sentence
from kfast.lab.experiment_result import ExperimentResult
from kfast.lab.io_experiment import at_random, condition, order_comparison
from kfast.lab.io_session import DIRTY_AFTER, REQUESTS, SPEED
from kfast.lab.io_work import NO_SYNC
from kfast.lab.io_worker import COLD, IN_ORDER
from kfast.lab.prediction import factor, inverse, number
from kfast.lab.sizes import size_text
from kfast.lab.summary import Interval
from kfast.lab.unavailable import Unavailable

KAFKA_LINEAR_MB_PER_S, KAFKA_RANDOM_MB_PER_S = 600.0, 0.1
NEAR = 1.25  # what is no further apart than this is called nearly equal


def in_order_arms(result: ExperimentResult, under: str) -> list[Arm]:
    """The arms in order under one condition ("cold", a sync policy) that ran, by block size."""
    arms = [arm for arm in result.arms if arm["order"] == IN_ORDER and not arm.replicate and condition(arm) == under]
    return sorted((arm for arm in arms if result.runs_of(arm)), key=lambda arm: int(arm["block_size"]))


def conditions(result: ExperimentResult, operation: str) -> list[str]:
    """Those of reads or writes, in the order of the arms."""
    return list(dict.fromkeys(condition(arm) for arm in result.arms if arm["operation"] == operation))


def order_effect(result: ExperimentResult, in_order: Arm) -> Interval:
    """How many times the throughput at random the arm in order has; both have run."""
    ratio = result.ratio(order_comparison(in_order))
    assert isinstance(ratio, Interval), ratio
    return ratio


def device_requests(result: ExperimentResult, in_order: Arm) -> dict[str, float] | Unavailable:
    """Device requests per MiB, the median of the blocks, for "in order" and "at random"."""
    found = {}
    for arm in (in_order, at_random(in_order)):
        requests = result.values(arm, REQUESTS)
        if isinstance(requests, Unavailable):
            return requests
        found[arm["order"]] = median(requests)
    return found


def read_headline(result: ExperimentResult) -> str:
    """The finding about cold reads, short enough for the title of a figure."""
    arms = in_order_arms(result, COLD)
    if no_finding(result) or not arms:
        return _no_headline(result, "cold reads")
    small, large = (order_effect(result, arm) for arm in (arms[0], arms[-1]))
    return (
        f"Cold reads in order over at random: {number(small.median)} times at {_size(arms[0])}, "
        f"{number(large.median)} times at {_size(arms[-1])}"
    )


def read_sentences(result: ExperimentResult) -> list[str]:
    """Does the order of reads matter, at which block size, and what did the device see?"""
    arms = in_order_arms(result, COLD)
    if reason := no_finding(result) or ("" if arms else _skip_reason(result)):
        return [reason]
    return [
        *(f"Cold reads of {_size(arm)}: {_order_words(result, arm)}" for arm in arms),
        _near_sentence(result, arms),
        _requests_sentence(result, arms[0]),
        resolution_sentence(result, SPEED),
    ]


def write_headline(result: ExperimentResult) -> str:
    """The finding about writes, short enough for the title of a figure."""
    if no_finding(result):
        return _no_headline(result, "writes")
    arms = [in_order_arms(result, under)[0] for under in conditions(result, "write")]
    factors = ", ".join(number(order_effect(result, arm).median) for arm in arms)
    return f"Writes of {_size(arms[0])} in order over at random, from left to right: {factors} times"


def write_sentences(result: ExperimentResult) -> list[str]:
    """Does the order of writes matter under each sync policy?"""
    if reason := no_finding(result):
        return [reason]
    sentences = []
    for under in conditions(result, "write"):
        arm = in_order_arms(result, under)[0]
        sentences.append(f"Writes of {_size(arm)}, {under}: {_order_words(result, arm)}")
        if arm["sync_bytes"] != NO_SYNC:
            sentences.append(_requests_sentence(result, arm))
    return [*sentences, _dirty_sentence(result)]


def slogan_sentence(result: ExperimentResult) -> str:
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
        for under in conditions(result, operation)
        for arm in in_order_arms(result, under)
    ]
    best = max(arms, key=lambda arm: order_effect(result, arm).median)
    found = factor(order_effect(result, best))
    return f"{quoted} Here the largest factor was {found}: {_what(best)}, on {device_words(result)}."


def device_words(result: ExperimentResult) -> str:
    """What kind of device this is, as far as the kernel says."""
    device, filesystem = result.provenance.device, result.provenance.filesystem
    known = f"a device whose kind is {device}" if isinstance(device, Unavailable) else device
    return f"{known} ({filesystem})"


def device_sentence(result: ExperimentResult) -> str:
    """The device, and what the kernel reads ahead of a reader that goes in order."""
    read_ahead = result.provenance.read_ahead_bytes
    ahead = str(read_ahead) if isinstance(read_ahead, Unavailable) else f"up to {size_text(read_ahead)} at a time"
    return (
        f"The device: {device_words(result)}. Read-ahead: {ahead}. "
        "Its requests are counted for the whole device, other programs' included."
    )


def _order_words(result: ExperimentResult, in_order: Arm) -> str:
    ratio = order_effect(result, in_order)
    if not is_effect(result, order_comparison(in_order)):
        return f"no effect larger than the A/A resolution, in order {factor(ratio)} the MB/s at random."
    if ratio.median < 1:
        return f"at random {factor(inverse(ratio))} the MB/s in order."
    return f"in order {factor(ratio)} the MB/s at random."


def _near_sentence(result: ExperimentResult, arms: Sequence[Arm]) -> str:
    near = [arm for arm in arms if order_effect(result, arm).median <= NEAR]
    if not near:
        return "At no block size of this run did reads at random come near to those in order."
    return (
        f"From blocks of {_size(near[0])} on, at random is nearly as fast as in order: "
        "a large block is a batch, and the device does not mind where it lies."
        if near == list(arms[-len(near) :])
        else f"Nearly equal at {' and '.join(_size(arm) for arm in near)}."
    )


def _requests_sentence(result: ExperimentResult, in_order: Arm) -> str:
    found = device_requests(result, in_order)
    if isinstance(found, Unavailable):
        return f"Device requests: {found}."
    words = ", ".join(f"{number(value)} {order}" for order, value in found.items())
    return f"Device requests for each MiB of {_what(in_order)}: {words}."


def _dirty_sentence(result: ExperimentResult) -> str:
    writes = [run for run in result.runs if run.arm["operation"] == "write" and run.arm["sync_bytes"] == NO_SYNC]
    found = [run.value(DIRTY_AFTER) for run in writes]
    shares = [share for share in found if not isinstance(share, Unavailable)]
    if not shares:
        return "How many pages were still dirty cannot be seen here."
    return (
        f"After the writes without a sync {median(shares):.0%} of the file's pages were in memory only: "
        "written is not on the disk."
    )


def _size(arm: Arm) -> str:
    return size_text(arm["block_size"])


def _what(arm: Arm) -> str:
    return f"{arm['operation']}s of {_size(arm)}, {condition(arm)}"


def _skip_reason(result: ExperimentResult) -> str:
    reasons = dict.fromkeys(str(reason) for arm, reason in result.skipped if arm["operation"] == "read")
    return f"Cold reads were skipped: {', '.join(reasons) or 'none was planned'}."


def _no_headline(result: ExperimentResult, what: str) -> str:
    if no_finding(result):
        return f"{no_finding_headline(result)} about {what} ({result.block_count} blocks)"
    return f"No finding about {what}"
