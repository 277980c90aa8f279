"""Names of files and directories, both ways."""

from __future__ import annotations

import pytest

from kfast.log import names


def test_file_names_sort_as_offsets_do() -> None:
    paths = [names.file_path("d", offset, ".log") for offset in (9, 10, 2**62)]
    assert paths == sorted(paths)
    assert paths[0] == "d/00000000000000000009.log"


@pytest.mark.parametrize("suffix", [*names.SEGMENT_SUFFIXES, names.SNAPSHOT_SUFFIX])
def test_file_names_are_parsed(suffix: str) -> None:
    assert names.parse_file_name(f"00000000000000000042{suffix}") == (42, suffix)


@pytest.mark.parametrize(
    "name",
    [
        "42.log",
        "00000000000000000042.log.deleted",
        "00000000000000000000-0000000000.checkpoint",
        "partition.metadata",
        "0000000000000000004².log",
        "",
    ],
)
def test_other_file_names_are_not(name: str) -> None:
    assert names.parse_file_name(name) is None


@pytest.mark.parametrize("topic", ["orders", "a-b", "a.b", "orders-1", "-"])
def test_partition_directories_split_at_the_last_dash(topic: str) -> None:
    name = names.partition_directory_name(topic, 12)
    assert names.parse_partition_directory(name) == (topic, 12)


@pytest.mark.parametrize("name", ["orders", "-3", "orders-", "orders-x", "orders-²", ".lock"])
def test_other_directories_are_no_partitions(name: str) -> None:
    assert names.parse_partition_directory(name) is None


def test_a_directory_that_is_being_deleted_is_no_partition() -> None:
    for topic in ("orders", "x" * 249):
        deleted, stray = names.delete_directory_name(topic, 3), names.stray_directory_name(topic, 3)
        assert names.is_delete_directory(deleted)
        assert not names.is_delete_directory(stray)
        for name in (deleted, stray):
            assert len(name) <= names.MAX_NAME_SIZE
            assert names.parse_partition_directory(name) is None
    assert not names.is_delete_directory("orders-delete")
    assert names.delete_directory_name("a", 0) != names.delete_directory_name("a", 0)
