from __future__ import annotations

from kfast.child_process import ChildError
from kfast.lab import switching
from kfast.lab.switching import switch_while_reading


def test_modes_switched_under_a_verifying_reader_lose_nothing_and_copy_as_counted() -> None:
    found = switch_while_reading(("read_send", "mmap_send", "sendfile"), rounds=1)
    assert found.is_whole, found.failure
    assert found.switch_count == 3
    assert found.consumed_bytes >= 3 * switching.MOVED_BYTES
    assert found.copies == {"read_send": 2.0, "mmap_send": 1.0, "sendfile": 0.0}


def test_a_reader_that_finds_damage_is_a_failure(monkeypatch) -> None:
    def damaged(workload: object, mode: str) -> None:
        raise ChildError("consumer: bad checksum at offset 7")

    monkeypatch.setattr(switching, "_moved_by", damaged)
    found = switch_while_reading(("sendfile",), rounds=1)
    assert not found.is_whole
    assert "offset 7" in found.failure
