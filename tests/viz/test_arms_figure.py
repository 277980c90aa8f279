from dataclasses import replace

import pytest

from kfast.lab.experiment import Arm, Comparison, Experiment, Measure
from kfast.lab.prediction import SMOKE
from kfast.lab.unavailable import Unavailable
from kfast.viz import style
from kfast.viz.arms_figure import draw_arms, rounded

ONE, MANY = Arm.of("1 a batch, raw client", batch=1, client="raw"), Arm.of("1,000 a batch", batch=1000, client="raw")
OTHER = Arm.of("sendfile", copy_mode="sendfile")
RATE, CPU, BYTES = (
    Measure("rate", "records a second", "more"),
    Measure("cpu", "CPU, us a record", "less", scale=1e-6),
    Measure("bytes", "bytes a record", "less"),
)
MEDIANS = {
    ONE: {"rate": 1e3, "cpu": 4e-6, "bytes": 161.0},
    MANY: {"rate": 1e5, "cpu": 1e-6, "bytes": Unavailable("nobody counts")},
    OTHER: {"rate": 5e4, "cpu": 2e-6, "bytes": 120.0},
    ONE.again(): {"rate": 1e3, "cpu": 4e-6, "bytes": 161.0},
}
COMPARISONS = [
    Comparison("1,000 over 1, records", "rate", MANY, ONE),
    Comparison("1 over 1,000, CPU", "cpu", ONE, MANY),
]


@pytest.fixture
def experiment():
    words = ("E0", "none", "Why?", "is it so?", {}, "none")
    return Experiment(*words, (RATE, CPU, BYTES), "no", "some", "all", "true", plan=lambda options: None)


@pytest.fixture
def result(make_result):
    return make_result(MEDIANS, COMPARISONS)


def texts(shown):
    return [text.get_text() for text in shown.figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def dots(shown):
    (axes,) = shown.figure.axes
    return [line for line in axes.lines if line.get_linestyle() == "None"]


def test_each_run_is_a_dot_and_the_median_a_line_on_a_band(experiment, result):
    shown = draw_arms(experiment, result)
    (axes,) = shown.figure.axes
    assert [len(line.get_xdata()) for line in dots(shown)] == [10] * 4
    assert len(axes.patches) == 4
    medians = [line.get_xdata()[0] for line in axes.lines if line.get_color() == style.BLACK]
    assert medians == pytest.approx([1020, 1020, 102_000, 51_000])
    assert axes.get_xlabel() == "records a second"


def test_the_second_row_of_an_arm_run_twice_is_hollow_and_below_its_first(experiment, result):
    shown = draw_arms(experiment, result)
    words = texts(shown)
    rows = [words.index(name) for name in ("1 a batch, raw client", "again (A/A)", "1,000 a batch", "sendfile")]
    assert rows == sorted(rows)
    assert [line.get_markerfacecolor() == "white" for line in dots(shown)] == [False, True, False, False]


def test_copy_modes_and_clients_have_their_colours(experiment, result):
    colors = [line.get_markeredgecolor() for line in dots(draw_arms(experiment, result))]
    assert colors == [style.BLUE, style.BLUE, style.BLUE, style.BLUISH_GREEN]


def test_medians_limits_finding_and_machine_stand_in_words(experiment, result):
    shown = draw_arms(experiment, result)
    words = texts(shown)
    assert words.count("broker CPU") == 4
    assert {"1,020", "102,000", "51,000", "median", "limited by"} <= set(words)
    assert any(word.startswith("1,000 over 1, records: 101 times") for word in words)
    assert shown.finding.startswith("1,000 over 1, records: 101 times [")
    assert "1,000 a batch: 102,000" in shown.description
    assert any(result.provenance.measured_at[:10] in word for word in words)


def test_the_axis_is_logarithmic_only_where_values_span_much(experiment, result):
    (wide,) = draw_arms(experiment, result).figure.axes
    shown = draw_arms(experiment, result, "cpu")
    (narrow,) = shown.figure.axes
    assert (wide.get_xscale(), narrow.get_xscale()) == ("log", "linear")
    assert narrow.get_xlim()[0] == 0
    assert "4.08" in texts(shown)  # in the unit of the label
    assert shown.finding.startswith("1 over 1,000, CPU")


def test_a_value_that_is_missing_says_why_and_a_measure_nobody_compares_has_a_title(experiment, result):
    shown = draw_arms(experiment, result, "bytes")
    assert "unavailable: nobody counts" in texts(shown)
    assert "Bytes a record, arm by arm" in texts(shown)
    assert "1,000 a batch: unavailable: nobody counts" in shown.description


def test_a_smoke_run_is_grey_dots_and_finds_nothing(experiment, result):
    shown = draw_arms(experiment, replace(result, is_smoke=True))
    (axes,) = shown.figure.axes
    assert "Smoke run, no finding" in texts(shown)
    assert {line.get_markeredgecolor() for line in dots(shown)} == {style.GREY}
    assert not axes.patches
    assert not any(line.get_color() == style.BLACK for line in axes.lines)
    assert "broker CPU" not in texts(shown)
    assert shown.words == SMOKE


def test_where_no_block_counts_that_is_said(experiment, make_result):
    shown = draw_arms(experiment, make_result(MEDIANS, COMPARISONS, steal_s=9.0))
    assert "Too few blocks, no finding" in texts(shown)
    assert "lost too much processor time" in shown.finding
    assert shown.png().startswith(b"\x89PNG")


def test_medians_have_three_digits():
    assert [rounded(value) for value in (1_192_076.0, 14.24, 0.03912)] == ["1,190,000", "14.2", "0.0391"]
