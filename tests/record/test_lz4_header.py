"""The checksum in an LZ4 frame's header, right and as it once was."""

from __future__ import annotations

import cramjam
import pytest

from kfast.record.lz4_header import with_right_checksum, xxh32


@pytest.mark.parametrize(("data", "expected"), [(b"", 0x02CC5D05), (b"a", 0x550D7456), (b"abc", 0x32D153FF)])
def test_xxh32_of_known_data(data: bytes, expected: int) -> None:
    assert xxh32(data) == expected


@pytest.mark.parametrize("has_content_size", [True, False])
def test_a_wrong_checksum_is_set_right(has_content_size: bool) -> None:
    compressor = cramjam.lz4.Compressor(content_checksum=False, block_linked=False)
    compressor.compress(b"hello" * 20)
    frame = bytes(compressor.finish())
    assert with_right_checksum(frame) == frame
    if has_content_size:
        frame = frame[:4] + bytes([frame[4] | 8, frame[5]]) + (100).to_bytes(8, "little") + frame[6:]
        with pytest.raises(cramjam.DecompressionError):
            cramjam.lz4.decompress(frame)
    damaged = bytearray(with_right_checksum(frame))
    damaged[14 if has_content_size else 6] ^= 0x55
    with pytest.raises(cramjam.DecompressionError):
        cramjam.lz4.decompress(bytes(damaged))
    assert bytes(cramjam.lz4.decompress(with_right_checksum(damaged))) == b"hello" * 20


def test_what_is_no_frame_stays() -> None:
    for data in (b"", b"\x04\x22\x4d\x18"):
        assert with_right_checksum(data) == data
