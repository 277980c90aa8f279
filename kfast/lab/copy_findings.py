"""What a run of the copy experiment says, in sentences: computed from the runs, and worded for whatever came out.

Chunk size and copy mode are compared one at a time, from the same start: read+send in the smallest chunks. Ratios are
those of the sender's CPU per byte, paired block by block. A change is called one only if its interval does not span 1
and it is larger than the A/A resolution, the factor by which the same arm, run twice, differs from itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from kfast.lab.copy_cost import COPYING, ZERO_COPY, changed, copy_arm, reference_chunk_size
from kfast.lab.copy_sender import BARE_SENDFILE
from kfast.lab.copy_session import COPIES, PAGE_FAULTS, RECEIVER_CPU, SENDER_CPU, SENT, SYSCALLS, THROUGHPUT
from kfast.lab.experiment import Arm, ArmUnavailableError, Comparison
from kfast.lab.experiment_findings import is_effect, no_finding, no_finding_headline, resolution_sentence
from kfast.lab.experiment_result import ExperimentResult, Run
from kfast.lab.mode_comparison import LABELS
from kfast.lab.prediction import factor, inverse, number
from kfast.lab.sizes import size_text
from kfast.lab.summary import Interval
from kfast.lab.unavailable import Unavailable
from kfast.transfer.modes import COPY_MODES

NO_EFFECT = "no effect larger than the A/A resolution"


def _finding(words: Callable[[ExperimentResult], str]) -> Callable[[ExperimentResult], str]:
    """Where nothing may be concluded, or where an arm could not be run, the reason takes the sentence's place."""

    @wraps(words)
    def sentence(result: ExperimentResult) -> str:
        try:
            return no_finding(result) or words(result)
        except ArmUnavailableError as error:
            return f"No finding: {error}."

    return sentence


def sweep_arms(result: ExperimentResult, copy_mode: str) -> list[Arm]:
    """The arms of one mode with a receiver that copies, by chunk size, on the first working set."""
    arms = [
        arm
        for arm in result.arms
        if arm["copy_mode"] == copy_mode
        and not arm.replicate
        and not arm["is_discarded"]
        and arm["working_set_size"] == result.arms[0]["working_set_size"]
    ]
    return sorted(arms, key=lambda arm: int(arm["chunk_size"]))


def chunks_alone(result: ExperimentResult, copy_mode: str = COPYING) -> Comparison:
    """Sender CPU where only the chunks become the largest instead of the smallest."""
    arms = sweep_arms(result, copy_mode)
    return _sender_cpu(arms[0], arms[-1])


def mode_alone(result: ExperimentResult, place: int = 0) -> Comparison:
    """Sender CPU where only read+send becomes sendfile: in the smallest chunks, or at place -1 in the largest."""
    return _sender_cpu(sweep_arms(result, COPYING)[place], sweep_arms(result, ZERO_COPY)[place])


def chunk_effect(result: ExperimentResult, copy_mode: str = COPYING) -> Interval:
    """How many times less sender CPU a byte costs by the chunks alone. Raises ArmUnavailableError with the reason."""
    return _ratio(result, chunks_alone(result, copy_mode))


def mode_effect(result: ExperimentResult, place: int = 0) -> Interval:
    """How many times less by the copy mode alone. Raises ArmUnavailableError with the reason."""
    return _ratio(result, mode_alone(result, place))


@_finding
def main_sentence(result: ExperimentResult) -> str:
    """Does the chunk size matter more than the copy mode? Each alone, both together, and the answer."""
    chunks, mode = chunks_alone(result), mode_alone(result)
    small, large = (size_text(arm["chunk_size"]) for arm in (chunks.over, chunks.under))
    return (
        f"From {small} to {large} chunks alone, read+send's sender CPU for each GB {_fell(result, chunks)}; "
        f"from read+send to sendfile alone, in {small} chunks, it {_fell(result, mode)}. "
        f"{_which(result, chunks, mode)} "
        f"From {large} chunks on to sendfile as well, it {_fell(result, mode_alone(result, -1))}. "
        f"{resolution_sentence(result, SENDER_CPU)}"
    )


def headline(result: ExperimentResult) -> str:
    """The main finding, short enough for the title of a figure."""
    if no_finding(result):
        return f"{no_finding_headline(result)} ({result.block_count} blocks)"
    try:
        chunks, mode = (_divided(result, one) for one in (chunks_alone(result), mode_alone(result)))
    except ArmUnavailableError as error:
        return f"No finding: {error}"
    return f"Sender CPU per GB: larger chunks alone {chunks}, sendfile alone {mode}"


@_finding
def bare_sentence(result: ExperimentResult) -> str:
    """What kfast's sender adds to a loop of os.sendfile calls."""
    bare = next(arm for arm in result.arms if arm["copy_mode"] == BARE_SENDFILE)
    found = _sender_cpu(changed(bare, copy_mode=ZERO_COPY), bare)
    return (
        f"sendfile through kfast took {_times(result, found)} the sender's CPU of a bare sendfile loop "
        f"in {size_text(bare['chunk_size'])} chunks. {resolution_sentence(result, SENDER_CPU)}"
    )


@_finding
def throughput_sentence(result: ExperimentResult) -> str:
    """Less CPU is not yet more GB/s: both factors of sendfile over read+send, and what was the limit of each."""
    copying, zero = sweep_arms(result, COPYING)[-1], sweep_arms(result, ZERO_COPY)[-1]
    cpu, speed = (_times(result, Comparison("", measure, zero, copying)) for measure in (SENDER_CPU, THROUGHPUT))
    return (
        f"In {size_text(zero['chunk_size'])} chunks sendfile took {cpu} the sender's CPU for each GB and "
        f"moved {speed} the GB/s of read+send. "
        f"The limit: {_limit(result, copying)} with read+send, {_limit(result, zero)} with sendfile."
    )


@_finding
def receiver_sentence(result: ExperimentResult) -> str:
    """What the receiver saves when it discards instead of copying, beside each of the two modes."""
    parts = []
    for mode in (COPYING, ZERO_COPY):
        copies = sweep_arms(result, mode)[-1]
        receiver = Comparison("", RECEIVER_CPU, copies, changed(copies, is_discarded=True))
        parts.append(f"{_times(result, receiver)} with {LABELS[mode]}")
    return (
        f"A receiver that copies took {' and '.join(parts)} the CPU of one that discards. On loopback part of what "
        f"receiving costs is charged to the sender, so look at both."
    )


@_finding
def working_set_sentence(result: ExperimentResult) -> str:
    """How many times the CPU of sendfile read+send takes, on what fits the caches and on what does not."""
    parts, chunk_size = [], reference_chunk_size(result.arms)
    for size in sorted({arm["working_set_size"] for arm in result.arms}):
        copying, zero = (copy_arm(mode, chunk_size, size) for mode in (COPYING, ZERO_COPY))
        parts.append(f"{_times(result, _sender_cpu(copying, zero))} on a working set of {size_text(size)}")
    return (
        f"read+send took {' and '.join(parts)} the sender's CPU of sendfile. {resolution_sentence(result, SENDER_CPU)}"
    )


def counters_lines(result: ExperimentResult) -> list[str]:
    """Of each mode in the largest chunks: bytes, those the sending CPU copied, system calls and page faults."""
    calls_and_faults = f"{'system calls per GB':>21}{'page faults per GB':>20}"
    lines = [f"{'':<12}{'sent':>12}{'copied by the CPU':>20}{'copies':>8}{calls_and_faults}"]
    for mode in COPY_MODES:
        for run in result.runs_of(sweep_arms(result, mode)[-1])[:1]:
            sent, copies, calls, faults = _counted(run)
            size, copied = size_text(int(sent)), size_text(int(copies * sent))
            lines.append(f"{LABELS[mode]:<12}{size:>12}{copied:>20}{copies:>8.0f}{calls:>21,.0f}{faults:>20,.0f}")
    return lines


def _counted(run: Run) -> list[float]:
    """What is counted on every machine."""
    values = (run.value(name) for name in (SENT, COPIES, SYSCALLS, PAGE_FAULTS))
    return [value for value in values if not isinstance(value, Unavailable)]


def _limit(result: ExperimentResult, arm: Arm) -> str:
    return result.limited_by(arm).replace("none", "neither CPU alone")


def _sender_cpu(over: Arm, under: Arm) -> Comparison:
    return Comparison("", SENDER_CPU, over, under)


def _ratio(result: ExperimentResult, comparison: Comparison) -> Interval:
    """How many times larger the measure is in `over`, block by block. Raises ArmUnavailableError with the reason."""
    found = result.ratio(comparison)
    if isinstance(found, Unavailable):
        raise ArmUnavailableError(found.reason)
    return found


def _times(result: ExperimentResult, comparison: Comparison) -> str:
    words = factor(_ratio(result, comparison))
    return words if is_effect(result, comparison) else f"{words} ({NO_EFFECT})"


def _fell(result: ExperimentResult, comparison: Comparison) -> str:
    ratio = _ratio(result, comparison)
    if not is_effect(result, comparison):
        return f"showed {NO_EFFECT} ({factor(ratio)})"
    return f"fell {factor(ratio)}" if ratio.median > 1 else f"rose {factor(inverse(ratio))}"


def _divided(result: ExperimentResult, comparison: Comparison) -> str:
    ratio = _ratio(result, comparison)
    if not is_effect(result, comparison):
        return "no effect"
    return f"÷ {number(ratio.median)}" if ratio.median > 1 else f"× {number(1 / ratio.median)}"


def _which(result: ExperimentResult, chunks: Comparison, mode: Comparison) -> str:
    """Both begin at the same arm, so the arms that they end at say which of them saved more."""
    ends = _sender_cpu(mode.under, chunks.under)
    ratio = _ratio(result, ends)
    if not is_effect(result, ends):
        return "This run cannot say which of them mattered more."
    more, less = ("chunk size", "copy mode") if ratio.median > 1 else ("copy mode", "chunk size")
    return f"So here the {more} mattered more than the {less}."
