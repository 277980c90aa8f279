"""A session of an experiment about files: one laid-out file, and a child that reads, writes or appends for each arm.

The factors of an arm are what the child is asked for: `operation` names it, the others are its arguments.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from kfast.child_process import ChildProcess, Json
from kfast.errors import KafkaStorageError
from kfast.lab.experiment import Arm, ArmUnavailableError, Measure, Measurement, Value
from kfast.lab.io_worker import UNAVAILABLE
from kfast.lab.lab_directory import LabDirectory
from kfast.lab.sizes import size_text
from kfast.lab.summary import limiting_resource
from kfast.lab.unavailable import restored
from kfast.lab.usage import UsageInterval

SPEED, LOOKUP_US, REQUESTS, DEVICE_BYTES, CPU, CPU_A_BLOCK, SWITCHES, SYNCS = (
    "bytes_per_s",
    "us_per_lookup",
    "device_requests_per_mib",
    "device_bytes_per_byte",
    "cpu_s_per_gb",
    "cpu_us_per_block",
    "voluntary_switches_per_mib",
    "file_syncs_per_mib",
)
MOVED, CACHED_BEFORE, DIRTY_AFTER, FROM_DEVICE = (
    "moved_bytes",
    "cached_share_before",
    "dirty_share_after",
    "process_device_read_bytes",
)
WORKER = "worker"
READING = ("read", "recover", "scan")
"""Operations whose bytes come from the device, if any do; those of the others go there."""
FILE_SIZE = "file size"
"""The condition that holds it in words."""
MIB, GB = 1 << 20, 1e9

IO_MEASURES = (
    Measure(SPEED, "MB/s", "more", 1e6),
    Measure(REQUESTS, "device requests per MiB", "less"),
    Measure(DEVICE_BYTES, "device bytes a byte", "less"),
    Measure(CPU, "CPU s/GB", "less"),
    Measure(SWITCHES, "voluntary switches per MiB", "less"),
)
"""What each run gives. The device's figures are the whole device's, of the direction that the arm moves its bytes."""


class IoSession:
    """`file_size` is that of the laid-out file, written and synced before the first arm; 0 where no arm needs one.

    `worker` is the child's module, and `kept_bytes` what it keeps beside that file, so that it is known to fit. The
    child and all files go when the `with` block ends.
    """

    def __init__(
        self,
        directory: Path,
        file_size: int,
        conditions: Mapping[str, str],
        worker: str = "kfast.lab.io_worker",
        kept_bytes: int = 0,
    ) -> None:
        self.conditions = {FILE_SIZE: size_text(file_size), **conditions}
        self._seeds = random.Random(0)
        self._files = LabDirectory(directory)
        self._files.ensure_fits(file_size + kept_bytes)
        path = self._files.data_file(file_size)
        self._worker = ChildProcess(worker, {"path": str(path)})

    def run(self, arm: Arm) -> Measurement:
        """Raises ArmUnavailableError for what this machine cannot do, ChildError where the child has failed."""
        factors: dict[str, Any] = dict(arm.factors)
        self._files.ensure_fits(factors.get("size", 0))
        answer = self._worker.ask(str(factors.pop("operation")), seed=self._seeds.getrandbits(31), **factors)
        if UNAVAILABLE in answer:
            raise ArmUnavailableError(answer[UNAVAILABLE])
        if answer[MOVED] != answer["planned_bytes"]:
            raise KafkaStorageError(f"{arm}: moved {answer[MOVED]} of {answer['planned_bytes']} bytes")
        return measurement(arm, answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._worker.stop()
        self._files.close()


def measurement(arm: Arm, answer: Json) -> Measurement:
    """What the child counted, by the names that experiments use for it."""
    usage = UsageInterval.from_json(answer["usage"])
    values = _of_lookups(answer, usage) if "lookup_count" in answer else _of_bytes(arm, answer, usage)
    values |= {name: restored(answer[name]) for name in (CACHED_BEFORE, DIRTY_AFTER) if name in answer}
    return Measurement(usage.elapsed_s, {WORKER: usage.cpu_s}, values, limited_by(arm, usage))


def _of_lookups(answer: Json, usage: UsageInterval) -> dict[str, Value]:
    return {LOOKUP_US: usage.elapsed_s * 1e6 / answer["lookup_count"]}


def _of_bytes(arm: Arm, answer: Json, usage: UsageInterval) -> dict[str, Value]:
    direction, moved = "read" if arm["operation"] in READING else "write", answer[MOVED]
    return {
        SPEED: moved / usage.elapsed_s,
        REQUESTS: _share(answer["device"], f"{direction}_requests", moved / MIB),
        DEVICE_BYTES: _share(answer["device"], f"{direction}_bytes", moved),
        CPU: usage.cpu_s / (moved / GB),
        CPU_A_BLOCK: usage.cpu_s * 1e6 / (moved / arm["block_size"]),
        SWITCHES: usage.voluntary_switches / (moved / MIB),
        SYNCS: answer["sync_count"] / (moved / MIB),
        MOVED: moved,
        FROM_DEVICE: _share(answer["process"], "device_read_bytes", 1),
    }


def limited_by(arm: Arm, usage: UsageInterval) -> str:
    """What the child waited for: its own CPU, the disk where the arm needs it, or nothing that is counted."""
    found = limiting_resource({WORKER: usage.cpu_s}, usage.elapsed_s)
    factors = dict(arm.factors)
    needs_disk = factors.get("cache") == "cold" or factors.get("sync_bytes")
    return "disk" if found == "none" and needs_disk else found


def _share(counted: Any, name: str, total: float) -> Value:
    """One counter for each of `total`, or why it was not counted."""
    return counted[name] / total if isinstance(counted, dict) else restored(counted)  # type: ignore[no-any-return]
