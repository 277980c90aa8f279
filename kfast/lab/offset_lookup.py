"""How a log finds an offset, step by step, and what the steps read: `LogSegment.translate_offset` made visible.

    1  the segment      the largest base offset not above it: from the names of the files, in memory
    2  the index        the largest entry not above it: a binary search, in memory
    3  the log          headers of batches from the entry's position on, until one holds it: the only bytes read

The answer itself is the log's own; the steps are followed beside it, with the same index and the same headers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfast.file_slice import FileSlice
from kfast.log.config import LogConfig
from kfast.log.log import Log
from kfast.log.names import LOG_SUFFIX
from kfast.log.results import BatchPosition, OffsetPosition
from kfast.log.segment import LogSegment

FETCH_SIZE = 8 << 10


@dataclass(frozen=True, slots=True)
class OffsetLookup:
    """The way to one offset. `headers` are those read, in order; the last one is of the batch that holds it."""

    offset: int
    segment_number: int
    segment: LogSegment
    index_entry: OffsetPosition
    """(base offset, 0) where the index has no entry that low."""
    headers: Sequence[BatchPosition]
    headers_before: int
    """Batches of the segment that lie before the index entry's: what the index spared."""
    records: FileSlice

    @property
    def position(self) -> int:
        return self.headers[-1].position

    @property
    def headers_without_index(self) -> int:
        """How many headers a scan from the start of the segment would read."""
        return self.headers_before + len(self.headers)

    def sentence(self) -> str:
        """The finding in words."""
        return (
            f"Offset {self.offset} is in the batch at position {self.position:,}: "
            f"{count_text(len(self.headers), 'header')} read, {self.headers_without_index} without the index"
        )


def look_up(log: Log, offset: int, max_bytes: int = FETCH_SIZE) -> OffsetLookup:
    """Follow a fetch from `offset` on. Raises OffsetOutOfRangeError, and ValueError at the end of the log."""
    records = log.read(offset, max_bytes).records
    if not len(records):
        raise ValueError(f"offset {offset} is the one the next record will get: there is nothing to find yet")
    number = max(n for n, segment in enumerate(log.segments) if segment.base_offset <= offset)
    segment = log.segments[number]
    entry = segment.offset_index.lookup(offset)
    headers = tuple(_until(segment.records.headers(entry.position), offset))
    before = sum(1 for _ in segment.records.headers(0, entry.position))
    return OffsetLookup(offset, number, segment, entry, headers, before, records)


def _until(headers: Iterator[BatchPosition], offset: int) -> Iterator[BatchPosition]:
    for header in headers:
        yield header
        if header.last_offset >= offset:
            return


@dataclass(frozen=True, slots=True)
class LookupCosts:
    """Headers read for each offset of a log, in order, with the offset index and without it."""

    base_offsets: Sequence[int]
    """Of the log's segments."""
    with_index: Sequence[int]
    without_index: Sequence[int]
    index_bytes: int
    log_bytes: int

    @property
    def most_with_index(self) -> int:
        return max(self.with_index)

    @property
    def most_without_index(self) -> int:
        return max(self.without_index)

    def sentence(self) -> str:
        """The finding in words."""
        return (
            f"With the index no look-up reads more than {count_text(self.most_with_index, 'header')}, "
            f"without it up to {self.most_without_index}"
        )

    def price(self) -> str:
        """What the index costs, in words."""
        share = self.index_bytes / self.log_bytes
        return f"The index takes {self.index_bytes:,} bytes for {self.log_bytes:,} bytes of log: {share:.2%}"

    def against(self, predicted_headers: int) -> str:
        """Hold a prediction of `most_with_index` against what was counted."""
        most = self.most_with_index
        if predicted_headers == most:
            return f"You predicted at most {predicted_headers}; counted: {most}. Exactly."
        word = "fewer" if most < predicted_headers else "more"
        return f"You predicted at most {predicted_headers}; counted: {most}, {word} than you thought."


def lookup_costs(log: Log) -> LookupCosts:
    """Follow the look-up of every offset of the log."""
    lookups = [look_up(log, offset) for offset in range(log.log_start_offset, log.log_end_offset)]
    return LookupCosts(
        [segment.base_offset for segment in log.segments],
        [len(lookup.headers) for lookup in lookups],
        [lookup.headers_without_index for lookup in lookups],
        sum(len(segment.offset_index) * segment.offset_index.ENTRY_SIZE for segment in log.segments),
        log.size_bytes,
    )


def slices_of_all(log: Log) -> list[tuple[int, int, int]]:
    """Return (segment's base offset, position, size) of the first batch a fetch from each offset would send."""
    places = []
    for offset in range(log.log_start_offset, log.log_end_offset):
        records = log.read(offset, 1).records  # one byte is too little for any batch: the first comes whole
        places.append((int(Path(records.file.path).stem), records.position, records.size))
    return places


def agrees_with_kafka(log: Log, facts: Mapping[str, Any]) -> list[bool]:
    """For each look-up that Kafka's own OffsetIndex made of this partition, whether ours takes the same steps.

    `facts` are those of `GoldenDirectory`; its look-ups beyond the end of the log are left out.
    """
    agreed = []
    for offset, entry_offset, entry_position, base_offset, position, size in facts["lookups"]:
        if base_offset is not None:
            ours = look_up(log, offset)
            found = ours.headers[-1]
            steps = (*ours.index_entry, found.base_offset, found.position, found.size_bytes)
            agreed.append(steps == (entry_offset, entry_position, base_offset, position, size))
    return agreed


def reindex(directory: Path, target: Path, index_interval_bytes: int) -> Log:
    """Copy the .log files of a partition to `target` and open them there: the indexes are made from them anew."""
    target.mkdir()
    for path in sorted(directory.glob(f"*{LOG_SUFFIX}")):
        (target / path.name).write_bytes(path.read_bytes())
    return Log.open(target, LogConfig(index_interval_bytes=index_interval_bytes))


def same_files(directory: Path, other: Path, pattern: str) -> list[bool]:
    """For each file of `directory` that fits `pattern`, whether `other` has it byte for byte."""
    return [path.read_bytes() == (other / path.name).read_bytes() for path in sorted(directory.glob(pattern))]


def count_text(count: int, noun: str) -> str:
    """1 header, 2 headers."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
