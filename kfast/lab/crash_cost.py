"""E9, what does a crash cost? A log with a torn tail is opened again, and what was not known to be on the disk is read.

After an unclean stop every batch above the recovery point is checked by its CRC, and the first that does not hold ends
the log. So the cost is time, and it grows with the bytes above the recovery point: a broker that flushes seldom starts
slowly after a crash. Nothing that was acknowledged is lost when only the process dies.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from kfast.child_process import ChildProcess
from kfast.lab.experiment import Arm, Comparison, Experiment, Measure, Measurement, Options, Plan, block_count
from kfast.lab.lab_directory import LabDirectory
from kfast.lab.sizes import size_text
from kfast.lab.summary import limiting_resource
from kfast.lab.usage import UsageInterval

MIB = 1 << 20
SMALL_LOG, LARGE_LOG = 64 * MIB, 512 * MIB
SMOKE_LOG = 8 * MIB
BATCH_SIZE = 64 << 10
BATCH_SIZES = (1 << 10, MIB)
ELAPSED, CPU, LOST, TORN = "elapsed_ms", "cpu_s_per_gb", "lost_records", "torn_bytes_left"


def crash_arm(log_size: int, batch_size: int = BATCH_SIZE, flushed_share: float = 0.0, is_torn: bool = True) -> Arm:
    """A log of some size in batches of some size, of which a share was known to be on the disk; or a clean stop."""
    words = [size_text(log_size), f"{size_text(batch_size)} batches"]
    words.append(f"{flushed_share:.0%} flushed" if is_torn else "clean stop")
    return Arm.of(
        ", ".join(words), log_size=log_size, batch_size=batch_size, flushed_share=flushed_share, is_torn=is_torn
    )


def crash_arms(is_smoke: bool) -> list[Arm]:
    """Sizes of the log, ages of the checkpoint, sizes of a batch, a clean stop; an A/A pair."""
    if is_smoke:
        return [crash_arm(SMOKE_LOG), crash_arm(SMOKE_LOG, is_torn=False), crash_arm(SMOKE_LOG).again()]
    arms = [crash_arm(SMALL_LOG), *(crash_arm(LARGE_LOG, flushed_share=share) for share in (0.0, 0.5, 1.0))]
    arms += [crash_arm(SMALL_LOG, batch_size) for batch_size in BATCH_SIZES]
    return [*arms, crash_arm(LARGE_LOG, is_torn=False), crash_arm(SMALL_LOG).again()]


def crash_comparisons(is_smoke: bool) -> list[Comparison]:
    """What the checkpoint spares, what a clean stop spares, what a larger log and smaller batches cost."""
    if is_smoke:
        arms = (crash_arm(SMOKE_LOG), crash_arm(SMOKE_LOG, is_torn=False))
        return [Comparison("time to open after a crash over after a clean stop, 8 MiB", ELAPSED, *arms)]
    crashed, half, flushed = (crash_arm(LARGE_LOG, flushed_share=share) for share in (0.0, 0.5, 1.0))
    clean = crash_arm(LARGE_LOG, is_torn=False)
    small, tiny_batches = crash_arm(SMALL_LOG), crash_arm(SMALL_LOG, BATCH_SIZES[0])
    return [
        Comparison("time to open 512 MiB after a crash, nothing flushed over all flushed", ELAPSED, crashed, flushed),
        Comparison("time to open 512 MiB after a crash, nothing flushed over half flushed", ELAPSED, crashed, half),
        Comparison("time to open 512 MiB, a crash with nothing flushed over a clean stop", ELAPSED, crashed, clean),
        Comparison("time to open after a crash, 512 MiB over 64 MiB", ELAPSED, crashed, small),
        Comparison("time to open 64 MiB after a crash, batches of 1 KiB over 64 KiB", ELAPSED, tiny_batches, small),
    ]


class CrashSession:
    """Makes the logs of all arms once; each run tears one and opens it again, in a process of its own."""

    conditions: Mapping[str, str] = {
        "the crash": "half a batch at the end of the log, as a killed process or a full disk may leave it",
        "state of the cache": "the log is warm: after a power loss its bytes would come from the disk first",
    }

    def __init__(self, directory: Path, arms: list[Arm]) -> None:
        self._place = LabDirectory(directory)
        try:
            logs = dict.fromkeys((arm["log_size"], arm["batch_size"]) for arm in arms)
            self._place.ensure_fits(sum(log_size for log_size, _ in logs))
            self._worker = ChildProcess("kfast.lab.crash_worker", {"directory": str(self._place.path)})
        except BaseException:
            self._place.close()
            raise

    def run(self, arm: Arm) -> Measurement:
        """Raises ChildError where the log could not be opened."""
        self._worker.ask("write", log_size=arm["log_size"], batch_size=arm["batch_size"])
        answer = self._worker.ask("reopen", **dict(arm.factors))
        usage = UsageInterval.from_json(answer["usage"])
        cpu_s = {"log": usage.cpu_s}
        values = {
            ELAPSED: usage.elapsed_s * 1e3,
            CPU: usage.cpu_s / arm["log_size"] * 1e9,
            LOST: float(answer["lost_records"]),
            TORN: float(answer["torn_bytes"]),
        }
        return Measurement(usage.elapsed_s, cpu_s, values, limiting_resource(cpu_s, usage.elapsed_s))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._worker.stop()
        self._place.close()


def _plan(options: Options) -> Plan:
    arms = crash_arms(options.is_smoke)
    return Plan(
        arms=arms,
        comparisons=crash_comparisons(options.is_smoke),
        block_count=block_count(options),
        run_s=0.1 if options.is_smoke else 0.5,
        open_session=lambda directory: CrashSession(directory, arms),
        touched_bytes=2 * max(arm["log_size"] for arm in arms),
        warms_up=not options.is_smoke,
    )


CRASH_COST = Experiment(
    name="E9",
    slug="crash-cost",
    title="What does a crash cost?",
    question="how long does a log with a torn tail take to open, by its size and the age of its recovery point?",
    factors={
        "log_size": "bytes of the log",
        "batch_size": "bytes of each batch",
        "flushed_share": "how much of the log lay below the recovery point: what is known to be on the disk",
        "is_torn": "a crash, with half a batch at the end; or a clean stop",
    },
    control="a clean stop; 64 MiB with nothing flushed runs twice in each block (A/A)",
    measures=(
        Measure(ELAPSED, "ms to open", "less"),
        Measure(CPU, "CPU s/GB of log", "less"),
        Measure(LOST, "records lost", "less"),
        Measure(TORN, "bytes of the tear left", "less"),
    ),
    falsifier="opening takes as long whatever the recovery point, or a record below the tear is gone",
    shows="what the checks after an unclean stop cost one partition; that they cut half a batch and no more",
    shows_not="a kill: the tear is made by hand. Nor a power loss: what was not written back is gone then",
    counter_check="kill -9 a running kfast serve --data-dir DIR, start it again, and read what it says that it cut",
    plan=_plan,
)
