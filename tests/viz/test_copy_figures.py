from dataclasses import replace

import pytest

from kfast.lab.copy_experiment import CopyArm, CopyExperiment
from kfast.lab.plans import zero_copy_arms
from kfast.lab.prediction import SMOKE
from kfast.viz import copy_figures

MIB = 1 << 20
CHUNK_SIZES = (64 << 10, 256 << 10)


@pytest.fixture(scope="module")
def smoke():
    arms = zero_copy_arms(CHUNK_SIZES, MIB)
    return CopyExperiment(arms, block_count=3, run_size=MIB, fetch_size=MIB // 2, is_smoke=True).run()


@pytest.fixture(scope="module")
def result(smoke):
    """The same runs as if they were a measurement, so that all that is drawn of one is drawn."""
    return replace(smoke, is_smoke=False)


def texts(shown):
    words = [text.get_text() for text in shown.figure.findobj(lambda artist: hasattr(artist, "get_text"))]
    return "\n".join(words)


def test_the_sweep_has_a_line_a_band_and_every_run_as_a_dot(result):
    (axes,) = copy_figures.draw_sweep(result).figure.axes
    lines = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert list(lines) == ["read+send", "mmap+send", "sendfile", "splice"]
    assert list(lines["sendfile"].get_xdata()) == list(CHUNK_SIZES)
    assert len(axes.collections) == 4
    dots = [line for line in axes.lines if line.get_markersize() < 4]
    assert sum(len(line.get_xdata()) for line in dots) == 4 * len(CHUNK_SIZES) * 3
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["64 Ki", "256 Ki"]


def test_the_sweep_says_its_finding_with_both_factors(result):
    shown = copy_figures.draw_sweep(result)
    assert "larger chunks alone" in texts(shown)
    assert texts(shown).count("mode\n÷") + texts(shown).count("size\n÷") == 3
    assert "mattered more" in shown.finding
    assert "sendfile: 64 KiB" in shown.description


def test_a_smoke_run_is_labelled_and_no_factor_is_drawn(smoke):
    shown = copy_figures.draw_sweep(smoke)
    assert "Smoke run, no finding (3 blocks)" in texts(shown)
    assert "÷" not in texts(shown)
    assert shown.finding == SMOKE


def test_the_receivers_are_drawn_beside_each_other(result):
    shown = copy_figures.draw_receivers(result)
    sender, receiver = shown.figure.axes
    assert "sender CPU" in sender.get_title("left") + sender.get_title()
    assert len(receiver.collections) == 8  # a band for each mode, copying and discarding
    assert {"copies", "discards"} <= set(texts(shown).splitlines())
    assert receiver.get_ylim()[0] == 0


@pytest.mark.parametrize("draw", [copy_figures.draw_sweep, copy_figures.draw_receivers])
def test_where_no_block_counts_nothing_is_drawn_and_that_is_said(result, draw):
    shown = draw(replace(result, dropped_blocks=(0, 1, 2)))
    assert "lost too much processor time" in shown.finding
    assert shown.png().startswith(b"\x89PNG")


def test_the_working_sets_name_the_caches():
    arms = [CopyArm(mode, 256 << 10, size) for size in (MIB // 2, MIB) for mode in ("read_send", "sendfile")]
    result = CopyExperiment(arms, block_count=1, run_size=MIB, is_smoke=True).run()
    result = replace(result, provenance=replace(result.provenance, caches={"L1d": 48 << 10, "L3": MIB // 2}))
    shown = copy_figures.draw_working_sets(result)
    assert "L1d 48 KiB, L3 512 KiB" in texts(shown)
    assert "1 MiB is more than the largest." in texts(shown)
    assert "Smoke run, no finding: a working set of 512 KiB and one of 1 MiB" in texts(shown)
    assert len(shown.figure.axes[0].collections) == 4
