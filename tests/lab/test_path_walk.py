import pytest

from kfast.lab import path_walk
from kfast.lab.data_way import Mover
from kfast.lab.path_walk import SIZE, cpu_copies, dma_copies, walk_paths
from kfast.lab.unavailable import Unavailable


@pytest.fixture
def walk(disk_directory):
    return walk_paths(disk_directory)


def test_both_paths_deliver_the_file(walk):
    assert walk.arrived == (True, True)
    assert walk.size_bytes == SIZE


def test_the_hops_are_those_of_the_article(walk):
    assert [step.number for step in walk.copying] == ["2.1", "2.2", "2.3", "2.4", "2.5"]
    assert [step.number for step in walk.zero_copy] == ["3.1", "3.2", "3.2", "3.3"]
    assert (cpu_copies(walk.copying), dma_copies(walk.copying)) == (2, 2)
    assert (cpu_copies(walk.zero_copy), dma_copies(walk.zero_copy)) == (0, 2)


def test_every_hop_but_the_one_to_the_nic_moved_the_whole_range(walk):
    for step in (*walk.copying, *walk.zero_copy):
        assert step.moved_bytes == (None if step.target == "NIC" else SIZE), step


def test_each_hop_says_how_it_was_seen(walk):
    seen = {step.number + step.target: step.seen for step in walk.copying}
    assert "cachestat: 0 of 16" in seen["2.1page cache"] or "not seen" in seen["2.1page cache"]
    assert seen["2.3socket buffer"].endswith("FIONREAD: 64 KiB wait at the receiver")
    assert "no NIC" in seen["2.4NIC"]
    assert "2 copies by the sending CPU, 2 by DMA where there is a NIC" in str(walk)


def test_where_coldness_cannot_be_seen_the_hop_says_so(disk_directory, monkeypatch):
    monkeypatch.setattr(path_walk, "make_cold", lambda fd: Unavailable("cachestat(2), Linux 6.5 or newer"))
    walk = walk_paths(disk_directory)
    assert walk.copying[0].seen == "not seen: cachestat(2), Linux 6.5 or newer"
    assert walk.copying[0].mover is Mover.DMA
    assert walk.arrived == (True, True)
