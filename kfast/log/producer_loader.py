"""A partition's producers as they were at some offset: from the last snapshot before it, and the batches since.

Producers that have been silent for producer.id.expiration.ms are not taken from a snapshot.
Source: Kafka's ProducerStateManager.truncateAndReload and UnifiedLog.rebuildProducerState.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from kfast.clock import Clock
from kfast.errors import CorruptRecordError
from kfast.log.producer_snapshot import ProducerSnapshots
from kfast.log.producer_state import ProducerStates, is_expired
from kfast.log.segment import LogSegment
from kfast.log.segments import LogSegments

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProducerLoader:
    """Rebuilds the producers of one log."""

    snapshots: ProducerSnapshots
    clock: Clock
    expiration_ms: int

    def load(self, segments: Sequence[LogSegment], up_to: int) -> ProducerStates:
        """Return the states of a log's producers before the batch at offset `up_to`, by what lies above its start."""
        found = self.snapshots.last_before(up_to)
        start_offset, states = found or (self.snapshots.log_start_offset, [])
        now_ms = self.clock.now_ms()
        producers = ProducerStates(state for state in states if not is_expired(state, now_ms, self.expiration_ms))
        later = LogSegments(segments).since(start_offset) if start_offset < up_to else ()
        for segment in later:
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
            if batch.last_offset >= start_offset:
                producers.replay(batch)
    except CorruptRecordError as error:
        logger.warning("%s: producers of the rest are not known: %s", segment.records.path, error)
