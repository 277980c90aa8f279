from kfast.lab import memory
from kfast.lab.counters import MemoryState
from kfast.lab.memory import STEP_SIZE, TouchedMemory, touch_memory
from kfast.lab.unavailable import Unavailable


def test_it_says_how_much_was_touched(monkeypatch):
    monkeypatch.setattr(memory, "memory_state", lambda: Unavailable("no /proc/meminfo"))
    assert touch_memory(STEP_SIZE + 1) == TouchedMemory(STEP_SIZE + 1)


def test_never_more_than_half_of_what_is_available(monkeypatch):
    monkeypatch.setattr(memory, "memory_state", lambda: MemoryState(0, 0, 0, available_bytes=1_000_000))
    assert touch_memory(1 << 40) == TouchedMemory(500_000)
