from __future__ import annotations

import struct
import subprocess
import sys

import pytest
from kio.index import load_request_schema
from kio.schema.request_header.v1.header import RequestHeader as KioHeaderV1
from kio.schema.request_header.v2.header import RequestHeader as KioHeaderV2

from kfast.errors import MalformedFrameError
from kfast.wire import framing
from kfast.wire.api_versions import API_VERSIONS, ApiKey
from kfast.wire.framing import RequestHeader


def test_frames_are_found_in_a_buffer_one_after_the_other():
    buffer = bytearray(b"\0\0\0\x03abc\0\0\0\0\0\0\0\x02de---")
    assert framing.next_frame_end(buffer, 0, 17, 100) == 7
    assert framing.next_frame_end(buffer, 7, 17, 100) == 11
    assert framing.next_frame_end(buffer, 11, 17, 100) == 17


def test_a_frame_that_is_not_whole_asks_for_more():
    buffer = bytearray(b"\0\0\0\x03abc")
    for end in range(7):
        assert framing.next_frame_end(buffer, 0, end, 100) is None
    assert framing.next_frame_end(buffer, 0, 7, 100) == 7


def test_the_buffer_may_hold_old_bytes_after_the_end():
    buffer = bytearray(b"\0\0\0\x03abc")
    assert framing.next_frame_end(buffer, 0, 6, 100) is None


def test_a_size_is_known_before_the_frame_is_whole():
    assert framing.announced_size(b"\0\0\0\x09", 0, 4, 9) == 9
    assert framing.announced_size(b"\0\0\0\x09", 0, 3, 9) is None


@pytest.mark.parametrize("size", [-1, -(2**31), 101, 2**31 - 1])
def test_sizes_outside_the_limit_are_malformed_before_a_byte_of_the_frame_is_there(size):
    with pytest.raises(MalformedFrameError, match=f"frame of {size} bytes was announced, 0 to 100 are allowed"):
        framing.next_frame_end(struct.pack(">i", size), 0, 4, 100)


@pytest.mark.parametrize("client_id", [None, "", "console-producer", "grüße"])
@pytest.mark.parametrize("api_key", list(ApiKey))
def test_request_headers_are_what_kio_writes(api_key, client_id, kio_bytes):
    versions = API_VERSIONS[api_key]
    for version in range(versions.min, versions.max + 1):
        kio_type = load_request_schema(api_key, version).__header_schema__
        assert kio_type in (KioHeaderV1, KioHeaderV2)
        expected = kio_bytes(
            kio_type(request_api_key=int(api_key), request_api_version=version, correlation_id=-5, client_id=client_id)
        )
        written = framing.write_request_header(api_key, version, -5, client_id)
        assert written == expected
        parsed = framing.parse_request_header(memoryview(written + b"body"))
        assert parsed == RequestHeader(api_key, version, -5, client_id, len(written))


def test_tags_of_a_header_are_skipped():
    header = framing.write_request_header(ApiKey.FETCH, 12, 1, "c")
    tagged = header[:-1] + b"\x01\x00\x02xy"
    assert framing.parse_request_header(memoryview(tagged)).size_bytes == len(tagged)


def test_an_unknown_api_is_parsed_as_far_as_it_can_be_known():
    header = framing.parse_request_header(memoryview(struct.pack(">hhih", 999, 7, 5, -1)))
    assert header == RequestHeader(999, 7, 5, None, 10)


def test_an_api_versions_request_from_the_future_has_a_flexible_header():
    data = struct.pack(">hhih", 18, 77, 5, -1) + b"\0"
    assert framing.parse_request_header(memoryview(data)).size_bytes == 11


def test_cut_request_headers_are_malformed():
    header = memoryview(framing.write_request_header(ApiKey.METADATA, 12, 1, "client"))
    for size in range(len(header)):
        with pytest.raises(MalformedFrameError):
            framing.parse_request_header(header[:size])


@pytest.mark.parametrize("tail", [b"\xff\xfe", b"\x7f\xffabc", b"\0\x02\xff\xfe"])
def test_impossible_client_ids_are_malformed(tail):
    with pytest.raises(MalformedFrameError):
        framing.parse_request_header(memoryview(struct.pack(">hhi", 3, 1, 1) + tail))


@pytest.mark.parametrize(
    ("api_key", "version", "expected"),
    [
        (ApiKey.METADATA, 8, b"\0\0\0\x08\0\0\0\x09body"),
        (ApiKey.METADATA, 9, b"\0\0\0\x09\0\0\0\x09\0body"),
        (ApiKey.API_VERSIONS, 3, b"\0\0\0\x08\0\0\0\x09body"),
    ],
)
def test_response_frames(api_key, version, expected):
    frame = framing.frame_response(api_key, version, 9, b"body")
    assert frame == expected
    correlation_id, position = framing.parse_response_header(memoryview(frame)[4:], api_key, version)
    assert (correlation_id, frame[4 + position :]) == (9, b"body")


def test_cut_response_headers_are_malformed():
    for size in range(5):
        with pytest.raises(MalformedFrameError, match=f"frame of {size} bytes"):
            framing.parse_response_header(memoryview(b"\0\0\0\x01\0")[:size], ApiKey.METADATA, 9)


def test_request_frames():
    frame = framing.frame_request(ApiKey.METADATA, 1, 2, "c", b"body")
    assert frame == b"\0\0\0\x0f" + b"\0\x03\0\x01\0\0\0\x02\0\x01c" + b"body"


def test_the_first_answers_need_no_kio():
    code = (
        "import sys; import kfast.wire.framing, kfast.wire.produce, kfast.wire.fetch, kfast.wire.api_versions as a; "
        "a.write_api_versions_response(3, 1); print([m for m in sys.modules if m.split('.')[0] in ('kio', 'asyncio')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_cold_messages_need_kios_classes_but_not_its_serializer():
    code = (
        "import sys; from kfast.wire import codec; "
        "codec.encode_response(12, 4, codec.error_response(12, None, 25)); "
        "print([m for m in sys.modules if m in ('kio.serial', 'asyncio', 'kio._kio_native')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
