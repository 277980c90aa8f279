"""A partition that could not be opened is not tried again at once."""

from __future__ import annotations

import pytest

from kfast.broker.offline_partitions import RETRY_MS, OfflinePartitions
from kfast.clock import ManualClock
from kfast.errors import KafkaStorageError


def test_a_failure_stands_for_a_while_and_for_its_partition_alone() -> None:
    clock = ManualClock()
    offline = OfflinePartitions(clock)
    offline.ensure_may_be_tried("orders", 0)
    offline.note("orders", 0, KafkaStorageError("orders-0: no such disk"))
    offline.ensure_may_be_tried("orders", 1)
    for _ in range(2):
        with pytest.raises(KafkaStorageError, match="orders-0: no such disk"):
            offline.ensure_may_be_tried("orders", 0)
    clock.advance(RETRY_MS - 1)
    with pytest.raises(KafkaStorageError):
        offline.ensure_may_be_tried("orders", 0)
    clock.advance(1)
    offline.ensure_may_be_tried("orders", 0)


def test_what_is_open_is_not_offline() -> None:
    offline = OfflinePartitions(ManualClock())
    offline.note("orders", 0, KafkaStorageError("orders-0: no such disk"))
    assert repr(offline) == "OfflinePartitions(1)"
    for _ in range(2):
        offline.forget("orders", 0)
    offline.ensure_may_be_tried("orders", 0)
