"""The largest batch a topic takes, to the byte, and what a client hears about one byte more."""

from __future__ import annotations

from typing import Any

import pytest

from kfast.log.config import LogConfig
from kfast.record.layout import HEADER_SIZE
from kfast.record.record import Record

MESSAGE_TOO_LARGE = 10
RECORD_OVERHEAD = 3 + 1 + 1 + 1 + 1 + 3 + 1
"""Length, attributes, timestamp and offset deltas, null key, value's size, no headers: what surrounds a 1 MB value."""
LARGEST = LogConfig().max_message_bytes - HEADER_SIZE - RECORD_OVERHEAD


def test_the_largest_batch_is_taken(client: Any, topic: str) -> None:
    sent = [Record(0, 1, None, bytes(LARGEST))]
    client.produce(topic, sent)
    assert client.consume(topic) == sent


def test_a_byte_more_is_refused_and_the_client_told(client: Any, topic: str) -> None:
    client.produce(topic, [Record(0, 1, None, b"before")])
    with pytest.raises(Exception) as refused:  # Refused of conftest.py, whose name cannot be imported
        client.produce(topic, [Record(0, 1, None, bytes(LARGEST + 1))])
    assert refused.value.code == MESSAGE_TOO_LARGE
    client.produce(topic, [Record(0, 1, None, b"after")])
    assert [record.value for record in client.consume(topic)] == [b"before", b"after"]
