import pytest

from kfast.lab.mode_comparison import ComparisonPlan
from kfast.viz import dashboard as dashboards
from kfast.viz.controls import WORDS
from kfast.viz.dashboard import DEFAULTS, Dashboard
from kfast.viz.live import WIDGET_VIEW, LiveRunError

PATIENCE_S = 30.0


@pytest.fixture
def dashboard(open_workload, read, short_turns, monkeypatch):
    monkeypatch.setenv("KFAST_FAST", "1")
    dashboard = Dashboard(open_workload=open_workload, read=read, seed=1, limit_s=PATIENCE_S)
    yield dashboard
    dashboard.stop()


@pytest.fixture(autouse=True)
def short_turns(monkeypatch):
    for name in ("PLAN", "FAST_PLAN"):
        monkeypatch.setattr(dashboards, name, ComparisonPlan(rounds=2, settle_s=0.0, measure_s=0.1))
    for name in ("FRAMES_PER_S", "FAST_FRAMES_PER_S"):
        monkeypatch.setattr(dashboards, name, 200.0)


def press(dashboard, name):
    buttons = [widget for widget in dashboard.view.children[2].children if hasattr(widget, "click")]
    next(button for button in buttons if button.description == name).click()


def wait_for(dashboard, condition):
    assert dashboard._plot.wait(condition, PATIENCE_S)
    assert condition()


def test_defaults_are_all_settings_with_a_control():
    assert set(DEFAULTS) == set(WORDS)


def test_comparison_by_code(dashboard):
    dashboard.compare_modes()
    dashboard.wait(PATIENCE_S)
    assert dashboard.result().comparison.is_complete
    dashboard.wait(PATIENCE_S)  # is over, so this does not wait


def test_a_short_run_ends_with_its_comparison(dashboard):
    dashboard.compare_modes()
    wait_for(dashboard, lambda: not dashboard.is_running)
    assert dashboard.result().comparison.is_complete


def test_a_full_run_goes_on_after_its_comparison(open_workload, read, monkeypatch):
    monkeypatch.delenv("KFAST_FAST", raising=False)
    dashboard = Dashboard(open_workload=open_workload, read=read, limit_s=PATIENCE_S)
    dashboard.compare_modes()
    dashboard.wait(PATIENCE_S)
    assert dashboard.is_running
    dashboard.stop()
    assert not dashboard.is_running


def test_every_button_has_its_twin(dashboard, open_workload):
    press(dashboard, "Start")
    wait_for(dashboard, lambda: bool(dashboard._run.timeline.points))
    press(dashboard, "Compare modes")
    wait_for(dashboard, lambda: dashboard._run.has_compared)
    press(dashboard, "Stop")
    wait_for(dashboard, lambda: not dashboard.is_running)
    assert open_workload.opened[0].is_stopped


def test_set_moves_the_control_and_the_run_follows(dashboard, open_workload):
    dashboard.start()
    dashboard.set(batch_records=4, copy_mode="read_send")
    wait_for(
        dashboard, lambda: bool(open_workload.opened) and open_workload.opened[0].settings["copy_mode"] == "read_send"
    )
    assert dashboard.controls.values["batch_records"] == 4


def test_result_never_waits_and_raises_what_the_run_raised(dashboard, open_workload):
    assert dashboard.result().sentences[0] == "Nothing has been measured yet."
    dashboard.start()
    wait_for(dashboard, lambda: bool(dashboard._run.timeline.points))
    open_workload.opened[0].failure = OSError("the broker is gone")
    wait_for(dashboard, lambda: not dashboard.is_running)
    with pytest.raises(LiveRunError, match="the broker is gone"):
        dashboard.result()
    with pytest.raises(LiveRunError):
        dashboard.wait()


def test_a_second_dashboard_replaces_the_first(dashboard, open_workload, read):
    dashboard.start()
    wait_for(dashboard, lambda: bool(open_workload.opened))
    second = Dashboard(open_workload=open_workload, read=read)
    assert not dashboard.is_running
    assert open_workload.opened[0].is_stopped
    second.stop()


def test_a_short_run_is_marked_as_one(dashboard):
    assert any("KFAST_FAST=1" in sentence for sentence in dashboard.result().sentences)


def test_output_holds_the_widget_and_what_is_shown_without_it(dashboard):
    bundle = dashboard._repr_mimebundle_()
    assert bundle[WIDGET_VIEW]["model_id"] == dashboard.view.model_id
    assert bundle["image/png"]
    assert bundle["text/plain"].startswith("The live dashboard.")


def test_pictures_texts_and_containers_have_no_tooltip(dashboard):
    # JupyterLab drops the updates of an Image, Label, HTML or VBox that has one.
    waiting = [dashboard.view]
    while waiting:
        widget = waiting.pop()
        assert not getattr(widget, "tooltip", None), widget
        waiting += getattr(widget, "children", ())
