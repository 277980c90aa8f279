"""Whether Apache Kafka would find in a log directory all that is in it, found out without changing a byte.

Every batch is read and its checksum worked out, indexes are held against logs, snapshots and checkpoints are read, the
metadata is replayed. What would stop Kafka, or make it lose sight of something, is a finding, and says what Kafka and
kfast make of it; what Kafka puts right by itself, or is merely good to know, a note.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from kfast.broker.damage import Damage, Fate, SegmentReading
from kfast.broker.log_directory import METADATA_DIRECTORY, ensure_servable, ensure_usable
from kfast.broker.metadata_replay import ReplayedMetadata, replay
from kfast.errors import LogDirectoryError
from kfast.log.checkpoints import (
    CLEANER_OFFSET_CHECKPOINT,
    LOG_START_OFFSET_CHECKPOINT,
    META_PROPERTIES,
    RECOVERY_POINT_CHECKPOINT,
    MetaProperties,
    OffsetCheckpoint,
    read_partition_metadata,
)
from kfast.log.clean_shutdown import CLEAN_SHUTDOWN_FILE
from kfast.log.directory_lock import LOCK_FILE, DirectoryLock
from kfast.log.dump import Entry, dump, to_line
from kfast.log.names import (
    LOG_SUFFIX,
    OFFSET_INDEX_SUFFIX,
    PARTITION_METADATA,
    SEGMENT_SUFFIXES,
    SNAPSHOT_SUFFIX,
    TIME_INDEX_SUFFIX,
    file_path,
    parse_file_name,
    parse_partition_directory,
    partition_directory_name,
)
from kfast.record.metadata_records import BROKER_RESOURCE, TOPIC_RESOURCE, uuid_to_text

_INDEXES = (OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX)
_PASSING = re.compile(r".+[.-][0-9a-f]{32}-(delete|stray|future)")

Progress: TypeAlias = Callable[[int, int, str], None]
"""Called with bytes read, bytes there are to be read, and the partition, very often."""


@dataclass(frozen=True, slots=True)
class DirectoryCheck:
    """What was found. With findings the directory is not for Kafka yet."""

    properties: MetaProperties
    metadata: ReplayedMetadata
    summary: Entry
    """Of the whole directory, as `kfast dump-log` has it."""
    findings: tuple[str, ...]
    notes: tuple[str, ...]
    is_served: bool
    """Whether `kfast serve`, stopped again, puts right some of the findings."""


def check_directory(directory: Path, progress: Progress | None = None) -> DirectoryCheck:
    """Raises LogDirectoryError for what is no log directory, is in use, or needs other nodes than this one."""
    _ensure_log_directory(directory)
    ensure_usable(directory)
    with _held(directory):
        return _Checker(directory, progress).run()


def _ensure_log_directory(directory: Path) -> None:
    """Whoever named the directory above or below is told which one it is."""
    if not directory.exists():
        raise LogDirectoryError(f"{directory} does not exist")
    if not directory.is_dir() or (directory / META_PROPERTIES).is_file():
        return
    below = sorted(path.parent for path in directory.glob(f"*/{META_PROPERTIES}"))
    above = [path for path in (directory.resolve().parent,) if (path / META_PROPERTIES).is_file()]
    named = "".join(f"; {path} is one" for path in [*below, *above])
    raise LogDirectoryError(f"{directory} is no log directory: it has no {META_PROPERTIES}{named}")


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

    def __init__(self, directory: Path, progress: Progress | None) -> None:
        self._directory = directory
        self._progress = progress
        self._properties = MetaProperties.read(directory / META_PROPERTIES)
        self._metadata = replay(directory / METADATA_DIRECTORY)
        ensure_servable(directory, self._properties, self._metadata, None)
        self._was_clean = (directory / CLEAN_SHUTDOWN_FILE).exists()
        self._recovery_points = self._offsets(RECOVERY_POINT_CHECKPOINT)
        self._starts = self._offsets(LOG_START_OFFSET_CHECKPOINT)
        self._cleaned = self._offsets(CLEANER_OFFSET_CHECKPOINT)
        self._unserved = 0  # findings that `kfast serve` does nothing about
        self._names = {
            partition_directory_name(topic.name, number): topic.topic_id
            for topic in self._metadata.image.topics.values()
            for number in topic.partitions
        }

    def run(self) -> DirectoryCheck:
        whole, summaries, errors = self._dump()
        findings = [self._finding(error, damage, summaries) for error, damage in errors]
        findings += self._metadata_findings(summaries)
        for name, topic_id in self._names.items():
            if name in summaries:
                findings += self._partition_findings(name, topic_id, summaries[name], self._starts.get(name, 0))
            elif self._held_records(name):
                findings.append(
                    f"{name} has no directory, and {RECOVERY_POINT_CHECKPOINT} says that it held records up to offset "
                    f"{self._recovery_points[name]}; Kafka and kfast make an empty one"
                )
        is_served = len(findings) > self._unserved
        findings += [
            f"{name}: Kafka does not start beside a directory that is no partition's" for name in self._foreign()
        ]
        notes = tuple(self._notes(summaries))
        return DirectoryCheck(self._properties, self._metadata, whole, tuple(findings), notes, is_served)

    def _dump(self) -> tuple[Entry, dict[str, Entry], list[tuple[Entry, Damage | None]]]:
        """The directory's summary, those by partition, and what is wrong; of partitions being removed none of it."""
        errors: list[tuple[Entry, Damage | None]] = []
        summaries: dict[Path, Entry] = {}
        reading = SegmentReading()
        for entry in self._followed(dump([self._directory])):
            if entry["type"] == "summary":
                summaries[Path(entry["directory"])] = entry
            elif entry["type"] == "batch":
                reading.note(entry)
            elif entry["type"] == "error" and not _PASSING.fullmatch(Path(entry["file"]).parent.name):
                errors.append((entry, reading.damage(entry)))
        by_name = {path.name: entry for path, entry in summaries.items() if path.parent == self._directory}
        return summaries[self._directory], by_name, errors

    def _followed(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        """The same, and how far they are is said of each batch."""
        if self._progress is None:
            yield from entries
            return
        total_bytes = sum(path.stat().st_size for path in self._directory.glob(f"*/*{LOG_SUFFIX}"))
        done_bytes, file, size_bytes = 0, "", 0
        for entry in entries:
            if entry["type"] == "batch" and entry["file"].endswith(LOG_SUFFIX):
                if entry["file"] != file:
                    done_bytes, file, size_bytes = done_bytes + size_bytes, entry["file"], 0
                size_bytes = entry["position"] + entry["size_bytes"]
                self._progress(done_bytes + size_bytes, total_bytes, Path(file).parent.name)
            yield entry

    def _finding(self, error: Entry, damage: Damage | None, summaries: Mapping[str, Entry]) -> str:
        """What is wrong, and of a log what becomes of it. That of the metadata is said by those who replay it."""
        line = to_line(error).removeprefix("INVALID  ")
        path = Path(error["file"])
        name = path.parent.name
        if path.suffix in _INDEXES and error["position"] is not None:
            line += "; kfast serve makes the file anew where it is removed"
        self._unserved += damage is None and path.suffix in SEGMENT_SUFFIXES
        if damage is None or name not in self._names:
            return line
        files = (parse_file_name(path.name) for path in (self._directory / name).glob(f"*{LOG_SUFFIX}"))
        base_offsets = sorted(parsed[0] for parsed in files if parsed)
        fate = damage.fate(base_offsets, self._recovery_points.get(name, 0), self._was_clean)
        self._unserved += fate is Fate.STAYS
        return f"{line}; {damage.consequence(fate, summaries[name]['next_offset'] or 0)}"

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
        yield from self._gap_findings(name, summary, log_start_offset)
        if self._recovery_points.get(name, 0) > end_offset:
            self._unserved += 1
            yield (
                f"{name}: it ends at {end_offset}, and {RECOVERY_POINT_CHECKPOINT} says that it was on the disk up to "
                f"{self._recovery_points[name]}: what came after is not there any more"
            )
        if self._was_clean:
            yield from self._incomplete(name, end_offset)

    def _gap_findings(self, name: str, summary: Entry, log_start_offset: int) -> Iterator[str]:
        """Of offsets that only a lost segment can have had; those of a log that is or was compacted prove nothing."""
        for end_offset, base_offset in summary["gaps"]:
            if base_offset > log_start_offset and not self._is_compacted(name):
                self._unserved += 1
                yield (
                    f"{name}: offsets {end_offset} to before {base_offset} are missing between two segments; Kafka and "
                    f"kfast start all the same, and readers pass over them. Either the segment is copied back, or the "
                    f"records before offset {base_offset} are deleted (DeleteRecords)"
                )

    def _is_compacted(self, name: str) -> bool:
        parsed = parse_partition_directory(name)
        topic, configs = parsed[0] if parsed else "", self._metadata.image.configs
        brokers = (configs.get((BROKER_RESOURCE, node), {}) for node in ("", str(self._properties.node_id)))
        policies = [config.get("log.cleanup.policy", "") for config in brokers]
        policies.append(configs.get((TOPIC_RESOURCE, topic), {}).get("cleanup.policy", ""))
        return name in self._cleaned or any("compact" in policy for policy in policies)

    def _incomplete(self, name: str, end_offset: int) -> Iterator[str]:
        """What the marker of a clean stop vouches for, as Kafka then reads nothing to make it anew."""
        directory = str(self._directory / name)
        needed = [path.with_suffix(suffix) for path in Path(directory).glob(f"*{LOG_SUFFIX}") for suffix in _INDEXES]
        if end_offset:
            needed.append(Path(file_path(directory, end_offset, SNAPSHOT_SUFFIX)))
        for path in needed:
            if not path.exists():
                yield f"{path}: {CLEAN_SHUTDOWN_FILE} says it is there; without that file Kafka makes it anew"

    def _held_records(self, name: str) -> bool:
        return self._recovery_points.get(name, 0) > self._starts.get(name, 0)

    def _offsets(self, checkpoint: str) -> dict[str, int]:
        offsets = OffsetCheckpoint(self._directory / checkpoint).read()
        return {partition_directory_name(*partition): offset for partition, offset in offsets.items()}

    def _foreign(self) -> list[str]:
        names = (path.name for path in sorted(self._directory.iterdir()) if path.is_dir())
        return [name for name in names if not parse_partition_directory(name) and not _PASSING.fullmatch(name)]

    def _notes(self, summaries: Mapping[str, Entry]) -> Iterator[str]:
        if not self._was_clean:
            yield "Kafka checks the logs from their recovery points on, as after a crash"
        for name in self._names:
            if name not in summaries and not self._held_records(name):
                yield f"{name} has no directory; Kafka makes an empty one"
        for name in summaries:
            if parse_partition_directory(name) and name not in self._names and name != METADATA_DIRECTORY:
                yield f"{name} belongs to no topic; Kafka renames it -stray"
