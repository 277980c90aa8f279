"""Records of `__transaction_state`, in the forms Kafka 4.1 and those before 3.5 write."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfast.errors import CorruptRecordError, UnsupportedVersionError
from kfast.record.batches import iter_batches
from kfast.record.transaction_records import (
    TransactionKey,
    TransactionPartitions,
    TransactionState,
    TransactionValue,
    decode_transaction_key,
    decode_transaction_value,
    encode_transaction_key,
    encode_transaction_value,
)

# Offset 0 of __transaction_state-0 of the golden transactions case, as Kafka's tool names their fields.
EMPTY = TransactionValue(2, 0, 600000, TransactionState.EMPTY, None, 1795392682231, -1)
longs = st.integers(-1, 2**63 - 1)
shorts = st.integers(-1, 2**15 - 1)
partitions = st.builds(
    TransactionPartitions, st.text(max_size=9), st.lists(st.integers(0, 2**31 - 1), max_size=3).map(tuple)
)
values = st.builds(
    TransactionValue,
    longs,
    shorts,
    st.integers(0, 2**31 - 1),
    st.integers(0, 7),
    st.none() | st.lists(partitions, max_size=3).map(tuple),
    longs,
    longs,
    longs,
    longs,
    shorts,
    shorts,
)


@given(values)
def test_what_is_written_is_read(value: TransactionValue) -> None:
    assert decode_transaction_value(encode_transaction_value(value)) == value


def test_kafkas_bytes_are_these(golden: Any) -> None:
    """Its records are read and written again as they were."""
    log = golden("06-transactions") / "log" / "__transaction_state-0" / f"{0:020d}.log"
    records = [record for batch in iter_batches(log.read_bytes()) for record in batch.records()]
    assert decode_transaction_value(records[0].value) == EMPTY
    for record in records:
        assert encode_transaction_key(decode_transaction_key(record.key)) == bytes(record.key)
        assert encode_transaction_value(decode_transaction_value(record.value)) == bytes(record.value)
    assert len(records) > 20


def test_version_0_is_read() -> None:
    head = struct.pack(">hqhib", 0, 5, 1, 60000, 1)
    times = struct.pack(">qq", 10, 9)
    topics = struct.pack(">i", 1) + b"\x00\x01t" + struct.pack(">iii", 2, 0, 3)
    expected = TransactionValue(5, 1, 60000, 1, (TransactionPartitions("t", (0, 3)),), 10, 9)
    assert decode_transaction_value(head + topics + times) == expected
    null = struct.pack(">i", -1)
    assert decode_transaction_value(head + null + times).partitions is None


def test_keys() -> None:
    assert encode_transaction_key(TransactionKey("txn")) == b"\x00\x00\x00\x03txn"
    assert decode_transaction_key(b"\x00\x00\x00\x03txn") == TransactionKey("txn")


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x00\x00", b"\x00\x00\x00\x03tx", b"\x00\x00\x00\x01txn"])
def test_what_is_no_key_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptRecordError):
        decode_transaction_key(data)


def test_a_later_version_is_refused() -> None:
    with pytest.raises(UnsupportedVersionError, match="version 2; 0 to 1"):
        decode_transaction_value(b"\x00\x02" + bytes(40))
