"""A topic whose segment holds messages of versions 0 and 1 among batches, as an old cluster left it, and a client.

librdkafka reads all of them. aiokafka reads no segment that mixes them, and like kafka-python no LZ4 of version 0.
"""

from __future__ import annotations

import json
import shutil
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from kfast.record.record import Record


@pytest.mark.parametrize("case", ["mixed", "gaps", "v0-gzip", "v1-snappy", "v0-lz4"])
def test_a_client_reads_old_messages_and_writes_after_them(
    case: str, golden: Any, confluent: Any, embedded: Any, tmp_path: Path
) -> None:
    archive = golden("13-old-messages")
    batches = json.loads((archive / "facts.json").read_text())[case]["batches"]
    expected = [
        (offset, max(timestamp_ms, 0), b64decode(key), b64decode(value))  # librdkafka says 0 where there is no time
        for batch in batches
        for offset, timestamp_ms, key, value, *_ in batch["records"]
    ]
    broker = embedded(tmp_path)
    broker.metadata.create_topic("old", 1)
    directory = broker.log("old", 0).directory
    broker.stop()
    for path in directory.glob("0*"):
        path.unlink()
    (segment,) = (archive / "log" / f"{case}-0").iterdir()
    shutil.copy(segment, directory)

    client = confluent(embedded(tmp_path).bootstrap_servers)
    end = expected[-1][0] + 1
    assert client.range("old") == (expected[0][0], end)
    assert client.produce("old", [Record(0, 1_700_000_000_000, b"k", b"new")]) == [end]
    expected.append((end, 1_700_000_000_000, b"k", b"new"))
    for wanted in (0, 4, len(expected) - 1):
        found = client.consume("old", offset=expected[wanted][0])
        assert [(one.offset, one.timestamp_ms, one.key, one.value) for one in found] == expected[wanted:]
