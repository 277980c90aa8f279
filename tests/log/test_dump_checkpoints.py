"""The text files of a log directory: what Kafka wrote is shown, and what it would not read is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kfast.log.dump import Entry, dump, is_invalid


def shown(path: Path) -> list[Entry]:
    """The entries of a file, without its name."""
    return [{name: value for name, value in entry.items() if name != "file"} for entry in dump([path])]


def test_the_files_of_kafkas_log_directories_are_shown_as_they_are(golden: Any) -> None:
    compared = 0
    for case, facts in golden.manifest["cases"].items():
        for logdir, of_logdir in facts["logdirs"].items():
            for name, text in of_logdir["root_files"].items():
                if not name.endswith("-offset-checkpoint"):
                    continue
                lines = [f"{e['topic']} {e['partition']} {e['offset']}" for e in dump([golden(case) / logdir / name])]
                assert lines == text.splitlines()[2:]
                compared += 1
    assert compared > 100


def test_whose_directory_it_is_and_how_it_was_left(golden: Any) -> None:
    directory = golden("12-kraft") / "log"
    assert shown(directory / "meta.properties") == [
        {
            "type": "meta_properties",
            "cluster_id": "GorPxrYhRXe04ZUaJ0GI5w",
            "node_id": 1,
            "directory_id": "imUaqx20AuCztA8b8Hlomw",
        }
    ]
    assert shown(directory / ".kafka_cleanshutdown") == [{"type": "clean_shutdown", "version": 0, "broker_epoch": 11}]
    (quorum,) = shown(directory / "__cluster_metadata-0" / "quorum-state")
    assert (quorum["type"], quorum["leaderId"], quorum["currentVoters"]) == ("quorum_state", 1, [{"voterId": 1}])


def test_the_directory_of_a_cluster_with_zookeeper_is_shown_too(tmp_path: Path) -> None:
    path = tmp_path / "meta.properties"
    path.write_text("#\n#Sat Mar 12 04:24:19 GMT 2022\nbroker.id=1\nversion=0\ncluster.id=GorPxrYhRXe04ZUaJ0GI5w\n")
    assert shown(path) == [{"type": "meta_properties", "cluster_id": "GorPxrYhRXe04ZUaJ0GI5w", "node_id": 1}]
    path.write_text("version=0\n")
    assert [is_invalid(entry) for entry in dump([path])] == [True]


def test_which_topic_a_partition_is_of_and_who_led_it(golden: Any) -> None:
    directory = golden("12-kraft") / "log" / "__cluster_metadata-0"
    assert shown(directory / "partition.metadata") == [
        {"type": "partition_metadata", "version": "0", "topic_id": "AAAAAAAAAAAAAAAAAAAAAQ"}
    ]
    assert shown(directory / "leader-epoch-checkpoint") == [{"type": "leader_epoch", "epoch": 1, "start_offset": 0}]


@pytest.mark.parametrize(
    ("name", "text", "position", "words"),
    [
        ("cleaner-offset-checkpoint", "1\n0\n", 0, "version '1'"),
        ("cleaner-offset-checkpoint", "0\n2\norders 0 5\n", 2, "2 entries; 1 lie there"),
        ("cleaner-offset-checkpoint", "0\n1\norders 0 5\norders x 5\n", 15, "'orders x 5' is no entry"),
        ("cleaner-offset-checkpoint", "0\n1\n\xff\n", 4, "is no entry"),
        ("leader-epoch-checkpoint", "0\n2\n3 10\n2 20\n", None, "epoch 2 from offset 20 on does not follow (3, 10)"),
        ("partition.metadata", "version: 0\ntopic_id: short", 11, "'short' is no id"),
        ("partition.metadata", "version: 1\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ", 0, "version 1"),
        ("meta.properties", "version=1\nnode.id=x\ncluster.id=y\n", 0, "'x'"),
        ("quorum-state", "{", 0, "no JSON object"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, text: str, position: int | None, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode("latin-1"))
    errors = [entry for entry in dump([path]) if is_invalid(entry)]
    assert [(error["file"], error["position"]) for error in errors[:1]] == [(str(path), position)]
    assert words in errors[0]["reason"]


def test_what_an_early_crash_leaves_empty_is_not_wrong(tmp_path: Path) -> None:
    for name in ("recovery-point-offset-checkpoint", "log-start-offset-checkpoint", ".kafka_cleanshutdown"):
        (tmp_path / name).write_bytes(b"")
        assert not any(map(is_invalid, dump([tmp_path / name])))
