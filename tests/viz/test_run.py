import pytest

from kfast.lab.mode_comparison import ComparisonPlan
from kfast.viz.controls import Controls
from kfast.viz.dashboard import DEFAULTS
from kfast.viz.live import End
from kfast.viz.run import DashboardRun, Measuring, Show

MODES = ("read_send", "sendfile", "splice")
STEP_S = 0.25


class Driver:
    """Steps a run by hand, a quarter of a second at a time."""

    def __init__(self, run, show, opened):
        self.run, self.show, self.opened = run, show, opened
        self.elapsed_s = 0.0

    @property
    def workload(self):
        return self.opened[-1]

    @property
    def finding(self):
        return self.show.readout.finding.value

    @property
    def labels(self):
        return [change.label for change in self.run.timeline.changes if change.label]

    def step(self, count=1):
        drawn = None
        for _ in range(count):
            drawn = self.run.step(self.elapsed_s)
            self.elapsed_s += STEP_S
        return drawn

    def compare(self, steps=200):
        self.run.request_comparison()
        while self.run.is_comparing and steps:
            self.step()
            steps -= 1


@pytest.fixture
def driver(open_workload, read):
    show = Show(Controls(DEFAULTS, MODES))
    plan = ComparisonPlan(rounds=2, settle_s=0.2, measure_s=0.2)
    run = DashboardRun(show, Measuring(open_workload, read, MODES, plan, limit_s=120.0, seed=7))
    run.begin()
    return Driver(run, show, open_workload.opened)


def test_a_run_begins_with_what_the_controls_stand_at(driver):
    assert driver.workload.settings == DEFAULTS
    driver.step(3)
    assert len(driver.run.timeline.points) == 3
    assert driver.run.timeline.points[-1].consume_mb_per_s == pytest.approx(1000)


def test_a_change_reaches_the_workload_with_the_next_sample_and_draws_a_labelled_line(driver):
    driver.step(2)
    driver.show.controls.set(batch_records=16, copy_mode="read_send")
    driver.step()
    assert {"batch_records": 16} in driver.workload.changes
    assert {"copy_mode": "read_send"} in driver.workload.changes
    assert driver.labels == ["batch 16", "read+send"]
    assert driver.run.timeline.points[-1].copy_mode == "read_send"


def test_a_dragged_slider_leaves_one_line_where_it_came_to_rest(driver):
    for batch_records in (512, 256, 128):
        driver.show.controls.set(batch_records=batch_records)
        driver.step()
    driver.step(8)
    driver.show.controls.set(batch_records=64)
    driver.step()
    assert driver.labels == ["batch 128", "batch 64"]
    assert [change["batch_records"] for change in driver.workload.changes] == [512, 256, 128, 64]


def test_no_rate_is_taken_across_a_change(driver):
    driver.step(4)
    driver.show.controls.set(copy_mode="read_send")
    driver.step()
    assert driver.run.timeline.points[-1].cpu_s_per_gb == pytest.approx(0.9, rel=0.01)
    assert "0.90" in driver.show.readout.numbers.value


def test_numbers_limit_and_words_are_shown(driver):
    driver.step(8)
    readout = driver.show.readout
    assert "1,000" in readout.numbers.value
    assert "with sendfile" in readout.numbers.value
    assert "Limit: consumer CPU." in readout.limit.value
    assert "consumer (0.95)" in readout.limit.value
    assert "by reference" in readout.words.value
    assert "lies in /lab/here: never more than 2 GiB" in readout.place.value
    assert "sendfile: 0.30 broker CPU seconds per GB" in driver.finding
    assert readout.status.value.startswith("running: 2 s of 120 s, sendfile")


def test_what_cannot_be_set_is_said_and_the_run_goes_on(driver):
    driver.show.controls.set(client="confluent")
    driver.step()
    driver.show.controls.set(copy_mode="splice")
    driver.step()
    assert "splice could not be set: no splice today" in driver.finding
    assert driver.run.timeline.points[-1].copy_mode == "sendfile"


def test_a_comparison_measures_all_modes_on_re_reading_alone_and_then_goes_back(driver):
    driver.step(2)
    driver.compare()
    comparison = driver.run.comparison
    assert comparison.is_complete
    assert not driver.run.has_compared
    driver.step()
    assert driver.run.has_compared
    assert {result.turn.copy_mode for result in comparison.results} == set(MODES)
    assert "read+send cost the broker 3.00 times the CPU of sendfile" in driver.finding
    assert driver.workload.changes[0] == {"workload": "reread"}
    assert (driver.workload.settings["workload"], driver.workload.settings["copy_mode"]) == ("both", "sendfile")
    assert driver.labels == ["comparison", "sendfile, both"]


def test_nothing_is_drawn_while_a_turn_is_measured(open_workload, read):
    show = Show(Controls(DEFAULTS, MODES))
    plan = ComparisonPlan(rounds=1, settle_s=0.2, measure_s=1.0)
    driver = Driver(
        DashboardRun(show, Measuring(open_workload, read, MODES, plan, 120.0, 7)), show, open_workload.opened
    )
    driver.run.begin()
    driver.run.request_comparison()
    drawn = [driver.step() is not None for _ in range(7)]
    assert drawn == [True, True, False, False, False, True, True]


def test_a_change_ends_a_comparison_and_the_sentence_says_so(driver):
    driver.run.request_comparison()
    driver.step(4)
    driver.show.controls.set(batch_records=2, copy_mode="read_send")
    driver.step()
    assert not driver.run.is_comparing
    assert "not complete: it was ended by a change of batch_records, copy_mode" in driver.finding
    assert driver.workload.settings["copy_mode"] == "read_send"
    assert driver.workload.settings["workload"] == "both"
    assert driver.workload.settings["batch_records"] == 2


def test_the_end_stops_the_workload_and_says_why(driver):
    driver.step(4)
    driver.run.finish(End.LIMIT, None)
    assert driver.workload.is_stopped
    assert driver.show.readout.status.value == "ended by itself after 120 s; Start begins a new run"


def test_a_failure_is_said_in_words(driver):
    driver.run.finish(End.FAILED, OSError("no space left"))
    assert driver.show.readout.status.value == "failed: no space left"


def test_a_new_run_begins_from_nothing(driver):
    driver.step(2)
    driver.compare()
    driver.run.finish(End.STOPPED, None)
    driver.run.begin()
    assert driver.run.timeline.points == []
    assert driver.run.comparison is None
    assert len(driver.opened) == 2
