"""Names of files and directories in a log directory, and what they say.

    orders-0/00000000000000000042.log        topic "orders", partition 0, the segment whose first offset is 42
    orders-0.5d41402abc4b2a76b9719d911017c592-delete/        a partition waiting to be removed

Topic names may contain dots and dashes, so a directory's name is split at its last dash. Source: Kafka's LocalLog.
"""

from __future__ import annotations

import re
import uuid
from typing import Final

LOG_SUFFIX: Final = ".log"
OFFSET_INDEX_SUFFIX: Final = ".index"
TIME_INDEX_SUFFIX: Final = ".timeindex"
TRANSACTION_INDEX_SUFFIX: Final = ".txnindex"
SNAPSHOT_SUFFIX: Final = ".snapshot"

SEGMENT_SUFFIXES: Final = (LOG_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX)
"""Of the files that make up one segment."""

DELETED_SUFFIX: Final = ".deleted"
CLEANED_SUFFIX: Final = ".cleaned"
SWAP_SUFFIX: Final = ".swap"

DELETE_DIRECTORY_SUFFIX: Final = "-delete"
STRAY_DIRECTORY_SUFFIX: Final = "-stray"

PARTITION_METADATA: Final = "partition.metadata"
LEADER_EPOCH_CHECKPOINT: Final = "leader-epoch-checkpoint"

CLUSTER_METADATA_DIRECTORY: Final = "__cluster_metadata-0"
"""Of the log that says which partitions there are: not one of them, and always checked when it is opened."""

MAX_NAME_SIZE: Final = 255
"""Bytes of the longest file name on common file systems."""

_FILE_NAME: Final = re.compile(r"(\d{20})(\.[a-z]+)")
_PARTITION_DIRECTORY: Final = re.compile(r"(.+)-(\d+)", re.ASCII)
_PASSING_DIRECTORY: Final = re.compile(rf".+\.[0-9a-f]{{32}}({DELETE_DIRECTORY_SUFFIX}|{STRAY_DIRECTORY_SUFFIX})")


def file_path(directory: str, base_offset: int, suffix: str) -> str:
    """Where the file of a segment lies: 20 digits, so that names sort as offsets do."""
    return f"{directory}/{base_offset:020d}{suffix}"


def parse_file_name(name: str) -> tuple[int, str] | None:
    """Return (base offset, suffix) of a segment's or snapshot's file; None of any other."""
    match = _FILE_NAME.fullmatch(name)
    return (int(match[1]), match[2]) if match else None


def partition_directory_name(topic: str, partition: int) -> str:
    return f"{topic}-{partition}"


def parse_partition_directory(name: str) -> tuple[str, int] | None:
    """Return (topic, partition); None of a directory that is being deleted or is no partition's."""
    match = _PARTITION_DIRECTORY.fullmatch(name)
    return (match[1], int(match[2])) if match else None


def delete_directory_name(topic: str, partition: int) -> str:
    """A new name for a partition's directory, never used before, cut to what a file system takes."""
    suffix = f"-{partition}.{uuid.uuid4().hex}{DELETE_DIRECTORY_SUFFIX}"
    return topic[: MAX_NAME_SIZE - len(suffix)] + suffix


def stray_directory_name(topic: str, partition: int) -> str:
    """Likewise, for a directory that is put aside because it belongs to another topic of the same name."""
    suffix = f"-{partition}.{uuid.uuid4().hex}{STRAY_DIRECTORY_SUFFIX}"
    return topic[: MAX_NAME_SIZE - len(suffix)] + suffix


def is_delete_directory(name: str) -> bool:
    """Whether it is what `delete_directory_name` makes: a partition that is being removed."""
    match = _PASSING_DIRECTORY.fullmatch(name)
    return match is not None and match[1] == DELETE_DIRECTORY_SUFFIX
