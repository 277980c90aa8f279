from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from kfast.lab.power_loss import PowerLoss
from kfast.lab.residency import Residency
from kfast.lab.unavailable import Unavailable
from kfast.viz.power_figure import (
    DIRTY_COLOR,
    LOST_COLOR,
    PAGES_HEIGHT,
    STRIP_WIDTH,
    draw_power_losses,
)

CLEAN, DIRTY = Residency(1, 1, 0, 0), Residency(1, 1, 1, 0)
ALL_DIRTY = PowerLoss("never flushed", 4, 0, [DIRTY] * 4, 0)
HALF = PowerLoss("flush.messages=2", 4, 2, [CLEAN, CLEAN, DIRTY, DIRTY], 2)
SAFE = PowerLoss("flush.messages=1", 4, 4, [CLEAN] * 4, 4)
UNKNOWN = PowerLoss("never flushed", 4, 0, Unavailable("an older kernel"), Unavailable("an older kernel"))


def boxes(shown, color):
    found = [patch for patch in shown.figure.axes[0].patches if isinstance(patch, Rectangle)]
    return [box for box in found if to_hex(box.get_facecolor()) == color.lower() and box.get_width() > 15]


def texts(shown):
    return [text.get_text() for text in shown.figure.axes[0].texts]


def test_dirty_pages_and_the_records_that_go_with_them_stand_below_each_other():
    shown = draw_power_losses([ALL_DIRTY, HALF, SAFE])
    assert [box.get_height() for box in boxes(shown, DIRTY_COLOR)] == [PAGES_HEIGHT] * 6
    assert [box.get_width() for box in boxes(shown, LOST_COLOR)] == [STRIP_WIDTH, STRIP_WIDTH / 2]
    assert {"4 dirty", "2 dirty", "0 dirty", "4 of 4 lost", "2 of 4 lost", "0 of 4 lost"} <= set(texts(shown))
    assert shown.finding == "A loss of power may take 4 of 4 acknowledged records; with flush.messages=1 it takes 0."
    assert "flush.messages=2: 4 records acknowledged" in shown.description


def test_many_pages_share_a_box():
    shown = draw_power_losses([PowerLoss("never flushed", 1, 0, [CLEAN, DIRTY] * 1000, 0)])
    heights = {
        patch.get_height()
        for patch in shown.figure.axes[0].patches
        if isinstance(patch, Rectangle) and to_hex(patch.get_facecolor()) == DIRTY_COLOR.lower()
    }
    assert heights - {15} == {PAGES_HEIGHT / 2}


def test_what_cannot_be_known_says_why():
    shown = draw_power_losses([UNKNOWN, UNKNOWN])
    assert "unavailable: an older kernel" in texts(shown)
    assert shown.finding == "What a loss of power would take cannot be seen here."
    assert draw_power_losses([]).png().startswith(b"\x89PNG")
