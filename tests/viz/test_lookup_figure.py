"""The picture of a look-up shows the steps the log takes, for offsets all over a log, and stays tidy."""

from __future__ import annotations

import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from kfast.lab.golden import GoldenDirectory
from kfast.lab.offset_lookup import look_up, lookup_costs
from kfast.log.log import Log
from kfast.viz.lookup_figure import READ_COLOR, SCAN_HEIGHT, draw_costs, draw_lookup


@pytest.fixture(scope="module")
def golden() -> GoldenDirectory:
    return GoldenDirectory("01-plain")


def open_log(golden, partition):
    return Log.open(golden.path / partition, was_clean=True)


def assert_tidy(shown):
    width, height = shown.figure.canvas.get_width_height()
    renderer = shown.figure.canvas.get_renderer()
    texts = [text for text in shown.figure.axes[0].texts if text.get_text()]
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts]
    for words, box in boxes:
        assert box.x0 >= 0, words
        assert box.x1 <= width, words
        assert box.y0 >= 0, words
        assert box.y1 <= height, words
    for number, (words, box) in enumerate(boxes):
        for other_words, other in boxes[number + 1 :]:
            across = min(box.x1, other.x1) - max(box.x0, other.x0)
            along = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert across <= 1 or along <= 3, f"{words!r} and {other_words!r} overlap"


@pytest.mark.parametrize("partition", ["sparse-0", "dense-0", "rolled-by-time-0"])
def test_offsets_all_over_a_log_are_drawn_tidily(golden, partition):
    log = open_log(golden, partition)
    for offset in (0, log.log_end_offset * 2 // 3, log.log_end_offset - 1):
        assert_tidy(draw_lookup(log, look_up(log, offset)))


def test_as_many_headers_are_marked_as_were_read(golden):
    log = open_log(golden, "sparse-0")
    for offset in (3, 150, 430, 1199):
        steps = look_up(log, offset)
        shown = draw_lookup(log, steps)
        marked = [
            patch
            for patch in shown.figure.axes[0].patches
            if isinstance(patch, Rectangle)
            and patch.get_height() == SCAN_HEIGHT
            and to_hex(patch.get_facecolor()) == READ_COLOR.lower()
        ]
        assert len(marked) == len(steps.headers)


def test_the_picture_is_in_words_too(golden):
    log = open_log(golden, "sparse-0")
    shown = draw_lookup(log, look_up(log, 150))
    assert shown.finding == ("Offset 150 is in the batch at position 14,761: 2 headers read, 20 without the index.")
    assert "Segment 1 of 3" in shown.description
    assert "129..139, 140..151" in shown.description
    words = [text.get_text() for text in shown.figure.axes[0].texts]
    assert "FileSlice: 8,192 bytes from position 14,761 on, not a record looked at" in words


def test_a_log_of_one_batch_has_a_picture(tmp_path, golden):
    log = Log.open(tmp_path / "one")
    batch = next(open_log(golden, "sparse-0").segments[0].records.batches())[1]
    log.append(bytes(batch.buffer))
    assert_tidy(draw_lookup(log, look_up(log, 0)))


def test_costs_say_the_finding_and_draw_every_offset(golden):
    costs = lookup_costs(open_log(golden, "sparse-0"))
    shown = draw_costs(costs)
    axes = shown.figure.axes[0]
    lines = [list(line.get_ydata()) for line in axes.lines]
    assert list(costs.with_index) in lines
    assert list(costs.without_index) in lines
    assert axes.get_ylim()[0] == 0
    assert axes.get_title(loc="left") == costs.sentence()
    assert_tidy(shown)
