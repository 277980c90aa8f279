"""One log, damaged in many ways, and what two programs made of it: Apache Kafka when the damage was made, kfast now.

The damaged directories are golden case 10; Kafka's decisions were written down with them (data/golden/README.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from kfast.lab.crashed_log import CONFIG
from kfast.lab.experiment_findings import table_lines
from kfast.lab.golden import GoldenDirectory
from kfast.lab.recovery import Recovery, recover

WRITTEN: Final = 683
DAMAGED: Final = {
    "as-it-is": "nothing, beyond kill -9",
    "torn-12": "cut 11 bytes into the last batch",
    "torn-header": "cut 30 bytes into the last batch",
    "torn-records": "cut a byte before its end",
    "zero-tail": "4,096 zeros after the last batch",
    "garbage-tail": "100 bytes of garbage there",
    "flip-last-segment": "a bit flipped, last segment",
    "flip-middle-segment": "a bit flipped, middle segment",
    "no-index": "index files missing",
    "short-index": "index files cut short",
    "garbage-index": "index files full of garbage",
    "no-timeindex": "time indexes missing",
    "no-snapshots": "producer snapshots missing",
    "bad-snapshot": "a bit flipped in a snapshot",
    "leftovers": "a cleaner's leftovers beside it",
    "swap": "a cleaner's swap, half done",
    "swap-and-original": "the same, with the originals",
}
"""What was done to the log, by the names that data/golden has for it."""


@dataclass(frozen=True, slots=True)
class KeptLog:
    """What is left of a log."""

    end_offset: int
    log_bytes: int
    segment_count: int

    def __str__(self) -> str:
        return f"{self.end_offset} records, {self.log_bytes:,} bytes"


@dataclass(frozen=True, slots=True)
class CrashCase:
    """One kind of damage, in words."""

    damage: str
    kafka: KeptLog
    recovery: Recovery

    @property
    def kfast(self) -> KeptLog:
        return KeptLog(self.recovery.end_offset, self.recovery.log_bytes, self.recovery.segment_count)

    @property
    def agrees(self) -> bool:
        return self.kfast == self.kafka


def crash_cases(names: Iterable[str] = DAMAGED) -> list[CrashCase]:
    """Have kfast recover a copy of each damaged directory."""
    return [_crash_case(name) for name in names]


def _crash_case(name: str) -> CrashCase:
    golden = GoldenDirectory(f"10-crash-{name}", logdir="damaged")
    after = golden.after_recovery
    kafka = KeptLog(after["end_offset_on_disk"], after["log_bytes_kept"], len(after["segments"]))
    return CrashCase(DAMAGED[name], kafka, recover(golden.partition, WRITTEN, CONFIG))


def case_table(cases: Sequence[CrashCase]) -> list[str]:
    """What each program kept, as the lines of a table."""
    head = ["damage", "Apache Kafka kept", "kfast kept"]
    rows = [[case.damage, str(case.kafka), "the same" if case.agrees else str(case.kfast)] for case in cases]
    return table_lines([head, *rows])
