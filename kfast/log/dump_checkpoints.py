"""The small text files of a log directory and of its partitions as entries.

    {"type": "checkpoint_entry", "file", "topic", "partition", "offset"}                 *-offset-checkpoint
    {"type": "leader_epoch", "file", "epoch", "start_offset"}                            leader-epoch-checkpoint
    {"type": "partition_metadata", "file", "version", "topic_id"}                        partition.metadata
    {"type": "meta_properties", "file", "cluster_id", "node_id", "directory_id"}          meta.properties
    {"type": "clean_shutdown", "file", "version", "broker_epoch"}                        .kafka_cleanshutdown
    {"type": "quorum_state", "file", ...}                                                who votes, and for whom

Source: Kafka's CheckpointFile, PartitionMetadataFile, MetaProperties, CleanShutdownFileHandler, FileQuorumStateStore.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from kfast.errors import LogDirectoryError
from kfast.log.checkpoints import MetaProperties
from kfast.log.dump_entries import Entry, error_entry, to_plain
from kfast.record.metadata_records import uuid_from_text

_VERSION: Final = "0"


def dump_offset_checkpoint(path: Path) -> Iterator[Entry]:
    """One entry a partition."""
    yield from _dump_checkpoint(path, _offset_entry)


def dump_leader_epochs(path: Path) -> Iterator[Entry]:
    """One entry a leader; epochs and the offsets they start at have to rise."""
    last = (-1, -1)
    for entry in _dump_checkpoint(path, _epoch_entry):
        yield entry
        if entry["type"] == "leader_epoch":
            found = (entry["epoch"], entry["start_offset"])
            if found[0] <= last[0] or found[1] < last[1]:
                yield error_entry(path, None, f"epoch {found[0]} from offset {found[1]} on does not follow {last}")
            last = found


def dump_partition_metadata(path: Path) -> Iterator[Entry]:
    """Which topic it is."""
    fields = dict(line.partition(": ")[::2] for line in _text(path).splitlines())
    topic_id = fields.get("topic_id", "")
    yield {"type": "partition_metadata", "file": str(path), "version": fields.get("version"), "topic_id": topic_id}
    if fields.get("version") != _VERSION:
        yield error_entry(path, 0, f"version {fields.get('version')}; {_VERSION} is known")
    try:
        uuid_from_text(topic_id)
    except ValueError:
        yield error_entry(path, max(_text(path).find("topic_id"), 0), f"{topic_id!r} is no id")


def dump_meta_properties(path: Path) -> Iterator[Entry]:
    """Whose log directory it is. That of a cluster with ZooKeeper, version 0, calls a node a broker."""
    fields = dict(line.partition("=")[::2] for line in _text(path).splitlines())
    if fields.get("version") == "0" and fields.get("broker.id", "").isdecimal():
        node = {"cluster_id": fields.get("cluster.id"), "node_id": int(fields["broker.id"])}
        yield {"type": "meta_properties", "file": str(path), **node}
        return
    try:
        properties = MetaProperties.read(path)
    except LogDirectoryError as error:
        yield error_entry(path, 0, str(error).removeprefix(f"{path} "))
        return
    yield {"type": "meta_properties", "file": str(path), **to_plain(properties)}


def dump_clean_shutdown(path: Path) -> Iterator[Entry]:
    """Its being there is what counts: one that cannot be read says no epoch, and is none the worse (as in Kafka)."""
    said = _json(path)
    fields = said if isinstance(said, dict) else {}
    yield {
        "type": "clean_shutdown",
        "file": str(path),
        "version": fields.get("version"),
        "broker_epoch": fields.get("brokerEpoch"),
    }


def dump_quorum_state(path: Path) -> Iterator[Entry]:
    """What the controller remembers of elections, under Kafka's own names."""
    said = _json(path)
    if isinstance(said, dict):
        yield {"type": "quorum_state", "file": str(path), **said}
    else:
        yield error_entry(path, 0, f"{_text(path)[:40]!r} is no JSON object")


def _dump_checkpoint(path: Path, to_entry: Callable[[list[str]], Entry]) -> Iterator[Entry]:
    """Version, count and lines. An empty file is none: that is what a crash early in Kafka's life leaves."""
    lines = _lines(path)
    if not lines:
        return
    if lines[0][1] != _VERSION:
        yield error_entry(path, 0, f"version {lines[0][1]!r}; {_VERSION} is known")
    count = 0
    for position, line in lines[2:]:
        try:
            entry = {"file": str(path), **to_entry(line.split())}
        except ValueError:
            yield error_entry(path, position, f"{line[:80]!r} is no entry")
            continue
        count += 1
        yield entry
    if len(lines) < 2 or lines[1][1] != str(count):
        yield error_entry(path, len(lines[0][1]) + 1, f"it says {_second(lines)} entries; {count} lie there")


def _offset_entry(words: list[str]) -> Entry:
    topic, partition, offset = words
    return {"type": "checkpoint_entry", "topic": topic, "partition": int(partition), "offset": int(offset)}


def _epoch_entry(words: list[str]) -> Entry:
    epoch, start_offset = words
    return {"type": "leader_epoch", "epoch": int(epoch), "start_offset": int(start_offset)}


def _second(lines: list[tuple[int, str]]) -> str:
    return lines[1][1] if len(lines) > 1 else "no number of"


def _lines(path: Path) -> list[tuple[int, str]]:
    """(position, line) of each."""
    lines, position = [], 0
    for line in path.read_bytes().splitlines(keepends=True):
        lines.append((position, line.decode(errors="replace").strip()))
        position += len(line)
    return lines


def _json(path: Path) -> Any:
    try:
        return json.loads(_text(path))
    except ValueError:
        return None


def _text(path: Path) -> str:
    return path.read_bytes().decode(errors="replace")
