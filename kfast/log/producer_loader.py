"""A partition's producers as they were at some offset: from the last snapshot before it, and the batches since.

A snapshot that cannot be believed is removed, and an older one taken. Source: Kafka's ProducerStateManager and
UnifiedLog.rebuildProducerState.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from kfast.errors import CorruptRecordError
from kfast.log.names import SNAPSHOT_SUFFIX, file_path
from kfast.log.producer_snapshot import CorruptSnapshotError, read_snapshot, snapshot_offsets
from kfast.log.producer_state import ProducerState, ProducerStates
from kfast.log.segment import LogSegment
from kfast.log.segments import LogSegments

logger = logging.getLogger(__name__)


def load_producers(directory: str, segments: Sequence[LogSegment], up_to: int) -> ProducerStates:
    """Return the states of a log's producers before the batch at offset `up_to`."""
    found = _last_snapshot(directory, segments[0].base_offset, up_to)
    start_offset, states = found or (segments[0].base_offset, [])
    producers = ProducerStates(states)
    for segment in LogSegments(segments).since(start_offset):
        _replay(segment, start_offset, up_to, producers)
    return producers


def _replay(segment: LogSegment, start_offset: int, up_to: int, producers: ProducerStates) -> None:
    if segment.base_offset >= up_to:
        return
    position = segment.position_before(start_offset) if start_offset > segment.base_offset else 0
    try:
        for _, batch in segment.records.batches(position):
            if batch.base_offset >= up_to:
                return
            if batch.base_offset >= start_offset:
                producers.replay(batch)
    except CorruptRecordError as error:
        logger.warning("%s: producers of the rest are not known: %s", segment.records.path, error)


def _last_snapshot(directory: str, first_offset: int, up_to: int) -> tuple[int, list[ProducerState]] | None:
    """The newest one from `first_offset` on and not after `up_to` that can be read."""
    for offset in reversed(snapshot_offsets(directory)):
        if first_offset <= offset <= up_to:
            path = file_path(directory, offset, SNAPSHOT_SUFFIX)
            try:
                return offset, read_snapshot(path)
            except CorruptSnapshotError as error:
                logger.warning("%s; removed", error)
                os.unlink(path)
    return None
