"""What stands before the records in a fetch response of one partition: enough to receive the rest unseen.

`wire.fetch.read_fetch_response` wants the whole body in memory. A consumer that discards the records, or receives them
into a place of their own, needs only the fields before them, and those are known to fit into HEAD_SIZE bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from kfast.errors import MalformedFrameError
from kfast.varint import read_unsigned
from kfast.wire import fetch, fields, framing

HEAD_SIZE = 512
"""More than any head takes: 61 bytes of fixed fields, a topic name of at most 249, sizes and counts, and then still
the header of the first batch (61), which a consumer that discards the rest wants to see."""

_PARTITION = struct.Struct(">ihqqq")  # partition, error_code, high_watermark, last_stable_offset, log_start_offset


@dataclass(frozen=True, slots=True)
class FetchHead:
    """The records lie at `records_position` of the frame, counted from its size prefix; `frame_size` includes that."""

    frame_size: int
    correlation_id: int
    error_code: int
    high_watermark: int
    log_start_offset: int
    records_position: int
    records_size: int


def read_fetch_head(version: int, head: memoryview) -> FetchHead:
    """Read the first bytes of a response (v5 or newer) to a request for one partition without isolation.

    `head` holds the frame's first HEAD_SIZE bytes, or all of it where it is shorter. Raises MalformedFrameError.
    """
    try:
        return _read(version, head)
    except fields.DECODE_ERRORS as error:
        raise MalformedFrameError(f"head of a Fetch response v{version} in {len(head)} bytes: {error}") from None


def _read(version: int, head: memoryview) -> FetchHead:
    flexible = version >= fetch.FIRST_FLEXIBLE_VERSION
    (size,) = fields.INT32.unpack_from(head, 0)
    correlation_id, position = framing.parse_response_header(head[framing.SIZE_PREFIX :], fetch.API_KEY, version)
    position += framing.SIZE_PREFIX + 4  # throttle_time_ms
    error_code = 0
    if version >= fetch.FIRST_SESSION_VERSION:
        (error_code,) = fields.INT16.unpack_from(head, position)
        position += 6  # error_code, session_id
    topic_count, position = _count(flexible, head, position)
    if topic_count < 1:
        return FetchHead(size + framing.SIZE_PREFIX, correlation_id, error_code, -1, -1, position, 0)
    if version >= fetch.FIRST_TOPIC_ID_VERSION:
        position += fields.UUID_SIZE
    else:
        _, position = (fields.read_compact_string if flexible else fields.read_string)(head, position)
    _, position = _count(flexible, head, position)
    _, partition_error, high_watermark, _, log_start_offset = _PARTITION.unpack_from(head, position)
    aborted_count, position = _count(flexible, head, position + _PARTITION.size)
    if aborted_count > 0:
        raise MalformedFrameError(f"{aborted_count} aborted transactions for a consumer that reads uncommitted")
    if version >= fetch.FIRST_RACK_VERSION:
        position += 4  # preferred_read_replica
    records_size, position = _count(flexible, head, position)
    return FetchHead(
        frame_size=size + framing.SIZE_PREFIX,
        correlation_id=correlation_id,
        error_code=error_code or partition_error,
        high_watermark=high_watermark,
        log_start_offset=log_start_offset,
        records_position=position,
        records_size=max(0, records_size),
    )


def _count(flexible: bool, head: memoryview, position: int) -> tuple[int, int]:
    """A count or size whose items need not be in `head`."""
    if flexible:
        count_plus_one, position = read_unsigned(head, position)
        return count_plus_one - 1, position
    return fields.INT32.unpack_from(head, position)[0], position + 4
