from dataclasses import replace

import pytest

from kfast.lab.experiment import Arm, Comparison, Experiment, Measure
from kfast.lab.prediction import SMOKE
from kfast.viz import style
from kfast.viz.curve_figure import draw_curve, other_factors

BATCHES = (1, 100, 10_000)


def arm(batch, client):
    return Arm.of(f"{batch} a batch, {client}", batch=batch, client=client, size=100)


ARMS = [arm(batch, client) for client in ("raw", "confluent") for batch in BATCHES]
SERIES = {"raw client": lambda one: one["client"] == "raw", "librdkafka": lambda one: one["client"] == "confluent"}
COMPARISONS = [
    Comparison("100 over 1, librdkafka", "rate", arm(100, "confluent"), arm(1, "confluent")),
    Comparison("100 over 1, raw", "rate", arm(100, "raw"), arm(1, "raw")),
]
EXPERIMENT = Experiment(
    "E0", "none", "Why?", "is it so?", {"batch": "records a batch"}, "none",
    (Measure("rate", "records a second", "more"), Measure("bytes", "bytes a record", "less")),
    "no", "some", "all", "true", plan=lambda options: None,
)  # fmt: skip


@pytest.fixture
def result(make_result):
    medians = {
        one: {"rate": 1e4 * one["batch"] / (1 + one["batch"] / 100), "bytes": 100 + 60 / one["batch"]} for one in ARMS
    }
    return make_result({**medians, ARMS[0].again(): medians[ARMS[0]]}, COMPARISONS)


def lines(shown):
    return {line.get_label(): line for line in shown.figure.axes[0].lines if not line.get_label().startswith("_")}


def texts(shown):
    return [text.get_text() for text in shown.figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def test_each_series_is_a_line_through_its_medians_with_its_name_at_its_end(result):
    shown = draw_curve(EXPERIMENT, result, "batch", "rate", SERIES)
    found = lines(shown)
    assert list(found) == ["raw client", "librdkafka"]
    assert list(found["raw client"].get_xdata()) == list(BATCHES)
    assert [found[name].get_color() for name in SERIES] == [style.BLUE, style.VERMILLION]
    assert {"raw client", "librdkafka", "records a batch", "records a second"} <= set(texts(shown))
    assert shown.figure.axes[0].get_legend() is None
    assert "raw client: 1: 10,100" in shown.description


def test_both_axes_are_logarithmic_and_one_that_spans_little_begins_at_0(result):
    (axes,) = draw_curve(EXPERIMENT, result, "batch", "rate", SERIES).figure.axes
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "100", "10,000"]
    (axes,) = draw_curve(EXPERIMENT, result, "batch", "bytes", SERIES).figure.axes
    assert axes.get_yscale() == "linear"
    assert axes.get_ylim()[0] == 0


def test_the_title_is_about_what_is_drawn(result):
    only_raw = {"raw client": SERIES["raw client"]}
    assert draw_curve(EXPERIMENT, result, "batch", "rate", only_raw).finding.startswith("100 over 1, raw: ")
    assert draw_curve(EXPERIMENT, result, "batch", "rate", SERIES).finding.startswith("100 over 1, librdkafka: ")


def test_without_series_there_is_one_for_each_combination_of_the_other_factors(result):
    assert list(other_factors(ARMS, "batch")) == ["raw", "confluent"]
    assert list(other_factors(ARMS[:3], "batch")) == ["all"]
    assert list(lines(draw_curve(EXPERIMENT, result, "batch", "rate"))) == ["raw", "confluent"]


def test_a_smoke_run_has_grey_dots_and_no_line(result):
    shown = draw_curve(EXPERIMENT, replace(result, is_smoke=True), "batch", "rate", SERIES)
    assert lines(shown) == {}
    assert {line.get_color() for line in shown.figure.axes[0].lines} == {style.GREY}
    assert "Smoke run, no finding" in texts(shown)
    assert shown.words == SMOKE


def test_where_no_block_counts_there_is_a_picture_that_says_so(result):
    runs = [replace(run, machine=replace(run.machine, steal_s=9.0)) for run in result.runs]
    shown = draw_curve(EXPERIMENT, replace(result, runs=runs), "batch", "rate", SERIES)
    assert "Too few blocks, no finding" in texts(shown)
    assert shown.png().startswith(b"\x89PNG")


def test_all_words_are_inside_the_figure(result):
    shown = draw_curve(EXPERIMENT, result, "batch", "rate", {"a rather long name of a line": lambda one: True})
    renderer = shown.figure.canvas.get_renderer()
    shown.figure.draw(renderer)
    whole = shown.figure.bbox
    for text in shown.figure.findobj(lambda artist: hasattr(artist, "get_text") and artist.get_text()):
        box = text.get_window_extent(renderer)
        assert whole.x0 <= box.x0 <= box.x1 <= whole.x1
        assert whole.y0 <= box.y0 <= box.y1 <= whole.y1
