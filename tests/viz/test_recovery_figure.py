"""The strips show each fate, the words say it too, and no label runs over another."""

from __future__ import annotations

import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from kfast.lab.crash_cases import CrashCase, KeptLog, crash_cases
from kfast.lab.crashed_log import ALL, BELIEFS, NOTHING, OLDER, CrashedLog
from kfast.lab.damage import CUT_OFF, DAMAGES, FLIPPED
from kfast.lab.recovery import Fate
from kfast.viz.recovery_figure import COLORS, END_WIDTH, END_X, FILES_Y, MIN_WRONG_PX, draw_cases, draw_recovery


@pytest.fixture(scope="module")
def log():
    return CrashedLog()


def drawn(log, position, damage=FLIPPED, after=NOTHING):
    return draw_recovery(log.break_at(position, damage, after), log.place(position), damage, after)


def texts(shown):
    return [text.get_text() for text in shown.figure.axes[0].texts]


def boxes(shown, fate, y=None):
    colors = {color.lower() for color in COLORS[fate]}
    patches = [patch for patch in shown.figure.axes[0].patches if isinstance(patch, Rectangle)]
    return [one for one in patches if to_hex(one.get_facecolor()) in colors and (y is None or one.get_y() == y)]


def assert_tidy(shown):
    width, height = shown.figure.canvas.get_width_height()
    renderer = shown.figure.canvas.get_renderer()
    found = [(text.get_text(), text.get_window_extent(renderer)) for text in shown.figure.axes[0].texts]
    found = [(words, box) for words, box in found if words]
    for words, box in found:
        assert box.x0 >= 0, words
        assert box.x1 <= width, words
        assert box.y0 >= 0, words
        assert box.y1 <= height, words
    for number, (words, box) in enumerate(found):
        for other_words, other in found[number + 1 :]:
            across = min(box.x1, other.x1) - max(box.x0, other.x0)
            along = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert across <= 1 or along <= 3, f"{words!r} and {other_words!r} overlap"


@pytest.mark.parametrize("after", BELIEFS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_is_drawn_tidily_wherever_it_lies(log, damage, after):
    for position in (0, 3_000, 19_905, 23_000, 38_000, 41_000, 46_840):
        assert_tidy(drawn(log, position, damage, after))


def test_each_batch_of_the_log_has_a_box_of_its_fate(log):
    shown = drawn(log, 23_000)
    assert len(boxes(shown, Fate.CHECKED, FILES_Y)) == 64
    assert len(boxes(shown, Fate.BAD, FILES_Y)) == 1
    assert shown.finding == "374 of 683 records are gone: a batch of 3 is wrong, and 371 lay behind it."
    assert "cut at position 3007, 16611 bytes dropped" in shown.description
    assert any("cut at position 3007" in words for words in texts(shown))


def test_the_recovery_point_is_drawn_where_checking_began(log):
    assert "recovery point 560: all behind it is checked" in texts(drawn(log, 23_000, after=OLDER))
    for after in (NOTHING, ALL):
        assert not any("recovery point" in words for words in texts(drawn(log, 23_000, after=after)))


def test_a_log_that_saw_nothing_wrong_says_so(log):
    shown = drawn(log, 23_000, after=ALL)
    assert "nothing: it saw nothing wrong" in texts(shown)
    assert shown.description.endswith("The log says: nothing.")
    assert len(boxes(shown, Fate.MISSED, FILES_Y)) == 1


def test_a_log_that_is_refused_says_why(log):
    shown = drawn(log, 39_523)  # the largest byte of an offset
    assert shown.finding == "The log is refused, and nothing in it changed: its 683 records are out of reach."
    assert "which a segment that begins at 560 cannot hold" in shown.description
    assert_tidy(shown)


def test_a_file_of_which_nothing_is_left_is_named(log):
    shown = drawn(log, 39_523, CUT_OFF)
    assert "nothing is left of 00000000000000000560.log" in texts(shown)


def test_cases_have_a_strip_each_and_kafkas_end(log):
    cases = crash_cases(["as-it-is", "flip-middle-segment", "zero-tail"])
    shown = draw_cases(cases)
    assert_tidy(shown)
    assert shown.finding == "In 3 of 3 cases kfast kept what Apache Kafka had kept."
    assert {"683 of 683", "360 of 683", "as Kafka"} <= set(texts(shown))
    assert len(boxes(shown, Fate.BAD)) == 4, "a cut in the middle, one at the end and enlarged, and the legend"
    other = CrashCase(cases[1].damage, KeptLog(361, 27_200, 2), cases[1].recovery)
    assert "Kafka: 361" in texts(draw_cases([other]))


def test_a_torn_batch_is_wide_enough_to_be_seen(log):
    torn = draw_cases(crash_cases(["torn-records"]))
    assert max(box.get_width() for box in boxes(torn, Fate.BAD)) > 30
    assert_tidy(torn)
    end = END_X + END_WIDTH + MIN_WRONG_PX
    shown = draw_cases(crash_cases(["as-it-is", "torn-12", "zero-tail", "flip-last-segment"]))
    assert all(box.get_x() + box.get_width() <= end for fate in Fate for box in boxes(shown, fate))
    assert len([box for box in boxes(shown, Fate.BAD) if box.get_x() >= END_X]) == 3
