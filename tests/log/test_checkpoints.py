"""Small text files: as Kafka writes them, and what is made of broken ones."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from kfast.errors import LogDirectoryError
from kfast.log.checkpoints import (
    MetaProperties,
    OffsetCheckpoint,
    read_partition_metadata,
    write_partition_metadata,
)


def test_offsets_come_back_and_look_like_kafkas(tmp_path: Path) -> None:
    checkpoint = OffsetCheckpoint(tmp_path / "recovery-point-offset-checkpoint")
    assert checkpoint.read() == {}
    checkpoint.write({("orders", 10): 5, ("orders", 2): 2**62, ("a-b.c", 0): 0})
    assert checkpoint.path.read_text() == f"0\n3\na-b.c 0 0\norders 2 {2**62}\norders 10 5\n"
    assert checkpoint.read() == {("orders", 10): 5, ("orders", 2): 2**62, ("a-b.c", 0): 0}
    checkpoint.write({})
    assert checkpoint.path.read_text() == "0\n0\n"
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.path.name]


def test_a_file_without_bytes_holds_nothing(tmp_path: Path) -> None:
    """An early crash of Kafka leaves it so."""
    path = tmp_path / "log-start-offset-checkpoint"
    path.touch()
    assert OffsetCheckpoint(path).read() == {}


@pytest.mark.parametrize(
    "text", ["0\n", "1\n0\n", "0\n2\na 0 1\n", "0\n1\na 0\n", "0\n1\na x 1\n", "junk", "0\n1\na 0 1 2\n"]
)
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "checkpoint"
    path.write_text(text)
    with pytest.raises(LogDirectoryError, match="checkpoint"):
        OffsetCheckpoint(path).read()


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    for name, read in (
        ("checkpoint", lambda path: OffsetCheckpoint(path).read()),
        ("meta.properties", MetaProperties.read),
    ):
        (tmp_path / name).write_bytes(b"0\n1\n\xff 0 1\n")
        with pytest.raises(LogDirectoryError, match=name):
            read(tmp_path / name)


def test_kafkas_files_are_read(golden: Any) -> None:
    directory = golden("08-deleted") / "log"
    starts = OffsetCheckpoint(directory / "log-start-offset-checkpoint").read()
    partitions = golden.manifest["cases"]["08-deleted"]["logdirs"]["log"]["partitions"]
    assert starts
    for (topic, partition), offset in starts.items():
        assert partitions[f"{topic}-{partition}"]["log_start_offset"] == offset
    topics = golden.manifest["cases"]["08-deleted"]["topics"]
    properties = MetaProperties.read(directory / "meta.properties")
    assert properties.node_id == 1
    for name in topics:
        topic_id = read_partition_metadata(directory / f"{name}-0")
        assert topic_id is not None
        write_partition_metadata(directory.parent, topic_id)
        written = (directory.parent / "partition.metadata").read_bytes()
        assert written == (directory / f"{name}-0" / "partition.metadata").read_bytes()


def test_meta_properties_come_back(tmp_path: Path) -> None:
    path = tmp_path / "meta.properties"
    for directory_id in (uuid.uuid4(), None):
        properties = MetaProperties("not-a-uuid but fine", 7, directory_id)
        properties.write(path)
        assert MetaProperties.read(path) == properties


@pytest.mark.parametrize(
    "text", ["", "version=1\ncluster.id=x\n", "cluster.id=x\nnode.id=one\n", "cluster.id=x\nnode.id=1\ndirectory.id=?"]
)
def test_meta_properties_that_say_too_little_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "meta.properties"
    path.write_text(text)
    with pytest.raises(LogDirectoryError, match=r"meta\.properties"):
        MetaProperties.read(path)


def test_partition_metadata_may_be_missing_but_not_broken(tmp_path: Path) -> None:
    assert read_partition_metadata(tmp_path) is None
    for text in ("", "version: 0\n", "junk", "version: 0\ntopic_id: junk"):
        (tmp_path / "partition.metadata").write_text(text)
        with pytest.raises(LogDirectoryError, match=rf"partition\.metadata: its {len(text)} bytes .+ name no topic id"):
            read_partition_metadata(tmp_path)
