"""Which leader wrote from which offset on: an epoch begins with each new leader, or with each start of the only one.

    leader-epoch-checkpoint      0, count, then lines of epoch and the offset it begins at, both rising

Clients compare it with what they have read, to find out whether the log was cut meanwhile (KIP-320). The file follows
when records are flushed: until then the batches, which say their epoch, are checked after a crash, and a file that says
too much is cut to the log. So what was flushed is never replaced by what a loss of power may take, and appending waits
for no fsync.
Source: Kafka's LeaderEpochFileCache and LeaderEpochCheckpointFile.
"""

from __future__ import annotations

import logging
import os
from bisect import bisect_right
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from kfast.errors import LogDirectoryError
from kfast.log.checkpoints import write_atomically
from kfast.log.names import LEADER_EPOCH_CHECKPOINT

logger = logging.getLogger(__name__)

_VERSION: Final = "0"
NO_EPOCH: Final = -1
NO_OFFSET: Final = -1


class EpochEntry(NamedTuple):
    """`epoch` begins at `start_offset`."""

    epoch: int
    start_offset: int


class LeaderEpochs:
    """The epochs of one log. Guarded by the log's lock; look-ups need none."""

    __slots__ = ("_directory", "_is_flushed", "entries", "latest")

    def __init__(self, directory: str) -> None:
        """Read the file, if there is one; one that cannot be read is left out, with a warning."""
        self._directory = directory
        self._is_flushed = True
        self.entries: tuple[EpochEntry, ...] = ()
        self.latest = NO_EPOCH
        try:
            self._publish(read_leader_epochs(self._path))
        except FileNotFoundError:
            pass
        except LogDirectoryError as error:
            logger.warning("%s; what it said is made anew from the batches that are checked", error)

    def assign(self, epoch: int, start_offset: int) -> None:
        """Begin an epoch, unless it is the latest. What was said of later offsets or epochs goes."""
        if epoch != self.latest or start_offset < self.entries[-1].start_offset:
            kept = [one for one in self.entries if one.epoch < epoch and one.start_offset < start_offset]
            self._replace([*kept, EpochEntry(epoch, start_offset)])

    def truncate_to(self, end_offset: int) -> None:
        """Forget the epochs that begin at `end_offset` or after it."""
        kept = [entry for entry in self.entries if entry.start_offset < end_offset]
        if len(kept) < len(self.entries):
            self._replace(kept)

    def truncate_from_start(self, start_offset: int) -> None:
        """Forget the epochs that ended below `start_offset`; the one it lies in begins there now."""
        kept = [entry for entry in self.entries if entry.start_offset > start_offset]
        gone = self.entries[: len(self.entries) - len(kept)]
        if gone and gone != (EpochEntry(gone[-1].epoch, start_offset),):
            self._replace([EpochEntry(gone[-1].epoch, start_offset), *kept])

    def of(self, offset: int) -> int:
        """The epoch of the record at `offset`; -1 where that is not known."""
        number = bisect_right(self.entries, offset, key=lambda entry: entry.start_offset) - 1
        return self.entries[number].epoch if number >= 0 else NO_EPOCH

    def end_of(self, epoch: int, current_epoch: int, log_end_offset: int) -> EpochEntry:
        """The last epoch up to `epoch`, and the offset where it ended; (-1, -1) for one that has not begun.

        `current_epoch` is the leader's, which goes on at the log's end, whether it has written anything yet or not.
        """
        if epoch == current_epoch:
            return EpochEntry(epoch, log_end_offset)
        entries = self.entries
        if current_epoch != self.latest:
            entries = (*entries, EpochEntry(current_epoch, log_end_offset))
        higher = bisect_right(entries, epoch, key=lambda entry: entry.epoch)
        if epoch < 0 or higher == len(entries):
            return EpochEntry(NO_EPOCH, NO_OFFSET)
        return EpochEntry(entries[higher - 1].epoch if higher else epoch, entries[higher].start_offset)

    def flush(self) -> None:
        """Return when the file is on the disk, if anything has changed since the last time. Raises OSError."""
        if not self._is_flushed:
            self._is_flushed = True  # first: they may change meanwhile
            try:
                self._write()
            except OSError:
                self._is_flushed = False
                raise

    def follow_to(self, directory: str) -> None:
        """Write the file into the log's directory under its new name."""
        self._directory = directory

    def _replace(self, entries: list[EpochEntry]) -> None:
        self._publish(tuple(entries))
        self._is_flushed = False

    def _write(self) -> None:
        entries = self.entries
        lines = [_VERSION, str(len(entries)), *(f"{epoch} {start_offset}" for epoch, start_offset in entries)]
        write_atomically(Path(self._path), "\n".join(lines) + "\n")

    def _publish(self, entries: tuple[EpochEntry, ...]) -> None:
        self.entries = entries
        self.latest = entries[-1].epoch if entries else NO_EPOCH

    @property
    def _path(self) -> str:
        return os.path.join(self._directory, LEADER_EPOCH_CHECKPOINT)

    def __repr__(self) -> str:
        return f"LeaderEpochs({', '.join(f'{epoch} from {offset}' for epoch, offset in self.entries)})"


def read_leader_epochs(path: str | os.PathLike[str]) -> tuple[EpochEntry, ...]:
    """The entries of a file, none of an empty one, as a crash leaves. Raises LogDirectoryError, FileNotFoundError."""
    with open(path, "rb") as file:
        data = file.read()
    if not data:
        return ()
    try:
        version, count, *lines = data.decode().splitlines()
        entries = tuple(EpochEntry(*map(int, line.split())) for line in lines)
        if version != _VERSION or int(count) != len(entries):
            raise ValueError(f"version {version}, {count} entries")
    except (ValueError, TypeError) as error:
        raise LogDirectoryError(f"{path}: {data[:60]!r} are no version, count and epochs: {error}") from None
    if any(a.epoch >= b.epoch or a.start_offset > b.start_offset for a, b in pairwise(entries)):
        raise LogDirectoryError(f"{path}: {entries} do not rise")
    return entries
