"""A disk that takes no more: producers are told, what was acknowledged stays, and the rest of the broker works on."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from kfast.record.record import Record

FILE_LIMIT = 1_500_000
"""Of a file rather than of the disk, which gives the same error to a write, half done or not at all."""
VALUE_SIZE = 100_000
STORAGE_ERROR = 56


def test_what_does_not_fit_is_refused_and_what_was_acknowledged_stays(serve: Any, confluent: Any) -> None:
    if shutil.which("prlimit") is None:
        pytest.skip("there is no prlimit")
    serving = serve(prefix=["prlimit", f"--fsize={FILE_LIMIT}"])
    client = confluent(serving.bootstrap_servers)
    records = [Record(offset, 1, None, b"%d" % offset + bytes(VALUE_SIZE)) for offset in range(20)]
    offsets: list[int] = []
    with pytest.raises(Exception, match=str(STORAGE_ERROR)):
        produce_one_by_one(client, records, offsets)
    acknowledged = len(offsets)
    assert FILE_LIMIT // VALUE_SIZE - 2 <= acknowledged < len(records)
    assert client.consume("orders") == records[:acknowledged]
    assert client.produce("others", [Record(0, 1, None, b"small")]) == [0]
    assert f"{0:020}.log: writing" in serving.errors()

    serving.stop()
    client = confluent(serve(serving.data_dir).bootstrap_servers)
    assert client.produce("orders", records[acknowledged:], **{"batch.num.messages": 1})[0] == acknowledged
    assert client.consume("orders") == records


def produce_one_by_one(client: Any, records: list[Record], offsets: list[int]) -> None:
    for record in records:
        offsets += client.produce("orders", [record], retries=0)
