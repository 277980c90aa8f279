"""Segments with messages of versions 0 and 1, held against what Apache Kafka made of each.

data/golden/13-old-messages.tar.gz holds them, and in facts.json Kafka's records, dumps, recovery and look-ups.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kfast.clock import ManualClock
from kfast.errors import KafkaStorageError
from kfast.log.cleanable import cleanable
from kfast.log.cleaner import Cleaner
from kfast.log.compaction import CleanedTransactions, OffsetMap, RecordFilter
from kfast.log.config import LogConfig
from kfast.log.dump import Entry, dump, is_invalid, to_line
from kfast.log.dump_entries import to_base64
from kfast.log.file_pool import FilePool
from kfast.log.file_records import FileRecords
from kfast.log.leader_epochs import LeaderEpochs
from kfast.log.log import Log
from kfast.log.producer_state import ProducerStates
from kfast.log.segment import LogSegment
from kfast.record.batch import RecordBatch
from kfast.record.batches import iter_batches
from kfast.record.record import Record

CONFIG = LogConfig(index_interval_bytes=150, segment_index_bytes=10_000)
"""As Kafka's indexes were made."""

READS_FOR_OFFSETS = {"wrapper-null", "wrapper-empty", "wrapper-no-bytes", "wrapper-not-gzip"}
"""Kafka unpacks wrappers to find an offset, and fails at these; kfast goes by their headers."""

TOO_SMALL = {"v2-too-small", "v2-too-small-at-end"}
"""A batch smaller than its own header: Kafka walks on by its size, kfast ends there."""


@pytest.fixture(scope="module")
def archive(golden: Any) -> Path:
    return Path(golden("13-old-messages"))


@pytest.fixture(scope="module")
def facts(archive: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((archive / "facts.json").read_text())
    return loaded


def log_of(archive: Path, case: str) -> Path:
    (path,) = (archive / "log" / f"{case}-0").glob("*.log")
    return path


def dumped(path: Path) -> list[tuple[Entry, list[Entry], list[Entry]]]:
    """The batches of a file, each with its records and with what is wrong with it."""
    batches: list[tuple[Entry, list[Entry], list[Entry]]] = []
    for entry in dump([path], deep=True):
        if entry["type"] == "batch":
            batches.append((entry, [], []))
        elif entry["type"] == "record":
            batches[-1][1].append(entry)
        elif batches and entry["position"] == batches[-1][0]["position"] and "has come to" not in entry["reason"]:
            batches[-1][2].append(entry)  # of offsets that go back Kafka's tool says nothing
    return batches


PRINTED = ["last_offset", "position", "timestamp_type", "max_timestamp_ms", "size_bytes", "magic", "compression", "crc"]
HEADER = ["position", "size_bytes", "magic", "last_offset", "max_timestamp_ms", "timestamp_type", "crc", "is_valid"]


def test_batches_and_records_are_shown_as_kafka_reads_them(archive: Path, facts: dict[str, Any]) -> None:
    for case, fact in facts.items():
        if case in TOO_SMALL or case.startswith("magic-minus"):
            continue  # nor does Kafka say anything of a magic below 0
        ours = dumped(log_of(archive, case))
        assert len(ours) == len(fact["batches"]), case
        for (batch, records, errors), theirs in zip(ours, fact["batches"], strict=True):
            assert [batch[name] for name in HEADER] == [theirs[name] for name in HEADER], (case, batch)
            assert batch["compression"] == theirs.get("compression", "unknown"), (case, batch)
            found = [[record[name] for name in ("offset", "timestamp_ms", "key", "value")] for record in records]
            assert found == [record[:4] for record in theirs["records"]], (case, batch)
            if batch["magic"] < 2:
                found = [[record["crc"], record["is_valid"]] for record in records]
                assert found == [record[4:] for record in theirs["records"]], (case, batch)
            if "error" not in theirs:
                assert batch["base_offset"] == theirs["base_offset"], (case, batch)
            is_wrong = "error" in theirs or "header_error" in theirs or not theirs["is_valid"]
            assert bool(errors) is is_wrong, (case, batch, errors)


def test_batches_are_shown_as_kafkas_tool_prints_them(archive: Path, facts: dict[str, Any]) -> None:
    line = re.compile(
        r"(?:offset|baseOffset: -?\d+ lastOffset): (-?\d+) .*?position: (\d+) (\w+): (-?\d+) size: (\d+) "
        r"magic: (\d+) compresscodec: (\w+) crc: (\d+) isvalid: (\w+)"
    )
    for case, fact in facts.items():
        theirs = [found.groups() for text in fact["dump"] if (found := line.match(text))]
        if case in TOO_SMALL:
            continue
        ours = [
            (*(str(batch[name]) for name in PRINTED), str(batch["is_valid"]).lower())
            for batch, *_ in dumped(log_of(archive, case))
        ]
        assert ours[: len(theirs)] == theirs, case  # it ends where it cannot read on, and kfast does not
        assert len(theirs) == len(ours) or fact["dump"][-1].startswith("raised "), case


def test_what_is_no_batch_is_said_where_kafka_stops(archive: Path, facts: dict[str, Any]) -> None:
    for case, fact in facts.items():
        path = log_of(archive, case)
        size = path.stat().st_size
        if case in TOO_SMALL:
            continue
        end = fact["walked_bytes"]
        at_end = [entry for entry in dump([path]) if entry["type"] == "error" and entry["position"] >= end]
        assert len(at_end) == (end < size), case
        for entry in at_end:
            assert (entry["position"], int(entry["reason"].split()[0])) == (end, size - end)


def recovered(archive: Path, case: str, directory: Path) -> tuple[LogSegment, str | None]:
    path = log_of(archive, case)
    directory.mkdir()
    shutil.copy(path, directory)
    segment = LogSegment(str(directory), int(path.stem), FilePool(), CONFIG)
    return segment, segment.recover(ProducerStates(), LeaderEpochs(str(directory)))


def test_recovery_cuts_where_kafka_does_and_makes_its_indexes(
    archive: Path, facts: dict[str, Any], tmp_path: Path
) -> None:
    for case, fact in facts.items():
        theirs = fact["recovery"]
        if "error" in theirs:
            with pytest.raises(KafkaStorageError, match="the batch at position 0 ends at offset 90, which a segment"):
                recovered(archive, case, tmp_path / case)
            continue
        segment, reason = recovered(archive, case, tmp_path / case)
        assert segment.size_bytes == theirs["size_bytes"], case
        assert bool(reason) is bool(theirs["truncated_bytes"]), case
        assert segment.max_timestamp().timestamp_ms == theirs["max_timestamp_ms"], case
        assert (case in READS_FOR_OFFSETS) is ("next_offset" not in theirs), case
        if "next_offset" in theirs:
            assert segment.next_offset() == theirs["next_offset"], case
        for index, name in ((segment.offset_index, "index"), (segment.time_index, "time_index")):
            assert Path(index.path).read_bytes().hex() == theirs[name], (case, name)


@pytest.mark.parametrize("case", ["mixed", "gaps", "v0-gzip", "v1-none", "times-out-of-order", "large"])
def test_indexes_fit_the_messages_they_were_made_from(archive: Path, tmp_path: Path, case: str) -> None:
    recovered(archive, case, tmp_path / case)
    entries = list(dump([tmp_path / case]))
    assert [entry for entry in entries if is_invalid(entry)] == []
    assert {"offset_index_entry", "batch"} <= {entry["type"] for entry in entries}


def test_offsets_and_times_are_found_where_kafka_finds_them(
    archive: Path, facts: dict[str, Any], tmp_path: Path
) -> None:
    for case, fact in facts.items():
        theirs = fact["recovery"]
        if "error" in theirs or any("error" in batch for batch in fact["batches"]):
            continue  # Kafka fails where it has to unpack what cannot be
        segment, _ = recovered(archive, case, tmp_path / case)
        end = segment.size_bytes
        for offset, position, size in theirs.get("offsets", ()):
            found = segment.translate_offset(offset, end)
            assert found == (None if position is None else (position, size)), (case, offset)
        if case == "wrapper-offset-0":
            continue  # its header says less than it holds
        for timestamp_ms, start_offset, answer in theirs.get("times", ()):
            found_time = segment.find_timestamp(timestamp_ms, start_offset)
            if isinstance(answer, str):
                continue  # of a magic below 0 Kafka finds no time
            assert (found_time and list(found_time[:2])) == answer, (case, timestamp_ms, start_offset)


class Keeper(RecordFilter):
    """Keeps the records at some offsets, whatever their keys: what stays of a batch then is compaction's business."""

    def __init__(self, is_kept: Callable[[int], bool]) -> None:
        super().__init__(OffsetMap(1000), CleanedTransactions(), (), 2**62, 1_500_001_000_000, 1000)
        self._is_kept = is_kept

    def _stays(self, batch: RecordBatch, record: Record) -> bool:
        return self._is_kept(record.offset)


@pytest.mark.parametrize(("kept", "is_kept"), [("kept_all", lambda _: True), ("kept_even", lambda n: n % 2 == 0)])
def test_compaction_writes_what_it_keeps_in_the_version_of_today(
    archive: Path, facts: dict[str, Any], kept: str, is_kept: Callable[[int], bool]
) -> None:
    for case, fact in facts.items():
        if isinstance(fact[kept], str) or case == "inner-v0-in-v1-append-time":
            continue  # Kafka fails at it; or gives records without a timestamp one
        path = log_of(archive, case)
        batches = FileRecords(str(path), FilePool(), path.stat().st_size).batches()
        left = [found for _, batch in batches if (found := Keeper(is_kept).filter(batch)) is not None]
        assert len(left) == len(fact[kept]), case
        for batch, theirs in zip(map(RecordBatch, left), fact[kept], strict=True):
            ours = {
                "magic": batch.magic,
                "base_offset": batch.base_offset,
                "last_offset": batch.last_offset,
                "count": batch.count,
                "timestamp_type": batch.timestamp_type.text,
                "max_timestamp_ms": batch.max_timestamp_ms,
                "compression": batch.compression.text,
                "base_timestamp_ms": batch.base_timestamp_ms,
                "leader_epoch": batch.partition_leader_epoch,
                "delete_horizon_ms": batch.delete_horizon_ms,
                "records": [
                    [record.offset, record.timestamp_ms, to_base64(record.key), to_base64(record.value)]
                    for record in batch.records()
                ],
            }
            assert ours == theirs, (case, batch)


def test_a_log_of_three_versions_is_compacted(archive: Path, facts: dict[str, Any], tmp_path: Path) -> None:
    shutil.copy(log_of(archive, "mixed"), tmp_path)
    clock = ManualClock(1_600_000_000_000)
    log = Log.open(tmp_path, LogConfig(cleanup_policy=frozenset({"compact"})), clock=clock)
    log.roll()
    report = Cleaner(clock).clean(cleanable(log, None, clock.now_ms()))
    assert (report.end_offset, len(log.segments)) == (1047, 2)
    batches = list(iter_batches(log.read(1000, 1 << 20).records.read()))
    assert {batch.magic for batch in batches} == {2}
    left = [[record.offset, record.timestamp_ms] for batch in batches for record in batch.records()]
    before = [record[:4] for batch in facts["mixed"]["batches"] for record in batch["records"]]
    last_of_each = {key: [offset, timestamp_ms] for offset, timestamp_ms, key, _ in before}
    assert left == sorted(last_of_each.values())
    log.close()


def test_a_log_of_three_versions_is_opened_read_as_it_is_and_appended_to(
    archive: Path, facts: dict[str, Any], tmp_path: Path, make_batch: Any
) -> None:
    path = log_of(archive, "mixed")
    whole = path.read_bytes()
    for was_clean in (True, False):
        directory = tmp_path / f"orders-{was_clean:d}"
        directory.mkdir()
        shutil.copy(path, directory)
        log = Log.open(directory, was_clean=was_clean)
        assert (log.log_start_offset, log.log_end_offset, log.size_bytes) == (1000, 1047, len(whole))
        assert log.append(make_batch(2)).first_offset == 1047
        data = log.read(1000, 1 << 20).records.read()
        records = [record for batch in iter_batches(data) for record in batch.records()]
        assert data[: len(whole)] == whole
        assert [record.offset for record in records] == list(range(1000, 1049))
        within = log.read(1007, 1 << 20).records  # in a compressed message of version 0
        assert within.position == facts["mixed"]["batches"][5]["position"]
        found = log.offset_for_timestamp(1_500_000_010_150)
        assert found is not None
        assert found[:2] == (1_500_000_010_150, 1015)
        log.close()


def test_old_messages_are_shown_as_such(archive: Path) -> None:
    lines = [to_line(entry) for entry in dump([log_of(archive, "inner-crc")], deep=True)]
    assert lines[:3] == [
        "batch  1..2  2 records  position 0  92 bytes  gzip  CreateTime 1500000000002 magic 1",
        "  record  1  1500000000000  null  'a'",
        "  record  2  1500000000001  null  'b'  INVALID",
    ]
    lines = [to_line(entry) for entry in dump([log_of(archive, "wrapper-not-gzip")])]
    assert lines[0] == "batch  2..2  ? records  position 0  50 bytes  gzip  CreateTime 1500000000002 magic 1"
