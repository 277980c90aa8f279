"""A log that a killed Apache Kafka left, to be broken: each time a copy, at a place and in a way of one's choice.

    log = CrashedLog()                                 golden case 10: 683 records in three segments, nothing wrong
    log.break_at(20_000, FLIPPED, believed=NOTHING)    what recovery makes of a copy with that damage

How much recovery may believe without a look depends on what was known to be on the disk when the broker went.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kfast.lab.damage import DAMAGES, FLIPPED
from kfast.lab.golden import GoldenDirectory
from kfast.lab.recovery import Recovery, recover
from kfast.log.config import LogConfig
from kfast.log.log import Log
from kfast.log.names import LOG_SUFFIX, parse_file_name

CASE: Final = "10-crash-as-it-is"
CONFIG: Final = LogConfig(segment_bytes=20_000, index_interval_bytes=1000)
"""That of the broker that wrote it."""

NOTHING, OLDER, ALL = "a crash, nothing flushed", "a crash, older segments flushed", "a clean stop"
BELIEFS: Final = (NOTHING, OLDER, ALL)


class CrashedLog:
    """Whole, in a temporary directory, which goes with this object. Thread-safe: every copy is one of its own."""

    def __init__(self) -> None:
        self._golden = GoldenDirectory(CASE, logdir="damaged")
        self.directory = self._golden.partition
        log = Log.open(self.directory, CONFIG)  # and its indexes lose what Kafka had allocated beforehand
        self.end_offset = log.log_end_offset
        self.segments: Sequence[tuple[str, int]] = tuple(
            (Path(segment.records.path).name, segment.size_bytes) for segment in log.segments
        )
        """Their files' names and sizes, in order."""
        log.close()

    @property
    def size_bytes(self) -> int:
        return sum(size for _, size in self.segments)

    def place(self, position: int) -> tuple[str, int]:
        """The file that byte `position` of the log lies in, and where in it; the end of the log is that of its last.

        Raises ValueError for a position that the log does not have.
        """
        if not 0 <= position <= self.size_bytes:
            raise ValueError(f"position {position} is not within 0..{self.size_bytes}")
        for name, size in self.segments[:-1]:
            if position < size:
                return name, position
            position -= size
        return self.segments[-1][0], position

    def break_at(self, position: int, damage: str = FLIPPED, believed: str = NOTHING) -> Recovery:
        """Damage a copy at that byte of the log, and open it. A bit beyond the end is the last byte's."""
        if damage not in DAMAGES or believed not in BELIEFS:
            raise ValueError(f"{damage!r}, {believed!r}: there are {', '.join(DAMAGES)}; and {', '.join(BELIEFS)}")
        name, position = self.place(position)
        with tempfile.TemporaryDirectory(prefix="kfast-broken-") as temporary:
            copy = Path(shutil.copytree(self.directory, Path(temporary) / self.directory.name))
            path = copy / name
            DAMAGES[damage](path, min(position, path.stat().st_size - 1) if damage == FLIPPED else position)
            recovery_point = {NOTHING: 0, OLDER: self._last_base, ALL: self.end_offset}[believed]
            return recover(copy, self.end_offset, CONFIG, recovery_point=recovery_point, was_clean=believed == ALL)

    @property
    def _last_base(self) -> int:
        parsed = parse_file_name(self.segments[-1][0])
        assert parsed is not None
        assert parsed[1] == LOG_SUFFIX
        return parsed[0]

    def __repr__(self) -> str:
        return f"CrashedLog({self.end_offset} records in {len(self.segments)} segments, {self.size_bytes} bytes)"
