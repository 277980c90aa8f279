import itertools

import pytest
from matplotlib.transforms import Bbox

from kfast.viz.time_figure import WINDOW_S, Change, Point, TimeFigure, Timeline


def points(count, copy_mode="sendfile", cpu=0.4, start=0):
    return [Point(number / 4, 300.0, 1500.0, cpu, copy_mode, 1024, "both") for number in range(start, start + count)]


def test_lines_hold_the_samples_each_mode_its_own():
    figure = TimeFigure()
    figure.show(Timeline([*points(4), *points(4, "read_send", 0.9, start=4)]))
    assert list(figure._consume.get_ydata()) == [1500.0] * 8
    assert list(figure._modes["sendfile"].get_ydata()) == [0.4] * 4
    assert list(figure._modes["read_send"].get_xdata()) == [1.0, 1.25, 1.5, 1.75]


def test_nothing_moved_leaves_no_point_of_cpu_per_gb():
    figure = TimeFigure()
    figure.show(Timeline(points(3, cpu=None)))
    assert list(figure._modes["sendfile"].get_ydata()) == []


def test_y_axes_begin_at_zero_and_hold_all_points():
    figure = TimeFigure()
    figure.show(Timeline(points(3)))
    for axes, top in ((figure._upper, 1500.0), (figure._lower, 0.4)):
        low, high = axes.get_ylim()
        assert low == 0
        assert high > top


def test_background_is_stale_only_when_limits_or_changes_move():
    figure, timeline = TimeFigure(), Timeline(points(3))
    assert figure.show(timeline)
    timeline.points += points(2, start=3)
    assert not figure.show(timeline)
    timeline.changes.append(Change(1.0, "read+send"))
    assert figure.show(timeline)
    assert not figure.show(timeline)
    timeline.points += points(1, start=int(WINDOW_S * 4) + 1)
    assert figure.show(timeline)


def test_one_slow_interval_does_not_press_the_rest_to_the_ground():
    figure = TimeFigure()
    figure.show(Timeline([*points(20), Point(5.1, 1.0, 1.0, 50.0, "sendfile", 1024, "both")]))
    assert figure._lower.get_ylim()[1] < 2


def test_a_change_is_a_line_with_a_label():
    figure = TimeFigure()
    figure.show(Timeline(points(20), [Change(2.0, "batch 16")]))
    assert [text.get_text() for text in figure._upper.texts] == ["batch 16"]
    lines = [list(line.get_xdata()) for axes in (figure._upper, figure._lower) for line in axes.lines]
    assert lines.count([2.0, 2.0]) == 2


@pytest.mark.parametrize("spacing_s", [0.3, 0.8, 3.0])
def test_labels_never_overlap_and_the_newest_is_always_there(spacing_s):
    figure = TimeFigure()
    changes = [Change(number * spacing_s, f"mmap+send {number}") for number in range(int(28 / spacing_s))]
    figure.show(Timeline(points(112), changes))
    figure.figure.canvas.draw()
    labels = figure._upper.texts
    assert changes[-1].label in [text.get_text() for text in labels]
    for one, other in itertools.combinations([text.get_window_extent() for text in labels], 2):
        assert Bbox.intersection(one, other) is None
    width, height = figure.figure.canvas.get_width_height()
    assert all(box.x1 <= width and box.y1 <= height for box in (text.get_window_extent() for text in labels))


def test_the_whole_run_is_shown_without_a_window():
    figure = TimeFigure(window_s=None)
    figure.show(Timeline(points(400)))
    first_s, last_s = figure._lower.get_xlim()
    assert first_s == 0
    assert last_s > 99
