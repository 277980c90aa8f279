"""Compaction held against what Apache Kafka made of the same log directories, byte for byte."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from kfast.clock import ManualClock
from kfast.log.cleanable import cleanable
from kfast.log.cleaner import Cleaner, CleanReport
from kfast.log.compaction import ENTRY_BYTES
from kfast.log.config import LogConfig
from kfast.log.file_pool import FilePool
from kfast.log.file_records import FileRecords
from kfast.log.log import Log
from kfast.log.names import SEGMENT_SUFFIXES
from kfast.log.segment import LogSegment
from kfast.record.batch import RecordBatch
from kfast.record.batches import iter_batches
from kfast.record.builder import RecordBatchBuilder
from kfast.record.record import Record

TOPICS = ["age", "idem", "keep", "lz4", "now", "txn"]


def log_config(configs: dict[str, str]) -> LogConfig:
    return LogConfig(
        segment_bytes=int(configs["internal.segment.bytes"]),
        index_interval_bytes=int(configs["index.interval.bytes"]),
        segment_ms=int(configs["segment.ms"]),
        retention_ms=-1,
        delete_retention_ms=int(configs["delete.retention.ms"]),
        file_delete_delay_ms=int(configs["file.delete.delay.ms"]),
        cleanup_policy=frozenset(configs["cleanup.policy"].split(",")),
    )


def cleaning_time_ms(directory: Path, delete_retention_ms: int) -> int | None:
    """When Kafka cleaned it, by the delete horizons that it set."""
    pool = FilePool(is_read_only=True)
    horizons = [
        batch.delete_horizon_ms
        for path in directory.glob("*.log")
        for _, batch in FileRecords(str(path), pool, path.stat().st_size).batches()
    ]
    known = [horizon for horizon in horizons if horizon is not None]
    return max(known) - delete_retention_ms if known else None


def segment_files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.suffix in SEGMENT_SUFFIXES}


@pytest.mark.parametrize("topic", TOPICS)
def test_one_pass_makes_kafkas_files(golden: Any, tmp_path: Path, topic: str) -> None:
    facts = golden.manifest["cases"]["07-compaction"]
    config = log_config(facts["topics"][topic]["configs"])
    before, after = (golden("07-compaction") / name / f"{topic}-0" for name in ("before", "after"))
    now_ms = cleaning_time_ms(after, config.delete_retention_ms)
    directory = tmp_path / f"{topic}-0"
    shutil.copytree(before, directory)
    log = Log.open(directory, config, clock=ManualClock(now_ms or 1_795_392_700_000), was_clean=True)

    report = Cleaner(log._clock).clean(cleanable(log, None, log._clock.now_ms()))

    checkpoint = facts["logdirs"]["after"]["root_files"]["cleaner-offset-checkpoint"]
    assert f"\n{topic} 0 {report.end_offset}\n" in checkpoint
    made, expected = segment_files(directory), segment_files(after)
    assert sorted(made) == sorted(expected)
    for name in expected:
        if topic == "lz4" and name.endswith(".log"):  # another encoder packs the same records differently
            assert list(map(unpacked, iter_batches(made[name]))) == list(map(unpacked, iter_batches(expected[name])))
        elif topic != "lz4" or not name.endswith("index"):
            assert made[name] == expected[name], name
    assert {path.name for path in directory.glob("*.snapshot")} == {path.name for path in after.glob("*.snapshot")}


def unpacked(batch: RecordBatch) -> tuple[Any, ...]:
    header = (batch.base_offset, batch.last_offset, batch.attributes, batch.base_timestamp_ms, batch.max_timestamp_ms)
    return (*header, [(one.offset, one.timestamp_ms, one.key, one.value, one.headers) for one in batch.records()])


# What stays


def compacted(open_log: Any, **config: Any) -> Log:
    return open_log(
        cleanup_policy=frozenset({"compact"}), **{"segment_bytes": 600, "index_interval_bytes": 200, **config}
    )


def put(log: Log, **values: bytes | None) -> None:
    """Append one batch with these keys and values."""
    builder = RecordBatchBuilder()
    for key, value in values.items():
        builder.append(key.encode(), value, log._clock.now_ms())
    log.append(builder.build())


def records(log: Log) -> list[Record]:
    found, offset = [], log.log_start_offset
    while (data := log.read(offset, 1 << 20).records.read()) != b"":
        for batch in iter_batches(data):
            assert batch.is_valid()
            found += [record for record in batch.records() if record.offset >= offset]
            next_offset = batch.next_offset
        offset = next_offset
    return found


def contents(log: Log) -> dict[bytes, bytes | None]:
    """The last value of each key that has one."""
    values = {bytes(one.key): None if one.value is None else bytes(one.value) for one in records(log)}
    return {key: value for key, value in values.items() if value is not None}


def clean(log: Log, checkpoint: int | None = None, **arguments: Any) -> CleanReport:
    return Cleaner(log._clock, **arguments).clean(cleanable(log, checkpoint, log._clock.now_ms()))


def fill(log: Log, rounds: int = 30, keys: int = 5, size: int = 30) -> None:
    for number in range(rounds):
        put(log, **{f"key{number % keys}": b"%d" % number + bytes(size), "same": b"%d" % number})
    log.roll()


def test_of_each_key_the_last_record_stays_at_its_offset(open_log: Any) -> None:
    log = compacted(open_log)
    fill(log)
    before, last = contents(log), {bytes(record.key): record.offset for record in records(log)}
    report = clean(log)
    assert contents(log) == before
    assert {bytes(record.key): record.offset for record in records(log)} == last
    assert len(records(log)) == len(last)
    assert (report.end_offset, log.log_end_offset, log.log_start_offset) == (60, 60, 0)
    assert report.bytes_after < report.bytes_before
    assert log.append(make_one()).first_offset == 60


def make_one(key: bytes = b"k") -> bytearray:
    builder = RecordBatchBuilder()
    builder.append(key, b"v", 1)
    return builder.build()


def test_a_tombstone_stays_for_delete_retention_ms_after_its_first_pass(open_log: Any, clock: ManualClock) -> None:
    log = compacted(open_log, delete_retention_ms=1000)
    put(log, gone=b"value", stays=b"value")
    put(log, gone=None)
    log.roll()
    clean(log)
    assert [(record.key, record.value) for record in records(log)] == [(b"stays", b"value"), (b"gone", None)]
    clock.advance(999)
    put(log, other=b"value")
    log.roll()
    end_offset = clean(log, 3).end_offset
    assert [bytes(record.key) for record in records(log)] == [b"stays", b"gone", b"other"]
    clock.advance(1)
    put(log, third=b"value")
    log.roll()
    clean(log, end_offset)
    assert [bytes(record.key) for record in records(log)] == [b"stays", b"other", b"third"]


def test_what_the_map_has_no_room_for_waits_for_the_next_pass(open_log: Any) -> None:
    log = compacted(open_log)
    fill(log, keys=30)
    before = contents(log)
    checkpoint: int | None = None
    end_offsets = []
    while checkpoint != 60:
        checkpoint = clean(log, checkpoint, dedupe_buffer_bytes=8 * ENTRY_BYTES).end_offset
        end_offsets.append(checkpoint)
        assert contents(log) == before
    assert len(end_offsets) > 3
    assert len(records(log)) == len(before)


def test_the_active_segment_an_open_transaction_and_new_records_are_not_touched(
    open_log: Any, clock: ManualClock
) -> None:
    log = compacted(open_log, min_compaction_lag_ms=1000)
    fill(log)
    assert cleanable(log, None, clock.now_ms()).segments == ()
    clock.advance(1001)
    put(log, last=b"value")
    assert cleanable(log, None, clock.now_ms()).segments == log.segments[:-1]
    builder = RecordBatchBuilder(producer_id=1, producer_epoch=0, base_sequence=0, is_transactional=True)
    builder.append(b"key0", b"open", clock.now_ms())
    log.append(builder.build())
    log.roll()
    put(log, last=b"value")
    log.roll()
    log.update_config(dataclasses.replace(log.config, min_compaction_lag_ms=0))
    what = cleanable(log, None, clock.now_ms())
    assert what.first_uncleanable_offset == 60
    assert what.segments[-1].base_offset < 60 == what.first_uncleanable_offset


def test_small_neighbours_are_merged_into_one_segment(open_log: Any) -> None:
    log = compacted(open_log, segment_bytes=1000)
    fill(log)
    clean(log)
    put(log, new=b"value")
    log.roll()
    clean(log, 60)
    assert len(log.segments) == 2
    assert log.segments[0].base_offset == 0
    names = {path.name for path in log.directory.iterdir() if not path.name.endswith(".deleted")}
    assert {name for name in names if name.endswith(".log")} == {f"{offset:020d}.log" for offset in (0, 61)}


def test_what_was_replaced_leaves_the_disk_later(open_log: Any, clock: ManualClock) -> None:
    log = compacted(open_log, file_delete_delay_ms=500)
    fill(log)
    in_flight = log.read(0, 1 << 20).records
    expected = in_flight.read()
    clean(log)
    assert list(log.directory.glob("*.log.deleted"))
    clock.advance(500)
    assert not list(log.directory.glob("*.deleted"))
    assert in_flight.read() == expected


def test_a_lookup_by_time_and_the_modification_time_outlive_cleaning(open_log: Any, clock: ManualClock) -> None:
    log = compacted(open_log)
    for number in range(20):
        put(log, **{f"key{number % 3}": b"%d" % number})
        clock.advance(10)
    log.roll()
    for segment in log.segments[:-1]:  # one that is emptied counts as late as its file
        segment.records.set_modified_ms(segment.first_timestamp_ms())
    modified_ms = log.segments[-2].records.modified_ms()
    clean(log)
    assert log.segments[-2].records.modified_ms() == modified_ms
    for record in records(log):
        assert log.offset_for_timestamp(record.timestamp_ms) == (record.timestamp_ms, record.offset, 0)


def test_a_reader_that_cleaning_overtakes_reads_on(open_log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its segment's path is another file's by the time it opens it: what it found must not be believed."""
    log = compacted(open_log)
    fill(log)
    translate_offset = LogSegment.translate_offset
    was_cleaned = False

    def overtaken(self: LogSegment, *arguments: int) -> Any:
        nonlocal was_cleaned
        found = translate_offset(self, *arguments)
        if not was_cleaned:
            was_cleaned = True
            clean(log)
        return found

    last = {bytes(record.key): record.offset for record in records(log)}
    monkeypatch.setattr(LogSegment, "translate_offset", overtaken)
    first = next(iter_batches(log.read(0, 1 << 20).records.read()))
    assert next(first.records()).offset == min(last.values())


def test_readers_see_whole_batches_while_it_is_cleaned(open_log: Any) -> None:
    log = compacted(open_log)
    fill(log, rounds=50, keys=10)
    expected = contents(log)
    stop = threading.Event()
    errors: list[BaseException] = []

    def read() -> None:
        try:
            while not stop.is_set():
                assert contents(log) == expected
        except BaseException as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    checkpoint = None
    for number in range(6):
        checkpoint = clean(log, checkpoint).end_offset
        put(log, **{key.decode(): value for key, value in list(expected.items())[number % 3 :]})
        log.roll()
    stop.set()
    for reader in readers:
        reader.join()
    assert not errors


# Crashes


def test_a_crash_at_any_step_leaves_the_old_segments_or_the_new(
    open_log: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = compacted(open_log)
    fill(log, rounds=12)
    fill(log, rounds=6, keys=3)
    before, end_offset = contents(log), log.log_end_offset
    crashes: list[Path] = []

    def crash_after(name: str) -> Any:
        real = getattr(os, name)

        def step(*arguments: Any, **named: Any) -> Any:
            result = real(*arguments, **named)
            crashes.append(tmp_path / f"crash-{len(crashes)}")
            shutil.copytree(log.directory, crashes[-1])
            return result

        return step

    with monkeypatch.context() as patch:
        for name in ("replace", "fsync"):
            patch.setattr(os, name, crash_after(name))
        clean(log)
    assert len(crashes) > 30
    counts = set()
    for directory in crashes:
        again = Log.open(directory, log.config)
        assert contents(again) == before
        assert again.log_end_offset == end_offset
        counts.add(len(records(again)))
        again.close()
        assert not [path for path in directory.iterdir() if path.suffix in (".cleaned", ".swap", ".deleted")]
    assert len(counts) > 1  # some were old, some new


def test_a_disk_that_takes_no_more_leaves_the_log_as_it_was(open_log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    log = compacted(open_log)
    fill(log)
    before = contents(log)
    pwrite = os.pwrite

    def full(fd: int, data: Any, position: int) -> int:
        if os.readlink(f"/proc/self/fd/{fd}").endswith(".cleaned"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return pwrite(fd, data, position)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="No space left"):
            clean(log)
    assert contents(log) == before
    assert not list(log.directory.glob("*.cleaned"))
    clean(log)
    assert contents(log) == before


def test_names_that_cannot_be_changed_any_more_are_changed_by_the_next_start(
    open_log: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log = compacted(open_log)
    fill(log)
    before = contents(log)
    replace = os.replace

    def fails(source: str | Path, target: str | Path) -> None:
        if Path(target).suffix in (".deleted", ".log"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fails)
        clean(log)
        assert contents(log) == before
    assert "but not its name" in caplog.text
    assert list(log.directory.glob("*.swap"))
    log.close()
    again = Log.open(log.directory, log.config)
    assert contents(again) == before
    assert len(records(again)) == len(before)
    assert not list(log.directory.glob("*.swap"))
