"""E1, is it really zero copy? The mutation canary of every copy mode and of TLS, again and again.

Nothing here is timed: a mode either sends what becomes of the file, or what it was. That it does so every time, in
large chunks and in small ones, is what the blocks are for; so the report has the fewest and the most of all runs, as a
median would hide the one that was different.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from kfast.lab.canary import SIZE, TLS, canary, tls_canary
from kfast.lab.experiment import Arm, ArmUnavailableError, Experiment, Measure, Measurement, Options, Plan, block_count
from kfast.lab.experiment_result import ExperimentResult, Run
from kfast.lab.mode_comparison import LABELS
from kfast.lab.sizes import size_text
from kfast.lab.unavailable import Unavailable

CHUNK_SIZES = (4 << 10, SIZE)
SENDFILE = "sendfile"
NEW_BYTES = "new_bytes_of_100"


def proof_arms() -> list[Arm]:
    """Every mode in small chunks and in one; TLS; and sendfile again."""
    arms = [
        Arm.of(f"{label}, chunks of {size_text(size)}", copy_mode=mode, chunk_size=size)
        for mode, label in LABELS.items()
        for size in CHUNK_SIZES
    ]
    last = next(arm for arm in arms if (arm["copy_mode"], arm["chunk_size"]) == (SENDFILE, SIZE))
    return [*arms, Arm.of("TLS", copy_mode=TLS, chunk_size=SIZE), last.again()]


def proof_sentences(result: ExperimentResult) -> list[str]:
    """Of each arm the fewest and the most of all runs, and whether sendfile sent references every time."""
    by_arm = {arm: _new_bytes([run for run in result.runs if run.arm == arm]) for arm in result.arms}
    lines = [
        f"{arm}: {min(values):g} to {max(values):g} of 100 bytes were written after the send, in {len(values)} runs."
        for arm, values in by_arm.items()
        if values
    ]
    return [
        *lines,
        verdict([value for arm, values in by_arm.items() if arm["copy_mode"] == SENDFILE for value in values]),
    ]


def verdict(of_sendfile: Sequence[float]) -> str:
    """What all runs of sendfile say together, plainly."""
    if not of_sendfile:
        return "sendfile could not be asked here."
    fewest, most, count = min(of_sendfile), max(of_sendfile), len(of_sendfile)
    if fewest == 100:
        return f"sendfile sent references in all of its {count} runs."
    if most == 0:
        return f"FALSIFIED HERE: sendfile sent copies in all of its {count} runs."
    return (
        f"FALSIFIED HERE: in its {count} runs sendfile sent {fewest:g} to {most:g} of 100 bytes by reference, not all."
    )


def _new_bytes(runs: Sequence[Run]) -> list[float]:
    values = [run.value(NEW_BYTES) for run in runs]
    return [value for value in values if not isinstance(value, Unavailable)]


class ProofSession:
    """Sends 64 KiB over loopback, overwrites them in the file, and lets the receiver read only then."""

    conditions: Mapping[str, str] = {"each run": f"{size_text(SIZE)} over loopback, in this process"}

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def run(self, arm: Arm) -> Measurement:
        start_ns, start_cpu_s = time.monotonic_ns(), time.process_time()
        mode = arm["copy_mode"]
        found = tls_canary(self._directory) if mode == TLS else canary(mode, self._directory, arm["chunk_size"])
        if isinstance(found, Unavailable):
            raise ArmUnavailableError(found.reason)
        elapsed_s, cpu_s = (time.monotonic_ns() - start_ns) / 1e9, time.process_time() - start_cpu_s
        share = 100.0 * found.new_bytes / found.size_bytes
        return Measurement(elapsed_s, {"sender and receiver": cpu_s}, {NEW_BYTES: share}, "none")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is held open between runs."""


def _plan(options: Options) -> Plan:
    return Plan(
        arms=proof_arms(),
        comparisons=(),
        block_count=block_count(options),
        run_s=0.01,
        open_session=ProofSession,
        touched_bytes=0,
        warms_up=False,
    )


ZERO_COPY_PROOF = Experiment(
    name="E1",
    slug="canary",
    title="Is it really zero copy?",
    question="does the receiver get the bytes that were sent, or what became of them in the file afterwards?",
    factors={"copy_mode": "how a slice leaves", "chunk_size": "bytes a call moves at most"},
    control="read+send, which copies by its nature: nothing of what was written later may arrive",
    measures=(Measure(NEW_BYTES, "of 100 bytes, those written after the send", "less"),),
    falsifier="sendfile delivers, in any run, a byte that is not the one written after it returned",
    shows="whether the socket held references to the page cache (100 of 100) or a copy (0 of 100), on this kernel",
    shows_not="what that saves: see E2. Nor what a network card's driver does with the references",
    counter_check="strace -f -e trace=sendfile,sendto,sendmsg,splice -p PID shows by which call record bytes leave",
    plan=_plan,
    own_sentences=proof_sentences,
)
