from dataclasses import replace

import pytest

from kfast.lab.experiment import Options
from kfast.lab.experiment_findings import FINDING_BLOCK_COUNT
from kfast.lab.experiment_run import ExperimentRun
from kfast.lab.io_experiment import IO_ORDER, io_arms, io_plan
from kfast.lab.io_worker import WARM
from kfast.lab.prediction import SMOKE
from kfast.lab.unavailable import Unavailable
from kfast.viz import io_figures

BLOCK_SIZES = (16 << 10, 64 << 10)
FILE_SIZE = 1 << 20


@pytest.fixture(scope="module")
def smoke():
    arms = io_arms(BLOCK_SIZES, (WARM,), file_size=FILE_SIZE)
    experiment = replace(IO_ORDER, plan=lambda options: io_plan(options, arms, [], FILE_SIZE, 0.05, {}))
    return ExperimentRun(experiment, Options(is_smoke=True, block_count=FINDING_BLOCK_COUNT)).run()


@pytest.fixture(scope="module")
def result(smoke):
    runs = [replace(run, machine=Unavailable("no block is lost to other guests")) for run in smoke.runs]
    return replace(smoke, is_smoke=False, runs=runs)


def texts(shown):
    words = [text.get_text() for text in shown.figure.findobj(lambda artist: hasattr(artist, "get_text"))]
    return "\n".join(words)


def test_reads_are_drawn_in_order_and_at_random_with_every_run(result):
    speed, requests = io_figures.draw_reads(result, "warm").figure.axes
    labels = [line.get_label() for line in speed.lines if not line.get_label().startswith("_")]
    assert labels == ["at random", "in order"]
    dots = [line for line in speed.lines if line.get_markersize() < 4]
    assert sum(len(line.get_xdata()) for line in dots) == 2 * len(BLOCK_SIZES) * FINDING_BLOCK_COUNT
    assert [tick.get_text() for tick in speed.get_xticklabels()] == ["16 Ki", "64 Ki"]
    assert requests.get_ylim()[0] < 0  # no request at all has a place


def test_each_sync_policy_has_a_column_that_names_it(result):
    shown = io_figures.draw_writes(result)
    titles = [axes.get_title("left") or axes.get_title() for axes in shown.figure.axes]
    assert titles[:3] == ["no sync: page cache only", "fdatasync at the end", "fdatasync every 1 MiB"]
    assert "from left to right" in texts(shown)
    assert "no sync: page cache only:" in shown.finding


def test_a_smoke_run_is_labelled(smoke):
    assert "Smoke run, no finding about writes (10 blocks)" in texts(io_figures.draw_writes(smoke))
    assert io_figures.draw_writes(smoke).finding == SMOKE


def test_reads_that_were_skipped_leave_a_picture_that_says_so(result):
    shown = io_figures.draw_reads(result)  # none was cold
    assert "No finding about cold reads" in texts(shown)
    assert "none was planned" in shown.finding
    assert shown.png().startswith(b"\x89PNG")


def test_requests_that_are_not_counted_say_why(result):
    missing = {"device_requests_per_mib": Unavailable("overlay shows no block device")}
    runs = [
        replace(run, measurement=replace(run.measurement, values={**run.measurement.values, **missing}))
        for run in result.runs
    ]
    shown = io_figures.draw_reads(replace(result, runs=runs), "warm")
    assert "overlay shows no block device" in texts(shown)
