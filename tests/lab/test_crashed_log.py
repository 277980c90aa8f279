"""The log to be broken stays whole itself; every damage and every place leads to a decision."""

from __future__ import annotations

import hashlib

import pytest

from kfast.lab.crashed_log import ALL, BELIEFS, NOTHING, OLDER, CrashedLog
from kfast.lab.damage import CUT_OFF, DAMAGES, FLIPPED, GARBAGE
from kfast.lab.recovery import Fate


@pytest.fixture(scope="module")
def log():
    return CrashedLog()


def digests(log):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in log.directory.iterdir()}


def test_it_is_the_log_that_kafka_left(log):
    assert repr(log) == "CrashedLog(683 records in 3 segments, 46840 bytes)"
    assert [size for _, size in log.segments] == [19_905, 19_618, 7_317]


def test_a_place_is_a_file_and_a_position_in_it(log):
    names = [name for name, _ in log.segments]
    assert log.place(0) == (names[0], 0)
    assert log.place(19_904) == (names[0], 19_904)
    assert log.place(19_905) == (names[1], 0)
    assert log.place(46_840) == (names[2], 7_317)
    for position in (-1, 46_841):
        with pytest.raises(ValueError, match=rf"position {position} is not within 0\.\.46840"):
            log.place(position)


def test_what_is_believed_decides_over_the_same_damage(log):
    place = 23_000
    after = {believed: log.break_at(place, FLIPPED, believed) for believed in BELIEFS}
    assert (after[NOTHING].lost, after[NOTHING].unreadable) == (374, 0)
    assert (after[OLDER].lost, after[OLDER].unreadable) == (0, 3)
    assert (after[ALL].lost, after[ALL].unreadable) == (0, 3)
    assert [len([one for one in after[b].pieces if one.fate is Fate.CHECKED]) for b in BELIEFS] == [64, 11, 0]


def test_a_bit_beyond_the_end_is_the_last_one_and_garbage_there_is_a_tail(log):
    assert log.break_at(46_840, FLIPPED).lost == 4
    assert log.break_at(46_840, GARBAGE).cut_bytes == 100
    assert log.break_at(46_840, CUT_OFF).sentence() == "All 683 records are there, and nothing is cut"


@pytest.mark.parametrize("believed", BELIEFS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_every_byte_gets_a_fate_and_the_log_to_break_stays_whole(log, damage, believed):
    before = digests(log)
    for position in (0, 5, 8, 16, 20_500, 39_523, 46_839):
        recovery = log.break_at(position, damage, believed)
        assert 0 <= recovery.lost <= 683
        assert recovery.pieces
        assert recovery.sentence()
        bad = [piece for piece in recovery.pieces if piece.fate is Fate.BAD]
        assert len(bad) <= 1
        assert bool(bad) == bool(recovery.cut_bytes)
    assert digests(log) == before


@pytest.mark.parametrize(("damage", "believed"), [("rust", NOTHING), (FLIPPED, "a doubt")])
def test_what_is_not_on_offer_is_refused(log, damage, believed):
    with pytest.raises(ValueError, match="there are cut off, one bit flipped"):
        log.break_at(0, damage, believed)
