"""What a broker counts of the disk. Bytes and copies are counted where they move: tests/transfer, tests/client."""

from __future__ import annotations

import pytest

from kfast.broker.broker import Broker
from kfast.broker.metrics import snapshot
from kfast.clock import ManualClock
from kfast.log.file_records import FileRecords
from kfast.record.builder import RecordBatchBuilder


def test_flushes_are_counted_and_timed_also_of_topics_that_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    monkeypatch.setattr(FileRecords, "flush", lambda records: clock.advance(20))
    with Broker(clock=clock) as broker:
        before = snapshot(broker)
        broker.metadata.create_topic("events", 1, {"flush.messages": "1"})
        flushed = snapshot(broker)
        for _ in range(3):
            builder = RecordBatchBuilder()
            builder.append(None, b"x", 1)
            broker.log("events", 0).append(builder.build())
        after = snapshot(broker)
        assert after["flush_count"] - flushed["flush_count"] == 3
        assert after["flush_s"] - flushed["flush_s"] == pytest.approx(0.06)
        assert flushed["flush_count"] > before["flush_count"]  # the topic is on the disk before it is answered
        broker.metadata.delete_topic("events")
        assert snapshot(broker)["flush_count"] >= after["flush_count"]
