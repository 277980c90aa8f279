"""The log as its users see it: what is appended is read, in Kafka's bytes; retention and flushes happen."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

import kfast
from kfast.clock import ManualClock
from kfast.errors import (
    CorruptRecordError,
    InvalidRecordError,
    KafkaStorageError,
    OffsetOutOfRangeError,
    RecordBatchTooLargeError,
    RecordTooLargeError,
)
from kfast.log.config import LogConfig
from kfast.log.file_pool import FilePool
from kfast.log.file_records import FileRecords
from kfast.log.log import Log
from kfast.log.log_reader import LogReader
from kfast.log.names import LEADER_EPOCH_CHECKPOINT, LOG_SUFFIX, SEGMENT_SUFFIXES, SNAPSHOT_SUFFIX
from kfast.log.results import TimestampAndOffset
from kfast.log.segment import LogSegment
from kfast.record.batch import RecordBatch
from kfast.record.batches import iter_batches
from kfast.record.layout import TimestampType

CONFIG_FIELDS = {
    "index.interval.bytes": "index_interval_bytes",
    "internal.segment.bytes": "segment_bytes",
    "segment.ms": "segment_ms",
}

FILE_SUFFIXES = (*SEGMENT_SUFFIXES, SNAPSHOT_SUFFIX)

GOLDEN_CASES = ["01-plain", "02-codecs", "03-edge-records", "05-idempotent", "06-transactions", "11-time-index"]


def golden_partitions(golden: Any, case: str) -> list[tuple[Path, LogConfig, dict[str, Any]]]:
    """Return (directory, config, facts) of each partition of a case's topics."""
    found = []
    facts = golden.manifest["cases"][case]
    for name, partition in facts["logdirs"]["log"]["partitions"].items():
        topic = facts["topics"].get(name.rpartition("-")[0])
        if topic is not None:
            fields = {CONFIG_FIELDS[key]: int(value) for key, value in topic["configs"].items() if key in CONFIG_FIELDS}
            found.append((golden(case) / "log" / name, LogConfig(max_message_bytes=1 << 30, **fields), partition))
    assert found
    return found


def log_batches(directory: Path) -> list[RecordBatch]:
    pool = FilePool(is_read_only=True)
    paths = sorted(directory.glob("*.log"))
    return [batch for path in paths for _, batch in FileRecords(str(path), pool, path.stat().st_size).batches()]


def read_all(log: Log, max_bytes: int = 1 << 20) -> list[RecordBatch]:
    batches, offset = [], log.log_start_offset
    while offset < log.log_end_offset:
        for batch in iter_batches(log.read(offset, max_bytes).records.read()):
            batches.append(batch)
            offset = batch.next_offset
    return batches


# The same bytes as Kafka


@pytest.mark.parametrize("case", GOLDEN_CASES)
def test_appending_kafkas_batches_again_makes_kafkas_files(golden: Any, tmp_path: Path, case: str) -> None:
    for directory, config, _ in golden_partitions(golden, case):
        log = Log.open(tmp_path / case / directory.name, config)
        for batch in log_batches(directory):
            info = log.append(bytes(batch.buffer), leader_epoch=batch.partition_leader_epoch)
            assert (info.first_offset, info.last_offset) == (batch.base_offset, batch.last_offset)
        log.close()
        names = {path.name for path in directory.iterdir() if path.suffix in FILE_SUFFIXES}
        assert {path.name for path in log.directory.iterdir()} - {LEADER_EPOCH_CHECKPOINT} == names
        for name in names:
            assert (log.directory / name).read_bytes() == (directory / name).read_bytes(), f"{directory.name}/{name}"


@pytest.mark.parametrize("case", [*GOLDEN_CASES, "08-deleted"])
def test_offsets_are_found_where_kafka_finds_them(golden: Any, tmp_path: Path, case: str) -> None:
    for name, logdir in golden.manifest["cases"][case]["logdirs"].items():
        for partition, facts in logdir["partitions"].items():
            if not facts.get("lookups"):
                continue
            directory = tmp_path / case / name / partition
            shutil.copytree(golden(case) / name / partition, directory)
            log_start_offset = facts.get("log_start_offset") or 0
            log = Log.open(directory, log_start_offset=log_start_offset, was_clean=True)  # with Kafka's own indexes
            assert log.log_end_offset == facts["end_offset"]
            for target, entry_offset, entry_position, base_offset, position, size in facts["lookups"]:
                segment = max((s for s in log.segments if s.base_offset <= target), key=lambda s: s.base_offset)
                assert segment.offset_index.lookup(target) == (entry_offset, entry_position)
                found = segment.translate_offset(target, segment.size_bytes)
                assert found == (None if position is None else (position, size))
                if position is not None and target >= log.log_start_offset:
                    batch = RecordBatch(log.read(target, 1).records.read())
                    assert (batch.base_offset, batch.size_bytes) == (base_offset, size)


@pytest.mark.parametrize("case", ["11-time-index", "03-edge-records", "04-log-append-time", "01-plain"])
def test_timestamps_are_found_where_kafka_finds_them(golden: Any, tmp_path: Path, case: str) -> None:
    answered = 0
    for directory, config, facts in golden_partitions(golden, case):
        shutil.copytree(directory, tmp_path / directory.name)
        log = Log.open(tmp_path / directory.name, config)
        for asked, offset, timestamp_ms, epoch in facts.get("offsets_for_timestamps", []):
            expected = TimestampAndOffset(timestamp_ms, offset, epoch) if offset >= 0 else None
            assert log.offset_for_timestamp(asked) == expected
            answered += 1
        if facts.get("max_timestamp"):
            offset, timestamp_ms, epoch = facts["max_timestamp"]
            expected = TimestampAndOffset(timestamp_ms, offset, epoch) if offset >= 0 else None
            assert log.max_timestamp() == expected
    assert answered or case != "11-time-index"


# Append


def test_it_works_with_only_a_directory(tmp_path: Path, make_batch: Any) -> None:
    log = kfast.Log.open(tmp_path / "orders-0")
    log.append(make_batch(3))
    assert [batch.count for batch in read_all(log)] == [3]
    log.close()
    assert kfast.Log.open(tmp_path / "orders-0").log_end_offset == 3


def test_append_stamps_offsets_and_epoch_and_nothing_else(open_log: Any, make_batch: Any) -> None:
    log = open_log()
    log.append(make_batch(5))
    sent = bytes(make_batch(2) + make_batch(3))
    info = log.append(bytearray(sent), leader_epoch=7)
    assert (info.first_offset, info.last_offset, info.log_append_time_ms) == (5, 9, -1)
    written = log.read(5, 1 << 20).records.read()
    first, second = iter_batches(written)
    assert (first.base_offset, second.base_offset) == (5, 7)
    assert {first.partition_leader_epoch, second.partition_leader_epoch} == {7}
    assert first.is_valid()
    assert second.is_valid()
    unstamped = bytearray(written)
    for batch, position in ((first, 0), (second, first.size_bytes)):
        assert position + batch.size_bytes <= len(sent)
        unstamped[position : position + 8] = sent[position : position + 8]
        unstamped[position + 12 : position + 16] = sent[position + 12 : position + 16]
    assert unstamped == sent


def test_a_read_only_buffer_is_not_written_to(open_log: Any, make_batch: Any) -> None:
    log = open_log()
    log.append(make_batch(5))
    sent = bytes(make_batch())
    kept = bytes(bytearray(sent))
    log.append(memoryview(sent))
    assert sent == kept
    assert RecordBatch(log.read(5, 1).records.read()).base_offset == 5


def test_a_writable_buffer_is_stamped_in_place(open_log: Any, make_batch: Any) -> None:
    log = open_log()
    log.append(make_batch(5))
    buffer = make_batch()
    log.append(memoryview(buffer))
    assert RecordBatch(buffer).base_offset == 5


def test_log_append_time_is_the_clocks(open_log: Any, make_batch: Any, clock: Any) -> None:
    log = open_log(message_timestamp_type=TimestampType.LOG_APPEND_TIME)
    info = log.append(make_batch(2, timestamp_ms=5) + make_batch(1, timestamp_ms=6))
    assert info.log_append_time_ms == clock.now_ms()
    for batch in read_all(log):
        assert batch.is_valid()
        assert batch.timestamp_type is TimestampType.LOG_APPEND_TIME
        assert {record.timestamp_ms for record in batch.records()} == {clock.now_ms()}
    assert log.max_timestamp() == (clock.now_ms(), 0, 0)


def test_what_is_refused_leaves_no_trace(open_log: Any, make_batch: Any) -> None:
    log = open_log(segment_bytes=5000, max_message_bytes=1000, cleanup_policy=frozenset({"compact"}))
    log.append(make_batch(1))
    size = log.size_bytes
    damaged = make_batch(1)
    damaged[-1] ^= 1
    for records, error in (
        (damaged, CorruptRecordError),
        (make_batch(1)[:-1], CorruptRecordError),
        (make_batch(1) + b"x", CorruptRecordError),
        (b"", CorruptRecordError),
        (make_batch(1, size=2000), RecordTooLargeError),
        (make_batch(1) * 40, RecordBatchTooLargeError),
        (make_batch(1, key=None), InvalidRecordError),
    ):
        with pytest.raises(error, match=r"\d"):
            log.append(records)
    assert (log.log_end_offset, log.size_bytes) == (1, size)
    assert log.append(make_batch(1)).first_offset == 1


def test_a_full_disk_leaves_no_trace(open_log: Any, make_batch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write may stop half way; the next one covers what it left, and a batch keeps its offset."""
    log = open_log(index_interval_bytes=0)
    log.append(make_batch(2))
    real_pwrite = os.pwrite
    failing_files: list[str] = []

    def pwrite(fd: int, data: Any, position: int) -> int:
        if os.readlink(f"/proc/self/fd/{fd}").endswith(failing_files[0]):
            if len(data) > 50:
                return real_pwrite(fd, bytes(data)[:50], position)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real_pwrite(fd, data, position)

    monkeypatch.setattr(os, "pwrite", pwrite)
    for name in (".log", ".timeindex"):
        failing_files[:] = [name]
        with pytest.raises(KafkaStorageError, match="No space left"):
            log.append(make_batch(1, timestamp_ms=1_700_000_000_001))
        assert log.log_end_offset == 2
    monkeypatch.undo()
    assert log.append(make_batch(1)).first_offset == 2
    log.close()
    assert [batch.base_offset for batch in log_batches(log.directory)] == [0, 2]
    assert len(log.segments[0].offset_index) == 1


def test_a_disk_that_does_not_flush_takes_no_more(
    open_log: Any, make_batch: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The kernel reports a lost page once, and calls it clean from then on: a later fsync that succeeds is no proof."""
    log = open_log(flush_messages=2)
    log.append(make_batch(2))
    monkeypatch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output error")))
    with pytest.raises(KafkaStorageError, match="Input/output error"):
        log.append(make_batch(2))
    monkeypatch.undo()
    for refused in (lambda: log.append(make_batch(2)), log.flush, log.close):
        with pytest.raises(KafkaStorageError, match="Input/output error"):
            refused()
    assert (log.log_end_offset, log.recovery_point) == (4, 2)
    assert len(log.read(2, 1000).records) == len(make_batch(2))
    log.delete()


# Roll


def test_a_roll_that_fails_leaves_no_segment_behind(
    open_log: Any, make_batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty .log would hide, at the next start, what went into the segment before it meanwhile."""
    log = open_log(segment_bytes=1000)
    log.append(make_batch(1, size=500))
    create = FilePool.create

    def failing(self: FilePool, path: str) -> Any:
        if path.endswith(".index"):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return create(self, path)

    monkeypatch.setattr(FilePool, "create", failing)
    with pytest.raises(KafkaStorageError, match="Too many open files"):
        log.append(make_batch(1, size=600))
    monkeypatch.undo()
    assert log.append(make_batch(1, size=100)).first_offset == 1
    assert open_log().log_end_offset == 2  # as after kill -9: nothing was closed
    assert log.append(make_batch(1, size=600)).first_offset == 2


def test_it_rolls_by_size_and_by_the_records_own_time(open_log: Any, make_batch: Any) -> None:
    one = len(make_batch(1))
    log = open_log(segment_bytes=3 * one, segment_ms=1000)
    for _ in range(4):
        log.append(make_batch(1, timestamp_ms=5000))
    assert [segment.base_offset for segment in log.segments] == [0, 3]
    log.append(make_batch(1, timestamp_ms=6000))
    assert len(log.segments) == 2
    log.append(make_batch(1, timestamp_ms=6001))
    assert [segment.base_offset for segment in log.segments] == [0, 3, 5]


@pytest.mark.parametrize(("jitter_ms", "most_ms"), [(300, 300), (5000, 1000)])
def test_jitter_makes_each_segment_roll_earlier_by_its_own_draw(
    open_log: Any, make_batch: Any, monkeypatch: pytest.MonkeyPatch, jitter_ms: int, most_ms: int
) -> None:
    asked, draws = [], iter([200, 299, 0, 7])

    def draw(stop: int) -> int:
        asked.append(stop)
        return next(draws)

    monkeypatch.setattr("kfast.log.config.randrange", draw)
    log = open_log(segment_ms=1000, segment_jitter_ms=jitter_ms, retention_ms=-1)
    for timestamp_ms in (0, 800, 801, 1502, 1503, 2503, 2504):
        log.append(make_batch(1, timestamp_ms=timestamp_ms))
    assert [segment.base_offset for segment in log.segments] == [0, 2, 4, 6]  # 800, 701 and 1000 ms were the limits
    assert asked == [most_ms] * 4


def test_records_without_timestamps_roll_by_the_clock_from_each_segments_beginning_on(
    open_log: Any, make_batch: Any, clock: ManualClock
) -> None:
    log = open_log(segment_ms=1000)
    for _ in range(7):
        log.append(make_batch(1, timestamp_ms=-1))
        clock.advance(501)
    assert [segment.base_offset for segment in log.segments] == [0, 2, 4, 6]


def test_without_jitter_nothing_is_drawn(open_log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("kfast.log.config.randrange")
    assert len(open_log().segments) == 1


def test_it_rolls_when_an_index_is_full(open_log: Any, make_batch: Any) -> None:
    log = open_log(segment_index_bytes=24, index_interval_bytes=0)  # three offset entries, one time entry and the last
    for number in range(6):
        log.append(make_batch(1, timestamp_ms=1000 + number))
    assert [segment.base_offset for segment in log.segments] == [0, 2, 4]


def test_roll_of_an_empty_segment_does_nothing(open_log: Any, make_batch: Any) -> None:
    log = open_log()
    log.roll()
    assert len(log.segments) == 1
    log.append(make_batch(1))
    log.roll()
    log.roll()
    assert [segment.base_offset for segment in log.segments] == [0, 1]


# Read


def test_every_offset_is_found_from_any_start(open_log: Any, make_batch: Any) -> None:
    log = open_log(segment_bytes=3000, index_interval_bytes=300)
    for number in range(60):
        log.append(make_batch(1 + number % 4))
    for offset in range(log.log_end_offset):
        batch = RecordBatch(log.read(offset, 1).records.read())
        assert batch.base_offset <= offset <= batch.last_offset
    assert [batch.count for batch in read_all(log, 500)] == [1 + number % 4 for number in range(60)]


def test_the_first_batch_comes_whole_whatever_the_limit(open_log: Any, make_batch: Any) -> None:
    log = open_log()
    first, second = make_batch(1, size=5000), make_batch(1, size=50)
    log.append(first)
    log.append(second)
    assert len(log.read(0, 1).records) == len(first)
    assert len(log.read(0, len(first) + 10).records) == len(first) + 10
    assert len(log.read(0, 10, min_one_batch=False).records) == 0
    assert len(log.read(0, 1 << 20).records) == len(first) + len(second)


def test_at_the_end_there_is_an_empty_slice_and_beyond_it_an_error(open_log: Any, make_batch: Any) -> None:
    log = open_log()
    assert len(log.read(0, 1000).records) == 0
    log.append(make_batch(3))
    found = log.read(3, 1000)
    assert (len(found.records), found.high_watermark, found.last_stable_offset, found.log_start_offset) == (0, 3, 3, 0)
    for offset in (-1, 4):
        with pytest.raises(OffsetOutOfRangeError, match=rf"offset {offset} is not within 0\.\.3"):
            log.read(offset, 1000)


def test_a_read_stops_where_it_is_told_to(open_log: Any, make_batch: Any) -> None:
    log = open_log(segment_bytes=800)
    sizes = [len(make_batch(2))] * 10
    for _ in sizes:
        log.append(make_batch(2))
    assert len(log.segments) > 2
    for up_to in range(0, 22, 2):
        offset, total = 0, 0
        while len(slice_ := log.read(offset, 1 << 20, up_to=up_to).records):
            total += len(slice_)
            offset = list(iter_batches(slice_.read()))[-1].next_offset
        assert (offset, total) == (up_to, sum(sizes[: up_to // 2]))


def test_an_index_that_leads_astray_is_passed_over(open_log: Any, make_batch: Any) -> None:
    log = open_log(index_interval_bytes=300)
    for _ in range(20):
        log.append(make_batch(1))
    log.close()
    index = Path(log.segments[0].offset_index.path)
    index.write_bytes(bytes.fromhex("00000003 00000123 00000007 00000777".replace(" ", "")))
    again = open_log(index_interval_bytes=300, log_arguments={"recovery_point": 20, "was_clean": True})
    assert again.log_end_offset == 20
    for offset in range(20):
        assert RecordBatch(again.read(offset, 1).records.read()).base_offset == offset


def test_a_read_that_retention_overtakes_skips_nothing(
    open_log: Any, make_batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = len(make_batch(1))
    log = open_log(segment_bytes=one, retention_bytes=one)
    for _ in range(3):
        log.append(make_batch(1))
    find = LogReader._find

    def overtaken(self: Log, *place: Any) -> Any:
        found = find(self, *place)
        if not self._lock.locked():
            self.delete_old_segments()
        return found

    monkeypatch.setattr(LogReader, "_find", overtaken)
    with pytest.raises(OffsetOutOfRangeError, match=r"2\.\.3"):
        log.read(0, 1000)


def test_looking_for_a_time_passes_over_what_retention_deletes_meanwhile(
    open_log: Any, make_batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = len(make_batch(1))
    log = open_log(segment_bytes=one, retention_bytes=one, retention_ms=-1)
    for number in range(3):
        log.append(make_batch(1, timestamp_ms=number))
    find_timestamp = LogSegment.find_timestamp

    def overtaken(self: LogSegment, *arguments: int) -> TimestampAndOffset | None:
        if not log._lock.locked():
            log.delete_old_segments()
        return find_timestamp(self, *arguments)

    monkeypatch.setattr(LogSegment, "find_timestamp", overtaken)
    assert log.offset_for_timestamp(0) == (2, 2, 0)


# Flush


def test_flush_messages_is_followed_live(open_log: Any, make_batch: Any) -> None:
    log = open_log(flush_messages=3)
    for end, flushed in ((1, 0), (2, 0), (3, 3), (4, 3)):
        log.append(make_batch(1))
        assert (log.log_end_offset, log.recovery_point) == (end, flushed)
    assert log.unflushed_bytes == len(make_batch(1))
    log.update_config(LogConfig(flush_messages=1))
    log.append(make_batch(1))
    assert (log.recovery_point, log.unflushed_bytes) == (5, 0)


def test_a_flush_costs_one_fsync_and_a_new_segment_a_few_more(
    open_log: Any, make_batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_log(flush_messages=1, index_interval_bytes=0)
    synced: list[str] = []
    real_fsync = os.fsync

    def fsync(fd: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{fd}"))
        synced.append(path.suffix[1:] or path.name)
        real_fsync(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    log.append(make_batch(1))
    assert synced[0] == "log"
    synced.clear()
    log.append(make_batch(1))
    assert synced == ["log"]
    log.roll()
    log.append(make_batch(1))
    synced.clear()
    log.append(make_batch(1))
    assert synced == ["log"]
    log.close()
    assert synced == ["log", "index", "timeindex", "snapshot", "orders-0"]


def test_flush_ms_is_followed_live(open_log: Any, make_batch: Any, clock: Any) -> None:
    log = open_log(flush_ms=1000)
    log.append(make_batch(1))
    clock.advance(999)
    assert log.recovery_point == 0
    log.append(make_batch(1))
    clock.advance(1)
    assert log.recovery_point == 2
    clock.advance(5000)
    log.append(make_batch(1))
    log.update_config(LogConfig(flush_ms=10))
    clock.advance(10)
    assert log.recovery_point == 3
    log.update_config(LogConfig())
    log.append(make_batch(1))
    clock.advance(1_000_000)
    assert log.recovery_point == 3
    log.update_config(LogConfig(flush_ms=10))
    clock.advance(10)
    assert log.recovery_point == 4


def test_a_rolled_segment_is_flushed_off_the_produce_path(open_log: Any, make_batch: Any, clock: Any) -> None:
    log = open_log(segment_bytes=2 * len(make_batch(1)))
    for _ in range(3):
        log.append(make_batch(1))
    assert (log.recovery_point, log.unflushed_bytes) == (0, log.size_bytes)
    clock.advance(0)
    assert (log.recovery_point, log.unflushed_bytes) == (2, len(make_batch(1)))


# Retention


def test_retention_by_size_and_by_start_offset(open_log: Any, make_batch: Any) -> None:
    one = len(make_batch(1))
    log = open_log(segment_bytes=2 * one, retention_bytes=3 * one)
    for _ in range(9):
        log.append(make_batch(1))
    assert log.delete_old_segments() == 3
    assert (log.log_start_offset, log.size_bytes) == (6, 3 * one)
    with pytest.raises(OffsetOutOfRangeError):
        log.read(5, 1000)
    log.increment_log_start_offset(7)
    assert log.delete_old_segments() == 0
    log.increment_log_start_offset(9)
    assert log.delete_old_segments() == 1
    assert (log.log_start_offset, log.segments[0].base_offset, log.log_end_offset) == (9, 8, 9)
    with pytest.raises(OffsetOutOfRangeError, match="offset 10 is not within"):
        log.increment_log_start_offset(10)


def test_retention_by_time_rolls_the_active_segment(open_log: Any, make_batch: Any, clock: Any) -> None:
    log = open_log(retention_ms=1000)
    log.append(make_batch(2, timestamp_ms=clock.now_ms()))
    clock.advance(1000)
    assert log.delete_old_segments() == 0
    clock.advance(1)
    assert log.delete_old_segments() == 1
    assert (log.log_start_offset, log.log_end_offset, log.size_bytes) == (2, 2, 0)
    clock.advance(log.config.file_delete_delay_ms)
    assert sorted(path.name for path in log.directory.iterdir()) == [
        f"{2:020d}{suffix}" for suffix in (".index", ".log", ".snapshot", ".timeindex")
    ]
    assert log.append(make_batch(1)).first_offset == 2


def test_a_slice_in_flight_outlives_its_segment(open_log: Any, make_batch: Any) -> None:
    log = open_log(segment_bytes=len(make_batch(1)), retention_bytes=0)
    log.append(make_batch(1, size=90))
    expected = log.read(0, 1 << 20).records.read()
    in_flight = log.read(0, 1 << 20).records
    log.append(make_batch(1))
    assert log.delete_old_segments() >= 1
    assert not (log.directory / "00000000000000000000.log").exists()
    assert in_flight.read() == expected


def test_a_slice_in_flight_outlives_its_log(open_log: Any, make_batch: Any) -> None:
    log = open_log()
    log.append(make_batch(1))
    in_flight = log.read(0, 1 << 20).records
    expected = in_flight.read()
    log.delete()
    assert not log.directory.exists()
    assert in_flight.read() == expected
    with pytest.raises(KafkaStorageError):
        log.read(0, 1000)
    with pytest.raises(KafkaStorageError):
        log.append(make_batch(1))


# Truncate, close, listen


@pytest.mark.parametrize("offset", [0, 1, 7, 8, 15, 16, 17])
def test_truncate_leaves_what_appending_less_would_have_left(
    open_log: Any, make_batch: Any, tmp_path: Path, offset: int
) -> None:
    sizes = {"segment_bytes": 1200, "index_interval_bytes": 200}
    log, less = open_log(**sizes), open_log(tmp_path / "less-0", **sizes)
    for number in range(8):
        batch = make_batch(2, timestamp_ms=1000 + 7 * number % 5)
        log.append(batch)
        if 2 * number + 1 < offset:
            less.append(batch)
    log.flush()
    log.truncate_to(offset)
    assert log.log_end_offset == less.log_end_offset
    assert log.recovery_point <= log.log_end_offset
    log.append(make_batch(2))
    less.append(make_batch(2))
    log.close()
    less.close()
    names = sorted(path.name for path in less.directory.iterdir())
    assert sorted(path.name for path in log.directory.iterdir()) == names
    for name in names:
        if not name.endswith(".timeindex"):  # a rolled segment's last entry stays, as in Kafka
            assert (log.directory / name).read_bytes() == (less.directory / name).read_bytes()


def test_truncate_in_a_gap_counts_on_to_the_next_index_entry_of_the_segment_before(
    open_log: Any, make_batch: Any, tmp_path: Path
) -> None:
    log, less = open_log(index_interval_bytes=200), open_log(tmp_path / "less-0", index_interval_bytes=200)
    for _ in range(3):
        log.append(make_batch(2))
        less.append(make_batch(2))
    for _ in range(2):
        log.roll()
        log.append(make_batch(2))
    log.close()
    for path in log.directory.glob(f"{6:020d}.*"):
        path.unlink()  # as when compaction has left nothing of a segment
    log = open_log(index_interval_bytes=200, log_arguments={"was_clean": True})
    log.truncate_to(7)
    assert log.log_end_offset == 6
    for grown in (log, less):
        grown.append(make_batch(2))
        grown.close()
    name = f"{0:020d}.index"
    assert (log.directory / name).read_bytes() == (less.directory / name).read_bytes()


def test_truncate_begins_at_the_end_so_that_a_crash_leaves_no_gap(
    open_log: Any, make_batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_log()
    for _ in range(3):
        log.append(make_batch(2))
        log.append(make_batch(2))
        log.roll()
    ends = []
    unlink = os.unlink

    def note_end(path: Any) -> None:
        unlink(path)
        logs = sorted(log.directory.glob(f"*{LOG_SUFFIX}"))
        ends.append((int(logs[-1].stem), logs[0].stat().st_size))

    monkeypatch.setattr(os, "unlink", note_end)
    whole = log.segments[0].size_bytes
    log.truncate_to(2)
    assert [end for end, _ in ends] == sorted((end for end, _ in ends), reverse=True)
    assert {size for _, size in ends[:3]} == {whole}
    assert (log.log_end_offset, log.segments[0].size_bytes) == (2, whole // 2)


def test_a_closed_log_takes_nothing_and_close_twice_is_fine(open_log: Any, make_batch: Any) -> None:
    log = open_log()
    log.append(make_batch(1))
    log.close()
    log.close()
    assert log.unflushed_bytes == 0
    for call in (lambda: log.append(make_batch(1)), log.roll, log.delete_old_segments):
        with pytest.raises(KafkaStorageError, match="closed"):
            call()


def test_listeners_hear_of_appends_that_can_be_read(open_log: Any, make_batch: Any) -> None:
    log = open_log()
    heard: list[int] = []

    class Waiter:
        def wake(self) -> None:
            heard.append(log.log_end_offset)

    waiter = Waiter()
    log.add_listener(waiter.wake)
    log.append(make_batch(2))
    log.append(make_batch(1))
    log.remove_listener(waiter.wake)
    log.append(make_batch(1))
    assert heard == [2, 3]
    log.add_listener(waiter.wake)
    log.close()
    assert heard == [2, 3, 4]


@pytest.mark.parametrize("was_clean", [True, False])
def test_reopening_goes_on_with_the_same_index_distances(
    open_log: Any, make_batch: Any, tmp_path: Path, was_clean: bool
) -> None:
    """So recovery, by Kafka too, makes the indexes that are there already, and none that is too large."""
    whole = open_log(tmp_path / "whole-0", index_interval_bytes=500)
    for number in range(40):
        whole.append(make_batch(1, timestamp_ms=1000))
        log = open_log(index_interval_bytes=500, log_arguments={"recovery_point": number, "was_clean": was_clean})
        log.append(make_batch(1, timestamp_ms=1000))
        log.close()
    whole.close()
    for name in ("00000000000000000000.log", "00000000000000000000.index"):
        assert (log.directory / name).read_bytes() == (whole.directory / name).read_bytes()


def test_repr_says_what_it_is(open_log: Any, make_batch: Any) -> None:
    log = open_log()
    log.append(make_batch(2))
    assert repr(log) == f"Log('orders-0', offsets 0..2, 1 segments, {log.size_bytes} bytes)"


def test_what_is_appended_while_it_closes_is_refused(
    open_log: Any, make_batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would be acknowledged, not on the disk, and not in the snapshot, after a stop that was called clean."""
    log = open_log()
    log.append(make_batch(1))
    flush, refused = log.flush, []

    def flush_and_append() -> None:
        flush()
        with pytest.raises(KafkaStorageError, match="closed"):
            log.append(make_batch(1))
        refused.append(True)

    monkeypatch.setattr(log, "flush", flush_and_append)
    log.close()
    assert (refused, log.log_end_offset, log.recovery_point) == ([True], 1, 1)
