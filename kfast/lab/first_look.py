"""A first look at the way of the data: one workload, a moment in each copy mode. A picture, no comparison.

One short stretch a mode, in the order given, says which hops the bytes take and roughly how many; it says nothing about
chance. The dashboard and the zero-copy notebook compare.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kfast.lab.data_way import DataWay, data_way
from kfast.lab.plans import is_fast
from kfast.lab.sampler import reading
from kfast.lab.workload import Workload
from kfast.lab.workload_settings import WorkloadSettings

COPY_MODES: Final = ("read_send", "sendfile")
LOOK_S: Final = 1.0
FAST_LOOK_S: Final = 0.25
SETTLE_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What a stretch in one copy mode showed. Both byte counts are the broker's own, of records that it sent."""

    way: DataWay
    sent_bytes: int
    cpu_copied_bytes: int

    @property
    def copies_a_byte(self) -> float:
        """How often the broker's processor copied each byte that it sent."""
        return self.cpu_copied_bytes / self.sent_bytes


def first_look(copy_modes: Sequence[str] = COPY_MODES, seconds: float | None = None) -> dict[str, FirstLook]:
    """Run broker, producer and consumer in processes of their own, and look at each copy mode for `seconds`."""
    if seconds is None:
        seconds = FAST_LOOK_S if is_fast() else LOOK_S
    looks = {}
    with Workload(WorkloadSettings(copy_mode=copy_modes[0])) as workload:
        for copy_mode in copy_modes:
            workload.set(copy_mode=copy_mode)
            time.sleep(SETTLE_S)  # slices that were found before are sent in the mode they were found under
            before = workload.sample()
            time.sleep(seconds)
            after = workload.sample()
            looks[copy_mode] = FirstLook(
                data_way(reading(before, after).traffic),
                sum(after.sent_bytes.values()) - sum(before.sent_bytes.values()),
                after.cpu_copied_bytes - before.cpu_copied_bytes,
            )
    return looks
