"""ApiVersions: the first thing every client asks, written by hand so that the answer waits for no import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfast.errors import UnsupportedVersionError
from kfast.wire import api_versions

if TYPE_CHECKING:
    from kfast.broker.context import RequestContext


def answer(context: RequestContext) -> list[bytes]:
    """Return the frame that lists what is served; a version from the future is answered in version 0 with error 35."""
    header = context.header
    is_known = header.api_version in api_versions.API_VERSIONS[api_versions.ApiKey.API_VERSIONS]
    error_code = 0 if is_known else UnsupportedVersionError.error_code
    version = header.api_version if is_known else 0
    return [api_versions.write_api_versions_response(version, header.correlation_id, error_code)]
