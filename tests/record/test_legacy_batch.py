"""Messages of versions 0 and 1, in the bytes that Kafka 4.1's classes make of them."""

from __future__ import annotations

import contextlib

import pytest

from kfast.errors import CorruptRecordError, RecordTooLargeError
from kfast.record.batch import RecordBatch
from kfast.record.batches import iter_batches
from kfast.record.builder import RecordBatchBuilder
from kfast.record.layout import MAGIC_POSITION, TimestampType
from kfast.record.legacy_batch import (
    BATCH_TYPES,
    MIN_ENTRY_SIZE,
    UNKNOWN_COUNT,
    LegacyRecord,
    LegacyRecordBatch,
    iter_messages,
    read_batch,
)

PLAIN_0 = bytes.fromhex("0000000000000007000000162356c1370000000000036b65790000000576616c7565")
PLAIN_1 = bytes.fromhex("00000000000000070000001e2a88275c01000000015d3ef79846000000036b65790000000576616c7565")
"""Offset 7, key `key`, value `value`."""

WRAPPERS = {
    "v0-gzip": bytes.fromhex(
        "000000000000000c000000571836bd6d0001ffffffff000000491f8b08000000000000ff636000032e20965c7fc95600cc63"
        "ce4ead04521c658939a5a9ba860610350cdc204537aef2b66153640855c40352e47827c6069b2223000fb008f36f000000"
    ),
    "v0-snappy": bytes.fromhex(
        "000000000000000c0000006c265b0b7a0002ffffffff0000005e82534e415050590000000001000000010000004a6f000009"
        "01200a00000019afd23d10050f40036b65790000000876616c75652d3130000901000b01250cd8d50d86050f3a2500003105"
        "150800000c01251041dc5c3c0001013a25000032"
    ),
    "v0-lz4": bytes.fromhex(
        "000000000000000c0000006b2ba57f7a0003ffffffff0000005d04224d1860401a4e00000012000100910a00000019afd23d"
        "100f00f101036b65790000000876616c75652d313015003000000b250040d8d50d860d000c2500113115003000000c250040"
        "41dc5c3c0d000825005075652d313200000000"
    ),
    "v1-gzip": bytes.fromhex(
        "000000000000000c0000006a1a1074a401010000015d3ef79878ffffffff000000541f8b08000000000000ff63608003c520"
        "dd29cf18810cc658bbef3352800ce6ecd44a20c5519698539aaa6b6800550852a35864cfe207579c87a9d810aa9809a4b8ff"
        "72320b5c7105a66223000502f78987000000"
    ),
    "v1-snappy": bytes.fromhex(
        "000000000000000c00000084e2521ca901020000015d3ef79878ffffffff0000006e82534e41505059000000000100000001"
        "0000005a8701000019019021522d94e601000000015d3ef79864000000036b65790000000876616c75652d31300000000102"
        "200100000021723f044e0109052d006e462d000031012a0c00000002012d0c8fd36304152d0078462d000032"
    ),
    "v1-lz4": bytes.fromhex(
        "000000000000000c0000007b921ffd1701030000015d3ef79878ffffffff0000006504224d186040825600000016000100f3"
        "1321522d94e601000000015d3ef79864000000036b65790000000876616c75652d31302c000024005021723f044e0900012d"
        "001e6e2d0013312d009502000000218fd363042d001a782d005075652d313200000000"
    ),
    "v1-gzip-append-time": bytes.fromhex(
        "000000000000000c00000067da074f8501090000015d3ef79be7ffffffff000000511f8b08000000000000ff63608003c507"
        "473e733372303030c6da7d9ffd1c28c29c9d5a09a438ca12734a53750d0da00a19418aa71f3e3c179f6243a862269062be53"
        "93d4f129360200a49383c587000000"
    ),
}
"""Offsets 10 to 12. In LZ4, version 0 has the wrong checksum in the frame's header that Kafka once wrote."""


def test_a_message_is_a_batch_of_itself() -> None:
    old, newer = LegacyRecordBatch(PLAIN_0), LegacyRecordBatch(PLAIN_1)
    for batch, magic, timestamp_ms in ((old, 0, -1), (newer, 1, 1_500_000_000_070)):
        batch.ensure_valid()
        assert (batch.magic, batch.count) == (magic, 1)
        assert (batch.base_offset, batch.last_offset, batch.next_offset) == (7, 7, 8)
        assert (batch.max_timestamp_ms, batch.timestamp_type) == (timestamp_ms, TimestampType.CREATE_TIME)
        assert (batch.producer_id, batch.partition_leader_epoch, batch.base_sequence) == (-1, -1, -1)
        flags = (batch.is_control, batch.is_transactional, batch.has_producer_id, batch.is_compressed)
        assert not any(flags)
        assert batch.delete_horizon_ms is None
        assert list(batch.records()) == [LegacyRecord(7, timestamp_ms, b"key", b"value", (), batch.crc, True)]
    assert repr(newer) == f"LegacyRecordBatch(magic 1, offset 7, {len(PLAIN_1)} bytes, codec 0)"


@pytest.mark.parametrize("name", sorted(WRAPPERS))
def test_a_wrapper_is_a_batch_of_the_messages_in_it(name: str) -> None:
    batch = LegacyRecordBatch(WRAPPERS[name])
    batch.ensure_valid()
    assert (batch.base_offset, batch.last_offset, batch.count) == (12, 12, UNKNOWN_COUNT)
    times = [-1] * 3 if name.startswith("v0") else [1_500_000_000_100, 1_500_000_000_110, 1_500_000_000_120]
    if "append" in name:
        times = [batch.max_timestamp_ms] * 3
        assert batch.timestamp_type is TimestampType.LOG_APPEND_TIME
    found = [(record.offset, record.timestamp_ms, bytes(record.value or b"")) for record in batch.records()]
    assert found == [(10, times[0], b"value-10"), (11, times[1], b"value-11"), (12, times[2], b"value-12")]


def test_a_wrapper_is_not_unpacked_beyond_a_limit() -> None:
    with pytest.raises(RecordTooLargeError, match="more than the limit of 50 bytes"):
        list(LegacyRecordBatch(WRAPPERS["v1-gzip"]).records(max_size_bytes=50))


def test_damage_is_found_in_every_byte_but_offset_and_size() -> None:
    for data in (PLAIN_0, PLAIN_1, WRAPPERS["v0-lz4"]):
        for position in range(12, len(data)):
            damaged = bytearray(data)
            damaged[position] ^= 0x10
            with pytest.raises(CorruptRecordError):
                LegacyRecordBatch(damaged).ensure_undamaged()


def test_a_message_that_is_cut_off_is_said_to_be() -> None:
    for size in range(len(PLAIN_1)):
        if size < MIN_ENTRY_SIZE:
            with pytest.raises(CorruptRecordError, match=f"needs 26 bytes; {size} are there"):
                LegacyRecordBatch(PLAIN_1[:size])
        else:
            batch = LegacyRecordBatch(PLAIN_1[:size])
            assert not batch.is_valid()
            with pytest.raises(CorruptRecordError, match=f"says {len(PLAIN_1)} bytes; {size} are there"):
                list(batch.records())


def test_whatever_the_bytes_are_reading_ends_with_records_or_a_clear_error() -> None:
    for name, data in WRAPPERS.items():
        for position in range(MAGIC_POSITION, len(data)):
            for change in (0x01, 0x80, 0xFF):
                damaged = bytearray(data)
                damaged[position] ^= change
                with contextlib.suppress(CorruptRecordError, RecordTooLargeError):
                    assert len(list(read_batch(damaged).records(1 << 16))) < 1000, name


def test_entries_are_read_by_their_magic() -> None:
    builder = RecordBatchBuilder()
    builder.append(b"k", b"v", 0)
    newest = bytes(builder.build())
    together = PLAIN_0 + newest + WRAPPERS["v1-snappy"] + PLAIN_1
    assert [batch.magic for batch in iter_batches(together)] == [0, 2, 1, 1]
    assert [type(batch) for batch in iter_batches(together)].count(RecordBatch) == 1
    assert [batch.magic for batch in iter_batches(together[:-1])] == [0, 2, 1]
    assert BATCH_TYPES[9] is RecordBatch
    assert BATCH_TYPES[255] is LegacyRecordBatch
    assert [message.base_offset for message in iter_messages(PLAIN_0 + PLAIN_1 + PLAIN_1[:30])] == [7, 7]


def test_a_size_that_no_message_has_is_an_error() -> None:
    with pytest.raises(CorruptRecordError, match="says 0 bytes follow its size; the smallest has 14"):
        LegacyRecordBatch(bytes(26))
    with pytest.raises(CorruptRecordError, match="needs 26 bytes; 3 are there"):
        read_batch(bytes(3))
