"""The fields of a picture lie where the classes that read them say, and cover every byte once."""

from __future__ import annotations

from itertools import pairwise

import pytest

from kfast.lab.byte_fields import Part, batch_fields, index_fields
from kfast.lab.golden import GoldenDirectory
from kfast.log.log import Log
from kfast.record.batch import RecordBatch
from kfast.record.builder import RecordBatchBuilder
from kfast.record.compression import CompressionType
from kfast.record.layout import ATTRIBUTES_POSITION, COUNT_POSITION, CRC_POSITION, HEADER_SIZE

EDGES = [(b"key", b"value"), (None, None), (b"", b""), (b"k" * 300, None), (None, b"\xff\x00 v" * 50)]


def batch_of(*records, compression=CompressionType.NONE) -> RecordBatch:
    builder = RecordBatchBuilder(7, compression=compression)
    for key, value in records:
        builder.append(key, value, 1_000)
    return RecordBatch(builder.build())


def named(fields, name):
    return next(field for field in fields if field.name == name)


@pytest.mark.parametrize(("key", "value"), EDGES)
def test_fields_lie_end_to_end_and_end_with_the_batch(key, value):
    batch = batch_of((key, value), (b"more", b"more"))
    fields = batch_fields(batch)
    assert fields[0].position == 0
    for before, after in pairwise(fields):
        assert before.position + before.size == after.position
    assert fields[-1].position + fields[-1].size == batch.size_bytes


@pytest.mark.parametrize(("key", "value"), EDGES)
def test_a_records_key_and_value_are_where_the_batch_reads_them(key, value):
    batch = batch_of((key, value))
    fields = batch_fields(batch)
    record = next(batch.records())
    for name, data in (("key", record.key), ("value", record.value)):
        if data is None:
            assert named(fields, f"{name} size").value == "null"
        elif len(data):
            field = named(fields, name)
            assert bytes(batch.buffer[field.position : field.position + field.size]) == bytes(data)


def test_a_batch_of_one_record_has_nothing_after_it():
    assert batch_fields(batch_of((b"k", b"v")))[-1].name == "header count"


def test_a_compressed_batch_shows_bytes_not_records():
    batch = batch_of(*EDGES, compression=CompressionType.ZSTD)
    records = [field for field in batch_fields(batch) if field.part is Part.RECORDS]
    assert [(field.name, field.position, field.value) for field in records] == [
        ("records", HEADER_SIZE, f"{len(EDGES)}, compressed as one")
    ]


def test_what_is_stamped_lies_before_what_is_checked():
    fields = batch_fields(batch_of((b"k", b"v")))
    stamped = [field for field in fields if field.is_stamped]
    assert [field.name for field in stamped] == ["base_offset", "partition_leader_epoch"]
    assert sum(field.size for field in stamped) == 12
    assert all(field.position + field.size <= CRC_POSITION for field in stamped)
    assert min(field.position for field in fields if field.is_checked) == ATTRIBUTES_POSITION


def test_header_values_are_in_words():
    batch = batch_of((b"k", b"v"), (b"k", b"v"))
    fields = batch_fields(batch)
    assert named(fields, "base_offset").value == "7"
    assert named(fields, "crc").value == f"{batch.crc:#010x}, right"
    assert named(fields, "last_offset_delta").value == "1: the last offset is 8"
    assert named(fields, "producer_id").value == "-1: not idempotent"
    batch.buffer[COUNT_POSITION + 3] = 9
    assert named(batch_fields(RecordBatch(batch.buffer)), "crc").value.endswith("WRONG")


def test_index_entries_are_those_of_the_index():
    golden = GoldenDirectory("01-plain")
    segment = Log.open(golden.path / "sparse-0", was_clean=True).segments[1]
    offset, position, *_ = index_fields(segment, 2)
    assert (offset.position, offset.size, offset.value) == (0, 4, "45 above the base: 515")
    assert (position.position, position.size, position.value) == (4, 4, "4,639 in the .log file")
    assert len(index_fields(segment, 100)) == 2 * len(segment.offset_index)
    assert not any(field.is_checked or field.is_stamped for field in index_fields(segment, 100))
