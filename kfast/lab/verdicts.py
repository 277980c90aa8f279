"""What must hold on any machine, whatever its speed: the lines that the tests of the notebooks compare.

Each is about what could be observed here; a copy mode or a counter that this machine does not have is left out, and the
cells beside it name what is missing and why. Where what every machine has was not measured, the verdict is False.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from kfast.lab.broker_copies import DirectionCopies
from kfast.lab.canary import CanaryResult
from kfast.lab.cold_reader_session import CACHED as CACHED_OF_LOG
from kfast.lab.cold_reader_session import COLD as COLD_CONSUMER
from kfast.lab.cold_reader_session import DEVICE_BYTES
from kfast.lab.cold_send import SentOnce
from kfast.lab.copy_session import CACHED_SHARE, COPIES, RECEIVED, SENT
from kfast.lab.experiment import Arm
from kfast.lab.experiment_result import ExperimentResult, Run
from kfast.lab.io_findings import device_requests, in_order_arms
from kfast.lab.io_session import CACHED_BEFORE, DIRTY_AFTER, MOVED
from kfast.lab.io_work import NO_SYNC
from kfast.lab.io_worker import COLD
from kfast.lab.unavailable import Unavailable
from kfast.transfer.modes import CPU_COPIES
from kfast.transfer.tls_connection import CPU_COPIES as TLS_COPIES
from kfast.transfer.tls_connection import SENT_AS


def canary_agrees(results: Mapping[str, CanaryResult | Unavailable]) -> bool:
    """Whether the modes that claim zero copy sent nothing but references, and the others nothing but copies."""
    found = {mode: result for mode, result in results.items() if isinstance(result, CanaryResult)}
    return "read_send" in found and all(
        result.is_zero_copy if CPU_COPIES[mode] == 0 else result.old_bytes == result.size_bytes
        for mode, result in found.items()
    )


def sent_everything(result: ExperimentResult) -> bool:
    """Whether every arm of every block sent as many bytes as the others, and the receiver got them all."""
    sent, received = ({run.value(name) for run in result.runs} for name in (SENT, RECEIVED))
    return len(sent) == 1 and sent == received


def copied_as_claimed(result: ExperimentResult) -> bool:
    """Whether the sender counted 2, 1, 0 and 0 copies by the CPU, and 3 over TLS, wherever a mode of ours sent."""
    claimed = {**CPU_COPIES, SENT_AS: TLS_COPIES}
    counted = [run for run in result.runs if dict(run.arm.factors).get("copy_mode") in claimed]
    return bool(counted) and all(run.value(COPIES) == claimed[run.arm["copy_mode"]] for run in counted)


def stayed_warm(result: ExperimentResult) -> bool:
    """Whether no run needed the disk: cachestat found all pages of the file in the page cache after each."""
    shares = [run.value(CACHED_SHARE) for run in result.runs]
    return all(share == 1 for share in shares if not isinstance(share, Unavailable))


def ran_every_arm(result: ExperimentResult) -> bool:
    """Whether each block ran every arm once, but for those that cannot be run here and say why."""
    arms = set(result.arms) - {arm for arm, _ in result.skipped}
    blocks = {run.block for run in result.runs}
    return bool(blocks) and sorted(map(repr, ((run.block, run.arm) for run in result.runs))) == sorted(
        map(repr, itertools.product(blocks, arms))
    )


def moved_something(result: ExperimentResult, measure: str) -> bool:
    """Whether the measure was more than nothing in every run."""
    values = [run.value(measure) for run in result.runs]
    return bool(values) and all(not isinstance(value, Unavailable) and value > 0 for value in values)


def is_larger(result: ExperimentResult, measure: str, larger: Arm, smaller: Arm) -> bool:
    """Whether the median of the measure is larger in one arm: for what is counted, never for what is timed."""
    over, under = result.summary(larger, measure), result.summary(smaller, measure)
    return bool(over and under) and over.median > under.median  # type: ignore[union-attr]  # Unavailable is false


def is_evidence(results: Sequence[ExperimentResult]) -> bool:
    """Whether there are stored results, and all are full runs that say where, by which version and beside what."""
    return bool(results) and all(
        not result.is_smoke and result.block_count and result.provenance.measured_at and result.conditions
        for result in results
    )


def only_fetching_is_zero_copy(found: Sequence[DirectionCopies]) -> bool:
    """Whether produced bytes were copied twice or more, and those fetched by sendfile never."""
    copies = {one.name: one.copies for one in found}
    return copies["produced"] >= 2 and copies["fetched, sendfile"] == 0


def moved_the_same(runs: Sequence[Run]) -> bool:
    """Whether every run moved the same bytes. What cachestat finds afterwards is no proof: a kernel may drop pages."""
    moved = {run.value(MOVED) for run in runs}
    return len(moved) <= 1 and 0 not in moved


def cold_was_cold(result: ExperimentResult) -> bool:
    """Whether cachestat found nothing in the page cache before each read that is called cold."""
    reads = [run for run in result.runs if run.arm["operation"] == "read"]
    return all(run.value(CACHED_BEFORE) == 0 for run in reads if run.arm["cache"] == COLD)


def random_asks_more_often(result: ExperimentResult) -> bool:
    """Whether cold reads of the smallest blocks took more device requests at random than in order."""
    for arm in in_order_arms(result, COLD)[:1]:
        counted = device_requests(result, arm)
        if not isinstance(counted, Unavailable):
            return counted["at random"] > counted["in order"]
    return True


def sync_left_nothing_dirty(result: ExperimentResult) -> bool:
    """Whether no page of the file was in memory only after a write that ended with fdatasync."""
    writes = [run for run in result.runs if run.arm["operation"] == "write"]
    dirty = [run.value(DIRTY_AFTER) for run in writes if run.arm["sync_bytes"] != NO_SYNC]
    return all(share == 0 for share in dirty if not isinstance(share, Unavailable))


def cold_send_waited(found: tuple[SentOnce, SentOnce] | Unavailable) -> bool:
    """Whether a sendfile to a non-blocking socket gave bytes that were not in memory when it was called."""
    return isinstance(found, Unavailable) or found[0].waited_for_the_disk


def cold_consumers_read_the_disk(result: ExperimentResult) -> bool:
    """Whether their log was out of the page cache before each run, and the device was read from in it."""
    runs = [run for run in result.runs if run.arm["consumer"] == COLD_CONSUMER]
    read = [run.value(DEVICE_BYTES) for run in runs]
    return all(run.value(CACHED_OF_LOG) == 0 for run in runs) and all(
        share > 0 for share in read if not isinstance(share, Unavailable)
    )
