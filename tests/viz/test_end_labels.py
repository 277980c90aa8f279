from itertools import pairwise

import pytest

from kfast.viz import style
from kfast.viz.end_labels import LABEL_PX, LineEnd, apart, label_ends


def test_places_that_are_far_enough_apart_stay():
    assert apart([10.0, 50.0, 30.0], 10, 0, 100) == [10, 50, 30]


def test_close_places_move_apart_about_their_middle_and_keep_their_order():
    assert apart([50.0, 50.0, 51.0], 10, 0, 100) == pytest.approx([40.33, 50.33, 60.33], abs=0.01)
    assert apart([51.0, 49.0], 10, 0, 100) == [55, 45]


def test_places_stay_within_the_limits():
    assert apart([0.0, 1.0], 10, 0, 100) == [0, 10]
    assert apart([99.0, 100.0], 10, 0, 100) == [90, 100]
    assert apart([5.0, 5.0, 5.0], 100, 0, 100) == [0, 50, 100]
    assert apart([], 10, 0, 100) == []


def test_names_of_lines_that_end_together_do_not_cover_each_other():
    figure = style.new_figure(500, 300)
    axes = figure.add_axes((0.1, 0.1, 0.6, 0.8))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    label_ends(axes, [LineEnd(name, style.BLUE, 1.0, 0.5) for name in ("one", "two", "three")])
    boxes = [text.get_window_extent(figure.canvas.get_renderer()) for text in figure.texts]
    middles = sorted((box.y0 + box.y1) / 2 for box in boxes)
    assert min(high - low for low, high in pairwise(middles)) >= LABEL_PX - 3
    assert min(box.x0 for box in boxes) > axes.bbox.x1
