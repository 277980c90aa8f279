"""Apache Kafka's own DumpLogSegments on files that kfast wrote."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest

from kfast.log.dump import dump
from kfast.record.builder import RecordBatchBuilder
from kfast.record.compression import CompressionType

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("is_closed", [True, False])
def test_kafka_reads_segments_and_indexes_without_complaint(java: Any, open_log: Any, is_closed: bool) -> None:
    log = open_log(segment_bytes=30_000, index_interval_bytes=500)
    timestamp_ms = 1_700_000_000_000
    for number in range(200):
        builder = RecordBatchBuilder(compression=CompressionType(number % 5))
        for record in range(1 + number % 4):
            builder.append(b"k%d" % number, os.urandom(100), timestamp_ms + 13 * number % 50, [("h", b"%d" % record)])
        log.append(builder.build(), leader_epoch=1)
    if is_closed:
        log.close()
    files = sorted(path for path in log.directory.iterdir() if path.suffix in (".log", ".index", ".timeindex"))
    assert len(files) >= 6

    output = java.run("kafka.tools.DumpLogSegments", "--deep-iteration", "--files", ",".join(map(str, files)))
    for complaint in ("Mismatch", "mismatch", "isvalid: false", "invalid bytes", "Non-consecutive", "out of order"):
        assert complaint not in output
    entries = list(dump([log.directory], deep=True))
    ours = [
        (entry["base_offset"], entry["last_offset"], entry["position"], entry["crc"])
        for entry in entries
        if entry["type"] == "batch"
    ]
    found = re.findall(r"baseOffset: (\d+) lastOffset: (\d+) .* position: (\d+) .* crc: (\d+) isvalid: true", output)
    assert [tuple(map(int, numbers)) for numbers in found] == ours
    positions = re.findall(r"^offset: (\d+) position: (\d+)$", output, re.MULTILINE)
    assert [tuple(map(int, numbers)) for numbers in positions] == [
        (entry["offset"], entry["position"]) for entry in entries if entry["type"] == "offset_index_entry"
    ]
    times = re.findall(r"^timestamp: (\d+) offset: (\d+)$", output, re.MULTILINE)
    assert [tuple(map(int, numbers)) for numbers in times] == [
        (entry["timestamp_ms"], entry["offset"]) for entry in entries if entry["type"] == "time_index_entry"
    ]
