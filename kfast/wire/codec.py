"""All messages but the three written by hand: one form for each API, whatever version is spoken.

Handlers get and return kio's class of the newest version served (`request_type`, `response_type`); versions end here.
Plans for reading and writing are made on first use of a version and kept. Handlers that behave differently for old
clients look at the version in the request's header.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from kfast.errors import MalformedFrameError
from kfast.wire import fields
from kfast.wire.api_versions import API_VERSIONS, ApiKey
from kfast.wire.drift import DRIFTS
from kfast.wire.entities import Body, Reader, Writer, entity_reader, entity_writer
from kfast.wire.error_responses import error_response
from kfast.wire.schemas import MessageKind, message_type, request_type, response_type

__all__ = [
    "decode_request",
    "decode_response",
    "encode_request",
    "encode_response",
    "error_response",
    "prepare",
    "request_type",
    "response_type",
]

_DECODE_ERRORS = (*fields.DECODE_ERRORS, ValueError, OverflowError)


def prepare(api_key: int, version: int) -> None:
    """Import now what `decode_request` and `encode_response` need for a version, rather than on first use."""
    _reader(api_key, version, "request")
    _writer(api_key, version, "response")


def decode_request(api_key: int, version: int, body: memoryview) -> Any:
    """Request in the newest form; raises MalformedFrameError. Bytes after the last field are ignored, as in Kafka."""
    return _decode(api_key, version, "request", body)


def encode_response(api_key: int, version: int, response: Any) -> bytes:
    """Body of a response given in the newest form; `framing.frame_response` makes it a frame."""
    return _encode(api_key, version, "response", response)


def encode_request(api_key: int, version: int, request: Any) -> bytes:
    """Body of a request given in the newest form, for clients; `framing.frame_request` makes it a frame."""
    return _encode(api_key, version, "request", request)


def decode_response(api_key: int, version: int, body: memoryview) -> Any:
    """Response in the newest form, for clients; raises MalformedFrameError."""
    return _decode(api_key, version, "response", body)


def _decode(api_key: int, version: int, kind: MessageKind, body: memoryview) -> Any:
    read = _reader(api_key, version, kind)
    try:
        return read(Body(body), 0)[0]
    except _DECODE_ERRORS as error:
        name = ApiKey(api_key).name
        raise MalformedFrameError(f"{name} {kind} v{version} of {len(body)} bytes: {error}") from None


def _encode(api_key: int, version: int, kind: MessageKind, entity: Any) -> bytes:
    out = bytearray()
    _writer(api_key, version, kind)(entity, out)
    return bytes(out)


@lru_cache(maxsize=256)
def _reader(api_key: int, version: int, kind: MessageKind) -> Reader:
    newest = message_type(api_key, API_VERSIONS[ApiKey(api_key)].max, kind)
    drift = DRIFTS.get((ApiKey(api_key), kind))
    layout_type = message_type(api_key, version, kind)
    if drift is None or version > drift.last_version:
        return entity_reader(layout_type, newest)
    return entity_reader(layout_type, newest, lambda values: drift.up(values, newest))


@lru_cache(maxsize=256)
def _writer(api_key: int, version: int, kind: MessageKind) -> Writer:
    drift = DRIFTS.get((ApiKey(api_key), kind))
    down = drift.down if drift is not None and version <= drift.last_version else None
    return entity_writer(message_type(api_key, version, kind), down)
