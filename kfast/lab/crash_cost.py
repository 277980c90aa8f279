"""E9, what does a crash cost? A log with a torn tail is opened again, and what was not known to be on the disk is read.

After an unclean stop every batch above the recovery point is checked by its CRC, and the first that does not hold ends
the log. So the cost is time, and it grows with the bytes above the recovery point: a broker that flushes seldom starts
slowly after a crash. Nothing that was acknowledged is lost when only the process dies. Most arms tear a log by hand, so
that all runs of one open the same bytes; in some a writer is killed, and what it had acknowledged is looked for.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from kfast.child_process import ChildProcess, Json
from kfast.lab.crash_writer import MOST_AHEAD, batches_of_killed_writer
from kfast.lab.experiment import Arm, Comparison, Experiment, Measure, Measurement, Options, Plan, block_count
from kfast.lab.experiment_result import ExperimentResult
from kfast.lab.lab_directory import LabDirectory
from kfast.lab.sizes import size_text
from kfast.lab.summary import limiting_resource
from kfast.lab.usage import UsageInterval

MIB = 1 << 20
SMALL_LOG, LARGE_LOG = 64 * MIB, 512 * MIB
SMOKE_LOG = 8 * MIB
BATCH_SIZE = 64 << 10
BATCH_SIZES = (1 << 10, MIB)
KILLED_BATCH_SIZES = (BATCH_SIZE, MIB)
ELAPSED, CPU, LOST, CUT, TORN = "elapsed_ms", "cpu_s_per_gb", "lost_records", "cut_bytes", "torn_bytes_left"


def crash_arm(log_size: int, batch_size: int = BATCH_SIZE, flushed_share: float = 0.0, is_torn: bool = True) -> Arm:
    """A log of some size in batches of some size, of which a share was known to be on the disk; or a clean stop."""
    words = [size_text(log_size), f"{size_text(batch_size)} batches"]
    words.append(f"{flushed_share:.0%} flushed" if is_torn else "clean stop")
    return Arm.of(
        ", ".join(words), log_size=log_size, batch_size=batch_size, flushed_share=flushed_share, is_torn=is_torn
    )


def killed_arm(log_size: int, batch_size: int) -> Arm:
    """A writer that is killed when its log has half of `log_size` to all of it."""
    return Arm.of(
        f"{size_text(log_size)}, {size_text(batch_size)} batches, writer killed",
        log_size=log_size,
        batch_size=batch_size,
        flushed_share=0.0,
        is_torn=True,
        is_killed=True,
    )


def is_killed(arm: Arm) -> bool:
    """Whether a writer is killed, and not a log torn by hand."""
    return "is_killed" in dict(arm.factors)


def crash_arms(is_smoke: bool) -> list[Arm]:
    """Sizes of the log, ages of the checkpoint, sizes of a batch, a clean stop, killed writers; A/A pairs."""
    if is_smoke:
        arms = [crash_arm(SMOKE_LOG), crash_arm(SMOKE_LOG, is_torn=False), killed_arm(SMOKE_LOG, MIB)]
        return [*arms, crash_arm(SMOKE_LOG).again()]
    arms = [crash_arm(SMALL_LOG), *(crash_arm(LARGE_LOG, flushed_share=share) for share in (0.0, 0.5, 1.0))]
    arms += [crash_arm(SMALL_LOG, batch_size) for batch_size in BATCH_SIZES]
    arms += [killed_arm(SMALL_LOG, batch_size) for batch_size in KILLED_BATCH_SIZES]
    return [*arms, crash_arm(LARGE_LOG, is_torn=False), *(crash_arm(size).again() for size in (SMALL_LOG, LARGE_LOG))]


def kill_sentences(result: ExperimentResult) -> list[str]:
    """What became of the writers that were killed, all runs together: a median would hide one lost batch."""
    killed = [run for run in result.runs if is_killed(run.arm)]
    if not killed:
        return []
    cut, lost = ([value for run in killed if (value := run.value(name))] for name in (CUT, LOST))
    torn = f", of which {min(cut):,.0f} to {max(cut):,.0f} bytes were cut" if cut else ""
    return [
        f"{len(killed)} writers were killed: {len(cut)} left a torn batch{torn}; "
        f"{sum(lost):.0f} acknowledged batches were lost."
    ]


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
    """Makes the logs of all arms once; each run tears one and opens it again, in a process of its own.

    A killed writer makes a log of its own, which goes with the run.
    """

    conditions: Mapping[str, str] = {
        "the crash": "half a batch at the end of the log, as a killed process or a full disk may leave it; or a writer "
        "that is killed (SIGKILL) while it appends, after as many batches as chance wants",
        "state of the cache": "the log is warm: after a power loss its bytes would come from the disk first",
    }

    def __init__(self, directory: Path, arms: list[Arm]) -> None:
        self._draw = random.Random()
        self._place = LabDirectory(directory)
        try:
            logs = dict.fromkeys((arm["log_size"], arm["batch_size"]) for arm in arms if not is_killed(arm))
            killed_size = max((MOST_AHEAD * arm["log_size"] for arm in arms if is_killed(arm)), default=0)
            self._place.ensure_fits(sum(log_size for log_size, _ in logs) + killed_size)
            self._worker = ChildProcess("kfast.lab.crash_worker", {"directory": str(self._place.path)})
        except BaseException:
            self._place.close()
            raise

    def run(self, arm: Arm) -> Measurement:
        """Raises ChildError where the log could not be opened."""
        answer = self._kill_and_recover(arm) if is_killed(arm) else self._tear_and_reopen(arm)
        usage = UsageInterval.from_json(answer["usage"])
        cpu_s = {"log": usage.cpu_s}
        values = {
            ELAPSED: usage.elapsed_s * 1e3,
            CPU: usage.cpu_s / answer["log_bytes"] * 1e9,
            LOST: float(answer["lost_records"]),
            CUT: float(answer["cut_bytes"]),
            TORN: float(answer["torn_bytes"]),
        }
        return Measurement(usage.elapsed_s, cpu_s, values, limiting_resource(cpu_s, usage.elapsed_s))

    def _tear_and_reopen(self, arm: Arm) -> Json:
        self._worker.ask("write", log_size=arm["log_size"], batch_size=arm["batch_size"])
        return self._worker.ask("reopen", **dict(arm.factors))

    def _kill_and_recover(self, arm: Arm) -> Json:
        path, batch_size = self._place.path / "killed", arm["batch_size"]
        most = arm["log_size"] // batch_size
        try:
            acknowledged = batches_of_killed_writer(path, batch_size, self._draw.randint(most // 2, most))
            return self._worker.ask("recover", directory=str(path), batch_size=batch_size, acknowledged=acknowledged)
        finally:
            shutil.rmtree(path, ignore_errors=True)

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
        "is_killed": "a crash, with what a writer left that was killed",
    },
    control="a clean stop; 64 MiB and 512 MiB with nothing flushed run twice in each block (A/A)",
    measures=(
        Measure(ELAPSED, "ms to open", "less"),
        Measure(CPU, "CPU s/GB of log", "less"),
        Measure(LOST, "acknowledged batches lost", "less"),
        Measure(CUT, "torn bytes cut", "less"),
        Measure(TORN, "bytes of the tear left", "less"),
    ),
    falsifier="opening takes as long whatever the recovery point, or a batch is gone that was whole or acknowledged",
    shows="what the checks after an unclean stop cost one partition; that they cut a torn batch and no more, and that "
    "what a killed writer had acknowledged is there: the page cache survives a process",
    shows_not="a power loss: what was not written back is gone then. Nor how often a kill tears: that is the kernel's "
    "way of writing. The logs of killed writers differ in size: compare CPU a GB, not the time to open",
    counter_check="kill -9 a running kfast serve --data-dir DIR, start it again, and read what it says that it cut",
    plan=_plan,
    own_sentences=kill_sentences,
)
