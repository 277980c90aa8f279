"""Right answers are right, wrong ones are told what is wrong with them, and none is not done yet."""

from __future__ import annotations

import pytest

from kfast.lab.golden import GoldenDirectory
from kfast.lab.segment_exercises import check_interval, check_position, check_timestamp
from kfast.log.log import Log


@pytest.fixture(scope="module")
def golden():
    return GoldenDirectory("01-plain")


@pytest.fixture(scope="module")
def directory(golden):
    return golden.path / "sparse-0"


@pytest.fixture(scope="module")
def log(directory):
    return Log.open(directory, was_clean=True)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "not done yet"),
        (12_266, "right: the batch that holds offset 1063"),
        (11_401, "not quite: at position 11,401 lie offsets 1046 to 1053"),
        (11_402, "no: no batch begins at position 11,402; the index leads to 9,274"),
    ],
)
def test_position(log, answer, words):
    assert check_position(log, 1063, answer).startswith(words)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "not done yet"),
        (100, "100 is no multiple of 256"),
        (0, "0 is no multiple of 256"),
        (256, "not quite: with 256 bytes a look-up reads up to 3 headers"),
        (4096, "no: with 4,096 bytes a look-up reads up to 11 headers"),
    ],
)
def test_interval(directory, answer, words):
    assert check_interval(directory, 5, answer).startswith(words)


def test_exactly_one_interval_is_right(directory):
    verdicts = [check_interval(directory, 5, interval).split(":")[0] for interval in range(768, 2049, 256)]
    assert verdicts.count("right") == 1
    assert verdicts == sorted(verdicts, key=["not quite", "right", "no"].index)


@pytest.mark.parametrize(
    ("answer", "words"),
    [(None, "not done yet"), (600, "right: offset 600"), (599, "no: offset 599 is too early"), (601, "no: offset 601")],
)
def test_timestamp(log, answer, words):
    assert check_timestamp(log, 1_760_000_005_995, answer).startswith(words)


def test_a_time_after_the_last_record_has_no_offset(log):
    assert check_timestamp(log, 2_000_000_000_000, 5) == "no record is as late as 2000000000000"
