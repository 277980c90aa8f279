"""A session that sends one warm file over one loopback connection, by the copy mode and in the chunks of each arm.

Sender and receiver are processes of their own that measure themselves; the connection and its congestion control are
the same for all arms. Loopback shows 3 copies or 1, not 4 or 2: there is no NIC, and the receiver copies unless it
discards. mmap_send maps once a fetch.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from kfast.child_process import ChildProcess, Json
from kfast.lab.copy_sender import BARE_SENDFILE
from kfast.lab.counters import MachineCpu, difference, machine_cpu
from kfast.lab.experiment import Arm, ArmUnavailableError, Measurement, Value
from kfast.lab.lab_directory import LabDirectory
from kfast.lab.sizes import size_text
from kfast.lab.summary import BUSY_SHARE, limiting_resource
from kfast.lab.unavailable import Unavailable, restored
from kfast.lab.usage import UsageInterval
from kfast.transfer.capability import Capability, probe

GB = 1e9
ALL_PROCESSORS = "all processors"
TOO_SHORT = Unavailable("shorter than a tick of 10 ms")

SENDER_CPU, RECEIVER_CPU, MACHINE_CPU = "sender_cpu_s_per_gb", "receiver_cpu_s_per_gb", "machine_cpu_s_per_gb"
THROUGHPUT, SYSCALLS, PAGE_FAULTS = "throughput_bytes_per_s", "syscalls_per_gb", "page_faults_per_gb"
COPIES, SENT, RECEIVED, CACHED_SHARE = "cpu_copies", "sent_bytes", "received_bytes", "cached_share"


class CopyLink:
    """The two children and the connection between them."""

    def __init__(self, path: Path) -> None:
        self._receiver = ChildProcess("kfast.lab.copy_receiver", {})
        try:
            settings = {"path": str(path), "port": self._receiver.ready["port"]}
            self._sender = ChildProcess("kfast.lab.copy_sender", settings)
            try:
                self._receiver.ask("accept")
            except BaseException:
                self._sender.stop()
                raise
        except BaseException:
            self._receiver.stop()
            raise
        self._executor = ThreadPoolExecutor(1)
        ends = {self._sender.ready["congestion_control"], self._receiver.ready["congestion_control"]}
        self.congestion_control = ", ".join(sorted(ends))

    def run(self, arm: Arm, run_size: int, fetch_size: int) -> tuple[Json, Json]:
        """Send `run_size` bytes; return what each end counted. Raises ChildError with a child's words if it failed."""
        receiving = self._executor.submit(
            self._receiver.ask, "receive", size=run_size, is_discarded=arm["is_discarded"]
        )
        try:
            sent = self._sender.ask(
                "send",
                copy_mode=arm["copy_mode"],
                chunk_size=arm["chunk_size"],
                size=run_size,
                working_set_size=arm["working_set_size"],
                fetch_size=fetch_size,
            )
        except BaseException:
            self._sender.stop()  # closes the connection, and so ends the receiver's wait
            raise
        return sent, receiving.result()

    def close(self) -> None:
        self._sender.stop()
        self._receiver.stop()
        self._executor.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class CopySession:
    """`modes` says which copy modes work here; each run sends `run_size` bytes in slices of `fetch_size`.

    `working_sets` says in words how large those of the arms are.
    """

    def __init__(
        self, link: CopyLink, modes: Mapping[str, Capability], run_size: int, fetch_size: int, working_sets: str
    ) -> None:
        self._link = link
        self._modes = modes
        self._run_size = run_size
        self._fetch_size = fetch_size
        self._working_sets = working_sets

    @property
    def conditions(self) -> Mapping[str, str]:
        return {
            "sender and receiver": "processes of their own; one TCP connection over loopback for all arms",
            "congestion control": self._link.congestion_control,
            "sync policy": "nothing is written: the file is on the disk, and warm in the page cache",
            "working sets": self._working_sets,
            "each run": f"{size_text(self._run_size)} in fetches of {size_text(self._fetch_size)}",
        }

    def run(self, arm: Arm) -> Measurement:
        """Raises ArmUnavailableError for what this kernel cannot do, ChildError where a process has failed."""
        mode = self._modes["sendfile" if arm["copy_mode"] == BARE_SENDFILE else arm["copy_mode"]]
        if not mode.is_available:
            raise ArmUnavailableError(mode.reason)
        if arm["is_discarded"] and sys.platform != "linux":
            raise ArmUnavailableError(f"discarding by MSG_TRUNC is Linux's, this is {sys.platform}")
        before = machine_cpu()
        sent, received = self._link.run(arm, self._run_size, self._fetch_size)
        return measurement(sent, received, difference(machine_cpu(), before))


@contextmanager
def open_copy_session(
    directory: Path, file_size: int, run_size: int, fetch_size: int, working_sets: str
) -> Iterator[CopySession]:
    """A session on a new file of `file_size` bytes; the file and the children go when it is closed."""
    with LabDirectory(directory) as place, CopyLink(place.data_file(file_size)) as link:
        yield CopySession(link, probe(place.path), run_size, fetch_size, working_sets)


def measurement(sent: Json, received: Json, machine: MachineCpu | Unavailable) -> Measurement:
    """What the two ends counted, for each GB; the time is from the sender's first call to the receiver's last."""
    sender, receiver = (UsageInterval.from_json(end["usage"]) for end in (sent, received))
    size, elapsed_s = sent["sent_bytes"], (receiver.end_ns - sender.start_ns) / 1e9
    values: dict[str, Value] = {
        SENDER_CPU: sender.cpu_s / size * GB,
        RECEIVER_CPU: receiver.cpu_s / size * GB,
        MACHINE_CPU: _machine_cpu_s_per_gb(machine, size),
        THROUGHPUT: size / elapsed_s,
        SYSCALLS: sent["syscalls"] / size * GB,
        PAGE_FAULTS: sender.page_faults / size * GB,
        COPIES: _each(restored(sent["cpu_copied_bytes"]), size),
        SENT: size,
        RECEIVED: received["received_bytes"],
        CACHED_SHARE: restored(sent[CACHED_SHARE]),
    }
    cpu_s = {"sender": sender.cpu_s, "receiver": receiver.cpu_s}
    return Measurement(elapsed_s, cpu_s, values, _limit(cpu_s, elapsed_s, machine))


def _each(count: Value, size: int) -> Value:
    return count if isinstance(count, Unavailable) else count / size


def _limit(cpu_s: Mapping[str, float], elapsed_s: float, machine: MachineCpu | Unavailable) -> str:
    """One of the two processes; or all processors, where neither had one to itself but no processor was idle."""
    found = limiting_resource(cpu_s, elapsed_s)
    if found != "none" or isinstance(machine, Unavailable):
        return found
    used_s, idle_s = machine.busy_s + machine.steal_s, machine.idle_s + machine.io_wait_s
    return ALL_PROCESSORS if used_s and used_s >= BUSY_SHARE * (used_s + idle_s) else found


def _machine_cpu_s_per_gb(machine: MachineCpu | Unavailable, size: int) -> Value:
    if isinstance(machine, Unavailable):
        return machine
    return machine.busy_s / size * GB if machine.busy_s else TOO_SHORT
