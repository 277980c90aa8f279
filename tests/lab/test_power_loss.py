"""Dirty pages are what would be gone; the power itself stays on."""

from __future__ import annotations

import pytest

from kfast.lab import power_loss
from kfast.lab.power_loss import ALWAYS, NEVER, SOMETIMES, power_losses, what_was_flushed_stays, without_dirty_pages
from kfast.lab.residency import PAGE_SIZE, Residency
from kfast.lab.unavailable import Unavailable

CLEAN, DIRTY, ON_ITS_WAY = Residency(1, 1, 0, 0), Residency(1, 1, 1, 0), Residency(1, 1, 0, 1)


@pytest.fixture
def disk(disk_directory, monkeypatch):
    monkeypatch.setattr("kfast.lab.lab_directory.lab_parent", lambda: disk_directory)
    return disk_directory


def test_what_was_flushed_would_be_left_and_no_more_need_be(disk):
    losses = {loss.policy: loss for loss in power_losses(250)}
    assert [losses[policy].recovery_point for policy in (NEVER, SOMETIMES, ALWAYS)] == [0, 200, 250]
    assert what_was_flushed_stays(list(losses.values()))
    assert losses[ALWAYS].left == 250 or isinstance(losses[ALWAYS].left, Unavailable)
    assert "250 records acknowledged" in str(losses[NEVER])
    assert not list(disk.iterdir())


def test_where_nobody_can_say_the_reason_stands_in_the_place_of_the_number(disk, monkeypatch):
    monkeypatch.setattr(power_loss, "residency_map", lambda *_, **__: Unavailable("an older kernel"))
    losses = power_losses(3)
    assert [str(loss.lost) for loss in losses] == ["unavailable: an older kernel"] * 3
    assert [str(loss.dirty_pages) for loss in losses] == ["unavailable: an older kernel"] * 3
    assert what_was_flushed_stays(losses)


@pytest.mark.parametrize("lost", [DIRTY, ON_ITS_WAY])
def test_a_dirty_page_keeps_what_was_flushed_of_it(tmp_path, lost):
    path = tmp_path / "orders-0" / "00000000000000000000.log"
    path.parent.mkdir()
    path.write_bytes(b"x" * (2 * PAGE_SIZE + 10))
    directory = without_dirty_pages(path, [CLEAN, lost, lost], flushed_bytes=PAGE_SIZE + 100)
    data = (directory / path.name).read_bytes()
    assert data == b"x" * (PAGE_SIZE + 100) + bytes(PAGE_SIZE - 100 + 10)
    assert path.read_bytes() == b"x" * (2 * PAGE_SIZE + 10)
