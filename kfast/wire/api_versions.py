"""Which APIs and versions are served: one table, and the message that tells a client about it.

Everything that depends on a version being known asks here. To serve one more API: a line in ApiKey and in API_VERSIONS.
The maxima spell one real release (Produce 11, Fetch 16, ListOffsets 9 are Kafka 3.8): clients that guess a broker
version from single maxima then guess one that exists.

ApiVersions is the first thing each client asks, before anything else is loaded, so it is written by hand:

    v0       error_code int16, [api_key int16, min int16, max int16]
    v1, v2   the same, throttle_time_ms int32
    v3, v4   compact arrays and tags; the response *header* stays v0 in all versions (KIP-511)
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from enum import IntEnum
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from kfast.errors import MalformedFrameError, UnsupportedVersionError
from kfast.wire import fields


class ApiKey(IntEnum):
    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    DESCRIBE_GROUPS = 15
    LIST_GROUPS = 16
    API_VERSIONS = 18
    CREATE_TOPICS = 19
    DELETE_TOPICS = 20
    DELETE_RECORDS = 21
    INIT_PRODUCER_ID = 22
    OFFSET_FOR_LEADER_EPOCH = 23
    DESCRIBE_CONFIGS = 32
    INCREMENTAL_ALTER_CONFIGS = 44
    DESCRIBE_CLUSTER = 60


class VersionRange(NamedTuple):
    """Versions served, both ends included, and the version from which the API is flexible (compact fields and tags)."""

    min: int
    max: int
    first_flexible: int

    def __contains__(self, version: object) -> bool:
        return isinstance(version, int) and self.min <= version <= self.max


API_VERSIONS: Mapping[ApiKey, VersionRange] = MappingProxyType(
    {
        ApiKey.PRODUCE: VersionRange(3, 11, 9),  # 12 says that transactions follow KIP-890
        ApiKey.FETCH: VersionRange(4, 16, 12),
        ApiKey.LIST_OFFSETS: VersionRange(1, 9, 6),
        ApiKey.METADATA: VersionRange(0, 13, 9),
        ApiKey.OFFSET_COMMIT: VersionRange(2, 9, 8),
        ApiKey.OFFSET_FETCH: VersionRange(1, 9, 6),
        ApiKey.FIND_COORDINATOR: VersionRange(0, 6, 3),
        ApiKey.JOIN_GROUP: VersionRange(0, 9, 6),
        ApiKey.HEARTBEAT: VersionRange(0, 4, 4),
        ApiKey.LEAVE_GROUP: VersionRange(0, 5, 4),
        ApiKey.SYNC_GROUP: VersionRange(0, 5, 4),
        ApiKey.DESCRIBE_GROUPS: VersionRange(0, 6, 5),
        ApiKey.LIST_GROUPS: VersionRange(0, 5, 3),
        ApiKey.API_VERSIONS: VersionRange(0, 4, 3),
        ApiKey.CREATE_TOPICS: VersionRange(2, 7, 5),
        ApiKey.DELETE_TOPICS: VersionRange(1, 6, 4),
        ApiKey.DELETE_RECORDS: VersionRange(0, 2, 2),
        ApiKey.INIT_PRODUCER_ID: VersionRange(0, 5, 2),
        ApiKey.OFFSET_FOR_LEADER_EPOCH: VersionRange(2, 4, 4),
        ApiKey.DESCRIBE_CONFIGS: VersionRange(1, 4, 4),
        ApiKey.INCREMENTAL_ALTER_CONFIGS: VersionRange(0, 1, 1),
        ApiKey.DESCRIBE_CLUSTER: VersionRange(0, 1, 0),
    }
)

ADVERTISED_MIN: Mapping[ApiKey, int] = MappingProxyType({ApiKey.PRODUCE: 0})
"""Where less is served than advertised. librdkafka before 2.11.1 sends uncompressed unless Produce 0 is advertised
(librdkafka#4956), so Kafka 4 advertises 0-2 and refuses them (KAFKA-18659)."""


def is_served(api_key: int, version: int) -> bool:
    return (api_key, version) in _SERVED


def is_flexible(api_key: int, version: int) -> bool:
    """False for an API that is not served: nothing of its header after the client id is looked at then."""
    return api_key in _FIRST_FLEXIBLE and version >= _FIRST_FLEXIBLE[api_key]


def has_flexible_response_header(api_key: int, version: int) -> bool:
    """ApiVersions is the exception: a client that asks does not know yet what the broker can write."""
    return api_key != ApiKey.API_VERSIONS and is_flexible(api_key, version)


_SERVED = frozenset(
    (int(key), version) for key, versions in API_VERSIONS.items() for version in range(versions.min, versions.max + 1)
)
_FIRST_FLEXIBLE: dict[int, int] = {int(key): versions.first_flexible for key, versions in API_VERSIONS.items()}
_UNSUPPORTED_VERSION = UnsupportedVersionError.error_code
_ADVERTISED = struct.Struct(">hhh")


class AdvertisedVersions(NamedTuple):
    api_key: int
    min: int
    max: int


class ApiVersionsResponse(NamedTuple):
    error_code: int
    api_versions: list[AdvertisedVersions]
    throttle_time_ms: int = 0


class ApiVersionsRequest(NamedTuple):
    """Name and version of the client library (KIP-511), empty before v3."""

    client_software_name: str = ""
    client_software_version: str = ""


def advertised_versions() -> list[AdvertisedVersions]:
    return [
        AdvertisedVersions(int(key), ADVERTISED_MIN.get(key, versions.min), versions.max)
        for key, versions in API_VERSIONS.items()
    ]


def write_api_versions_response(version: int, correlation_id: int, error_code: int = 0) -> bytes:
    """A whole frame: size, header, body.

    A version that is not served is answered by UNSUPPORTED_VERSION in the layout of v0 with the range of ApiVersions
    alone, so that the client can ask again on the same connection.
    """
    body = _response_body(version, error_code)
    return struct.pack(">ii", 4 + len(body), correlation_id) + body


@lru_cache(maxsize=16)
def _response_body(version: int, error_code: int) -> bytes:
    if version not in API_VERSIONS[ApiKey.API_VERSIONS]:
        own = [entry for entry in advertised_versions() if entry.api_key == ApiKey.API_VERSIONS]
        return _write_body(0, ApiVersionsResponse(_UNSUPPORTED_VERSION, own))
    return _write_body(version, ApiVersionsResponse(error_code, advertised_versions()))


def _write_body(version: int, response: ApiVersionsResponse) -> bytes:
    flexible = is_flexible(ApiKey.API_VERSIONS, version)
    out = bytearray(fields.INT16.pack(response.error_code))
    (fields.write_compact_count if flexible else fields.write_count)(len(response.api_versions), out)
    for entry in response.api_versions:
        out += _ADVERTISED.pack(*entry)
        if flexible:
            out.append(0)
    if version >= 1:
        out += fields.INT32.pack(response.throttle_time_ms)
    if flexible:
        # No tags. Finalized features would go here; transaction.version 2 among them makes clients send Produce 12.
        out.append(0)
    return bytes(out)


def read_api_versions_request(version: int, body: memoryview) -> ApiVersionsRequest:
    """Raises MalformedFrameError. Only v3 and v4 have a body; newer ones are not looked at."""
    if version not in (3, 4):
        return ApiVersionsRequest()
    try:
        name, position = fields.read_compact_string(body, 0)
        software_version, position = fields.read_compact_string(body, position)
        fields.skip_tags(body, position)
    except fields.DECODE_ERRORS as error:
        raise MalformedFrameError(f"ApiVersions request v{version} of {len(body)} bytes: {error}") from None
    return ApiVersionsRequest(name, software_version)


def write_api_versions_request(version: int, request: ApiVersionsRequest) -> bytes:
    """The body only: `framing.write_request_header` goes before it."""
    out = bytearray()
    if is_flexible(ApiKey.API_VERSIONS, version):
        fields.write_compact_string(request.client_software_name, out)
        fields.write_compact_string(request.client_software_version, out)
        out.append(0)
    return bytes(out)


def read_api_versions_response(version: int, body: memoryview) -> ApiVersionsResponse:
    """Raises MalformedFrameError. An UNSUPPORTED_VERSION answer has the layout of v0 whatever was asked for."""
    try:
        (error_code,) = fields.INT16.unpack_from(body, 0)
        if error_code == _UNSUPPORTED_VERSION:
            version = 0
        flexible = is_flexible(ApiKey.API_VERSIONS, version)
        read_count = fields.read_compact_count if flexible else fields.read_count
        count, position = read_count(body, 2, _ADVERTISED.size + flexible)
        entries = []
        for _ in range(count):
            entries.append(AdvertisedVersions(*_ADVERTISED.unpack_from(body, position)))
            position += _ADVERTISED.size
            if flexible:
                position = fields.skip_tags(body, position)
        throttle_time_ms = fields.INT32.unpack_from(body, position)[0] if version >= 1 else 0
        if flexible:
            fields.skip_tags(body, position + 4)
    except fields.DECODE_ERRORS as error:
        raise MalformedFrameError(f"ApiVersions response v{version} of {len(body)} bytes: {error}") from None
    return ApiVersionsResponse(error_code, entries, throttle_time_ms)
