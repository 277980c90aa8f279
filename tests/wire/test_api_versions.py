from __future__ import annotations

import struct

import pytest
from kio.index import load_request_schema, load_response_schema

from kfast.errors import MalformedFrameError
from kfast.wire import api_versions
from kfast.wire.api_versions import API_VERSIONS, AdvertisedVersions, ApiKey, ApiVersionsRequest

SERVED = [(key, version) for key, versions in API_VERSIONS.items() for version in range(versions.min, versions.max + 1)]


def test_every_key_has_a_line_in_the_table():
    assert set(API_VERSIONS) == set(ApiKey)


@pytest.mark.parametrize(("api_key", "version"), SERVED)
def test_the_table_agrees_with_kafkas_schemas(api_key, version):
    request, response = load_request_schema(api_key, version), load_response_schema(api_key, version)
    assert api_versions.is_flexible(api_key, version) == request.__flexible__
    header_module = response.__header_schema__.__module__
    assert api_versions.has_flexible_response_header(api_key, version) == ("response_header.v1" in header_module)


def test_what_is_not_in_the_table_is_not_served():
    assert api_versions.is_served(ApiKey.PRODUCE, 3)
    assert not api_versions.is_served(ApiKey.PRODUCE, 2)
    assert not api_versions.is_served(ApiKey.PRODUCE, 12)
    assert not api_versions.is_served(9999, 0)
    assert not api_versions.is_flexible(9999, 9)


def test_produce_is_advertised_from_zero_and_served_from_three():
    assert AdvertisedVersions(0, 0, 11) in api_versions.advertised_versions()
    assert API_VERSIONS[ApiKey.PRODUCE].min == 3


@pytest.mark.parametrize("version", range(5))
@pytest.mark.parametrize("error_code", [0, 42])
def test_the_response_is_what_kio_writes(version, error_code, kio_bytes, kio_entity):
    frame = api_versions.write_api_versions_response(version, 7, error_code)
    size, correlation_id = struct.unpack_from(">ii", frame)
    assert (size, correlation_id) == (len(frame) - 4, 7)
    entity = kio_entity(load_response_schema(18, version), frame[8:])
    assert kio_bytes(entity) == frame[8:]
    assert entity.error_code == error_code
    assert {(entry.api_key, entry.min_version, entry.max_version) for entry in entity.api_keys} == set(
        api_versions.advertised_versions()
    )


@pytest.mark.parametrize("version", [5, 99, 32767, -1])
def test_an_unknown_version_is_answered_by_error_35_in_the_layout_of_v0(version):
    frame = api_versions.write_api_versions_response(version, 3)
    assert frame == struct.pack(">iihihhh", 16, 3, 35, 1, 18, 0, 4)


@pytest.mark.parametrize("version", range(5))
def test_clients_read_what_the_broker_writes(version):
    frame = memoryview(api_versions.write_api_versions_response(version, 3))
    response = api_versions.read_api_versions_response(version, frame[8:])
    assert response == (0, api_versions.advertised_versions(), 0)
    refused = memoryview(api_versions.write_api_versions_response(99, 3))
    assert api_versions.read_api_versions_response(version, refused[8:]) == (35, [(18, 0, 4)], 0)


@pytest.mark.parametrize("version", range(5))
def test_requests_survive_the_wire(version, kio_bytes):
    request = ApiVersionsRequest("librdkafka", "2.15.0")
    body = api_versions.write_api_versions_request(version, request)
    read = api_versions.read_api_versions_request(version, memoryview(body))
    if version < 3:
        assert (body, read) == (b"", ApiVersionsRequest())
    else:
        kio_request = load_request_schema(18, version)
        assert body == kio_bytes(kio_request(client_software_name="librdkafka", client_software_version="2.15.0"))
        assert read == request


def test_cut_messages_are_malformed():
    request = api_versions.write_api_versions_request(3, ApiVersionsRequest("client", "1"))
    response = api_versions.write_api_versions_response(3, 1)[8:]
    for read, data in (
        (api_versions.read_api_versions_request, request),
        (api_versions.read_api_versions_response, response),
    ):
        for size in range(len(data)):
            with pytest.raises(MalformedFrameError, match=f"v3 of {size} bytes"):
                read(3, memoryview(data)[:size])
