"""What is in the files of a log directory, as plain objects: of kfast or Apache Kafka, whole or damaged.

    00000000000000000042.log .index .timeindex .txnindex     dump_batches, dump_indexes
    00000000000000000042.snapshot                            dump_producers
    00000000000000000071-0000000003.checkpoint               dump_batches: a snapshot of the metadata log
    *-offset-checkpoint, partition.metadata, ...             dump_checkpoints
    (a directory)                                            dump_summary, dump_missing

Each of these modules says what its entries look like. Any of them may also yield what is wrong, and where:

    {"type": "error", "file", "position", "reason"}
    {"type": "note", "file", "reason"}                       nothing wrong, and good to know

Everything that can be read is shown, whatever lies before it, and nothing is raised. Files are only read. A directory
ends with its summary.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from kfast.log.checkpoints import META_PROPERTIES
from kfast.log.clean_shutdown import CLEAN_SHUTDOWN_FILE
from kfast.log.dump_batches import dump_batches, dump_metadata_snapshot
from kfast.log.dump_checkpoints import (
    dump_clean_shutdown,
    dump_leader_epochs,
    dump_meta_properties,
    dump_offset_checkpoint,
    dump_partition_metadata,
    dump_quorum_state,
)
from kfast.log.dump_entries import Entry, error_entry, is_invalid
from kfast.log.dump_indexes import dump_offset_index, dump_time_index, dump_transaction_index
from kfast.log.dump_lines import to_line
from kfast.log.dump_missing import MissingFiles
from kfast.log.dump_producers import dump_producers
from kfast.log.dump_records import Decoder, decode_metadata, decoder_of
from kfast.log.dump_summary import Summary
from kfast.log.names import (
    LOG_SUFFIX,
    OFFSET_INDEX_SUFFIX,
    PARTITION_METADATA,
    SNAPSHOT_SUFFIX,
    TIME_INDEX_SUFFIX,
    TRANSACTION_INDEX_SUFFIX,
    parse_file_name,
)
from kfast.log.passing_files import PASSING_SUFFIXES, split_passing_suffix

__all__ = ["Entry", "dump", "is_invalid", "to_line"]

_INDEXES: Final = {
    OFFSET_INDEX_SUFFIX: dump_offset_index,
    TIME_INDEX_SUFFIX: dump_time_index,
    TRANSACTION_INDEX_SUFFIX: dump_transaction_index,
}
_METADATA_SNAPSHOT: Final = re.compile(r"\d{20}-\d{10}\.checkpoint|bootstrap\.checkpoint")
_TEXT_FILES: Final = {
    "recovery-point-offset-checkpoint": dump_offset_checkpoint,
    "log-start-offset-checkpoint": dump_offset_checkpoint,
    "replication-offset-checkpoint": dump_offset_checkpoint,
    "cleaner-offset-checkpoint": dump_offset_checkpoint,
    "leader-epoch-checkpoint": dump_leader_epochs,
    PARTITION_METADATA: dump_partition_metadata,
    "meta.properties": dump_meta_properties,
    ".kafka_cleanshutdown": dump_clean_shutdown,
    "quorum-state": dump_quorum_state,
}
_NAMES: Final = (
    *(f"BASE_OFFSET{suffix}" for suffix in (LOG_SUFFIX, *_INDEXES, SNAPSHOT_SUFFIX)),
    "END_OFFSET-EPOCH.checkpoint",
    *_TEXT_FILES,
)

_OR_PASSING: Final = f"; those of segments may end with {', '.join(PASSING_SUFFIXES)}"


@dataclass(frozen=True, slots=True)
class _Options:
    deep: bool
    decoder: Decoder | None
    indexes_only: bool


def dump(
    paths: Iterable[str | os.PathLike[str]],
    deep: bool = False,
    *,
    decoder: Decoder | None = None,
    indexes_only: bool = False,
) -> Iterator[Entry]:
    """Yield the entries of the files in `paths`, in order; a directory stands for all that is in it.

    `deep` yields the records of each batch after it, and what those of Kafka's own topics say; `decoder` is for such
    files that no longer lie in their partition's directory. `indexes_only` looks for what is wrong with indexes and
    at nothing else.
    """
    options = _Options(deep, decoder, indexes_only)
    for path in map(Path, paths):
        if path.is_dir():
            yield from _dump_directory(path, options, is_given=True)
        elif not path.exists():
            yield error_entry(path, None, "there is no such file or directory")
        elif (entries := _entries(path, options)) is None:
            yield error_entry(path, None, f"its name is none of {', '.join(_NAMES)}{_OR_PASSING}")
        else:
            yield from _readable(path, entries)


def _dump_directory(directory: Path, options: _Options, is_given: bool = False) -> Generator[Entry, None, Summary]:
    """Its files first, then what lies below it. Files with other names are no part of it; passing ones are counted."""
    files: list[Path] = []
    directories: list[Path] = []
    try:
        for path in sorted(directory.iterdir()):
            (directories if path.is_dir() else files).append(path)
        reason = ""
    except OSError as error:
        reason = error.strerror or str(error)
    names = {path.name for path in files}
    was_clean = CLEAN_SHUTDOWN_FILE in names if META_PROPERTIES in names else None
    summary = Summary(MissingFiles(names), not options.indexes_only, was_clean)
    if reason:
        yield summary.note(error_entry(directory, None, reason))
    for path in files:
        for entry in _readable(path, _entries_in_directory(path, options, summary)):
            yield summary.note(entry)
    for path in directories:
        summary.add((yield from _dump_directory(path, options)))
    if is_given and not summary.is_of_kafka:
        yield summary.note(
            error_entry(directory, None, "no log directory and no partition: nothing of Kafka's is in it")
        )
    yield summary.entry(directory)
    return summary


def _entries_in_directory(path: Path, options: _Options, summary: Summary) -> Iterable[Entry]:
    """A file that lies among others has to have the right name: server.log is no segment."""
    name, passing_suffix = split_passing_suffix(path.name)
    parsed = parse_file_name(name)
    if passing_suffix and parsed:
        summary.passing[passing_suffix] += 1
        return ()
    if parsed is None:
        return _entries(path, options) or () if path.suffix != LOG_SUFFIX else ()
    base_offset, suffix = parsed
    entries = _entries(path, options) or ()
    if suffix in _INDEXES:
        return chain(summary.missing.of_index(path, base_offset), entries)
    return chain(summary.begin_segment(path, base_offset), entries) if suffix == LOG_SUFFIX else entries


def _entries(path: Path, options: _Options) -> Iterator[Entry] | None:
    """What is in a file, as far as it was asked for; None where its name says nothing."""
    name = split_passing_suffix(path.name)[0]
    parsed = parse_file_name(name)
    base_offset, suffix = parsed or (0, path.suffix)
    if options.indexes_only:
        return filter(is_invalid, _INDEXES[suffix](path, base_offset)) if suffix in _INDEXES and parsed else iter(())
    if suffix in _INDEXES and parsed:
        return _INDEXES[suffix](path, base_offset)
    if suffix == LOG_SUFFIX:
        return dump_batches(path, base_offset, options.deep, options.decoder or decoder_of(path))
    if suffix == SNAPSHOT_SUFFIX and parsed:
        return dump_producers(path, base_offset)
    if _METADATA_SNAPSHOT.fullmatch(path.name):
        return dump_metadata_snapshot(path, options.deep, decode_metadata)
    return _TEXT_FILES[path.name](path) if path.name in _TEXT_FILES else None


def _readable(path: Path, entries: Iterable[Entry]) -> Iterator[Entry]:
    """What a running broker removes while it is being read was no part of the log any more."""
    try:
        yield from entries
    except FileNotFoundError:
        return
    except OSError as error:
        yield error_entry(path, None, error.strerror or str(error))
