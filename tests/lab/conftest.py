"""A directory on a file system with a disk under it, where residency and device counters mean something; results whose
numbers are known, to hold sentences and tables against; and children under strace, to hold their counts against.
"""

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from typing import ClassVar

import pytest

from kfast.lab.copy_cost import copy_comparisons
from kfast.lab.copy_sender import BARE_SENDFILE, NOT_COUNTED
from kfast.lab.copy_session import measurement
from kfast.lab.counters import MachineCpu
from kfast.lab.experiment import (
    Arm,
    ArmUnavailableError,
    Comparison,
    Experiment,
    Measure,
    Measurement,
    Plan,
    block_count,
)
from kfast.lab.experiment_result import ExperimentResult, Run
from kfast.lab.lab_directory import LabDirectory
from kfast.lab.provenance import provenance
from kfast.lab.unavailable import Unavailable
from kfast.lab.usage import UsageInterval
from kfast.transfer.modes import CPU_COPIES

GB = 1_000_000_000
RUN_S = 1.0
STOLEN = MachineCpu(user_s=0.0, system_s=0.0, interrupt_s=0.0, idle_s=0.0, io_wait_s=0.0, steal_s=1.0)


@pytest.fixture
def disk_directory():
    with LabDirectory() as directory:
        yield directory.path


@pytest.fixture
def traced(tmp_path):
    """`traced(module, messages)`: the child's answers, and how often it made each system call by strace's count."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")

    def run(module, messages):
        log, lines = tmp_path / "strace.log", "".join(f"{json.dumps(message)}\n" for message in messages)
        command = ["strace", "-f", "-e", "trace=pwrite64,fdatasync,sendfile", "-o", log]
        command += [sys.executable, "-m", module]
        done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=60, check=False)
        if "ptrace" in done.stderr.lower():
            pytest.skip(f"strace cannot trace here: {done.stderr.splitlines()[0]}")
        calls = re.findall(r"^\d+ +(\w+)\(", log.read_text(), re.MULTILINE)
        return [json.loads(line) for line in done.stdout.splitlines()], Counter(calls)

    return run


@pytest.fixture(scope="session")
def some_provenance():
    return provenance(".")


@pytest.fixture
def copy_result(some_provenance):
    """`copy_result({arm: [sender CPU s/GB a block]})`; each run sends 1 GB in a second."""

    def make(cpu_s_per_gb, is_smoke=False, dropped_blocks=()):
        arms = tuple(cpu_s_per_gb)
        runs = [
            Run(block, arm, _sent(arm, cpu_s), STOLEN if block in dropped_blocks else Unavailable("made up"))
            for arm, values in cpu_s_per_gb.items()
            for block, cpu_s in enumerate(values)
        ]
        found = copy_comparisons(arms)
        return ExperimentResult("E2", arms, found, runs, (), some_provenance, {"each run": "1 GB"}, 0, is_smoke)

    return make


def _sent(arm: Arm, cpu_s: float) -> Measurement:
    is_bare = arm["copy_mode"] == BARE_SENDFILE
    copied = str(NOT_COUNTED) if is_bare else CPU_COPIES[arm["copy_mode"]] * GB
    sent = {"sent_bytes": GB, "syscalls": GB // arm["chunk_size"], "cpu_copied_bytes": copied}
    sent["cached_share"] = 1.0
    received = {"received_bytes": GB, "usage": _usage(0.1 if arm["is_discarded"] else 0.5, RUN_S).to_json()}
    return measurement({**sent, "usage": _usage(cpu_s, RUN_S).to_json()}, received, Unavailable("made up"))


@pytest.fixture
def io_result(some_provenance):
    """`io_result({arm: [MB/s a block]}, {arm: device requests per MiB})`; each run moves 1 GB."""

    def make(megabytes_per_s, requests_per_mib=None, is_smoke=False, skipped=()):
        counted = requests_per_mib or {}
        runs = [
            io_run(arm, block, speed, counted.get(arm, 1.0))
            for arm, values in megabytes_per_s.items()
            for block, speed in enumerate(values)
        ]
        return ExperimentResult(
            name="IO",
            arms=tuple(dict.fromkeys([*megabytes_per_s, *(arm for arm, _ in skipped)])),
            comparisons=(),
            runs=tuple(runs),
            skipped=skipped,
            provenance=some_provenance,
            conditions={"file size": "954 MiB"},
            seed=0,
            is_smoke=is_smoke,
        )

    return make


def io_run(arm, block, megabytes_per_s, requests_per_mib):
    values = {
        "bytes_per_s": megabytes_per_s * 1e6,
        "device_requests_per_mib": requests_per_mib,
        "moved_bytes": GB,
        "cached_share_before": 0.0 if arm["operation"] == "write" or arm["cache"] == "cold" else 1.0,
        "dirty_share_after": 0.75 if arm["operation"] == "write" and not arm["sync_bytes"] else 0.0,
    }
    elapsed_s = 1000 / megabytes_per_s
    return Run(block, arm, Measurement(elapsed_s, {"worker": 0.1}, values, "disk"), Unavailable("made up"))


def _usage(cpu_s: float, elapsed_s: float) -> UsageInterval:
    return UsageInterval(cpu_s, 0.0, 0, 0, 0, 0, int(elapsed_s * 1e9))


CONTROL, CONTRAST = Arm.of("small", size=1), Arm.of("large", size=1000, codec="zstd")


class FakeSession:
    """Gives each arm's size as records a second, without doing anything; `none` cannot be run."""

    conditions: ClassVar = {"sync policy": "none"}

    def __init__(self):
        self.arms = []
        self.is_closed = False

    def run(self, arm):
        self.arms.append(arm)
        if arm.name == "none":
            raise ArmUnavailableError("there is none here")
        return Measurement(0.5, {"broker": 0.5}, {"records_per_s": float(arm["size"])}, "broker CPU")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.is_closed = True


@pytest.fixture
def fake_session():
    return FakeSession()


@pytest.fixture
def fake_experiment(fake_session):
    """Two arms and an A/A pair on `fake_session`; `fake_experiment(more_arms)` takes more."""

    def make(*more_arms):
        def plan(options):
            return Plan(
                arms=(CONTROL, CONTRAST, CONTROL.again(), *more_arms),
                comparisons=(Comparison("large over small, records a second", "records_per_s", CONTRAST, CONTROL),),
                block_count=block_count(options, 4),
                run_s=0.5,
                open_session=lambda directory: fake_session,
                touched_bytes=0,
                warms_up=not options.is_smoke,
            )

        return Experiment(
            name="E0",
            slug="fake",
            title="Why fake?",
            question="does size matter?",
            factors={"size": "a number"},
            control="small",
            measures=(Measure("records_per_s", "records a second", "more"),),
            falsifier="it does not",
            shows="that it works",
            shows_not="anything",
            counter_check="true",
            plan=plan,
        )

    return make


@pytest.fixture
def fake_result(some_provenance):
    """`fake_result({arm: [records a second a block]})`, compared as large over small."""

    def make(records_per_s, is_smoke=False, limited_by="broker CPU", machine=None):
        runs = [
            Run(
                block,
                arm,
                Measurement(1.0, {"broker": 1.0}, {"records_per_s": value}, limited_by),
                machine or Unavailable("not counted"),
            )
            for arm, values in records_per_s.items()
            for block, value in enumerate(values)
        ]
        comparison = Comparison("large over small, records a second", "records_per_s", CONTRAST, CONTROL)
        return ExperimentResult(
            name="E0",
            arms=tuple(records_per_s),
            comparisons=(comparison,),
            runs=tuple(runs),
            skipped=(),
            provenance=some_provenance,
            conditions={"sync policy": "none"},
            seed=7,
            is_smoke=is_smoke,
        )

    return make
