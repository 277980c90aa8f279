from dataclasses import replace

import pytest

from kfast.lab.experiment import Arm, Comparison, Experiment, Measure
from kfast.viz import style
from kfast.viz.ratio_figures import OWN_LEFT_OUT, draw_by_machine, draw_ratios

ONE, MANY = Arm("1 a batch"), Arm("1,000 a batch")
GAIN, NOTHING = "1,000 a batch over 1, records a second", "1,000 a batch over 1, bytes"
COMPARISONS = [Comparison(GAIN, "rate", MANY, ONE), Comparison(NOTHING, "bytes", MANY, ONE)]
EXPERIMENT = Experiment(
    "E0", "none", "Why?", "is it so?", {}, "none",
    (Measure("rate", "records a second", "more"), Measure("bytes", "bytes", "less")),
    "no", "some", "all", "true", plan=lambda options: None,
)  # fmt: skip


@pytest.fixture
def make(make_result):
    def maker(gain=20.0, day="2026-11-23", **changes):
        medians = {
            ONE: {"rate": 1e3, "bytes": 100.0},
            MANY: {"rate": gain * 1e3, "bytes": 100.0},
            ONE.again(): {"rate": 1e3, "bytes": 100.0},
        }
        return make_result(medians, COMPARISONS, measured_at=f"{day}T10:00:00+00:00", **changes)

    return maker


def texts(shown):
    return [text.get_text() for text in shown.figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def markers(shown):
    """Marker, colour and place of each point."""
    (axes,) = shown.figure.axes
    return [
        (line.get_marker(), line.get_color(), line.get_xdata()[0])
        for line in axes.lines
        if line.get_marker() not in ("None", None, "")
    ]


def test_two_runs_and_ones_own_stand_beside_each_other(make):
    shown = draw_ratios(EXPERIMENT, [make(20.0), make(22.0, "2026-11-24")], own=make(9.0, "2026-12-01"))
    gains = markers(shown)[:3]
    assert [marker for marker, *_ in gains] == ["o", "s", "D"]
    assert [color for _, color, _ in gains] == [style.BLACK, style.BLACK, style.BLUE]
    assert [x for *_, x in gains] == pytest.approx([20.2, 22.2, 9.09], rel=0.01)
    assert {"run of 2026-11-23", "run of 2026-11-24", "your own run"} <= set(texts(shown))
    assert "22.2 and 9.09 times" in shown.finding
    assert "agree in 1 of 2" in shown.finding


def test_what_is_no_effect_is_grey_and_lies_in_the_band(make):
    shown = draw_ratios(EXPERIMENT, [make()])
    (axes,) = shown.figure.axes
    assert [color for _, color, _ in markers(shown)] == [style.BLACK, style.GREY]
    bands = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in axes.patches]
    assert all(left < 1 < right for left, right in bands)
    assert axes.get_xscale() == "log"
    assert axes.get_xlim()[0] < 1 < axes.get_xlim()[1]


def test_every_row_has_its_numbers_in_words(make):
    shown = draw_ratios(EXPERIMENT, [make()])
    assert any(words.startswith("20.2 [") for words in texts(shown))
    assert f"{GAIN}: 20.2 times [" in shown.description
    assert "1,000 a batch over 1, bytes" in [words.replace("\n", " ") for words in texts(shown)]


def test_a_smoke_run_is_not_drawn_and_that_is_said(make):
    smoke = make(is_smoke=True)
    shown = draw_ratios(EXPERIMENT, [make()], own=smoke)
    assert len(markers(shown)) == 2
    assert OWN_LEFT_OUT in shown.description
    assert "your own run" not in texts(shown)
    alone = draw_ratios(EXPERIMENT, [], own=smoke)
    assert markers(alone) == []
    assert texts(alone).count("no finding") == 2
    assert alone.finding == "Smoke run, no finding."


def test_without_any_result_there_is_a_picture_that_says_so():
    shown = draw_ratios(EXPERIMENT, [])
    assert shown.words == "No result yet."
    assert shown.png().startswith(b"\x89PNG")


def test_what_others_published_is_a_cross_with_its_source(make):
    shown = draw_ratios(EXPERIMENT, [make()], published={GAIN: 8.0}, published_source="NetDB 2011")
    assert ("x", style.VERMILLION, 8.0) in markers(shown)
    assert "8.00 published" in texts(shown)
    assert "Published: NetDB 2011." in shown.description
    with pytest.raises(ValueError, match="no comparison 'faster'"):
        draw_ratios(EXPERIMENT, [make()], published={"faster": 8.0})


def test_two_runs_of_one_day_are_told_apart(make):
    shown = draw_ratios(EXPERIMENT, [make(), make()])
    assert {"run 1, of 2026-11-23", "run 2, of 2026-11-23"} <= set(texts(shown))


def test_merged_results_have_a_row_a_machine(make):
    results = [make(), make(22.0), make(9.0, cpu="Neoverse"), make(is_smoke=True)]
    shown = draw_by_machine(results)
    assert len(markers(shown)) == 3
    labels = [words.replace("\n", " ") for words in texts(shown)]
    assert sum("Neoverse" in words for words in labels) == 1
    assert shown.finding == f"{GAIN}: 9.09 to 22.2 times on 2 machines."
    assert "1 of 4 results left out" in shown.description


def test_only_results_that_have_the_comparison_are_merged(make):
    other = replace(make(), comparisons=[replace(COMPARISONS[0], words="something else")])
    assert len(markers(draw_by_machine([make(), other]))) == 1
    assert draw_by_machine([]).finding == "No result yet."


def test_no_words_overlap_or_leave_the_figure(make):
    shown = draw_ratios(EXPERIMENT, [make(), make(day="2026-11-24")], own=make(), published={GAIN: 8.0})
    renderer = shown.figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in shown.figure.texts if text.get_text()]
    whole = shown.figure.bbox
    for place, box in enumerate(boxes):
        assert whole.x0 <= box.x0 < box.x1 <= whole.x1
        assert whole.y0 <= box.y0 < box.y1 <= whole.y1
        assert not any(box.overlaps(other) for other in boxes[place + 1 :])
