"""What Kafka left of logs whose records were deleted or too old: the same starts, and the same going on from there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kfast.log.config import LogConfig
from kfast.log.log import Log
from kfast.log.names import LEADER_EPOCH_CHECKPOINT
from kfast.record.batches import iter_batches
from kfast.record.record import Record

CONFIG = LogConfig(segment_bytes=8192, index_interval_bytes=512, retention_ms=-1)

PARTITIONS = [
    "delete-all-0",
    "delete-boundary-0",
    "delete-inside-0",
    "delete-inside-1",
    "retain-size-0",
    "retain-time-0",
]


def records(log: Log) -> Iterator[Record]:
    offset = log.log_start_offset
    while data := log.read(offset, 1 << 20).records.read():
        for batch in iter_batches(data):
            yield from (record for record in batch.records() if record.offset >= offset)
            next_offset = batch.next_offset
        offset = next_offset


@pytest.mark.parametrize("was_clean", [True, False])
@pytest.mark.parametrize("name", PARTITIONS)
def test_the_log_starts_where_kafkas_does(golden: Any, tmp_path: Path, digest: Any, name: str, was_clean: bool) -> None:
    facts = golden.manifest["cases"]["08-deleted"]["logdirs"]["log"]["partitions"][name]
    source, directory = golden("08-deleted") / "log" / name, tmp_path / name
    shutil.copytree(source, directory)
    log = Log.open(directory, CONFIG, log_start_offset=facts["log_start_offset"], was_clean=was_clean)
    assert (log.log_start_offset, log.log_end_offset) == (facts["log_start_offset"], facts["end_offset"])
    assert digest(records(log)) == facts["digest"]
    log.close()
    for path in source.iterdir():
        if path.suffix in (".log", ".index", ".timeindex"):
            assert (directory / path.name).read_bytes() == path.read_bytes(), path.name
    assert (directory / LEADER_EPOCH_CHECKPOINT).read_bytes() == (source / LEADER_EPOCH_CHECKPOINT).read_bytes()


@pytest.mark.parametrize("name", ["delete-all-0", "delete-boundary-0", "delete-inside-0", "delete-inside-1"])
def test_deleting_again_up_to_there_changes_nothing_and_further_on_moves_the_start(
    golden: Any, tmp_path: Path, name: str
) -> None:
    case = golden.manifest["cases"]["08-deleted"]
    directory = tmp_path / name
    shutil.copytree(golden("08-deleted") / "log" / name, directory)
    _, start_offset = case["delete_records"][name]
    log = Log.open(directory, CONFIG, log_start_offset=start_offset)
    log.increment_log_start_offset(start_offset - 1)
    assert log.log_start_offset == start_offset
    log.increment_log_start_offset(log.log_end_offset)
    segment_count = len(log.segments)
    assert (log.log_start_offset, list(records(log))) == (log.log_end_offset, [])
    log.delete_old_segments()
    assert len(log.segments) == 1 <= segment_count  # of the one that is written to only the start has moved
    assert log.segments[0].size_bytes > 0
