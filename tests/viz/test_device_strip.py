import threading

import pytest

from kfast.lab.counters import DeviceIo
from kfast.lab.unavailable import Unavailable
from kfast.viz.device_strip import WINDOW_S, DeviceFigure, DeviceStrip, Rate

PATIENCE_S = 20.0


class Counters:
    """Ten more reads and five more writes at every look; `wait_for` returns after that many looks."""

    def __init__(self):
        self.count = 0
        self._looked = threading.Condition()

    def __call__(self):
        with self._looked:
            self.count += 1
            self._looked.notify_all()
        return DeviceIo("vda", 10 * self.count, 0, 5 * self.count, 0, 0, 0.0)

    def wait_for(self, count):
        with self._looked:
            assert self._looked.wait_for(lambda: self.count >= count, PATIENCE_S)


@pytest.fixture
def make_strip():
    made = []

    def maker(read, **rest):
        made.append(DeviceStrip("/", read=read, **rest))
        return made[-1]

    yield maker
    for strip in made:
        strip.stop()


def test_requests_between_two_looks_become_rates_and_a_figure_that_stays(make_strip):
    counters = Counters()
    strip = make_strip(counters)
    strip.start()
    counters.wait_for(4)
    strip.stop()
    assert not strip.is_running
    shown = strip.result()
    assert shown.finding.startswith("Requests to the whole device vda in ")
    seen = counters.count - 1  # the first look is where counting begins
    assert f"{10 * seen} to read" in shown.finding
    assert f"{5 * seen} to write" in shown.finding
    reads, writes = shown.figure.axes[0].lines
    assert len(reads.get_xdata()) == len(writes.get_xdata()) == seen


def test_it_ends_by_itself(make_strip):
    strip = make_strip(Counters(), limit_s=0.01)
    strip.start()
    strip.wait(PATIENCE_S)
    assert not strip.is_running


def test_a_device_that_cannot_be_watched_says_why(make_strip):
    strip = make_strip(lambda: Unavailable("overlay shows no block device"), limit_s=0.01)
    assert strip.result().finding == "The device was not watched yet."
    strip.start()
    strip.wait(PATIENCE_S)
    assert strip.result().finding == "unavailable: overlay shows no block device"


def test_the_strip_shows_the_last_minute_and_the_figure_all():
    rates = [Rate(float(second), 100.0, 5.0) for second in range(1, 120)]
    strip, whole = DeviceFigure(), DeviceFigure(window_s=None)
    assert strip.show(rates)  # the limit moved
    assert not strip.show(rates)
    times = strip.figure.axes[0].lines[0].get_xdata()
    assert (min(times), max(times)) == (-WINDOW_S, 0)
    whole.show(rates)
    assert len(whole.figure.axes[0].lines[0].get_xdata()) == len(rates)
    assert whole.figure.axes[0].get_ylim()[1] > 100


def test_its_saved_output_has_a_picture_and_words(make_strip):
    strip = make_strip(Counters())
    bundle = strip._output.bundle(strip._plot.png(), "words")
    assert {"image/png", "text/plain"} < set(bundle)
    assert repr(strip) == "DeviceStrip(not running)"
