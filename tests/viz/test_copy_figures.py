from dataclasses import replace

import pytest

from kfast.lab.copy_cost import COPY_COST, copy_arms, copy_plan, working_set_arms
from kfast.lab.counters import MachineCpu
from kfast.lab.experiment import Options
from kfast.lab.experiment_findings import FINDING_BLOCK_COUNT
from kfast.lab.experiment_run import ExperimentRun
from kfast.lab.prediction import SMOKE
from kfast.lab.unavailable import Unavailable
from kfast.viz import copy_figures

MIB = 1 << 20
CHUNK_SIZES = (64 << 10, 256 << 10)
STOLEN = MachineCpu(user_s=0.0, system_s=0.0, interrupt_s=0.0, idle_s=0.0, io_wait_s=0.0, steal_s=1.0)


def smoke_of(arms, block_count):
    experiment = replace(COPY_COST, plan=lambda options: copy_plan(arms, MIB, options))
    return ExperimentRun(experiment, Options(is_smoke=True, block_count=block_count)).run()


@pytest.fixture(scope="module")
def smoke():
    return smoke_of(copy_arms(CHUNK_SIZES, MIB, CHUNK_SIZES[-1:]), block_count=FINDING_BLOCK_COUNT)


@pytest.fixture(scope="module")
def result(smoke):
    """The same runs as if they were a measurement of which all blocks count, so that all of one is drawn."""
    return with_machine(replace(smoke, is_smoke=False), Unavailable("made up"))


def with_machine(result, machine):
    return replace(result, runs=[replace(run, machine=machine) for run in result.runs])


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
    assert sum(len(line.get_xdata()) for line in dots) == 4 * len(CHUNK_SIZES) * FINDING_BLOCK_COUNT
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
    assert "Smoke run, no finding (10 blocks)" in texts(shown)
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
    shown = draw(with_machine(result, STOLEN))
    assert "lost too much processor time" in shown.finding
    assert shown.png().startswith(b"\x89PNG")


def test_the_working_sets_name_the_caches():
    result = smoke_of(working_set_arms((MIB // 2, MIB), 256 << 10), block_count=1)
    result = replace(result, provenance=replace(result.provenance, caches={"L1d": 48 << 10, "L3": MIB // 2}))
    shown = copy_figures.draw_working_sets(result)
    assert "L1d 48 KiB, L3 512 KiB" in texts(shown)
    assert "1 MiB is more than the largest." in texts(shown)
    assert "Smoke run, no finding: a working set of 512 KiB and one of 1 MiB" in texts(shown)
    assert len(shown.figure.axes[0].collections) == 4
