import os
import time

from kfast.lab.process_clock import cpu_s_of
from kfast.lab.unavailable import Unavailable


def test_the_clock_of_this_process_is_its_own():
    before, found, after = time.process_time(), cpu_s_of(os.getpid()), time.process_time()
    assert isinstance(found, float)
    assert before <= found <= after


def test_a_process_that_is_not_there_has_none():
    found = cpu_s_of(2**22 + 1)  # beyond the largest pid of Linux
    assert isinstance(found, Unavailable)
    assert str(found).startswith("unavailable: the CPU clock of process 4194305: ")
