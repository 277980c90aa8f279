"""What a `CopyResult` says, in sentences: computed from the runs, and worded for whatever came out.

Chunk size and copy mode are compared one at a time, from the same start: read+send in the smallest chunks. Ratios are
those of the sender's CPU per byte, paired block by block. "Larger than the resolution" means larger than the
factor by which the same arm, run twice, differs from itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kfast.lab.copy_experiment import CopyArm, CopyResult
from kfast.lab.copy_sender import BARE_SENDFILE
from kfast.lab.mode_comparison import LABELS
from kfast.lab.prediction import SMOKE, factor, inverse, number
from kfast.lab.sizes import size_text
from kfast.lab.summary import Interval, limiting_resource, paired_ratio
from kfast.lab.unavailable import Unavailable
from kfast.transfer.modes import COPY_MODES

COPYING, ZERO_COPY = "read_send", "sendfile"
ARM_LABELS = {**LABELS, BARE_SENDFILE: "bare sendfile loop"}


def counted_blocks(result: CopyResult) -> int:
    return len({run.block for run in result.runs} - set(result.dropped_blocks))


def no_finding(result: CopyResult) -> str:
    """Why nothing may be concluded; empty where something may."""
    if result.is_smoke:
        return SMOKE
    if not counted_blocks(result):
        return f"All {len(result.dropped_blocks)} blocks lost too much processor time to other guests: no finding."
    return ""


def sweep_arms(result: CopyResult, copy_mode: str) -> list[CopyArm]:
    """The arms of one mode with a receiver that copies, by chunk size, on the first working set."""
    arms = [
        arm
        for arm in result.arms
        if arm.copy_mode == copy_mode
        and not arm.replicate
        and not arm.is_discarded
        and arm.working_set_size == result.arms[0].working_set_size
    ]
    return sorted(arms, key=lambda arm: arm.chunk_size)


def chunk_effect(result: CopyResult, copy_mode: str = COPYING) -> Interval:
    """How many times less sender CPU a byte costs when only the chunks become the largest instead of the smallest."""
    arms = sweep_arms(result, copy_mode)
    return result.cpu_ratio(arms[0], arms[-1])


def mode_effect(result: CopyResult, place: int = 0) -> Interval:
    """How many times less when only read+send becomes sendfile: in the smallest chunks, or at place -1 the largest."""
    return result.cpu_ratio(sweep_arms(result, COPYING)[place], sweep_arms(result, ZERO_COPY)[place])


def main_sentence(result: CopyResult) -> str:
    """Does the chunk size matter more than the copy mode? Each alone, both together, and the answer."""
    if reason := no_finding(result):
        return reason
    small, large = (size_text(sweep_arms(result, COPYING)[place].chunk_size) for place in (0, -1))
    chunk, mode = chunk_effect(result), mode_effect(result)
    return (
        f"From {small} to {large} chunks alone, read+send's sender CPU for each GB {_fell(chunk)}; "
        f"from read+send to sendfile alone, in {small} chunks, it {_fell(mode)}. {_which(chunk, mode)} "
        f"From {large} chunks on to sendfile as well, it {_fell(mode_effect(result, -1))}. {_resolution(result)}"
    )


def headline(result: CopyResult) -> str:
    """The main finding, short enough for the title of a figure."""
    if no_finding(result):
        return f"Smoke run, no finding ({counted_blocks(result)} blocks)" if result.is_smoke else "No block counts"
    chunk, mode = chunk_effect(result), mode_effect(result)
    return f"Sender CPU per GB: larger chunks alone {_divided(chunk)}, sendfile alone {_divided(mode)}"


def bare_sentence(result: CopyResult) -> str:
    """What kfast's sender adds to a loop of os.sendfile calls."""
    if reason := no_finding(result):
        return reason
    bare = next(arm for arm in result.arms if arm.copy_mode == BARE_SENDFILE)
    ratio = result.cpu_ratio(replace(bare, copy_mode=ZERO_COPY), bare)
    return (
        f"sendfile through kfast took {factor(ratio)} the sender's CPU of a bare sendfile loop "
        f"in {size_text(bare.chunk_size)} chunks. {_resolution(result)}"
    )


def throughput_sentence(result: CopyResult) -> str:
    """Less CPU is not yet more GB/s: both factors of sendfile over read+send, and what was the limit of each."""
    if reason := no_finding(result):
        return reason
    copying, zero = sweep_arms(result, COPYING)[-1], sweep_arms(result, ZERO_COPY)[-1]
    speed = paired_ratio(_throughput(result, zero), _throughput(result, copying))
    cpu = inverse(mode_effect(result, -1))
    return (
        f"In {size_text(zero.chunk_size)} chunks sendfile took {factor(cpu)} the sender's CPU for each GB and "
        f"moved {factor(speed)} the GB/s of read+send. "
        f"The limit: {_limit(result, copying)} with read+send, {_limit(result, zero)} with sendfile."
    )


def receiver_sentence(result: CopyResult) -> str:
    """What the receiver saves when it discards instead of copying, beside each of the two modes."""
    if reason := no_finding(result):
        return reason
    parts = []
    for mode in (COPYING, ZERO_COPY):
        copies = sweep_arms(result, mode)[-1]
        discards = replace(copies, is_discarded=True)
        receiver = paired_ratio(_receiver_cpu(result, copies), _receiver_cpu(result, discards))
        parts.append(f"{factor(receiver)} with {LABELS[mode]}")
    return (
        f"A receiver that copies took {' and '.join(parts)} the CPU of one that discards. On loopback part of what "
        f"receiving costs is charged to the sender, so look at both."
    )


def working_set_sentence(result: CopyResult) -> str:
    """How many times the CPU of sendfile read+send takes, on what fits the caches and on what does not."""
    if reason := no_finding(result):
        return reason
    parts = []
    for size in sorted({arm.working_set_size for arm in result.arms}):
        copying, zero = (CopyArm(mode, result.arms[0].chunk_size, size) for mode in (COPYING, ZERO_COPY))
        parts.append(f"{factor(result.cpu_ratio(copying, zero))} on a working set of {size_text(size)}")
    return f"read+send took {' and '.join(parts)} the sender's CPU of sendfile. {_resolution(result)}"


def counters_lines(result: CopyResult) -> list[str]:
    """Of each mode in the largest chunks: bytes, those the sending CPU copied, system calls and page faults."""
    calls_and_faults = f"{'system calls per GB':>21}{'page faults per GB':>20}"
    lines = [f"{'':<12}{'sent':>12}{'copied by the CPU':>20}{'copies':>8}{calls_and_faults}"]
    for mode in COPY_MODES:
        for run in result.runs_of(sweep_arms(result, mode)[-1])[:1]:
            copies = run.cpu_copied_bytes / run.sent_bytes
            calls, faults = (count / run.sent_bytes * 1e9 for count in (run.syscalls, run.sender.page_faults))
            sent, copied = size_text(run.sent_bytes), size_text(run.cpu_copied_bytes)
            lines.append(f"{LABELS[mode]:<12}{sent:>12}{copied:>20}{copies:>8.0f}{calls:>21,.0f}{faults:>20,.0f}")
    return lines


def limit_of(result: CopyResult, arm: CopyArm) -> str:
    """The resource that most of the arm's runs were limited by, or "none"."""
    limits = [
        limiting_resource({"sender": run.sender.cpu_s, "receiver": run.receiver.cpu_s}, run.elapsed_s)
        for run in result.runs_of(arm)
    ]
    return max(sorted(set(limits)), key=limits.count)


def _limit(result: CopyResult, arm: CopyArm) -> str:
    return limit_of(result, arm).replace("none", "neither CPU alone")


def _fell(ratio: Interval) -> str:
    if ratio.spans(1.0):
        return f"did not change by more than chance ({factor(ratio)})"
    return f"fell {factor(ratio)}" if ratio.median > 1 else f"rose {factor(inverse(ratio))}"


def _divided(ratio: Interval) -> str:
    if ratio.spans(1.0):
        return "no clear change"
    return f"÷ {number(ratio.median)}" if ratio.median > 1 else f"× {number(1 / ratio.median)}"


def _which(chunk: Interval, mode: Interval) -> str:
    if chunk.low > mode.high:
        return "So here the chunk size mattered more than the copy mode."
    if mode.low > chunk.high:
        return "So here the copy mode mattered more than the chunk size."
    return "The two intervals overlap, so this run cannot say which of them mattered more."


def _resolution(result: CopyResult) -> str:
    found = result.aa_resolution()
    if isinstance(found, Unavailable):
        return f"Resolution {found}."
    return f"The same arm run twice differed by up to {found:.2f} times."


def _throughput(result: CopyResult, arm: CopyArm) -> Sequence[float]:
    return [run.throughput_bytes_per_s for run in result.runs_of(arm)]


def _receiver_cpu(result: CopyResult, arm: CopyArm) -> Sequence[float]:
    return [run.receiver_cpu_s_per_gb for run in result.runs_of(arm)]
