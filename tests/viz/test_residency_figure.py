from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from kfast.lab.residency import Residency
from kfast.lab.unavailable import Unavailable
from kfast.viz.residency_figure import CACHED_COLOR, DIRTY_COLOR, EMPTY_COLOR, PART_HEIGHT, PARTS_WIDTH, draw_residency

COLD, HALF, DIRTY = Residency(32, 0, 0, 0), Residency(32, 16, 0, 0), Residency(32, 32, 8, 0)


def boxes(shown, color):
    found = [patch for patch in shown.figure.axes[0].patches if isinstance(patch, Rectangle)]
    return [box for box in found if to_hex(box.get_facecolor()).upper() == color.upper() and box.get_width() > 15]


def texts(shown):
    return [text.get_text() for text in shown.figure.axes[0].texts]


def test_each_part_is_filled_as_far_as_it_is_cached_and_dirty():
    shown = draw_residency({"now": [COLD, HALF, DIRTY]})
    assert [box.get_width() for box in boxes(shown, EMPTY_COLOR)] == [PARTS_WIDTH / 3] * 3
    assert [box.get_height() for box in boxes(shown, CACHED_COLOR)] == [PART_HEIGHT / 2, PART_HEIGHT]
    assert [box.get_height() for box in boxes(shown, DIRTY_COLOR)] == [PART_HEIGHT / 4]


def test_moments_stand_below_each_other_and_the_last_is_the_title():
    shown = draw_residency({"evicted": [COLD, COLD], "read in part": [HALF, COLD]})
    assert shown.finding == "read in part: 16 of 64 pages in the page cache."
    assert shown.description == "evicted: 0 of 64 pages in the page cache."
    assert {"0% cached", "25% cached"} <= set(texts(shown))
    assert any("256 KiB in parts of 128 KiB" in words for words in texts(shown))


def test_what_cannot_be_known_says_why():
    shown = draw_residency({"now": Unavailable("cachestat(2), Linux 6.5 or newer")})
    assert "unavailable: cachestat(2), Linux 6.5 or newer" in texts(shown)
    assert draw_residency({"empty": []}).finding == "empty: 0 of 0 pages in the page cache."
    assert draw_residency({}).png().startswith(b"\x89PNG")
