"""A broker process is killed for real, and what it promised is counted."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from kfast.broker.broker import Broker
from kfast.child_process import ChildError
from kfast.client.produce_load import ProduceLoad
from kfast.lab.kills import BATCH_RECORDS, PRODUCERS, TOPIC, WINDOW, Kill, Partition, kill_under_load, kills
from kfast.log.names import LOG_SUFFIX


def test_what_was_acknowledged_is_there_after_each_kill_and_requests_were_under_way() -> None:
    first, second = kills(count=2, records=2_000)
    assert (first.missing, second.missing) == (0, 0)
    assert first.acknowledged >= 2_000
    assert second.acknowledged >= first.acknowledged + first.kept + 2_000
    for kill in (first, second):
        assert 0 < kill.under_way <= PRODUCERS * WINDOW
        assert kill.kept <= kill.under_way
        assert kill.is_whole_batches
    assert not any(thread.name == "load-to-be-cut-off" for thread in threading.enumerate())


def test_an_unanswered_record_of_one_partition_stands_for_no_acknowledged_one_of_another() -> None:
    kill = Kill([Partition(30, 20, [10, 10]), Partition(20, 20, [10, 10, 10])])
    assert (kill.acknowledged, kill.missing, kill.under_way, kill.kept) == (50, 10, 40, 10)
    assert str(kill) == (
        "50 records acknowledged, 10 of them missing; 40 sent and not acknowledged, 10 of them in the log"
    )
    assert kill.is_whole_batches
    assert not Kill([Partition(10, 10, [10, 5])]).is_whole_batches


def test_records_are_counted_batch_by_batch_as_the_end_offset_hides_a_gap(tmp_path: Path) -> None:
    before = [partition.found for partition in kill_under_load(tmp_path, records=100).partitions]
    path = tmp_path / f"{TOPIC}-0" / f"{0:020}{LOG_SUFFIX}"
    data = path.read_bytes()
    batch_size = len(data) * BATCH_RECORDS // before[0]
    path.write_bytes(data[:batch_size] + data[2 * batch_size :])
    kill = kill_under_load(tmp_path, 100, before)
    with Broker(tmp_path) as broker:
        assert kill.partitions[0].found == broker.log(TOPIC, 0).log_end_offset - BATCH_RECORDS


def test_a_load_that_ends_by_itself_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProduceLoad, "run", lambda load: None)
    with pytest.raises(ChildError, match="a load ended before the broker was killed"):
        kill_under_load(tmp_path / "data", records=1)
