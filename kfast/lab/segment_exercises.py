"""The exercises of the segment log's notebook: each check says in a sentence whether an answer is right, and why not.

None is an exercise that has not been done yet. The right answers come from the log itself.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from kfast.lab.offset_lookup import look_up, lookup_costs, reindex
from kfast.log.log import Log

INTERVAL_STEP: Final = 256
NOT_YET: Final = "not done yet"


def check_position(log: Log, offset: int, answer: int | None) -> str:
    """Where in its file the answer to a fetch from `offset` begins."""
    if answer is None:
        return f"{NOT_YET}: at which position begins the answer to a fetch from offset {offset}?"
    steps = look_up(log, offset)
    if answer == steps.position:
        return f"right: the batch that holds offset {offset} begins at position {answer:,}"
    for header in steps.segment.records.headers():
        if header.position == answer:
            return f"not quite: at position {answer:,} lie offsets {header.base_offset} to {header.last_offset}"
    return f"no: no batch begins at position {answer:,}; the index leads to {steps.index_entry.position:,}"


def check_interval(directory: Path, most_headers: int, answer: int | None) -> str:
    """The largest index.interval.bytes, in steps of 256, with which no look-up reads more than `most_headers`."""
    if answer is None:
        return f"{NOT_YET}: with which index.interval.bytes does no look-up read more than {most_headers} headers?"
    if answer % INTERVAL_STEP or answer <= 0:
        return f"{answer} is no multiple of {INTERVAL_STEP}"
    most, size = _costs(directory, answer)
    found = f"with {answer:,} bytes a look-up reads up to {most} headers, and the index takes {size:,} bytes"
    if most > most_headers:
        return f"no: {found}"
    wider, _ = _costs(directory, answer + INTERVAL_STEP)
    return f"not quite: {found}; it may be wider" if wider <= most_headers else f"right: {found}"


def check_timestamp(log: Log, timestamp_ms: int, answer: int | None) -> str:
    """The first offset whose record is not earlier than a time."""
    if answer is None:
        return f"{NOT_YET}: which is the first offset that is not earlier than {timestamp_ms}?"
    found = log.offset_for_timestamp(timestamp_ms)
    if found is None:
        return f"no record is as late as {timestamp_ms}"
    if answer == found.offset:
        return f"right: offset {answer} has timestamp {found.timestamp_ms}"
    return f"no: offset {answer} is {'too early' if answer < found.offset else 'not the first one'}"


def _costs(directory: Path, index_interval_bytes: int) -> tuple[int, int]:
    """Return (headers that the dearest look-up reads, bytes of the index)."""
    with tempfile.TemporaryDirectory(prefix="kfast-exercise-") as temporary:
        costs = lookup_costs(reindex(directory, Path(temporary) / "log", index_interval_bytes))
    return costs.most_with_index, costs.index_bytes
