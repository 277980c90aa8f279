"""Frames out of a stream, and the headers that begin each: requests and responses alike are size-prefixed.

    frame            size int32, then `size` bytes: header, body
    request header   v1: api_key int16, api_version int16, correlation_id int32, client_id nullable legacy string
                     v2: the same (the client id stays a legacy string), then tags
    response header  v0: correlation_id int32
                     v1: the same, then tags; ApiVersions always answers with v0

The caller owns the buffer: `next_frame_end` says where in it the next frame ends, copies nothing and keeps no state.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from kfast.errors import MalformedFrameError
from kfast.wire import fields
from kfast.wire.api_versions import has_flexible_response_header, is_flexible

SIZE_PREFIX = 4
"""Bytes of the size before a frame."""

_SIZE = struct.Struct(">i")
_REQUEST_HEAD = struct.Struct(">hhih")  # the last is the size of the client id
_RESPONSE_HEAD = struct.Struct(">ii")


class RequestHeader(NamedTuple):
    """`size_bytes` is where the body begins, counted from the start of the header."""

    api_key: int
    api_version: int
    correlation_id: int
    client_id: str | None
    size_bytes: int


def announced_size(buffer: bytes | bytearray | memoryview, start: int, end: int, max_size: int) -> int | None:
    """Size that the prefix at `start` announces; None while fewer than its four bytes lie before `end`.

    Raises MalformedFrameError if it is negative or above `max_size` (socket.request.max.bytes).
    """
    if end - start < SIZE_PREFIX:
        return None
    size: int = _SIZE.unpack_from(buffer, start)[0]
    if not 0 <= size <= max_size:
        raise MalformedFrameError(f"a frame of {size} bytes was announced, 0 to {max_size} are allowed")
    return size


def next_frame_end(buffer: bytes | bytearray | memoryview, start: int, end: int, max_size: int) -> int | None:
    """Where the frame whose prefix begins at `start` ends, if all of it lies before `end`; None asks for more bytes.

    Raises MalformedFrameError if the announced size is negative or above `max_size` (socket.request.max.bytes).
    """
    size = announced_size(buffer, start, end, max_size)
    if size is None:
        return None
    frame_end = start + SIZE_PREFIX + size
    return frame_end if frame_end <= end else None


def parse_request_header(frame: memoryview) -> RequestHeader:
    """Header of a request; raises MalformedFrameError.

    Of an API that is not served nothing after the client id is read, for nobody knows what its header looks like.
    """
    try:
        api_key, api_version, correlation_id, client_id_size = _REQUEST_HEAD.unpack_from(frame, 0)
        position = _REQUEST_HEAD.size
        client_id = None
        if client_id_size >= 0:
            end = position + client_id_size
            if end > len(frame):
                raise MalformedFrameError(
                    f"client id of {client_id_size} bytes announced, {len(frame) - position} are left"
                )
            client_id = str(frame[position:end], "utf-8")
            position = end
        elif client_id_size != -1:
            raise MalformedFrameError(f"client id of {client_id_size} bytes announced")
        if is_flexible(api_key, api_version):
            position = fields.skip_tags(frame, position) if frame[position] else position + 1
    except fields.DECODE_ERRORS as error:
        raise MalformedFrameError(f"request header in a frame of {len(frame)} bytes: {error}") from None
    return RequestHeader(api_key, api_version, correlation_id, client_id, position)


def write_request_header(api_key: int, api_version: int, correlation_id: int, client_id: str | None) -> bytes:
    """What a client sends between the size prefix and the body."""
    out = bytearray(struct.pack(">hhi", api_key, api_version, correlation_id))
    fields.write_nullable_string(client_id, out)
    if is_flexible(api_key, api_version):
        out.append(0)
    return bytes(out)


def frame_request(api_key: int, api_version: int, correlation_id: int, client_id: str | None, body: bytes) -> bytes:
    """A whole frame: size, header, body."""
    header = write_request_header(api_key, api_version, correlation_id, client_id)
    return _SIZE.pack(len(header) + len(body)) + header + body  # small messages: one send is worth the copy


def frame_response(api_key: int, api_version: int, correlation_id: int, body: bytes) -> bytes:
    """A whole frame: size, header, body."""
    if has_flexible_response_header(api_key, api_version):
        return _RESPONSE_HEAD.pack(5 + len(body), correlation_id) + b"\0" + body
    return _RESPONSE_HEAD.pack(4 + len(body), correlation_id) + body


def parse_response_header(frame: memoryview, api_key: int, api_version: int) -> tuple[int, int]:
    """(correlation_id, position of the body); raises MalformedFrameError."""
    try:
        correlation_id: int = fields.INT32.unpack_from(frame, 0)[0]
        flexible = has_flexible_response_header(api_key, api_version)
        return correlation_id, fields.skip_tags(frame, 4) if flexible else 4
    except fields.DECODE_ERRORS as error:
        raise MalformedFrameError(f"response header in a frame of {len(frame)} bytes: {error}") from None
