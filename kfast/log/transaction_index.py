"""The transaction index: the aborted transactions whose markers lie in a segment.

    entry of 34 bytes: 0 version i16, 0 | 2 producer id i64 | 10 first offset i64 | 18 last offset i64 (the marker's)
                       26 last stable offset i64, when the marker was written

A consumer that reads committed records is given those that overlap what it fetches and passes over their records. The
file is made with its first entry: most segments have none. Source: Kafka's TransactionIndex and AbortedTxn.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

from kfast.log.file_pool import FilePool
from kfast.log.index import CorruptIndexError

ENTRY: Final = struct.Struct(">hqqqq")
VERSION: Final = 0


class AbortedTransaction(NamedTuple):
    """Records of `producer_id` from `first_offset` to `last_offset`, its marker's, are void."""

    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int
    """Of the log when the marker had been appended: no later entry begins below it."""


class TransactionIndex:
    """One segment's file. One writer at a time; readers need no lock."""

    __slots__ = ("_entries", "_file_pool", "path")

    def __init__(self, path: str, file_pool: FilePool) -> None:
        self.path = path
        self._file_pool = file_pool
        self._entries: tuple[AbortedTransaction, ...] | None = None

    @property
    def entries(self) -> tuple[AbortedTransaction, ...]:
        """All of them, in order of their markers. Raises CorruptIndexError."""
        if self._entries is None:
            self._entries = self._read()
        return self._entries

    def load(self) -> None:
        """Read them now, so that no reader does while the first is written. Raises CorruptIndexError."""
        self._entries = self._read()

    def _read(self) -> tuple[AbortedTransaction, ...]:
        try:
            file = self._file_pool.open(self.path)
        except FileNotFoundError:
            return ()
        return parse_transaction_entries(os.pread(file.fd, os.fstat(file.fd).st_size, 0), self.path)

    def append(self, aborted: AbortedTransaction) -> None:
        """Add the transaction whose marker has been written. Raises OSError."""
        before = self.entries
        self._file_pool.create(self.path).write(ENTRY.pack(VERSION, *aborted), len(before) * ENTRY.size)
        self._entries = (*before, aborted)

    def overlapping(self, start_offset: int, end_offset: int) -> tuple[list[AbortedTransaction], bool]:
        """Return those with records from `start_offset` on and before `end_offset`; True if later segments add none."""
        found = []
        for entry in self.entries:
            if entry.last_offset >= start_offset and entry.first_offset < end_offset:
                found.append(entry)
            if entry.last_stable_offset >= end_offset:
                return found, True
        return found, False

    def check(self, base_offset: int) -> None:
        """Read the entries, if there are any. Raises CorruptIndexError where one's marker lies before the segment."""
        with contextlib.suppress(FileNotFoundError):
            if os.stat(self.path).st_size:
                for entry in self.entries:
                    if entry.last_offset < base_offset:
                        raise CorruptIndexError(f"{self.path}: {entry} ends before the base offset {base_offset}")

    def keep(self, entries: Iterable[AbortedTransaction]) -> None:
        """Replace all entries; without any no file is made."""
        kept = tuple(entries)
        if not kept:
            self.reset()
            return
        file = self._file_pool.create(self.path)
        data = b"".join(ENTRY.pack(VERSION, *entry) for entry in kept)
        file.write(data, 0)
        os.ftruncate(file.fd, len(data))
        self._entries = kept

    def truncate_to_offset(self, offset: int) -> None:
        """Drop the entries whose markers lie at `offset` or after it."""
        kept = tuple(entry for entry in self.entries if entry.last_offset < offset)
        if len(kept) < len(self.entries):
            self.keep(kept)

    def reset(self) -> None:
        """Have no entries; a file that is there stays, as in Kafka, and is empty."""
        with contextlib.suppress(FileNotFoundError):
            os.truncate(self.path, 0)
        self._entries = ()

    def trim(self) -> None:
        """Make the file end where its entries do: half of one may have been left behind."""
        size = len(self) * ENTRY.size
        with contextlib.suppress(FileNotFoundError):
            if os.stat(self.path).st_size > size:
                os.truncate(self.path, size)

    def flush(self) -> None:
        """Return when it is on the disk; without entries there is nothing to do."""
        if self.entries:
            os.fsync(self._file_pool.open(self.path).fd)

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        return f"TransactionIndex({os.path.basename(self.path)!r}, {len(self)} entries)"


def parse_transaction_entries(data: bytes, path: str) -> tuple[AbortedTransaction, ...]:
    """The entries of a file's bytes. Raises CorruptIndexError where they are none, or their markers do not follow."""
    if len(data) % ENTRY.size:
        raise CorruptIndexError(f"{path}: {len(data)} bytes are no multiple of {ENTRY.size}")
    entries: list[AbortedTransaction] = []
    for version, *fields in ENTRY.iter_unpack(data):
        entry = AbortedTransaction(*fields)
        if version > VERSION:
            raise CorruptIndexError(f"{path}: entry {len(entries)} has version {version}; {VERSION} is known")
        if entries and entry.last_offset <= entries[-1].last_offset:
            raise CorruptIndexError(f"{path}: {entry} follows {entries[-1]}")
        entries.append(entry)
    return tuple(entries)
