"""Whether Kafka would find all of a directory, and no byte of it changed by asking."""

from __future__ import annotations

import hashlib
import re
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kfast.broker.broker import Broker
from kfast.broker.directory_check import DirectoryCheck, check_directory
from kfast.errors import LogDirectoryError
from kfast.log.checkpoints import write_partition_metadata
from kfast.log.directory_lock import DirectoryLock
from kfast.record.builder import RecordBatchBuilder

METADATA_LOG = Path("__cluster_metadata-0") / f"{0:020d}.log"


def tree(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): f"{path.lstat().st_mtime_ns} "
        + (hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
        for path in [directory, *directory.rglob("*")]
    }


def checked(directory: Path) -> DirectoryCheck:
    """The check of a directory, which has to leave it as it is."""
    before = tree(directory)
    found = check_directory(directory)
    assert tree(directory) == before
    return found


@pytest.fixture
def kafkas(golden: Any, tmp_path: Path) -> Path:
    return golden.extract("12-kraft", tmp_path) / "log"


@pytest.mark.parametrize(
    "case", ["01-plain", "05-idempotent", "06-transactions", "08-deleted", "09-groups", "12-kraft"]
)
def test_what_kafka_left_after_a_clean_stop_is_for_kafka(golden: Any, case: str) -> None:
    found = checked(golden(case) / "log")
    assert (found.findings, found.notes) == ((), ())
    assert found.summary["errors"] == 0


def test_what_kafka_left_when_it_was_killed_is_checked_by_kafka_again(golden: Any) -> None:
    found = checked(golden("10-crash") / "crash")
    assert found.findings == ()
    assert found.notes == ("Kafka checks the logs from their recovery points on, as after a crash",)


@pytest.mark.parametrize("is_clean", [True, False])
def test_what_kfast_leaves_is_for_kafka(tmp_path: Path, is_clean: bool) -> None:
    broker = Broker(tmp_path / "data")
    broker.metadata.create_topic("events", 2)
    builder = RecordBatchBuilder()
    builder.append(b"key", b"value", 1_700_000_000_000)
    broker.log("events", 0).append(builder.build())
    if is_clean:
        broker.stop()
        assert checked(tmp_path / "data").findings == ()
    else:
        broker.log("events", 0).flush()
        shutil.copytree(tmp_path / "data", tmp_path / "copy")
        broker.stop()
        assert checked(tmp_path / "copy").findings == ()


def cut_a_log(directory: Path) -> str:
    path = directory / "bare-0" / f"{0:020d}.log"
    path.write_bytes(path.read_bytes()[:-1])
    return r"bare-0/0+\.log  position \d+: \d+ bytes are no whole batch"


def flip_a_bit_of_the_metadata(directory: Path) -> str:
    data = bytearray((directory / METADATA_LOG).read_bytes())
    data[-100] ^= 1
    (directory / METADATA_LOG).write_bytes(data)
    return r"__cluster_metadata-0: a batch is damaged, and of the log's 71 offsets those from \d+ on would be lost"


def lose_a_topic_id(directory: Path) -> str:
    (directory / "bare-0" / "partition.metadata").unlink()
    return r"bare-0: its partition.metadata names topic id None, the metadata KffFGLubTqCYXrDPHMMftw"


def take_another_topics_id(directory: Path) -> str:
    write_partition_metadata(directory / "bare-0", uuid.UUID(int=5))
    return r"bare-0: its partition.metadata names topic id AAAAAAAAAAAAAAAAAAAABQ"


def start_beyond_the_end(directory: Path) -> str:
    (directory / "log-start-offset-checkpoint").write_text("0\n1\nbare 0 26\n")
    return "bare-0: it starts at 26 and ends at 25: Kafka would delete all of it"


def lose_a_snapshot(directory: Path) -> str:
    (directory / "bare-0" / f"{25:020d}.snapshot").unlink()
    return r"bare-0/0+25\.snapshot: .kafka_cleanshutdown says it is there"


def lose_an_index(directory: Path) -> str:
    (directory / "bare-0" / f"{0:020d}.timeindex").unlink()
    return r"bare-0/0+\.timeindex: .kafka_cleanshutdown says it is there"


def lose_a_partition(directory: Path) -> str:
    shutil.rmtree(directory / "bare-0")
    return "bare-0 has no directory, and recovery-point-offset-checkpoint says that it held records up to offset 25"


def leave_a_strange_directory(directory: Path) -> str:
    (directory / "backup").mkdir()
    return "backup: Kafka does not start beside a directory that is no partition's"


CHANGES = [
    cut_a_log,
    flip_a_bit_of_the_metadata,
    lose_a_topic_id,
    take_another_topics_id,
    start_beyond_the_end,
    lose_a_snapshot,
    lose_an_index,
    lose_a_partition,
    leave_a_strange_directory,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_kafka_would_not_take_as_it_is_is_found(kafkas: Path, change: Callable[[Path], str]) -> None:
    expected = change(kafkas)
    found = checked(kafkas).findings
    assert any(re.search(expected, finding) for finding in found), found


def test_what_kafka_puts_right_by_itself_is_a_note(kafkas: Path) -> None:
    shutil.rmtree(kafkas / "events-1")
    (kafkas / "recovery-point-offset-checkpoint").unlink()
    (kafkas / "stranger-0").mkdir()
    (kafkas / ".kafka_cleanshutdown").unlink()
    for path in kafkas.glob("*/*.timeindex"):
        path.unlink()
    found = checked(kafkas)
    assert found.findings == ()
    assert found.notes == (
        "Kafka checks the logs from their recovery points on, as after a crash",
        "events-1 has no directory; Kafka makes an empty one",
        "stranger-0 belongs to no topic; Kafka renames it -stray",
    )


def test_what_kafka_would_cut_after_a_crash_is_found(golden: Any, tmp_path: Path) -> None:
    directory = golden.extract("10-crash", tmp_path) / "crash"
    damaged = golden("10-crash-flip-middle-segment") / "damaged" / "crash-0"
    shutil.copy(damaged / f"{263:020d}.log", directory / "crash-0")
    found = checked(directory)
    (finding,) = found.findings
    assert "263.log  position 7203: batch at offset 360 of 522 bytes has CRC" in finding
    assert finding.endswith("Kafka and kfast cut the log there, at offset 360, and offsets up to 682 are lost")
    assert found.is_served
    broker = Broker(directory)
    assert broker.log("crash", 0).log_end_offset == 360
    broker.stop()
    assert checked(directory).findings == ()


CRASHES = [
    "bad-snapshot", "flip-last-segment", "flip-middle-segment", "garbage-index", "garbage-tail", "leftovers",
    "no-index", "no-snapshots", "no-timeindex", "short-index", "swap", "swap-and-original", "torn-12", "torn-header",
    "torn-records", "zero-tail",
]  # fmt: skip


@pytest.mark.parametrize("name", CRASHES)
def test_kafka_ends_each_damaged_log_where_it_is_said_to(golden: Any, tmp_path: Path, name: str) -> None:
    directory = golden.extract("10-crash", tmp_path) / "crash"
    shutil.rmtree(directory / "crash-0")
    shutil.copytree(golden(f"10-crash-{name}") / "damaged" / "crash-0", directory / "crash-0")
    found = checked(directory)
    cuts = [re.search(r"cut the log there, at offset (\d+), and", text) for text in found.findings]
    end_offset = found_end(golden, name)
    expected = [end_offset] if name.startswith(("flip", "garbage-tail", "torn", "zero")) else []
    assert [int(cut[1]) for cut in cuts if cut] == expected
    assert expected or not any("missing" in finding for finding in found.findings)


def found_end(golden: Any, name: str) -> int:
    """Where Kafka's log ended when it had started on that damage."""
    end_offset: int = golden.manifest["cases"][f"10-crash-{name}"]["after_recovery"]["end_offset_on_disk"]
    return end_offset


def test_what_nobody_would_check_is_found_and_what_helps_helps(golden: Any, tmp_path: Path) -> None:
    directory = golden.extract("01-plain", tmp_path) / "log"
    path = directory / "dense-0" / f"{162:020d}.log"
    path.write_bytes(path.read_bytes()[:-7])
    found = checked(directory)
    assert "neither Kafka nor kfast looks there: it stays, and readers miss the records in it" in found.findings[0]
    removed = (
        "If .kafka_cleanshutdown and recovery-point-offset-checkpoint are removed both cut the log there, at offset 318"
    )
    assert found.findings[0].endswith(f"{removed}, and offsets up to 399 are lost")
    assert not found.is_served
    for name in (".kafka_cleanshutdown", "recovery-point-offset-checkpoint"):
        (directory / name).unlink()
    broker = Broker(directory)
    assert broker.log("dense", 0).log_end_offset == 318
    broker.stop()
    assert checked(directory).findings == ()


def test_what_only_a_checksum_finds_stays_after_a_clean_stop(golden: Any, tmp_path: Path) -> None:
    directory = golden.extract("01-plain", tmp_path) / "log"
    path = directory / "dense-0" / f"{319:020d}.log"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    found = checked(directory)
    (finding,) = found.findings
    assert "has CRC" in finding
    assert "readers that check checksums stop at it" in finding
    assert not found.is_served


def test_a_segment_that_is_missing_is_found_also_when_nothing_is_left_of_it(golden: Any, tmp_path: Path) -> None:
    directory = golden.extract("10-crash", tmp_path) / "crash"
    (directory / "crash-0" / f"{263:020d}.log").unlink()
    found = checked(directory)
    assert sum("its segment is gone" in finding for finding in found.findings) == 2
    assert any("snapshot says that there was one" in finding for finding in found.findings)
    assert not found.is_served
    Broker(directory).stop()  # removes what is left of the segment
    (finding,) = checked(directory).findings
    assert finding.startswith(
        "crash-0: offsets 263 to before 560 are missing between two segments; Kafka and kfast start"
    )
    assert not checked(directory).is_served
    broker = Broker(directory)
    broker.log("crash", 0).increment_log_start_offset(560)
    broker.stop()
    assert checked(directory).findings == ()


def test_the_last_segment_that_is_missing_is_found(golden: Any, tmp_path: Path) -> None:
    directory = golden.extract("01-plain", tmp_path) / "log"
    for path in (directory / "dense-0").glob(f"{319:020d}.*"):
        path.unlink()
    findings = checked(directory).findings
    assert any("dense-0: it ends at 319, and recovery-point-offset-checkpoint says" in finding for finding in findings)


def test_an_index_that_is_wrong_is_made_anew_where_it_is_removed(golden: Any, tmp_path: Path) -> None:
    directory = golden.extract("01-plain", tmp_path) / "log"
    path = directory / "dense-0" / f"{162:020d}.index"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    found = checked(directory)
    assert found.findings[0].endswith("kfast serve makes the file anew where it is removed")
    assert not found.is_served
    path.unlink()
    Broker(directory).stop()
    assert checked(directory).findings == ()


def test_gaps_that_compaction_leaves_are_none(golden: Any) -> None:
    assert checked(golden("07-compaction") / "after-second").findings == ()


def test_how_far_the_check_is_is_said_of_every_batch(kafkas: Path) -> None:
    said: list[tuple[int, int, str]] = []
    check_directory(kafkas, lambda done, total, name: said.append((done, total, name)))
    assert [done for done, _, _ in said] == sorted(done for done, _, _ in said)
    total_bytes = sum(path.stat().st_size for path in kafkas.glob("*/*.log"))
    assert {total for _, total, _ in said} == {total_bytes}
    assert said[-1][0] == total_bytes
    assert {name for _, _, name in said} >= {"__cluster_metadata-0", "events-0"}


def test_a_topic_that_is_being_deleted_is_nobodys_trouble(kafkas: Path) -> None:
    (doomed,) = kafkas.glob("dropped-0.*-delete")
    (doomed / f"{0:020d}.log").write_bytes(b"anything")
    assert checked(kafkas).findings == ()


def test_what_is_no_log_directory_or_is_in_use_is_refused(kafkas: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(LogDirectoryError, match="no log directory"):
        check_directory(tmp_path / "empty")
    with pytest.raises(LogDirectoryError, match="missing does not exist"):
        check_directory(tmp_path / "missing")
    with pytest.raises(LogDirectoryError, match=f"no log directory: it has no meta.properties; {kafkas} is one"):
        check_directory(kafkas.parent)
    with pytest.raises(LogDirectoryError, match=f"no log directory: it has no meta.properties; {kafkas} is one"):
        check_directory(kafkas / "bare-0")
    lock = DirectoryLock(kafkas)
    try:
        with pytest.raises(LogDirectoryError, match="in use"):
            check_directory(kafkas)
    finally:
        lock.release()
    assert checked(kafkas).findings == ()
