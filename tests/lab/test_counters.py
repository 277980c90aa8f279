"""The files of /proc are written by hand here, so that every number is known."""

import os

import pytest

from kfast.lab import counters
from kfast.lab.counters import (
    ContextSwitches,
    DeviceIo,
    MachineCpu,
    MemoryState,
    ProcessCpu,
    ProcessIo,
    context_switches,
    device_io,
    difference,
    machine_cpu,
    memory_state,
    process_cpu,
    process_io,
    stolen_blocks,
)
from kfast.lab.unavailable import Unavailable


@pytest.fixture
def proc(tmp_path, monkeypatch):
    monkeypatch.setattr(counters, "PROC", tmp_path)
    monkeypatch.setattr(counters.os, "sysconf", lambda name: 100)
    return tmp_path


def test_process_cpu_with_blanks_and_brackets_in_the_name(proc):
    (proc / "7").mkdir()
    (proc / "7/stat").write_text("7 (a ) b) S " + " ".join(str(value) for value in range(4, 53)))
    assert process_cpu(7) == ProcessCpu(user_s=0.14, system_s=0.15)


def test_process_io_says_what_it_counts(proc):
    (proc / "7").mkdir()
    (proc / "7/io").write_text("rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 6\n")
    assert process_io(7) == ProcessIo(read_syscalls=3, write_syscalls=4, device_read_bytes=5, dirtied_bytes=6)


def test_context_switches_of_all_threads(proc):
    for thread, counts in ((7, (1, 10)), (8, (2, 20))):
        (proc / f"7/task/{thread}").mkdir(parents=True)
        (proc / f"7/task/{thread}/status").write_text(
            f"Name:\tx\nvoluntary_ctxt_switches:\t{counts[0]}\nnonvoluntary_ctxt_switches:\t{counts[1]}\n"
        )
    assert context_switches(7) == ContextSwitches(voluntary=3, involuntary=30)


def test_machine_cpu_with_steal(proc):
    (proc / "stat").write_text("cpu  100 200 300 400 500 600 700 800 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n")
    found = machine_cpu()
    assert found == MachineCpu(user_s=3, system_s=3, interrupt_s=13, idle_s=4, io_wait_s=5, steal_s=8)
    assert found.busy_s == 19


def test_the_device_under_a_path(proc, monkeypatch):
    monkeypatch.setattr(counters, "device_number", lambda path: (254, 1))
    (proc / "diskstats").write_text(
        " 254 0 vda 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n 254 1 vda1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n"
    )
    assert device_io("/anywhere") == DeviceIo("vda1", 1, 3 * 512, 5, 7 * 512, 16, 0.01)


def test_a_device_nobody_lists(proc, monkeypatch):
    monkeypatch.setattr(counters, "device_number", lambda path: (254, 1))
    (proc / "diskstats").write_text("")
    assert device_io("/anywhere") == Unavailable("device 254:1 is not in /proc/diskstats")


def test_memory_state_in_bytes(proc):
    (proc / "meminfo").write_text(
        "MemFree: 4 kB\nMemAvailable: 8 kB\nDirty: 2 kB\nWriteback: 1 kB\nHugePages_Total: 0\n"
    )
    assert memory_state() == MemoryState(dirty_bytes=2048, writeback_bytes=1024, free_bytes=4096, available_bytes=8192)


@pytest.mark.parametrize(
    "collect", [machine_cpu, memory_state, lambda: process_cpu(7), lambda: process_io(7), lambda: context_switches(7)]
)
def test_what_cannot_be_read_says_why_and_is_not_zero(collect, proc):
    found = collect()
    assert isinstance(found, Unavailable)
    assert "No such file" in found.reason


@pytest.mark.skipif(not os.path.exists("/proc/self/io"), reason="no /proc/<pid>/io on this platform")
def test_the_real_files_of_this_process_can_be_read():
    before = process_io(os.getpid())
    with open("/proc/self/stat", "rb") as file:
        os.pread(file.fileno(), 10, 0)
    assert difference(process_io(os.getpid()), before).read_syscalls >= 1
    assert context_switches(os.getpid()).voluntary >= 0
    assert process_cpu(os.getpid()).user_s >= 0
    assert machine_cpu().idle_s >= 0


def test_a_difference_is_field_by_field_and_names_stay():
    before, after = DeviceIo("vda", 1, 2, 3, 4, 5, 6), DeviceIo("vda", 11, 22, 33, 44, 55, 66)
    assert difference(after, before) == DeviceIo("vda", 10, 20, 30, 40, 50, 60)


def test_a_difference_with_what_is_missing_is_missing():
    missing = Unavailable("no file")
    assert difference(missing, MemoryState(1, 2, 3, 4)) == missing
    assert difference(MemoryState(1, 2, 3, 4), missing) == missing


def test_a_block_that_lost_a_tenth_of_its_time_to_others_is_named():
    calm = MachineCpu(user_s=1, system_s=0, interrupt_s=0, idle_s=0.95, io_wait_s=0, steal_s=0.05)
    stolen = MachineCpu(user_s=1, system_s=0, interrupt_s=0, idle_s=0.5, io_wait_s=0, steal_s=0.5)
    readings = [(0, calm), (1, calm), (1, stolen), (2, Unavailable("no /proc")), (3, calm), (3, calm)]
    assert stolen_blocks(readings) == (1,)
