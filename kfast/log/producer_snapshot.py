"""A producer snapshot: what a partition remembered of its producers at the offset that is the file's name.

    0 version i16, 1 | 2 crc u32, CRC-32C from byte 6 on | 6 count i32 | entries of 46 bytes:
    producer id i64 | producer epoch i16 | last sequence i32 | last offset i64 | offset delta i32 | timestamp i64
    coordinator epoch i32 | first offset of the open transaction i64, -1 without one

One is written when a segment begins and when a log is closed, so that the next start reads batches from there on only.
Of the batches that a producer could repeat it holds the last one alone. Source: Kafka's ProducerStateManager.
"""

from __future__ import annotations

import contextlib
import logging
import os
import struct
from collections.abc import Callable, Collection, Iterable
from typing import Final

from kfast.errors import KfastError
from kfast.log.checkpoints import fsync_directory, fsync_file, naming
from kfast.log.names import DELETED_SUFFIX, SNAPSHOT_SUFFIX, file_path
from kfast.log.producer_state import BatchMetadata, ProducerState
from kfast.record.checksum import crc32c

logger = logging.getLogger(__name__)

HEAD: Final = struct.Struct(">hI")
COUNT: Final = struct.Struct(">i")
ENTRY: Final = struct.Struct(">qhiqiqiq")
VERSION: Final = 1
_NONE: Final = -1

assert (HEAD.size, ENTRY.size) == (6, 46)


class CorruptSnapshotError(KfastError):
    """A snapshot that cannot be believed; the state is rebuilt from an older one, or from the log."""


class ProducerSnapshots:
    """The snapshots of one log, by their offsets. Guarded by the log's lock."""

    __slots__ = ("_directory", "_offsets", "_unsynced", "log_start_offset")

    def __init__(self, directory: str, offsets: Iterable[int], log_start_offset: int) -> None:
        self._directory = directory
        self._offsets = sorted(offsets)
        self._unsynced: set[int] = set()
        self.log_start_offset = log_start_offset
        """Nothing is known, and nothing needed, of the producers below it."""

    @property
    def last_offset(self) -> int:
        """Of the newest one; where there is none, the log start offset."""
        return self._offsets[-1] if self._offsets else self.log_start_offset

    def take(self, offset: int, states: Iterable[ProducerState]) -> None:
        """Write one of `offset`, the log's end, unless there is one or nothing was appended since. Raises OSError."""
        if offset > self.last_offset:
            write_snapshot(self._directory, offset, states)
            self._offsets.append(offset)
            self._unsynced.add(offset)

    def last_before(self, up_to: int) -> tuple[int, list[ProducerState]] | None:
        """The newest one above the log start offset and up to `up_to`; what cannot be read on the way is removed."""
        for offset in reversed(self._offsets):
            if self.log_start_offset < offset <= up_to:
                try:
                    return offset, read_snapshot(self._path(offset))
                except FileNotFoundError:
                    self._offsets.remove(offset)
                except CorruptSnapshotError as error:
                    logger.warning("%s; removed", error)
                    self._remove(offset)
        return None

    def truncate_to(self, offset: int, log_start_offset: int) -> None:
        """Remove those beyond `offset`, which would be wrong once the log gets there again, and those up to the start.

        Of what lies below the start of a log Kafka remembers no producer.
        """
        self.log_start_offset = log_start_offset
        for other in [other for other in self._offsets if not log_start_offset < other <= offset]:
            self._remove(other)

    def remove_stray(self, base_offsets: Collection[int]) -> None:
        """Keep those of segments' base offsets, to recover these from, and the last one, if it is of the log's end."""
        last_base_offset, last_offset = max(base_offsets), self.last_offset
        for offset in [offset for offset in self._offsets if offset not in base_offsets]:
            if offset != last_offset or offset < last_base_offset:
                self._remove(offset)

    def put_aside(self, offset: int) -> Callable[[], None]:
        """Rename the one of a segment that is deleted; return what removes it for good.

        One that the disk does not rename stays until the next start removes it as stray.
        """
        path = self._path(offset)
        if offset in self._offsets:
            self._offsets.remove(offset)
            try:
                os.replace(path, path + DELETED_SUFFIX)
            except FileNotFoundError:
                pass
            except OSError as error:
                logger.warning("%s keeps its name: %s", path, error)
        return lambda: _unlink(path + DELETED_SUFFIX)

    def _remove(self, offset: int) -> None:
        self._offsets.remove(offset)
        _unlink(self._path(offset))

    def flush(self) -> None:
        """Return when all that were taken are on the disk: a clean stop vouches for them. Raises OSError."""
        unsynced = tuple(self._unsynced)
        for offset in unsynced:
            with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                fsync_file(self._path(offset))
        if unsynced:
            fsync_directory(self._directory)  # which holds their names
            self._unsynced.difference_update(unsynced)

    def follow_to(self, directory: str) -> None:
        """Find them in the log's directory under its new name."""
        self._directory = directory

    def _path(self, offset: int) -> str:
        return file_path(self._directory, offset, SNAPSHOT_SUFFIX)

    def __len__(self) -> int:
        return len(self._offsets)

    def __repr__(self) -> str:
        return f"ProducerSnapshots({', '.join(map(str, self._offsets))})"


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def write_snapshot(directory: str, offset: int, states: Iterable[ProducerState]) -> str:
    """Write the snapshot of `offset` and return its path. It gets to the disk when it is flushed.

    Raises OSError; then there is none.
    """
    path = file_path(directory, offset, SNAPSHOT_SUFFIX)
    try:
        with naming(path), open(path, "wb") as file:
            file.write(encode_snapshot(states))
    except OSError:
        _unlink(path)
        raise
    return path


def encode_snapshot(states: Iterable[ProducerState]) -> bytes:
    entries = [
        ENTRY.pack(
            state.producer_id,
            state.producer_epoch,
            state.last_sequence,
            state.last_offset,
            state.offset_delta,
            state.last_timestamp_ms,
            state.coordinator_epoch,
            _NONE if state.transaction_first_offset is None else state.transaction_first_offset,
        )
        for state in _in_kafkas_order(list(states))
    ]
    body = COUNT.pack(len(entries)) + b"".join(entries)
    return HEAD.pack(VERSION, crc32c(body)) + body


def _in_kafkas_order(states: list[ProducerState]) -> list[ProducerState]:
    """That in which Kafka's java.util.HashMap has them, so that the bytes are the same.

    Its table has a power of two of places, at least 16, and three quarters of them taken at most.
    """
    places = 16
    while len(states) * 4 > places * 3:
        places *= 2

    def place(state: ProducerState) -> int:
        folded = (state.producer_id ^ state.producer_id >> 32) & 0xFFFFFFFF  # Long.hashCode
        return (folded ^ folded >> 16) & places - 1  # HashMap.hash

    return sorted(states, key=place)


def read_snapshot(path: str | os.PathLike[str]) -> list[ProducerState]:
    """Raises CorruptSnapshotError, FileNotFoundError."""
    with open(path, "rb") as file:
        return decode_snapshot(file.read(), os.fspath(path))


def decode_snapshot(data: bytes, path: str) -> list[ProducerState]:
    """The states of a file's bytes. Raises CorruptSnapshotError."""
    if len(data) < HEAD.size + COUNT.size:
        raise CorruptSnapshotError(f"{path}: {len(data)} bytes; its head alone has {HEAD.size + COUNT.size}")
    version, crc = HEAD.unpack_from(data)
    if version != VERSION:
        raise CorruptSnapshotError(f"{path}: version {version}; {VERSION} is known")
    body = memoryview(data)[HEAD.size :]
    if crc32c(body) != crc:
        raise CorruptSnapshotError(f"{path}: CRC {crc:#010x} but its {len(body)} bytes give {crc32c(body):#010x}")
    (count,) = COUNT.unpack_from(body)
    if count < 0 or len(body) != COUNT.size + count * ENTRY.size:
        raise CorruptSnapshotError(f"{path}: {count} entries of {ENTRY.size} bytes in {len(body) - COUNT.size}")
    return [_state(*fields) for fields in ENTRY.iter_unpack(body[COUNT.size :])]


def _state(
    producer_id: int,
    producer_epoch: int,
    last_sequence: int,
    last_offset: int,
    offset_delta: int,
    timestamp_ms: int,
    coordinator_epoch: int,
    transaction_first_offset: int,
) -> ProducerState:
    batches = (BatchMetadata(last_sequence, last_offset, offset_delta, timestamp_ms),) if last_offset >= 0 else ()
    first_offset = None if transaction_first_offset == _NONE else transaction_first_offset
    return ProducerState(producer_id, producer_epoch, coordinator_epoch, timestamp_ms, first_offset, batches)
