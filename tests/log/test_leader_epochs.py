"""Leader epochs, in Kafka's file: begun, cut at both ends, looked up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kfast.errors import LogDirectoryError
from kfast.log.leader_epochs import LeaderEpochs, read_leader_epochs
from kfast.log.log import Log
from kfast.log.names import LEADER_EPOCH_CHECKPOINT


@pytest.fixture
def epochs(tmp_path: Path) -> LeaderEpochs:
    """0 from 0, 2 from 10, 3 from 25."""
    epochs = LeaderEpochs(str(tmp_path))
    for epoch, start_offset in ((0, 0), (2, 10), (3, 25)):
        epochs.assign(epoch, start_offset)
    return epochs


def test_what_kafka_wrote_is_read_and_written_again(golden: Any, tmp_path: Path) -> None:
    paths = sorted(golden("07-compaction").glob("*/*/leader-epoch-checkpoint"))
    assert len(paths) > 10
    for number, path in enumerate(paths):
        directory = tmp_path / str(number)
        directory.mkdir()
        epochs = LeaderEpochs(str(directory))
        for entry in read_leader_epochs(path):
            epochs.assign(*entry)
        epochs.flush()
        assert (directory / LEADER_EPOCH_CHECKPOINT).read_bytes() == path.read_bytes()


def test_the_file_follows_with_the_next_flush(epochs: LeaderEpochs, tmp_path: Path) -> None:
    path = tmp_path / LEADER_EPOCH_CHECKPOINT
    assert not path.exists()
    epochs.flush()
    assert path.read_text() == "0\n3\n0 0\n2 10\n3 25\n"
    epochs.truncate_to(25)
    epochs.truncate_from_start(12)
    assert LeaderEpochs(str(tmp_path)).entries == ((0, 0), (2, 10), (3, 25))
    epochs.flush()
    assert path.read_text() == "0\n1\n2 12\n"
    assert LeaderEpochs(str(tmp_path)).entries == epochs.entries == ((2, 12),)
    path.unlink()
    epochs.flush()
    assert not path.exists(), "nothing has changed"


def test_a_file_that_cannot_be_written_follows_later(epochs: LeaderEpochs, tmp_path: Path) -> None:
    (tmp_path / f"{LEADER_EPOCH_CHECKPOINT}.tmp").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        epochs.flush()
    (tmp_path / f"{LEADER_EPOCH_CHECKPOINT}.tmp").rmdir()
    epochs.flush()
    assert LeaderEpochs(str(tmp_path)).entries == epochs.entries


def test_a_new_epoch_takes_the_place_of_those_it_contradicts(epochs: LeaderEpochs) -> None:
    epochs.assign(3, 25)
    epochs.assign(3, 30)
    assert epochs.entries == ((0, 0), (2, 10), (3, 25))
    epochs.assign(4, 10)
    assert epochs.entries == ((0, 0), (4, 10))


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [(-1, (-1, -1)), (0, (0, 10)), (1, (0, 10)), (2, (2, 25)), (3, (3, 40)), (4, (4, 40)), (5, (-1, -1))],
)
def test_where_an_epoch_ended(epochs: LeaderEpochs, epoch: int, expected: tuple[int, int]) -> None:
    """Epoch 4 is the leader's and has written nothing yet."""
    assert epochs.end_of(epoch, 4, 40) == expected


def test_whose_a_record_is(epochs: LeaderEpochs) -> None:
    assert [epochs.of(offset) for offset in (0, 9, 10, 24, 25, 99)] == [0, 0, 2, 2, 3, 3]
    epochs.truncate_from_start(12)
    assert epochs.of(11) == -1


@pytest.mark.parametrize("text", ["junk", "1\n0\n", "0\n2\n0 0\n", "0\n1\n0\n", "0\n2\n1 0\n0 5\n", "0\n2\n0 5\n1 3\n"])
def test_a_file_that_cannot_be_right_is_left_out(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / LEADER_EPOCH_CHECKPOINT
    path.write_text(text)
    with pytest.raises(LogDirectoryError, match=LEADER_EPOCH_CHECKPOINT):
        read_leader_epochs(path)
    assert LeaderEpochs(str(tmp_path)).entries == ()
    assert "made anew" in caplog.text


def test_an_empty_file_is_what_a_crash_leaves(tmp_path: Path) -> None:
    (tmp_path / LEADER_EPOCH_CHECKPOINT).touch()
    assert LeaderEpochs(str(tmp_path)).entries == ()


def test_a_log_keeps_them(open_log: Any, make_batch: Any) -> None:
    log: Log = open_log(segment_bytes=400)
    for epoch in (0, 0, 1, 1, 4):
        log.append(make_batch(2), leader_epoch=epoch)
    assert log.leader_epochs.entries == ((0, 0), (1, 4), (4, 8))
    log.increment_log_start_offset(5)
    assert log.leader_epochs.entries == ((1, 5), (4, 8))
    log.truncate_to(8)
    assert log.leader_epochs.entries == ((1, 5),)
    log.append(make_batch(2), leader_epoch=6)
    log.close()
    (log.directory / LEADER_EPOCH_CHECKPOINT).unlink()
    again: Log = open_log(segment_bytes=400, log_arguments={"log_start_offset": 5})
    assert again.leader_epochs.entries == ((1, 5), (6, 8))
