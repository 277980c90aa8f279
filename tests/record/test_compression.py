from __future__ import annotations

import random
import struct

import cramjam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfast.errors import CorruptRecordError, RecordTooLargeError
from kfast.record.compression import CompressionType, compress, decompress

CODECS = [codec for codec in CompressionType if codec is not CompressionType.NONE]


@pytest.mark.parametrize("codec", CompressionType)
@pytest.mark.parametrize("size", [0, 1, 32_767, 32_768, 32_769, 1_000_000])
def test_what_is_packed_is_unpacked(codec: CompressionType, size: int) -> None:
    for data in (bytes(size), random.Random(size).randbytes(size)):
        assert decompress(codec, compress(codec, data)) == data


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=1000), st.sampled_from(CompressionType), st.sampled_from([bytes, bytearray, memoryview]))
def test_any_buffer_will_do(data: bytes, codec: CompressionType, kind: type) -> None:
    assert decompress(codec, kind(compress(codec, kind(data)))) == data


@pytest.mark.parametrize("codec", [CompressionType.GZIP, CompressionType.LZ4, CompressionType.ZSTD])
def test_a_higher_level_packs_tighter(codec: CompressionType) -> None:
    generator = random.Random(7)
    data = b" ".join(generator.choice([b"alpha", b"beta", b"gamma", b"delta"]) for _ in range(20_000))
    packed = compress(codec, data, 9)
    assert len(packed) < len(compress(codec, data, 1))
    assert decompress(codec, packed) == data


@pytest.mark.parametrize("codec", CODECS)
def test_a_bomb_is_stopped_at_the_limit(codec: CompressionType) -> None:
    bomb = compress(codec, bytes(3_000_000))
    limit = 2_999_999
    with pytest.raises(RecordTooLargeError, match=f"{len(bomb)} bytes of {codec.text} .* limit of {limit} bytes"):
        decompress(codec, bomb, limit)
    assert len(decompress(codec, bomb, limit + 1)) == limit + 1


def test_many_snappy_blocks_together_count_against_the_limit() -> None:
    packed = compress(CompressionType.SNAPPY, bytes(20 * 32_768))
    with pytest.raises(RecordTooLargeError):
        decompress(CompressionType.SNAPPY, packed, 20 * 32_768 - 1)


@pytest.mark.parametrize("codec", CODECS)
def test_a_cut_stream_is_corrupt_wherever_it_is_cut(codec: CompressionType) -> None:
    packed = compress(codec, random.Random(1).randbytes(60))
    for size in range(len(packed)):
        if codec is CompressionType.SNAPPY and size == 16:
            continue  # a header without blocks is a stream of nothing
        with pytest.raises(CorruptRecordError):
            decompress(codec, packed[:size], 1 << 20)


@pytest.mark.parametrize("codec", CODECS)
def test_junk_is_corrupt(codec: CompressionType) -> None:
    with pytest.raises(CorruptRecordError, match=f"11 bytes are no {codec.text} stream"):
        decompress(codec, b"\xff" * 11, 1000)


def test_snappy_is_written_in_javas_framing_and_read_in_both() -> None:
    data = b"snappy " * 10_000
    packed = compress(CompressionType.SNAPPY, data)
    assert packed[:16] == b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1)
    (first_size,) = struct.unpack_from(">i", packed, 16)
    assert bytes(cramjam.snappy.decompress_raw(packed[20 : 20 + first_size])) == data[:32_768]
    assert decompress(CompressionType.SNAPPY, bytes(cramjam.snappy.compress_raw(data))) == data


@pytest.mark.parametrize("size", [-1, 2**31 - 1, 5])
def test_a_snappy_block_that_overruns_the_stream_is_corrupt(size: int) -> None:
    stream = b"\x82SNAPPY\x00" + struct.pack(">iii", 1, 1, size) + b"abcd"
    with pytest.raises(CorruptRecordError, match=f"says {size} bytes"):
        decompress(CompressionType.SNAPPY, stream, 1000)


def test_lz4_blocks_are_independent_as_java_wants_them() -> None:
    flags = compress(CompressionType.LZ4, bytes(200_000))[4]
    assert flags >> 6 == 1  # version
    assert flags & 0x20  # block independence: without it Java says "Dependent block stream is unsupported"


def test_uncompressed_data_is_not_copied() -> None:
    data = bytearray(b"data")
    assert decompress(CompressionType.NONE, data).obj is data
