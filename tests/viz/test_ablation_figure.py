from dataclasses import replace
from itertools import product

import pytest

from kfast.lab.experiment import Arm, Comparison, Experiment, Measure
from kfast.lab.prediction import SMOKE
from kfast.viz import style
from kfast.viz.ablation_figure import draw_ablation

CLIENTS = {"raw": "raw clients", "confluent": "librdkafka"}
EXPERIMENT = Experiment(
    "E0", "none", "Why?", "is it so?", {"copy_mode": "zero copy: or not", "batch_records": "one or many"},
    "none", (Measure("rate", "records a second", "more"), Measure("cpu", "CPU", "less")),
    "no", "some", "all", "true", plan=lambda options: None,
)  # fmt: skip


def arm(name, batch, mode, client):
    return Arm.of(f"{name}, {CLIENTS[client]}", client=client, batch_records=batch, copy_mode=mode)


def arms_of(client):
    return [
        arm("all two", 1000, "sendfile", client),
        arm("all but batching", 1, "sendfile", client),
        arm("all but zero copy", 1000, "read_send", client),
        arm("none", 1, "read_send", client),
    ]


def comparisons_of(client):
    both, unbatched, copied, none = arms_of(client)
    return [
        Comparison(f"all over none, {CLIENTS[client]}", "rate", both, none),
        Comparison(f"all over all but batching, {CLIENTS[client]}", "rate", both, unbatched),
        Comparison(f"all over all but zero copy, {CLIENTS[client]}", "rate", both, copied),
        Comparison(f"batching alone over none, {CLIENTS[client]}", "rate", copied, none),
        Comparison(f"zero copy alone over none, {CLIENTS[client]}", "rate", unbatched, none),
        Comparison(f"none over all, CPU, {CLIENTS[client]}", "cpu", none, both),
    ]


@pytest.fixture
def result(make_result):
    medians = {}
    for one in (one for client in CLIENTS for one in arms_of(client)):
        gain = 10.0 if one["client"] == "raw" else 3.0
        rate = 1e3 * (gain if one["batch_records"] > 1 else 1) * (2.0 if one["copy_mode"] == "sendfile" else 1)
        medians[one] = {"rate": rate, "cpu": 1.0}
    first = next(iter(medians))
    comparisons = [one for client in CLIENTS for one in comparisons_of(client)]
    return make_result({**medians, first.again(): medians[first]}, comparisons)


def texts(shown):
    return [text.get_text() for text in shown.figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def points(axes):
    lines = [line for line in axes.lines if line.get_marker() == "o"]
    return [(line.get_markerfacecolor() == "white", line.get_xdata()[0]) for line in lines]


def test_each_client_has_a_panel_and_each_ingredient_two_markers(result):
    raw, confluent = draw_ablation(EXPERIMENT, result).figure.axes
    assert [is_hollow for is_hollow, _ in points(raw)] == [False, True] * 2
    assert [x for _, x in points(raw)] == pytest.approx([10, 10, 2, 2], rel=0.05)
    assert [x for _, x in points(confluent)] == pytest.approx([3, 3, 2, 2], rel=0.05)


def test_both_kinds_of_clients_have_the_same_logarithmic_axis_with_1_on_it(result):
    raw, confluent = draw_ablation(EXPERIMENT, result).figure.axes
    assert raw.get_xscale() == confluent.get_xscale() == "log"
    assert raw.get_xlim() == confluent.get_xlim()
    low, high = raw.get_xlim()
    assert low < 1 < high


def test_names_limits_and_factors_stand_in_words(result):
    shown = draw_ablation(EXPERIMENT, result)
    words = texts(shown)
    assert {"zero copy", "batch records", "raw clients; the limit with all: broker CPU"} <= set(words)
    assert shown.finding.startswith("All ingredients over none: ")
    assert "with raw clients, " in shown.finding
    assert "taken from all 10.0 times" in shown.description or "taken from all 9." in shown.description
    assert shown.description.count("added to none") == 4


def test_no_words_cover_each_other(result):
    shown = draw_ablation(EXPERIMENT, result)
    renderer = shown.figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in shown.figure.texts if text.get_text()]
    assert not any(one.overlaps(other) for one, other in product(boxes, boxes) if one is not other)


def test_an_ingredient_without_effect_is_grey(result):
    same = [
        replace(run, measurement=replace(run.measurement, values={"rate": 1e3 + run.block, "cpu": 1.0}))
        for run in result.runs
    ]
    for axes in draw_ablation(EXPERIMENT, replace(result, runs=same)).figure.axes:
        assert {line.get_color() for line in axes.lines if line.get_marker() == "o"} == {style.GREY}


def test_a_smoke_run_draws_nothing(result):
    shown = draw_ablation(EXPERIMENT, replace(result, is_smoke=True))
    assert "Smoke run, no finding" in texts(shown)
    assert shown.words == SMOKE
    assert all(points(axes) == [] for axes in shown.figure.axes)
