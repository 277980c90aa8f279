"""The CPU time of another process, by its own clock of the kernel: nanoseconds, where /proc counts ticks of 10 ms.

All threads count, also those that have ended. So a broker in Java and one in Python are read in the same way, from
outside, and neither is asked.
"""

from __future__ import annotations

import ctypes
import os
import time

from kfast.lab.unavailable import Unavailable, reason_of


def cpu_s_of(pid: int) -> float | Unavailable:
    """User and system time of process `pid` since it started: clock_getcpuclockid(3) and clock_gettime(2)."""
    try:
        get_clock = ctypes.CDLL(None).clock_getcpuclockid
    except AttributeError:
        return Unavailable("clock_getcpuclockid(3) is not offered on this platform")
    clock = ctypes.c_int()
    if error := get_clock(pid, ctypes.byref(clock)):
        return Unavailable(f"the CPU clock of process {pid}: {os.strerror(error)}")
    try:
        return time.clock_gettime(clock.value)
    except OSError as ended:
        return Unavailable(f"the CPU clock of process {pid}: {reason_of(ended)}")
