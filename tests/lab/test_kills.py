"""A broker process is killed for real, and what it promised is counted."""

from __future__ import annotations

import threading

from kfast.lab.kills import BATCH_RECORDS, Kill, kill_under_load, kills


def test_what_was_acknowledged_is_there_after_each_kill():
    found = list(kills(count=2, records=2_000))
    assert [kill.missing for kill in found] == [0, 0]
    assert found[0].acknowledged >= 2_000
    assert found[1].acknowledged >= found[0].found + 2_000
    assert all(kill.found % BATCH_RECORDS == 0 for kill in found)
    assert not any(thread.name == "load-to-be-cut-off" for thread in threading.enumerate())


def test_what_is_missing_and_what_was_under_way(tmp_path):
    assert (Kill(10, 8).missing, Kill(10, 8).under_way) == (2, 0)
    assert str(Kill(1_000, 1_020)) == "1,000 records acknowledged, 1,020 found: 0 missing, 20 more were under way"
    kill = kill_under_load(tmp_path / "data", records=1)
    assert kill.missing == 0
