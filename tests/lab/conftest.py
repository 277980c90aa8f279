"""A directory on a file system with a disk under it, where residency and device counters mean something; and results
whose numbers are known, to hold sentences and tables against.
"""

import pytest

from kfast.lab.copy_experiment import CopyArm, CopyResult, CopyRun
from kfast.lab.copy_sender import BARE_SENDFILE
from kfast.lab.io_experiment import IoArm, IoResult, IoRun
from kfast.lab.lab_directory import LabDirectory
from kfast.lab.provenance import provenance
from kfast.lab.unavailable import Unavailable
from kfast.lab.usage import UsageInterval
from kfast.transfer.modes import CPU_COPIES

GB, MIB = 1_000_000_000, 1 << 20
RUN_S = 1.0


@pytest.fixture
def disk_directory():
    with LabDirectory() as directory:
        yield directory.path


@pytest.fixture(scope="session")
def some_provenance():
    return provenance(".")


@pytest.fixture
def copy_result(some_provenance):
    """`copy_result({arm: [sender CPU s/GB a block]})`; each run sends 1 GB in a second."""

    def make(cpu_s_per_gb, is_smoke=False, dropped_blocks=()):
        runs = [
            _copy_run(arm, block, cpu_s) for arm, values in cpu_s_per_gb.items() for block, cpu_s in enumerate(values)
        ]
        return CopyResult(tuple(cpu_s_per_gb), runs, dropped_blocks, some_provenance, "reno", GB, 4 * MIB, 0, is_smoke)

    return make


def _copy_run(arm: CopyArm, block: int, cpu_s: float) -> CopyRun:
    copies = 0 if arm.copy_mode == BARE_SENDFILE else CPU_COPIES[arm.copy_mode]
    return CopyRun(
        block=block,
        arm=arm,
        sent_bytes=GB,
        elapsed_s=RUN_S,
        sender=_usage(cpu_s, RUN_S),
        receiver=_usage(0.1 if arm.is_discarded else 0.5, RUN_S),
        machine=Unavailable("made up"),
        syscalls=GB // arm.chunk_size,
        receiver_syscalls=1000,
        cpu_copied_bytes=copies * GB,
        residency={"cached_pages": 16, "page_count": 16},
    )


@pytest.fixture
def io_result(some_provenance):
    """`io_result({arm: [MB/s a block]}, {arm: device requests per MiB})`; each run moves 1 GB."""

    def make(megabytes_per_s, requests_per_mib=None, is_smoke=False, skipped=()):
        counted = requests_per_mib or {}
        runs = [
            _io_run(arm, block, speed, counted.get(arm, 1.0))
            for arm, values in megabytes_per_s.items()
            for block, speed in enumerate(values)
        ]
        arms = tuple(dict.fromkeys([*megabytes_per_s, *(arm for arm, _ in skipped)]))
        return IoResult(arms, runs, skipped, (), some_provenance, GB, 0, is_smoke)

    return make


def _io_run(arm: IoArm, block: int, megabytes_per_s: float, requests_per_mib: object) -> IoRun:
    requests: object = requests_per_mib
    if isinstance(requests_per_mib, float):
        count = requests_per_mib * GB / MIB
        requests = {"read_requests": count, "write_requests": count}
    return IoRun(
        block=block,
        arm=arm,
        moved_bytes=GB,
        usage=_usage(0.1, 1000 / megabytes_per_s),
        device=requests,
        io={},
        residency_before={"cached_pages": 0 if arm.is_cold else 16, "page_count": 16, "dirty_pages": 0},
        residency_after={"cached_pages": 16, "page_count": 16, "dirty_pages": 0 if arm.sync_bytes else 12},
        machine=Unavailable("made up"),
    )


def _usage(cpu_s: float, elapsed_s: float) -> UsageInterval:
    return UsageInterval(cpu_s, 0.0, 0, 0, 0, 0, int(elapsed_s * 1e9))
