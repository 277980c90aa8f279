"""The four codecs, in the framings Kafka's clients agree on, and decompression that never exceeds a limit.

gzip and zstd are plain streams. LZ4 is the frame format with independent blocks, the only kind Java reads. Snappy has
two framings: Java writes xerial's (a magic, two numbers, then blocks with their sizes), librdkafka writes one raw
block; both are read, xerial's is written.

A compressed batch holds its records as one stream; how large they are is known only after decompressing (8 KB of
zstd can be 256 MiB), so output goes into a buffer that grows to a limit and no further. cramjam is imported on first
use: a broker that passes batches through never needs it.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any, Final

from kfast.errors import CorruptRecordError, RecordTooLargeError
from kfast.varint import Buffer

MAX_DECOMPRESSED_SIZE: Final = 64 << 20
"""Bytes one batch may decompress to unless the caller says otherwise: 64 times Kafka's default batch limit."""

_XERIAL_MAGIC: Final = b"\x82SNAPPY\x00"
_XERIAL_VERSIONS: Final = struct.pack(">ii", 1, 1)
_XERIAL_HEADER_SIZE: Final = len(_XERIAL_MAGIC) + len(_XERIAL_VERSIONS)
_XERIAL_BLOCK_SIZE: Final = 32 << 10
"""Input bytes of one block; what Java's SnappyOutputStream uses."""

_BLOCK_SIZE: Final = struct.Struct(">i")


class CompressionType(IntEnum):
    """How a batch's records are packed: bits 0 to 2 of its attributes."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4

    @property
    def text(self) -> str:
        """As Kafka's configuration `compression.type` spells it (there, no compression is `uncompressed`)."""
        return self.name.lower()


def compress(compression: CompressionType, data: Buffer, level: int | None = None) -> bytes:
    """Pack `data`; `level` is the codec's own scale (snappy has none)."""
    import cramjam

    match compression:
        case CompressionType.NONE:
            return bytes(data)
        case CompressionType.GZIP:
            return bytes(cramjam.gzip.compress(data, level))
        case CompressionType.ZSTD:
            return bytes(cramjam.zstd.compress(data, level))
        case CompressionType.SNAPPY:
            return _compress_xerial(data)
        case CompressionType.LZ4:
            # The batch's CRC covers the stream already, so a checksum of the content would only cost time.
            compressor = cramjam.lz4.Compressor(level, content_checksum=False, block_linked=False)
            compressor.compress(bytes(data))  # it takes nothing but bytes
            return bytes(compressor.finish())


def decompress(compression: CompressionType, data: Buffer, max_size_bytes: int = MAX_DECOMPRESSED_SIZE) -> memoryview:
    """Unpack `data` into at most `max_size_bytes` bytes; uncompressed data is returned as it is, whatever its size.

    Raises RecordTooLargeError above the limit, CorruptRecordError where the stream cannot be read.
    """
    if compression is CompressionType.NONE:
        return memoryview(data)
    import cramjam

    try:
        if compression is CompressionType.SNAPPY:
            return _decompress_snappy(data, max_size_bytes)
        return _decompress_growing(getattr(cramjam, compression.text), compression, data, max_size_bytes)
    except cramjam.DecompressionError as error:
        raise CorruptRecordError(f"{len(data)} bytes are no {compression.text} stream: {error}") from None


def _decompress_growing(codec: Any, compression: CompressionType, data: Buffer, max_size_bytes: int) -> memoryview:
    """Try with four times the input, then four times that, up to the limit: at most a third of the work is repeated."""
    import cramjam

    size = min(max(4 * len(data), 4096), max_size_bytes)
    while True:
        output = bytearray(size)
        try:
            return memoryview(output)[: codec.decompress_into(data, output)]
        except cramjam.DecompressionError as error:
            if "whole buffer" not in str(error):  # the writer's complaint that the output is full
                raise
        if size == max_size_bytes:
            raise _too_large(compression, data, max_size_bytes)
        size = min(4 * size, max_size_bytes)


def _compress_xerial(data: Buffer) -> bytes:
    import cramjam

    view = memoryview(data)
    out = bytearray(_XERIAL_MAGIC + _XERIAL_VERSIONS)
    for start in range(0, len(view), _XERIAL_BLOCK_SIZE):
        block = cramjam.snappy.compress_raw(view[start : start + _XERIAL_BLOCK_SIZE])
        out += _BLOCK_SIZE.pack(len(block))
        out += memoryview(block)
    return bytes(out)


def _decompress_snappy(data: Buffer, max_size_bytes: int) -> memoryview:
    """Snappy announces its size, so the limit is checked before any memory is taken."""
    import cramjam

    view = memoryview(data)
    blocks = _xerial_blocks(view) if bytes(view[: len(_XERIAL_MAGIC)]) == _XERIAL_MAGIC else [view]
    sizes = [cramjam.snappy.decompress_raw_len(block) for block in blocks]
    if sum(sizes) > max_size_bytes:
        raise _too_large(CompressionType.SNAPPY, data, max_size_bytes)
    output = memoryview(bytearray(sum(sizes)))
    end = 0
    for block, size in zip(blocks, sizes, strict=True):
        cramjam.snappy.decompress_raw_into(block, output[end : end + size])
        end += size
    return output


def _xerial_blocks(view: memoryview) -> list[memoryview]:
    blocks, position = [], _XERIAL_HEADER_SIZE
    while position != len(view):
        start = position + _BLOCK_SIZE.size
        if start > len(view):
            raise CorruptRecordError(f"snappy block would begin at position {start}; the stream ends at {len(view)}")
        size = _BLOCK_SIZE.unpack_from(view, position)[0]
        if size < 0 or start + size > len(view):
            raise CorruptRecordError(
                f"snappy block at position {position} says {size} bytes; the stream ends at {len(view)}"
            )
        blocks.append(view[start : start + size])
        position = start + size
    return blocks


def _too_large(compression: CompressionType, data: Buffer, max_size_bytes: int) -> RecordTooLargeError:
    return RecordTooLargeError(
        f"{len(data)} bytes of {compression.text} decompress to more than the limit of {max_size_bytes} bytes"
    )
