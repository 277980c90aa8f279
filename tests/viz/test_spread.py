import pytest

from kfast.viz import style
from kfast.viz.size_axis import factor_ticks, number_tick, set_factor_axis, set_size_axis
from kfast.viz.spread import Look, draw_spread, jitter, middle_half

LOOK = Look("sendfile", style.BLUISH_GREEN, "o", "-", is_hollow=True)


def new_axes():
    return style.new_figure(400, 300).add_subplot()


def test_the_line_goes_through_the_medians_and_the_band_holds_the_middle_half():
    axes = new_axes()
    draw_spread(axes, {4096: [1.0, 2.0, 3.0, 4.0, 100.0], 8192: [5.0]}, LOOK)
    line = axes.lines[0]
    assert list(line.get_xdata()) == [4096, 8192]
    assert list(line.get_ydata()) == [3.0, 5.0]
    assert line.get_markerfacecolor() == "white"
    assert [len(dots.get_xdata()) for dots in axes.lines[1:]] == [5, 1]


def test_the_middle_half_of_many_and_of_few():
    assert middle_half([1.0, 2.0, 3.0, 4.0, 100.0]) == (2.0, 4.0)
    assert middle_half([3.0, 1.0]) == (1.0, 3.0)


def test_dots_stand_beside_each_other_about_their_place():
    assert jitter(1) == [0.0]
    assert jitter(3) == [-1.0, 0.0, 1.0]


def test_sizes_have_ticks_of_their_own_and_no_others():
    axes = new_axes()
    set_size_axis(axes, [4096, 65536, 1 << 20], "chunk size, bytes")
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["4 Ki", "64 Ki", "1 Mi"]
    low, high = axes.get_xlim()
    assert low < 4096
    assert high > 1 << 20


def test_factors_have_ticks_at_1_2_and_5_and_over_many_powers_at_1_alone():
    axes = new_axes()
    set_factor_axis(axes, 0.04, 0.9)
    assert list(axes.get_yticks()) == [0.05, 0.1, 0.2, 0.5, 1.0]
    set_factor_axis(axes, 0.04, 9000)
    assert list(axes.get_yticks()) == [0.1, 1, 10, 100, 1000, 10000]


def test_ticks_are_read_as_numbers():
    assert [number_tick(value) for value in (10_000.0, 5.0, 0.05)] == ["10,000", "5", "0.05"]


def test_ticks_of_factors_are_as_many_as_there_is_room_for():
    assert factor_ticks(1.0, 100.0) == [1, 2, 5, 10, 20, 50, 100]
    assert factor_ticks(1.0, 100.0, 4) == [1, 10, 100]
    assert factor_ticks(1e-6, 1e6, 5) == [1e-6, 1e-3, 1, 1e3, 1e6]
    assert factor_ticks(0.9, 1.3) == pytest.approx([0.9, 1.0, 1.1, 1.2, 1.3])
