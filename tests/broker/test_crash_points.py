"""A broker killed before any step that changes the disk, or out of power there: topics, ids and configurations stay.

KFAST_CRASH_STRIDE=1 python -m pytest tests/broker/test_crash_points.py      every step; without, every seventeenth
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kfast.broker.log_directory import METADATA_DIRECTORY, ensure_usable
from kfast.log.names import partition_directory_name
from kfast.record.builder import RecordBatchBuilder
from kfast.record.metadata_records import TOPIC_RESOURCE

STRIDE = int(os.environ.get("KFAST_CRASH_STRIDE", "17"))
FLUSHED = {"flush.messages": "1"}
SETTINGS = {"metadata_log_max_record_bytes_between_snapshots": 600}
DELAY_MS = 60_001


@dataclass
class Known:
    """What clients were told: how many records each topic has, and so on."""

    topics: dict[str, int] = field(default_factory=dict)
    configs: dict[str, str] = field(default_factory=dict)
    producer_id: int = -1

    def copy(self) -> Known:
        return Known(dict(self.topics), dict(self.configs), self.producer_id)


def work(open_parts: Callable[..., Any], directory: Path, known: Known) -> Iterator[None]:
    """`known` is brought up to date before each yield."""
    parts = open_parts(directory, **SETTINGS)
    parts.logs.start()
    for number in range(6):
        create(parts, known, f"topic{number}")
        yield
        append(parts, known, f"topic{number}")
        known.producer_id = parts.metadata.next_producer_id()
        yield
        if number % 2:
            parts.metadata.delete_topic(f"topic{number - 1}")
            del known.topics[f"topic{number - 1}"]
            yield
        if number == 3:
            parts.metadata.alter_configs(TOPIC_RESOURCE, "topic3", {"retention.ms": "77"})
            known.configs["topic3"] = "77"
            yield
    parts.clock.advance(DELAY_MS)
    create(parts, known, "topic0")
    append(parts, known, "topic0")
    yield
    parts.close()
    yield
    parts = open_parts(directory, **SETTINGS)
    append(parts, known, "topic0")
    yield


def create(parts: Any, known: Known, topic: str) -> None:
    parts.metadata.create_topic(topic, 2, FLUSHED)
    known.topics[topic] = 0


def append(parts: Any, known: Known, topic: str) -> None:
    builder = RecordBatchBuilder()
    builder.append(b"key", b"value", 1)
    parts.logs.get(topic, 0).append(builder.build())
    known.topics[topic] += 1


@pytest.fixture
def told(open_parts: Any, tmp_path: Path) -> list[Known]:
    """What is known behind each piece of work; the first is nothing, and the last comes twice."""
    known = Known()
    told = [known.copy(), *(known.copy() for _ in work(open_parts, tmp_path / "whole", known))]
    return [*told, told[-1]]


LOSSES = {
    "none": None,
    "unsynced bytes": (True, False),
    "unsynced bytes are zeros": (True, True),
    "unsynced names": (False, False),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_what_was_acknowledged_is_there(
    open_parts: Any, run_until: Any, told: list[Known], tmp_path: Path, loss: tuple[bool, bool] | None
) -> None:
    for step in itertools.count(0, STRIDE):
        directory, lost = tmp_path / f"killed-{step}", tmp_path / f"lost-{step}"
        at_the_end = partial(leave, lost, loss)
        is_killed, done = run_until(partial(work, open_parts, directory, Known()), directory, step, at_the_end)
        if not is_killed:
            break
        left = lost if loss else directory
        check(open_parts, left, told[done], told[done + 1], may_leave_directories=loss == (False, False))
        shutil.rmtree(directory)
        shutil.rmtree(lost, ignore_errors=True)
    assert step > 300


def leave(directory: Path, loss: tuple[bool, bool] | None, disk: Any) -> None:
    if loss:
        disk.leave(directory, *loss)


def check(open_parts: Any, directory: Path, before: Known, after: Known, *, may_leave_directories: bool) -> None:
    ensure_usable(directory)
    parts = open_parts(directory, **SETTINGS)
    parts.logs.start()
    topics = parts.metadata.topics.keys()
    assert before.topics.keys() & after.topics.keys() <= topics <= before.topics.keys() | after.topics.keys()
    for topic in topics:
        least, most = sorted(known.topics.get(topic, 0) for known in (before, after))
        assert least <= parts.logs.get(topic, 0).log_end_offset <= most
        assert parts.metadata.configs(TOPIC_RESOURCE, topic).get("retention.ms") in (
            before.configs.get(topic),
            after.configs.get(topic),
        )
    assert parts.metadata.next_producer_id() > before.producer_id
    parts.clock.advance(DELAY_MS)
    names = {
        partition_directory_name(name, number) for name in topics for number in parts.metadata.topics[name].partitions
    }
    found = {path.name for path in directory.iterdir() if path.is_dir()}
    assert names <= found
    assert may_leave_directories or found == {*names, METADATA_DIRECTORY}
    parts.close()
    again = open_parts(directory, **SETTINGS)
    assert again.metadata.topics.keys() == topics
    again.close()
