"""Whether Apache Kafka would find in a log directory all that is in it, found out without changing a byte.

Every segment is walked by its headers, indexes are held against logs, snapshots and checkpoints are read, the metadata
is replayed; what only a checksum of records would find is left to `kfast dump-log`. What would stop Kafka, or make it
lose sight of something, is a finding; what it puts right by itself, or is merely good to know, a note.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kfast.broker.log_directory import METADATA_DIRECTORY, ensure_servable, ensure_usable
from kfast.broker.metadata_replay import ReplayedMetadata, replay
from kfast.errors import LogDirectoryError
from kfast.log.checkpoints import (
    LOG_START_OFFSET_CHECKPOINT,
    META_PROPERTIES,
    MetaProperties,
    OffsetCheckpoint,
    read_partition_metadata,
)
from kfast.log.clean_shutdown import CLEAN_SHUTDOWN_FILE
from kfast.log.directory_lock import LOCK_FILE, DirectoryLock
from kfast.log.dump import Entry, dump, is_invalid, to_line
from kfast.log.names import (
    LOG_SUFFIX,
    OFFSET_INDEX_SUFFIX,
    PARTITION_METADATA,
    SNAPSHOT_SUFFIX,
    TIME_INDEX_SUFFIX,
    file_path,
    parse_partition_directory,
    partition_directory_name,
)
from kfast.record.metadata_records import uuid_to_text

_INDEXES = (OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX)
_PASSING = re.compile(r".+[.-][0-9a-f]{32}-(delete|stray|future)")


@dataclass(frozen=True, slots=True)
class DirectoryCheck:
    """What was found. With findings the directory is not for Kafka yet."""

    properties: MetaProperties
    metadata: ReplayedMetadata
    summary: Entry
    """Of the whole directory, as `kfast dump-log` has it."""
    findings: tuple[str, ...]
    notes: tuple[str, ...]


def check_directory(directory: Path) -> DirectoryCheck:
    """Raises LogDirectoryError for what is no log directory, is in use, or needs other nodes than this one."""
    ensure_usable(directory)
    if not (directory / META_PROPERTIES).is_file():
        raise LogDirectoryError(f"{directory} is no log directory: it has no {META_PROPERTIES}")
    with _held(directory):
        return _Checker(directory).run()


@contextlib.contextmanager
def _held(directory: Path) -> Iterator[None]:
    """Nobody writes meanwhile. Where there is no lock file nobody does: a broker makes it before all else."""
    if not (directory / LOCK_FILE).exists():
        yield
        return
    lock = DirectoryLock(directory)
    try:
        yield
    finally:
        lock.release()


class _Checker:
    """One run over one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._properties = MetaProperties.read(directory / META_PROPERTIES)
        self._metadata = replay(directory / METADATA_DIRECTORY)
        ensure_servable(directory, self._properties, self._metadata, None)
        self._was_clean = (directory / CLEAN_SHUTDOWN_FILE).exists()
        self._names = {
            partition_directory_name(topic.name, number): topic.topic_id
            for topic in self._metadata.image.topics.values()
            for number in topic.partitions
        }

    def run(self) -> DirectoryCheck:
        whole, summaries, findings = self._dump()
        findings += self._metadata_findings(summaries)
        starts = self._log_start_offsets()
        for name, topic_id in self._names.items():
            if name in summaries:
                findings += self._partition_findings(name, topic_id, summaries[name], starts.get(name, 0))
        findings += [
            f"{name}: Kafka does not start beside a directory that is no partition's" for name in self._foreign()
        ]
        notes = tuple(self._notes(summaries))
        return DirectoryCheck(self._properties, self._metadata, whole, tuple(findings), notes)

    def _dump(self) -> tuple[Entry, dict[str, Entry], list[str]]:
        """The directory's summary, those by partition, and what is wrong; of partitions being removed none of it."""
        findings: list[str] = []
        summaries: dict[Path, Entry] = {}
        for entry in dump([self._directory], headers_only=True):
            if entry["type"] == "summary":
                summaries[Path(entry["directory"])] = entry
            elif is_invalid(entry) and not _PASSING.fullmatch(Path(entry["file"]).parent.name):
                findings.append(to_line(entry).removeprefix("INVALID  "))
        by_name = {path.name: entry for path, entry in summaries.items() if path.parent == self._directory}
        return summaries[self._directory], by_name, findings

    def _metadata_findings(self, summaries: Mapping[str, Entry]) -> Iterator[str]:
        end_offset = summaries[METADATA_DIRECTORY]["next_offset"] if METADATA_DIRECTORY in summaries else None
        if end_offset is not None and end_offset > self._metadata.end_offset:
            yield (
                f"{METADATA_DIRECTORY}: a batch is damaged, and of the log's {end_offset} offsets those from "
                f"{self._metadata.end_offset} on would be lost"
            )
        if "metadata.version" not in self._metadata.image.features:
            yield f"{METADATA_DIRECTORY}: it names no metadata.version, and Kafka does not start without"

    def _partition_findings(
        self, name: str, topic_id: uuid.UUID, summary: Entry, log_start_offset: int
    ) -> Iterator[str]:
        found_id = read_partition_metadata(self._directory / name)
        if found_id != topic_id:
            yield (
                f"{name}: its {PARTITION_METADATA} names topic id {found_id and uuid_to_text(found_id)}, the metadata "
                f"{uuid_to_text(topic_id)}: Kafka would put it aside and begin an empty one"
            )
        end_offset = summary["next_offset"] or 0
        if log_start_offset > end_offset:
            yield f"{name}: it starts at {log_start_offset} and ends at {end_offset}: Kafka would delete all of it"
        if self._was_clean:
            yield from self._incomplete(name, end_offset)

    def _incomplete(self, name: str, end_offset: int) -> Iterator[str]:
        """What the marker of a clean stop vouches for, as Kafka then reads nothing to make it anew."""
        directory = str(self._directory / name)
        needed = [path.with_suffix(suffix) for path in Path(directory).glob(f"*{LOG_SUFFIX}") for suffix in _INDEXES]
        if end_offset:
            needed.append(Path(file_path(directory, end_offset, SNAPSHOT_SUFFIX)))
        for path in needed:
            if not path.exists():
                yield f"{path}: {CLEAN_SHUTDOWN_FILE} says it is there; without that file Kafka makes it anew"

    def _log_start_offsets(self) -> dict[str, int]:
        offsets = OffsetCheckpoint(self._directory / LOG_START_OFFSET_CHECKPOINT).read()
        return {partition_directory_name(*partition): offset for partition, offset in offsets.items()}

    def _foreign(self) -> list[str]:
        names = (path.name for path in sorted(self._directory.iterdir()) if path.is_dir())
        return [name for name in names if not parse_partition_directory(name) and not _PASSING.fullmatch(name)]

    def _notes(self, summaries: Mapping[str, Entry]) -> Iterator[str]:
        if not self._was_clean:
            yield "Kafka checks the logs from their recovery points on, as after a crash"
        for name in self._names:
            if name not in summaries:
                yield f"{name} has no directory; Kafka makes an empty one"
        for name in summaries:
            if parse_partition_directory(name) and name not in self._names and name != METADATA_DIRECTORY:
                yield f"{name} belongs to no topic; Kafka renames it -stray"
