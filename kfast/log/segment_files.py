"""The four files of a segment, which are renamed and removed together.

A file's name is changed on the disk first and then here, and the pool forgets both names in between: so whoever opens a
path gets the file that bears it, or FileNotFoundError, and looks again.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from typing import Self

from kfast.log.config import LogConfig
from kfast.log.file_pool import FilePool
from kfast.log.file_records import FileRecords
from kfast.log.names import (
    LOG_SUFFIX,
    OFFSET_INDEX_SUFFIX,
    TIME_INDEX_SUFFIX,
    TRANSACTION_INDEX_SUFFIX,
    file_path,
)
from kfast.log.offset_index import OffsetIndex
from kfast.log.time_index import TimeIndex
from kfast.log.transaction_index import TransactionIndex


@dataclass(frozen=True, slots=True)
class SegmentFiles:
    """The log and its indexes, under the same name but for their suffixes."""

    directory: str
    base_offset: int
    file_pool: FilePool
    records: FileRecords
    offset_index: OffsetIndex
    time_index: TimeIndex
    transaction_index: TransactionIndex

    @classmethod
    def of(
        cls, directory: str, base_offset: int, file_pool: FilePool, config: LogConfig, passing_suffix: str = ""
    ) -> Self:
        """Take the files as they are. Raises FileNotFoundError without the log; indexes are looked for later."""

        def path_of(suffix: str) -> str:
            return file_path(directory, base_offset, suffix) + passing_suffix

        index_bytes = config.segment_index_bytes
        return cls(
            directory,
            base_offset,
            file_pool,
            FileRecords(path_of(LOG_SUFFIX), file_pool, os.stat(path_of(LOG_SUFFIX)).st_size),
            OffsetIndex(path_of(OFFSET_INDEX_SUFFIX), base_offset, index_bytes, file_pool),
            TimeIndex(path_of(TIME_INDEX_SUFFIX), base_offset, index_bytes, file_pool),
            TransactionIndex(path_of(TRANSACTION_INDEX_SUFFIX), file_pool),
        )

    def rename(self, passing_suffix: str) -> None:
        """Give them a passing suffix, or "" for none. Raises OSError; some may have been renamed by then."""
        for suffix, file in self._by_suffix().items():
            path = file_path(self.directory, self.base_offset, suffix) + passing_suffix
            with contextlib.suppress(FileNotFoundError):  # a transaction index need not be there
                os.replace(file.path, path)
            self.file_pool.discard(file.path)
            self.file_pool.discard(path)
            file.path = path

    def moved_to(self, directory: str) -> Self:
        """The same files, whose directory has this name now."""
        for file in self._by_suffix().values():
            path = file.path
            file.path = os.path.join(directory, os.path.basename(path))
            self.file_pool.discard(path)
        return replace(self, directory=directory)

    def unlink(self) -> None:
        """Remove them. Raises OSError."""
        for file in self._by_suffix().values():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(file.path)
        self.forget()

    def forget(self) -> None:
        """Keep none of them open."""
        for file in self._by_suffix().values():
            self.file_pool.discard(file.path)

    def _by_suffix(self) -> dict[str, FileRecords | OffsetIndex | TimeIndex | TransactionIndex]:
        return {
            LOG_SUFFIX: self.records,
            OFFSET_INDEX_SUFFIX: self.offset_index,
            TIME_INDEX_SUFFIX: self.time_index,
            TRANSACTION_INDEX_SUFFIX: self.transaction_index,
        }
