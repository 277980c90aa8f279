import threading

import pytest

from kfast.viz import style
from kfast.viz.live import WIDGET_VIEW, End, LiveOutput, LivePlot, LiveRunError, stop_all

PATIENCE_S = 20.0


class OneLine:
    """A picture of one line that every step moves."""

    def __init__(self):
        self.figure = style.new_figure(80, 40)
        axes = self.figure.add_axes((0, 0, 1, 1))
        self.line = axes.plot([0, 1], [0, 0])[0]
        axes.set(ylim=(0, 100))

    def moving(self):
        return [self.line]


class Steps:
    """Counts its calls; `failing` names the one that raises. `wait_for` returns after that many steps."""

    def __init__(self, picture, failing="", draws=True):
        self.picture, self.failing, self.draws = picture, failing, draws
        self.calls, self.end = [], None
        self._stepped = threading.Condition()

    def begin(self):
        self._called("begin")

    def step(self, elapsed_s):
        self.picture.line.set_ydata([self.calls.count("step") % 100] * 2)
        self._called("step")
        return [False] if self.draws else None

    def finish(self, end, error):
        self.error = error
        self.end = end
        self._called("finish")

    def wait_for(self, call, count=1):
        with self._stepped:
            assert self._stepped.wait_for(lambda: self.calls.count(call) >= count, PATIENCE_S)

    def _called(self, name):
        with self._stepped:
            self.calls.append(name)
            self._stepped.notify_all()
        if name == self.failing:
            raise OSError(f"{name} failed")


@pytest.fixture
def make_plot(request):
    made = []

    def maker(*, failing="", draws=True, name=request.node.name, **rest):
        picture = OneLine()
        plot = LivePlot(name, [picture], Steps(picture, failing, draws), frames_per_s=200, **rest)
        plot.steps = plot._source
        made.append(plot)
        return plot

    yield maker
    for plot in made:
        plot.stop()


def test_frames_change_while_it_runs_and_stop_ends_it(make_plot):
    plot = make_plot()
    first = plot.images[0].value
    plot.start()
    plot.steps.wait_for("step", 3)
    plot.stop()
    assert not plot.is_running
    assert plot.steps.end is End.STOPPED
    assert plot.images[0].value != first


def test_it_ends_by_itself(make_plot):
    plot = make_plot(limit_s=0.05)
    plot.start()
    assert plot.wait(timeout_s=PATIENCE_S)
    assert plot.steps.end is End.LIMIT
    assert plot.steps.calls[0] == "begin"
    assert plot.steps.calls[-1] == "finish"


def test_no_run_outlives_the_interpreter(make_plot):
    plots = [make_plot(name="one"), make_plot(name="another")]
    for plot in plots:
        plot.start()
    stop_all()
    assert not any(plot.is_running for plot in plots)
    assert all(plot.steps.calls[-1] == "finish" for plot in plots)


def test_a_silent_run_sends_no_frame(make_plot):
    plot = make_plot(limit_s=0.05)
    before = plot.images[0].value
    plot.is_silent = True
    plot.start()
    plot.wait(timeout_s=PATIENCE_S)
    assert plot.images[0].value == before


def test_start_leaves_a_running_one_alone_and_begins_again_after_the_end(make_plot):
    plot = make_plot()
    plot.start()
    plot.start()
    plot.steps.wait_for("step")
    plot.stop()
    assert plot.steps.calls.count("begin") == 1
    plot.start()
    plot.steps.wait_for("begin", 2)


def test_a_second_of_the_same_name_replaces_the_first(make_plot):
    first = make_plot()
    first.start()
    first.steps.wait_for("step")
    second = make_plot()
    assert not first.is_running
    assert first.steps.end is End.STOPPED
    second.start()
    second.steps.wait_for("step")
    assert second.is_running


@pytest.mark.parametrize("failing", ["begin", "step", "finish"])
def test_what_the_thread_raised_is_raised_again(make_plot, failing):
    plot = make_plot(failing=failing, limit_s=0.05)
    plot.start()
    assert plot.wait(timeout_s=PATIENCE_S)
    with pytest.raises(LiveRunError, match=f"{failing} failed") as raised:
        plot.raise_error()
    assert isinstance(raised.value.__cause__, OSError)
    assert plot.steps.calls.count("finish") == 1


def test_a_failed_run_can_be_started_again(make_plot):
    plot = make_plot(failing="step")
    plot.start()
    plot.wait(timeout_s=PATIENCE_S)
    assert plot.steps.end is End.FAILED
    plot.steps.failing = ""
    plot.start()
    plot.steps.wait_for("begin", 2)
    plot.raise_error()


def test_wait_returns_when_done_and_says_when_the_time_is_up(make_plot):
    plot = make_plot()
    plot.start()
    assert plot.wait(lambda: plot.steps.calls.count("step") >= 2, PATIENCE_S)
    assert not plot.wait(timeout_s=0.0)
    assert plot.is_running


def test_interrupting_the_wait_ends_the_run(make_plot):
    plot = make_plot()
    plot.start()

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plot.wait(interrupt)
    assert not plot.is_running


def test_a_step_may_draw_nothing(make_plot):
    plot = make_plot(draws=False)
    before = plot.images[0].value
    plot.start()
    plot.steps.wait_for("step", 3)
    assert plot.images[0].value == before


def test_only_the_renderer_thread_calls_the_source(make_plot):
    plot = make_plot()
    threads = set()
    plot.steps.step = lambda _: threads.add(threading.current_thread().name)
    plot.start()
    plot.wait(lambda: bool(threads), PATIENCE_S)
    plot.stop()
    assert threads == {f"kfast-live-{plot.name}"}


def test_the_saved_output_holds_view_picture_and_words(make_plot):
    plot = make_plot()
    bundle = LiveOutput(plot.images[0]).bundle(plot.png(), "words")
    assert bundle[WIDGET_VIEW]["model_id"] == plot.images[0].model_id
    assert bundle["image/png"].startswith("iVBOR")
    assert bundle["text/plain"] == "words"


def test_pictures_have_a_fixed_size_that_shrinks_with_a_narrow_page(make_plot):
    image = make_plot().images[0]
    assert (image.layout.width, image.layout.max_width) == ("auto", "80px")
