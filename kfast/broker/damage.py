"""What is damaged in a log, and what Kafka and kfast will make of it: that depends on where it lies.

After an unclean stop both check the segment that holds the recovery point and those after it, and cut the log at the
first damage there. What lies before it, or all of the log after a clean stop, nobody looks at: it stays, and is in the
way of readers. kfast alone takes away what is no whole batch at the end of a log that was stopped cleanly.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from kfast.log.checkpoints import RECOVERY_POINT_CHECKPOINT
from kfast.log.clean_shutdown import CLEAN_SHUTDOWN_FILE
from kfast.log.dump import Entry
from kfast.log.names import LOG_SUFFIX, parse_file_name

CHECK_ALL: Final = f"{CLEAN_SHUTDOWN_FILE} and {RECOVERY_POINT_CHECKPOINT}"
"""Files without which the next start, Kafka's or kfast's, checks every log from its beginning."""


class Fate(Enum):
    """What a start makes of damage."""

    CUT = "Kafka and kfast cut the log"
    TRIMMED = "kfast serve takes it away; Kafka appends behind it"
    STAYS = "neither Kafka nor kfast looks there"


@dataclass(frozen=True, slots=True)
class Damage:
    """One place in a segment."""

    path: Path
    base_offset: int
    """Of the segment."""
    cut_offset: int
    """Where the log would end, were it cut there."""
    is_batch: bool
    """Whether it is a batch whose checksum is wrong, which others follow; else nothing there is a batch."""

    def fate(self, base_offsets: list[int], recovery_point: int, was_clean: bool) -> Fate:
        """`base_offsets` are those of the log's segments, in order."""
        is_last = self.base_offset == base_offsets[-1]
        if was_clean:
            return Fate.TRIMMED if is_last and not self.is_batch else Fate.STAYS
        first_checked = max((offset for offset in base_offsets if offset <= recovery_point), default=base_offsets[0])
        return Fate.CUT if self.base_offset >= first_checked else Fate.STAYS

    def consequence(self, fate: Fate, end_offset: int) -> str:
        """In words, for whoever has to decide."""
        lost = f"offsets up to {end_offset - 1} are lost" if self.cut_offset < end_offset else "no whole batch is lost"
        cut = f"cut the log there, at offset {self.cut_offset}, and {lost}"
        if fate is Fate.CUT:
            return f"Kafka and kfast {cut}"
        if fate is Fate.TRIMMED:
            return str(fate.value)
        seen = "readers that check checksums stop at it" if self.is_batch else "readers miss the records in it"
        return f"{fate.value}: it stays, and {seen}. If {CHECK_ALL} are removed both {cut}"


class SegmentReading:
    """Where the dump of a log has come to: what its errors mean is said by the batches before them."""

    def __init__(self) -> None:
        self._file = ""
        self._base_offset = self._cut_offset = 0
        self._position = -1  # of the last batch
        self._is_valid = True  # it

    def note(self, entry: Entry) -> None:
        """A batch."""
        self._begin(entry["file"])
        self._position, self._is_valid = entry["position"], entry["is_valid"]
        if self._is_valid:
            self._cut_offset = entry["last_offset"] + 1

    def damage(self, error: Entry) -> Damage | None:
        """What an error says of the log; None where it is of another file, or of no bytes that a check would find."""
        path = Path(error["file"])
        if path.suffix != LOG_SUFFIX or error["position"] is None:
            return None
        self._begin(error["file"])
        is_batch = error["position"] == self._position
        if is_batch and self._is_valid:
            return None
        return Damage(path, self._base_offset, self._cut_offset, is_batch)

    def _begin(self, file: str) -> None:
        if file != self._file:
            parsed = parse_file_name(Path(file).name)
            self._file, self._position, self._is_valid = file, -1, True
            self._base_offset = self._cut_offset = parsed[0] if parsed else 0
