import threading

import pytest

from kfast.lab.experiment import Measurement
from kfast.lab.experiment_result import Run
from kfast.lab.io_experiment import ORDERS, read_arm
from kfast.lab.unavailable import Unavailable
from kfast.viz import block_size_explorer
from kfast.viz.block_size_explorer import NOTHING_YET, BlockSizeExplorer, pair_sentence
from kfast.viz.live import LiveRunError

WAIT_S = 10.0
REASON = Unavailable("coldness cannot be checked: cachestat(2), Linux 6.5 or newer")


class FakeExperiment:
    """Half as fast at random; `skips` as on a kernel without cachestat."""

    skips = False
    error = None
    begun = gate = None
    asked = ()

    def __init__(self, block_size, seed):
        type(self).asked = (*self.asked, block_size)
        self.block_size = block_size

    def blocks(self):
        if self.gate is not None:
            self.begun.set()
            assert self.gate.wait(WAIT_S)
        if self.error is not None:
            raise self.error
        yield [] if self.skips else [self._run(*run) for run in zip(ORDERS, (2e9, 1e9), (0.0, 100.0), strict=True)]

    def result(self, runs):
        return type("Result", (), {"skipped": ((None, REASON),) if self.skips else ()})

    def _run(self, order, bytes_per_s, requests):
        values = {"bytes_per_s": bytes_per_s, "device_requests_per_mib": requests}
        measurement = Measurement(1.0, {"worker": 0.1}, values, "disk")
        return Run(0, read_arm(order, self.block_size), measurement, Unavailable("made up"))


@pytest.fixture
def experiment(monkeypatch):
    class Experiment(FakeExperiment):
        pass

    monkeypatch.setattr(block_size_explorer, "block_size_experiment", Experiment)
    return Experiment


def test_nothing_is_measured_before_somebody_asks(experiment):
    explorer = BlockSizeExplorer()
    explorer.wait(WAIT_S)
    assert explorer.result() == []
    assert explorer._note.value == NOTHING_YET


def test_moving_the_slider_measures_and_draws(experiment):
    explorer = BlockSizeExplorer()
    before = explorer._image.value
    explorer.slider.value = 65536
    explorer.wait(WAIT_S)
    assert experiment.asked == (65536,)
    assert len(explorer.result()) == 2
    assert "64 KiB blocks: in order 2,000 MB/s with 0 device requests per MiB" in explorer._note.value
    assert explorer._image.value != before


def test_the_twin_in_code_does_the_same_also_where_the_slider_stands(experiment):
    explorer = BlockSizeExplorer()
    for _ in range(2):
        explorer.set(block_size=4096)
        explorer.wait(WAIT_S)
    assert experiment.asked == (4096, 4096)
    assert explorer.slider.value == 4096
    with pytest.raises(ValueError, match="not 5000"):
        explorer.set(block_size=5000)


def test_a_slider_dragged_past_several_sizes_measures_the_last(experiment):
    experiment.begun, experiment.gate = threading.Event(), threading.Event()
    explorer = BlockSizeExplorer()
    explorer.set(block_size=4096)
    assert experiment.begun.wait(WAIT_S)
    for size in (16384, 65536, 262144):
        explorer.set(block_size=size)
    experiment.gate.set()
    explorer.wait(WAIT_S)
    assert experiment.asked == (4096, 262144)


def test_reads_that_cannot_be_cold_say_why(experiment):
    experiment.skips = True
    explorer = BlockSizeExplorer()
    explorer.set(block_size=4096)
    explorer.wait(WAIT_S)
    assert explorer.result() == []
    assert f">4 KiB: {REASON}<" in explorer._note.value


def test_what_went_wrong_is_raised_and_the_slider_works_again_afterwards(experiment):
    experiment.error = OSError("the disk is full")
    explorer = BlockSizeExplorer()
    explorer.set(block_size=4096)
    with pytest.raises(LiveRunError, match="the disk is full"):
        explorer.wait(WAIT_S)
    experiment.error = None
    explorer.set(block_size=4096)
    explorer.wait(WAIT_S)
    assert len(explorer.result()) == 2


def test_one_pair_is_for_intuition(experiment):
    (runs,) = experiment(4096, 0).blocks()
    assert pair_sentence(runs).endswith("2.00 times as fast, in one run of each: for intuition, not a finding.")
