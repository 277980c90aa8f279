"""What this process has used so far, by getrusage(2): microseconds, where /proc/<pid>/stat counts ticks of 10 ms.

So each child of an experiment measures itself, around the work and nothing else.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU, context switches and page faults (without the disk) of one process, all its threads together, and when."""

    user_s: float
    system_s: float
    voluntary_switches: int
    involuntary_switches: int
    page_faults: int
    monotonic_ns: int

    @classmethod
    def now(cls) -> Usage:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return cls(used.ru_utime, used.ru_stime, used.ru_nvcsw, used.ru_nivcsw, used.ru_minflt, time.monotonic_ns())


@dataclass(frozen=True, slots=True)
class UsageInterval:
    """What a process used between two moments. The moments are CLOCK_MONOTONIC, which all processes share."""

    user_s: float
    system_s: float
    voluntary_switches: int
    involuntary_switches: int
    page_faults: int
    start_ns: int
    end_ns: int

    @classmethod
    def since(cls, start: Usage) -> UsageInterval:
        end = Usage.now()
        return cls(
            end.user_s - start.user_s,
            end.system_s - start.system_s,
            end.voluntary_switches - start.voluntary_switches,
            end.involuntary_switches - start.involuntary_switches,
            end.page_faults - start.page_faults,
            start.monotonic_ns,
            end.monotonic_ns,
        )

    @classmethod
    def from_json(cls, message: Mapping[str, Any]) -> UsageInterval:
        return cls(**message)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def cpu_s(self) -> float:
        return self.user_s + self.system_s

    @property
    def elapsed_s(self) -> float:
        return (self.end_ns - self.start_ns) / 1e9
