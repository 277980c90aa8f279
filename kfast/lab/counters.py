"""The kernel's counters, of processes and of the machine, as `/proc` tells them. Whatever cannot be read says why.

    process_cpu, process_io, context_switches     of one process, all threads: any process of the same user
    machine_cpu, memory_state                     of the whole machine
    device_io                                     of the whole device that holds a path, whoever uses it

/proc/<pid>/io cannot compare copy modes: send and recv bypass it, and sendfile counts as a read and as a write. Its
write_bytes are pages made dirty, not device writes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

from kfast.lab.mounts import device_number
from kfast.lab.unavailable import Unavailable, reason_of

PROC = Path("/proc")
MAX_STEAL_SHARE = 0.10  # set beforehand, not after looking at the results
SECTOR_SIZE = 512  # of /proc/diskstats, whatever the device's own sectors are
Counted = TypeVar("Counted")


@dataclass(frozen=True, slots=True)
class ProcessCpu:
    """In ticks of 10 ms: fit for seconds of load, not for a single send."""

    user_s: float
    system_s: float


@dataclass(frozen=True, slots=True)
class ProcessIo:
    read_syscalls: int
    write_syscalls: int
    device_read_bytes: int
    dirtied_bytes: int


@dataclass(frozen=True, slots=True)
class ContextSwitches:
    """Of the threads that live now; a thread that ended took its counts along."""

    voluntary: int
    involuntary: int


@dataclass(frozen=True, slots=True)
class MachineCpu:
    """All processors together, in ticks of 10 ms. `steal_s` is what the hypervisor gave to others."""

    user_s: float
    system_s: float
    interrupt_s: float
    idle_s: float
    io_wait_s: float
    steal_s: float

    @property
    def busy_s(self) -> float:
        return self.user_s + self.system_s + self.interrupt_s


@dataclass(frozen=True, slots=True)
class DeviceIo:
    """Requests and bytes of the whole block device, other programs' included.

    `busy_s` is how long it had a request under way (io_ticks of the kernel, in ticks of its clock of 1 to 10 ms).
    """

    device: str
    read_requests: int
    read_bytes: int
    write_requests: int
    write_bytes: int
    flush_requests: int
    busy_s: float


@dataclass(frozen=True, slots=True)
class MemoryState:
    """The machine's memory now: what waits to be written (`dirty`), what is being written, what could be had."""

    dirty_bytes: int
    writeback_bytes: int
    free_bytes: int
    available_bytes: int


def process_cpu(pid: int) -> ProcessCpu | Unavailable:
    return _collect(lambda: _read_process_cpu(pid))


def process_io(pid: int) -> ProcessIo | Unavailable:
    return _collect(lambda: _read_process_io(pid))


def context_switches(pid: int) -> ContextSwitches | Unavailable:
    return _collect(lambda: _read_context_switches(pid))


def machine_cpu() -> MachineCpu | Unavailable:
    return _collect(_read_machine_cpu)


def device_io(path: str | os.PathLike[str]) -> DeviceIo | Unavailable:
    return _collect(lambda: _read_device_io(path))


def memory_state() -> MemoryState | Unavailable:
    return _collect(_read_memory_state)


def difference(after: Counted | Unavailable, before: Counted | Unavailable) -> Counted | Unavailable:
    """Field by field what was counted between two readings; what is no number is taken from the later one."""
    if isinstance(after, Unavailable):
        return after
    if isinstance(before, Unavailable):
        return before
    values = {}
    for field in fields(after):  # type: ignore[arg-type]  # a TypeVar cannot say "dataclass"
        value = getattr(after, field.name)
        values[field.name] = value if isinstance(value, str) else value - getattr(before, field.name)
    return type(after)(**values)


def stolen_blocks(readings: Iterable[tuple[int, MachineCpu | Unavailable]]) -> tuple[int, ...]:
    """The blocks in which other guests had more than MAX_STEAL_SHARE of the processors' time: not to be counted.

    By block and not by run: a short run lasts little longer than the tick that steal is counted in.
    """
    stolen_s: dict[int, float] = {}
    total_s: dict[int, float] = {}
    for block, used in readings:
        if not isinstance(used, Unavailable):
            stolen_s[block] = stolen_s.get(block, 0.0) + used.steal_s
            total_s[block] = total_s.get(block, 0.0) + used.busy_s + used.idle_s + used.io_wait_s + used.steal_s
    return tuple(block for block in sorted(stolen_s) if stolen_s[block] > MAX_STEAL_SHARE * total_s[block])


def _collect(read: Callable[[], Counted]) -> Counted | Unavailable:
    try:
        return read()
    except (OSError, KeyError, IndexError, ValueError) as error:
        return Unavailable(reason_of(error))


def _read_process_cpu(pid: int) -> ProcessCpu:
    stat = (PROC / str(pid) / "stat").read_text()
    values = stat.rpartition(")")[2].split()  # the name before it may hold blanks and brackets
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    return ProcessCpu(user_s=int(values[11]) * tick_s, system_s=int(values[12]) * tick_s)


def _read_process_io(pid: int) -> ProcessIo:
    values = _named_values(PROC / str(pid) / "io")
    return ProcessIo(
        read_syscalls=values["syscr"],
        write_syscalls=values["syscw"],
        device_read_bytes=values["read_bytes"],
        dirtied_bytes=values["write_bytes"],
    )


def _read_context_switches(pid: int) -> ContextSwitches:
    voluntary = involuntary = 0
    for thread in (PROC / str(pid) / "task").iterdir():
        values = _named_values(thread / "status")
        voluntary += values["voluntary_ctxt_switches"]
        involuntary += values["nonvoluntary_ctxt_switches"]
    return ContextSwitches(voluntary, involuntary)


def _read_machine_cpu() -> MachineCpu:
    first_line = (PROC / "stat").read_text().partition("\n")[0]
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    user, nice, system, idle, io_wait, irq, soft_irq, steal = (int(word) * tick_s for word in first_line.split()[1:9])
    return MachineCpu(
        user_s=user + nice,
        system_s=system,
        interrupt_s=irq + soft_irq,
        idle_s=idle,
        io_wait_s=io_wait,
        steal_s=steal,
    )


def _read_device_io(path: str | os.PathLike[str]) -> DeviceIo:
    number = device_number(path)
    for line in (PROC / "diskstats").read_text().splitlines():
        words = line.split()
        if (int(words[0]), int(words[1])) == number:
            return DeviceIo(
                device=words[2],
                read_requests=int(words[3]),
                read_bytes=int(words[5]) * SECTOR_SIZE,
                write_requests=int(words[7]),
                write_bytes=int(words[9]) * SECTOR_SIZE,
                flush_requests=int(words[18]),
                busy_s=int(words[12]) / 1000,
            )
    raise OSError(f"device {number[0]}:{number[1]} is not in /proc/diskstats")


def _read_memory_state() -> MemoryState:
    values = _named_values(PROC / "meminfo")
    return MemoryState(
        dirty_bytes=values["Dirty"] * 1024,
        writeback_bytes=values["Writeback"] * 1024,
        free_bytes=values["MemFree"] * 1024,
        available_bytes=values["MemAvailable"] * 1024,
    )


def _named_values(path: Path) -> dict[str, int]:
    """The `name: number` lines of a file of /proc; a unit behind the number is left out, and so are other lines."""
    values = {}
    for line in path.read_text().splitlines():
        name, _, rest = line.partition(":")
        number = rest.split()[:1]
        if number and number[0].isdigit():
            values[name] = int(number[0])
    return values
