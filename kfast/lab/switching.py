"""The copy mode switched again and again under a reader that checks every batch: is a byte lost, and who copies?

The consumer verifies the checksum of each batch and that each begins where the one before ended, and fails otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from kfast.child_process import ChildError
from kfast.lab.lab_directory import lab_parent
from kfast.lab.sample import Sample
from kfast.lab.workload import Workload
from kfast.lab.workload_settings import WorkloadSettings
from kfast.transfer.capability import probe

ROUNDS = 3
MOVED_BYTES = 16 << 20
"""What each mode moves before the next one's turn."""

TIMEOUT_S = 30.0
_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Switching:
    """What came of it. `copies` is how often the broker's CPU copied each byte that a mode moved, as it counted."""

    switch_count: int
    consumed_bytes: int
    copies: dict[str, float]
    failure: str

    @property
    def is_whole(self) -> bool:
        """Whether every batch arrived valid and in its place."""
        return not self.failure and self.consumed_bytes > 0


def switch_while_reading(copy_modes: Sequence[str] | None = None, rounds: int = ROUNDS) -> Switching:
    """Let every mode that works here move MOVED_BYTES in mid-stream, `rounds` times, in a fraction of a second each."""
    if copy_modes is None:
        copy_modes = [mode for mode, capability in probe(lab_parent()).items() if capability.is_available]
    copied = dict.fromkeys(copy_modes, 0)
    sent = dict.fromkeys(copy_modes, 0)
    switch_count = consumed_bytes = 0
    failure = ""
    with Workload(WorkloadSettings(workload="reread", verify=True)) as workload:
        try:
            for _ in range(rounds):
                for mode in copy_modes:
                    workload.set(copy_mode=mode)
                    switch_count += 1
                    before, after = _moved_by(workload, mode)
                    copied[mode] += after.cpu_copied_bytes - before.cpu_copied_bytes
                    sent[mode] += _sent(after, mode) - _sent(before, mode)
                    consumed_bytes = after.consumed_bytes
        except ChildError as error:  # what the consumer says of a batch that is not as it should be
            failure = str(error)
    copies = {mode: copied[mode] / sent[mode] for mode in copy_modes if sent[mode]}
    return Switching(switch_count, consumed_bytes, copies, failure)


def _moved_by(workload: Workload, mode: str) -> tuple[Sample, Sample]:
    """Two samples between which `mode` moved MOVED_BYTES and no other mode a byte: a slice ends as it began."""
    deadline_s = time.monotonic() + TIMEOUT_S
    before = workload.sample()
    while time.monotonic() < deadline_s:
        time.sleep(_POLL_S)
        after = workload.sample()
        others = [name for name in after.sent_bytes if name != mode]
        if any(_sent(after, name) != _sent(before, name) for name in others):
            before = after
        elif _sent(after, mode) - _sent(before, mode) >= MOVED_BYTES:
            return before, after
    raise TimeoutError(f"{mode} did not move {MOVED_BYTES} bytes in {TIMEOUT_S} s")


def _sent(sample: Sample, mode: str) -> int:
    return sample.sent_bytes.get(mode, 0)
