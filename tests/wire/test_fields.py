from __future__ import annotations

from uuid import UUID

import pytest

from kfast import varint
from kfast.errors import MalformedFrameError
from kfast.wire import fields

STRINGS = [
    (fields.write_string, fields.read_string, "grüße", b"\0\x07gr\xc3\xbc\xc3\x9fe"),
    (fields.write_nullable_string, fields.read_nullable_string, "a", b"\0\x01a"),
    (fields.write_nullable_string, fields.read_nullable_string, None, b"\xff\xff"),
    (fields.write_compact_string, fields.read_compact_string, "a", b"\x02a"),
    (fields.write_compact_string, fields.read_compact_string, "", b"\x01"),
    (fields.write_compact_nullable_string, fields.read_compact_nullable_string, None, b"\0"),
]


@pytest.mark.parametrize(("write", "read", "value", "data"), STRINGS)
def test_strings_have_kafkas_bytes(write, read, value, data):
    out = bytearray()
    write(value, out)
    assert out == data
    assert read(memoryview(data + b"more"), 0) == (value, len(data))


@pytest.mark.parametrize(("write", "read", "value", "data"), STRINGS)
def test_a_cut_string_is_an_error(write, read, value, data):
    for size in range(len(data)):
        with pytest.raises(fields.DECODE_ERRORS):
            read(memoryview(data)[:size], 0)


@pytest.mark.parametrize(
    ("read", "data"),
    [
        (fields.read_string, b"\xff\xff"),
        (fields.read_string, b"\xff\xfeab"),
        (fields.read_nullable_string, b"\xff\xfeab"),
        (fields.read_compact_string, b"\0ab"),
        (fields.read_compact_string, b"\xff\xff\xff\xff\x0fab"),
        (fields.read_bytes, b"\x7f\xff\xff\xffab"),
        (fields.read_bytes, b"\xff\xff\xff\xfeab"),
        (fields.read_compact_bytes, b"\x80\x80\x80\x80\x08ab"),
    ],
)
def test_impossible_sizes_are_malformed(read, data):
    with pytest.raises(MalformedFrameError, match=r"-?\d+ bytes announced at position \d, \d are left"):
        read(memoryview(data), 0)


def test_text_that_is_no_utf8_is_an_error():
    with pytest.raises(UnicodeDecodeError):
        fields.read_string(memoryview(b"\0\x02\xff\xfe"), 0)


def test_bytes_are_views_of_the_buffer():
    buffer = bytearray(b"\0\0\0\x02ab")
    data, position = fields.read_bytes(memoryview(buffer), 0)
    buffer[4] = ord("z")
    assert (bytes(data), position) == (b"zb", 6)


@pytest.mark.parametrize(
    ("read", "data"),
    [
        (fields.read_count, b"\0\0\0\x03" + bytes(11)),
        (fields.read_count, b"\xff\xff\xff\xff" + bytes(99)),
        (fields.read_count, b"\x7f\xff\xff\xff"),
        (fields.read_compact_count, b"\x04" + bytes(11)),
        (fields.read_compact_count, b"\0" + bytes(99)),
        (fields.read_compact_count, b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
    ],
)
def test_more_items_than_bytes_for_them_are_malformed(read, data):
    with pytest.raises(MalformedFrameError, match=r"-?\d+ items of at least 4 bytes .* \d+ bytes are left"):
        read(memoryview(data), 0, 4)


def test_as_many_items_as_fit_are_believed():
    assert fields.read_count(memoryview(b"\0\0\0\x03" + bytes(12)), 0, 4) == (3, 4)
    assert fields.read_compact_count(memoryview(b"\x04" + bytes(12)), 0, 4) == (3, 1)


def test_null_arrays_are_minus_one_where_they_are_allowed():
    assert fields.read_nullable_count(memoryview(b"\xff\xff\xff\xff"), 0, 4) == (-1, 4)
    assert fields.read_compact_nullable_count(memoryview(b"\0"), 0, 4) == (-1, 1)
    assert fields.read_compact_nullable_count(memoryview(b"\x02" + bytes(4)), 0, 4) == (1, 1)


@pytest.mark.parametrize("count", [-1, 0, 126, 127, 128, 16383, 2**31 - 1])
def test_compact_counts_are_one_more_as_a_varint(count):
    out = bytearray()
    fields.write_compact_count(count, out)
    assert varint.read_unsigned(memoryview(out), 0) == (count + 1, len(out))


def test_tags_are_read_and_skipped():
    data = memoryview(b"\x02\x00\x01a\x07\x02bcREST")
    tags, position = fields.read_tags(data, 0)
    assert ({tag: bytes(value) for tag, value in tags.items()}, position) == ({0: b"a", 7: b"bc"}, 8)
    assert fields.skip_tags(data, 0) == 8
    assert fields.skip_tags(memoryview(b"\0REST"), 0) == 1


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff\x0f", b"\x01\x00\x05abc", b"\x02\x00\x00\x01"])
def test_tags_beyond_the_buffer_are_errors(data):
    with pytest.raises((MalformedFrameError, IndexError)):
        fields.read_tags(memoryview(data), 0)


def test_no_more_tags_are_read_than_any_message_has():
    """20 million of them, in a request of 100 MB, took 6 GB."""
    tags = b"".join(bytes([0x80 | tag & 0x7F, tag >> 7, 0]) for tag in range(1, fields.MAX_TAGS + 2))
    few = b"\xe8\x07" + tags[: 3 * fields.MAX_TAGS]
    assert fields.skip_tags(memoryview(few), 0) == len(few)
    with pytest.raises(MalformedFrameError, match="1001 tagged fields at position 2"):
        fields.skip_tags(memoryview(b"\xe9\x07" + tags), 0)


def test_the_zero_uuid_is_none():
    topic_id = UUID(int=0x1234567890ABCDEF1234567890ABCDEF)
    out = bytearray()
    fields.write_uuid(None, out)
    fields.write_uuid(topic_id, out)
    assert fields.read_uuid(memoryview(out), 0) == (None, 16)
    assert fields.read_uuid(memoryview(out), 16) == (topic_id, 32)
