"""What is shown of segments and indexes, held against what Kafka's tools and an independent reader said of them."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from kfast.log.dump import Entry, dump, is_invalid

WHOLE = [
    "01-plain",
    "02-codecs",
    "03-edge-records",
    "04-log-append-time",
    "05-idempotent",
    "06-transactions",
    "07-compaction",
    "08-deleted",
    "09-groups",
    "10-crash",
    "11-time-index",
    "12-kraft",
]
"""The archives that nobody damaged."""

BATCH_KEYS = {
    "type", "file", "base_offset", "last_offset", "count", "base_sequence", "last_sequence", "producer_id",
    "producer_epoch", "partition_leader_epoch", "is_transactional", "is_control", "delete_horizon_ms", "position",
    "timestamp_type", "max_timestamp_ms", "size_bytes", "magic", "compression", "crc", "is_valid",
}  # fmt: skip


def blob(text: str | None) -> bytes:
    if text is None:
        return struct.pack(">i", -1)
    data = base64.b64decode(text)
    return struct.pack(">i", len(data)) + data


def digest(entries: list[Entry]) -> list[Any]:
    """Return [count, SHA-256] over the data records, as the golden files' README defines it."""
    sha, count, is_control = hashlib.sha256(), 0, False
    for entry in entries:
        if entry["type"] == "batch":
            is_control = entry["is_control"]
        elif entry["type"] == "record" and not is_control:
            count += 1
            sha.update(struct.pack(">qq", entry["offset"], entry["timestamp_ms"]))
            sha.update(blob(entry["key"]) + blob(entry["value"]) + struct.pack(">i", len(entry["headers"])))
            for name, value in entry["headers"]:
                encoded = name.encode()
                sha.update(struct.pack(">i", len(encoded)) + encoded + blob(value))
    return [count, sha.hexdigest()]


def of_type(entries: list[Entry], kind: str, path: Path) -> list[Entry]:
    return [entry for entry in entries if entry["type"] == kind and entry["file"] == str(path)]


def index_facts(entries: list[Entry]) -> dict[str, Any]:
    values = [
        [entry["offset"], entry["position"]] if "position" in entry else [entry["timestamp_ms"], entry["offset"]]
        for entry in entries
    ]
    return {"entries": len(values), "sha256": hashlib.sha256(json.dumps(values).encode()).hexdigest()}


@pytest.mark.parametrize("case", WHOLE)
def test_kafkas_partitions_are_shown_as_they_are(golden: Any, case: str) -> None:
    for logdir, facts in golden.manifest["cases"][case]["logdirs"].items():
        for name, partition in facts["partitions"].items():
            directory = golden(case) / logdir / name
            entries = list(dump([directory], deep=True))
            assert not any(map(is_invalid, entries))
            assert json.loads(json.dumps(entries)) == entries
            if "digest_on_disk" in partition:
                assert digest(entries) == partition["digest_on_disk"]
            for stem, segment in partition["segments"].items():
                assert_segment(directory / stem, entries, segment)
            assert_snapshots(directory, entries, partition.get("snapshots", {}))
            summary = entries[-1]
            assert (summary["type"], summary["directory"], summary["errors"]) == ("summary", str(directory), 0)
            assert summary["segments"] == len(partition["segments"])
            assert summary["batches"] == sum(segment["batches"] for segment in partition["segments"].values())
            assert summary["size_bytes"] == sum(segment["bytes"] for segment in partition["segments"].values())
            assert summary["next_offset"] == (partition["end_offset"] or 0)


def assert_segment(stem: Path, entries: list[Entry], facts: dict[str, Any]) -> None:
    assert len(of_type(entries, "batch", stem.with_suffix(".log"))) == facts["batches"]
    for kind, suffix in (("offset_index_entry", "index"), ("time_index_entry", "timeindex")):
        assert index_facts(of_type(entries, kind, stem.with_suffix(f".{suffix}"))).items() <= facts[suffix].items()
    aborted = of_type(entries, "aborted_transaction", stem.with_suffix(".txnindex"))
    names = ("version", "producer_id", "first_offset", "last_offset", "last_stable_offset")
    assert [[entry[name] for name in names] for entry in aborted] == facts.get("txnindex", [])


def assert_snapshots(directory: Path, entries: list[Entry], facts: dict[str, Any]) -> None:
    for name, expected in facts.items():
        shown = [
            {
                "producer_id": entry["producer_id"],
                "producer_epoch": entry["producer_epoch"],
                "coordinator_epoch": entry["coordinator_epoch"],
                "last_seq": entry["last_sequence"],
                "last_offset": entry["last_offset"],
                "offset_delta": entry["offset_delta"],
                "last_timestamp": entry["last_timestamp_ms"],
                "current_txn_first_offset": -1 if (first := entry["transaction_first_offset"]) is None else first,
            }
            for entry in of_type(entries, "producer", directory / name)
        ]
        assert by_id(shown) == by_id(expected)


def by_id(producers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(producers, key=lambda producer: producer["producer_id"])


@pytest.mark.parametrize("case", WHOLE)
def test_a_whole_log_directory_ends_with_what_it_came_to(golden: Any, case: str) -> None:
    for logdir, facts in golden.manifest["cases"][case]["logdirs"].items():
        entries = list(dump([golden(case) / logdir]))
        assert not any(map(is_invalid, entries))
        summaries = [entry for entry in entries if entry["type"] == "summary"]
        assert {Path(summary["directory"]).name for summary in summaries} >= {logdir, *facts["partitions"]}
        assert summaries[-1] is entries[-1]
        assert summaries[-1]["batches"] == sum(summary["batches"] for summary in summaries[:-1])
        assert summaries[-1]["partitions"] == len(summaries) - 1


def test_a_batch_is_shown_with_all_its_fields(golden: Any) -> None:
    names = golden.manifest["batch_header_fields"]
    compared = 0
    for case in WHOLE:
        for logdir, facts in golden.manifest["cases"][case]["logdirs"].items():
            for name, partition in facts["partitions"].items():
                for stem, segment in partition["segments"].items():
                    path = golden(case) / logdir / name / f"{stem}.log"
                    batches = [entry for entry in dump([path]) if entry["type"] == "batch"]
                    for entry, header in zip(batches, segment["first_batches"], strict=False):
                        facts_of_batch = dict(zip(names, header, strict=True))
                        expected = {ours: facts_of_batch[theirs] for theirs, ours in SHOWN_AS.items()}
                        assert set(entry) == BATCH_KEYS
                        assert {key: entry[key] for key in expected} == expected
                        is_log_append_time = facts_of_batch["log_append_time"]
                        assert entry["timestamp_type"] == ("LogAppendTime" if is_log_append_time else "CreateTime")
                        compared += 1
    assert compared > 50


SHOWN_AS = {
    "position": "position",
    "base_offset": "base_offset",
    "last_offset": "last_offset",
    "size": "size_bytes",
    "count": "count",
    "magic": "magic",
    "crc": "crc",
    "valid": "is_valid",
    "codec": "compression",
    "transactional": "is_transactional",
    "control": "is_control",
    "max_timestamp": "max_timestamp_ms",
    "producer_id": "producer_id",
    "producer_epoch": "producer_epoch",
    "base_sequence": "base_sequence",
    "leader_epoch": "partition_leader_epoch",
}

DAMAGE: dict[str, dict[tuple[str, int], str]] = {
    "as-it-is": {},
    "bad-snapshot": {("00000000000000000560.snapshot", 0): "CRC 0xcef25601"},
    "flip-last-segment": {("00000000000000000560.log", 6249): "CRC"},
    "flip-middle-segment": {("00000000000000000263.log", 7203): "CRC"},
    "garbage-tail": {("00000000000000000560.log", 7317): "100 bytes"},
    "leftovers": {},
    "no-index": {},
    "no-snapshots": {},
    "no-timeindex": {},
    "short-index": {
        ("00000000000000000263.index", 0): "5 bytes",
        ("00000000000000000560.index", 8): "4 bytes",
    },
    "swap": {},
    "swap-and-original": {},
    "torn-12": {("00000000000000000560.log", 7040): "11 bytes"},
    "torn-header": {("00000000000000000560.log", 7040): "30 bytes"},
    "torn-records": {("00000000000000000560.log", 7040): "276 bytes"},
    "zero-tail": {("00000000000000000560.log", 7317): "4096 bytes"},
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named_and_all_else_is_shown(golden: Any, name: str) -> None:
    directory = golden(f"10-crash-{name}") / "damaged" / "crash-0"
    entries = list(dump([directory]))
    errors = {(Path(e["file"]).name, e["position"]): e["reason"] for e in entries if e["type"] == "error"}
    assert set(errors) == set(DAMAGE[name])
    for place, words in DAMAGE[name].items():
        assert words in errors[place]
    facts = golden.manifest["cases"][f"10-crash-{name}"]["logdirs"]["damaged"]["partitions"]["crash-0"]
    assert entries[-1]["batches"] == sum(segment["batches"] for segment in facts["segments"].values())
    assert entries[-1]["errors"] == len(DAMAGE[name])
    assert sum(entry.get("is_valid") is False for entry in entries) == sum(
        segment["bad_crc"] for segment in facts["segments"].values()
    )


def test_a_garbage_index_is_held_against_the_log(golden: Any) -> None:
    directory = golden("10-crash-garbage-index") / "damaged" / "crash-0"
    path = directory / "00000000000000000000.index"
    entries = list(dump([path]))
    assert sum(entry["type"] == "offset_index_entry" for entry in entries) == 10
    reasons = [entry["reason"] for entry in entries if entry["type"] == "error"]
    assert reasons[0] == "no batch at position 2071690107 of the log ends at offset 2071690107"
    assert all("does not rise" in reason for reason in reasons[1:])


def test_time_index_entries_are_held_against_the_log(open_log: Any, make_batch: Any) -> None:
    log = open_log(index_interval_bytes=0)
    for timestamp_ms in (1000, 2000, 3000):
        log.append(make_batch(2, timestamp_ms=timestamp_ms))
    log.close()
    path = Path(log.segments[0].time_index.path)
    assert not any(map(is_invalid, dump([log.directory])))
    assert [entry["type"] for entry in dump([log.directory], indexes_only=True)] == ["summary"]
    path.write_bytes(struct.pack(">qiqiqi", 1500, 1, 2000, 2, 1999, 5))
    errors = [(entry["position"], entry["reason"]) for entry in dump([path]) if entry["type"] == "error"]
    assert errors == [
        (0, "no batch of the log that ends at offset 1 has timestamp 1500"),
        (12, "no batch of the log that ends at offset 2 has timestamp 2000"),
        (24, "(1999, 5) does not rise from (2000, 2)"),
    ]
    entries = list(dump([log.directory], indexes_only=True))
    assert [entry["type"] for entry in entries] == ["error", "error", "error", "summary"]
    assert (entries[-1]["batches"], entries[-1]["next_offset"], entries[-1]["errors"]) == (None, None, 3)
    Path(log.segments[0].records.path).unlink()
    assert [entry["position"] for entry in dump([path]) if entry["type"] == "error"] == [24]


def test_records_that_cannot_be_read_do_not_hide_the_rest(golden: Any) -> None:
    path = golden("10-crash-flip-middle-segment") / "damaged" / "crash-0" / "00000000000000000263.log"
    entries = list(dump([path], deep=True))
    reasons = [entry["reason"] for entry in entries if entry["type"] == "error"]
    assert len(reasons) == 2
    assert "lz4" in reasons[1]
    assert entries[-1]["offset"] == 559


def test_a_log_that_goes_back_is_named(open_log: Any, make_batch: Any) -> None:
    log = open_log()
    log.append(make_batch(3))
    path = Path(log.segments[0].records.path)
    path.write_bytes(path.read_bytes() * 2)
    errors = [(entry["position"], entry["reason"]) for entry in dump([path]) if entry["type"] == "error"]
    assert errors == [(path.stat().st_size // 2, "base offset 0 is below 3, which is where the log has come to")]


def test_segments_that_overlap_are_named(open_log: Any, make_batch: Any) -> None:
    log = open_log()
    log.append(make_batch(3))
    path = Path(log.segments[0].records.path)
    second = path.with_name(f"{2:020d}.log")
    second.write_bytes(b"")
    errors = [entry for entry in dump([log.directory]) if entry["type"] == "error"]
    assert [(entry["file"], entry["reason"]) for entry in errors] == [
        (str(second), "the segment begins at offset 2, and the one before it ends at 3")
    ]


def test_directories_stand_for_all_that_is_in_them_but_what_is_passing(
    open_log: Any, make_batch: Any, tmp_path: Path
) -> None:
    for name in ("orders-0", "orders-1"):
        log = open_log(tmp_path / name)
        log.append(make_batch(1))
        (log.directory / "notes.txt").write_text("not ours")
        (log.directory / "server.log").write_text("not batches")
        (log.directory / "00000000000000000000.log.deleted").write_text("not batches")
    (tmp_path / "replication-offset-checkpoint").write_text("0\n1\norders 0 1\n")
    entries = [entry for entry in dump([tmp_path]) if entry["type"] != "leader_epoch"]
    assert [Path(entry.get("file") or entry["directory"]).relative_to(tmp_path).parts for entry in entries] == [
        ("replication-offset-checkpoint",),
        ("orders-0", "00000000000000000000.log"),
        ("orders-0",),
        ("orders-1", "00000000000000000000.log"),
        ("orders-1",),
        (),
    ]


def test_files_that_are_missing_or_foreign_are_named(tmp_path: Path) -> None:
    foreign = tmp_path / "notes.txt"
    foreign.write_text("x")
    nameless = tmp_path / "my.index"
    nameless.write_bytes(bytes(8))
    missing = tmp_path / "00000000000000000000.log"
    entries = list(dump([foreign, nameless, missing]))
    assert [(entry["type"], entry["file"]) for entry in entries] == [
        ("error", str(foreign)),
        ("error", str(nameless)),
        ("error", str(missing)),
    ]
    assert "no such file" in entries[2]["reason"]
    assert all(map(is_invalid, entries))


def test_a_directory_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_log: Any, make_batch: Any
) -> None:
    log = open_log(tmp_path / "orders-0")
    log.append(make_batch(1))
    (tmp_path / "secret-0").mkdir()
    iterdir = Path.iterdir

    def denied(path: Path) -> Any:
        if path.name == "secret-0":
            raise PermissionError(13, "Permission denied")
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", denied)
    entries = list(dump([tmp_path]))
    assert [(entry["file"], entry["reason"]) for entry in entries if entry["type"] == "error"] == [
        (str(tmp_path / "secret-0"), "Permission denied")
    ]
    assert (entries[-1]["errors"], entries[-1]["batches"]) == (1, 1)


def test_what_a_broker_removes_meanwhile_is_passed_over(open_log: Any, make_batch: Any) -> None:
    log = open_log(segment_bytes=300)
    for _ in range(3):
        log.append(make_batch(1))
    log.close()
    entries = dump([log.directory])
    next(entries)
    removed = Path(log.segments[1].records.path)
    removed.unlink()
    found = list(entries)
    assert not [entry for entry in found if is_invalid(entry) and entry["file"] == str(removed)]
    assert found[-1]["batches"] == 2


def test_where_indexes_alone_are_asked_for_a_log_is_passed_over(open_log: Any, make_batch: Any) -> None:
    log = open_log()
    log.append(make_batch(1))
    assert list(dump([log.segments[0].records.path], indexes_only=True)) == []


def test_files_are_only_read(open_log: Any, make_batch: Any) -> None:
    log = open_log()
    log.append(make_batch(1))
    log.close()
    for path in log.directory.iterdir():
        path.chmod(0o444)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in log.directory.iterdir()}
    assert not any(map(is_invalid, dump([log.directory], deep=True)))
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in log.directory.iterdir()} == before


def test_an_unfinished_snapshot_of_the_metadata_log_is_named(golden: Any, tmp_path: Path) -> None:
    data = (golden("12-kraft") / "log" / "bootstrap.checkpoint").read_bytes()
    path = tmp_path / f"{71:020d}-{3:010d}.checkpoint"
    path.write_bytes(data)
    assert not any(map(is_invalid, dump([path], deep=True)))
    footer = [entry["position"] for entry in dump([path]) if entry["is_control"]][-1]
    path.write_bytes(data[:footer])
    (error,) = [entry for entry in dump([path]) if is_invalid(entry)]
    assert "footer" in error["reason"]
