"""The ablation: its arms and comparisons exactly, and one smoke run for what it counts; never how fast anything is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kfast.lab.ablation import (
    ABLATION,
    ARRIVED,
    ARRIVED_SHARE,
    BATCHING,
    BROKER_CPU,
    CLIENTS,
    DEVICE_BUSY,
    INGREDIENTS,
    PRODUCED,
    STORED,
    ZERO_COPY,
    AblationSession,
    ablation_arms,
    ablation_comparisons,
    all_but,
    all_six,
    is_followed,
    none,
    only,
    settings_of,
)
from kfast.lab.experiment import Options
from kfast.lab.experiment_findings import report_lines
from kfast.lab.experiment_result import ExperimentResult
from kfast.lab.experiment_run import ExperimentRun
from kfast.lab.experiments import find_experiment
from kfast.lab.unavailable import Unavailable


@pytest.fixture(scope="module")
def result() -> ExperimentResult:
    run = ExperimentRun(ABLATION, Options(is_smoke=True, block_count=1), seed=1)
    return run.run()


def test_it_is_found_by_name_and_slug() -> None:
    assert find_experiment("e10") is find_experiment("ablation") is ABLATION


def test_each_arm_differs_from_its_base_by_one_setting() -> None:
    for client in CLIENTS:
        for one in INGREDIENTS:
            taken = set(all_but(one, client).factors) ^ set(all_six(client).factors)
            assert taken == {(one.setting, one.value), (one.setting, one.without)}
            added = set(only(one, client).factors) ^ set(none(client).factors)
            assert added == taken


def test_a_full_plan_has_each_client_with_each_ingredient_and_two_pairs() -> None:
    arms = ablation_arms(is_smoke=False)
    assert len(arms) == len(set(arms)) == 2 * (1 + 6 + 1 + 6 + 2)
    names = [str(arm) for arm in arms]
    assert names[:3] == [
        "all six, raw clients",
        "all but batching, raw clients",
        "all but deferred write-back, raw clients",
    ]
    assert names[-2:] == ["all six, librdkafka again (A/A)", "none, librdkafka again (A/A)"]
    plan = ABLATION.plan(Options())
    assert plan.block_count == 20
    assert plan.estimated_text == "20 min"


def test_comparisons_are_of_neighbours_and_all_over_none_comes_first() -> None:
    comparisons = ablation_comparisons(ablation_arms(is_smoke=False))
    assert len(comparisons) == 2 + 2 * 12 + 4
    assert comparisons[0].words == "all six over none, records a second, raw clients"
    found = {comparison.words: comparison for comparison in comparisons}
    taken = found["all six over all but batching, records a second, librdkafka"]
    assert (taken.over, taken.under) == (all_six("confluent"), all_but(BATCHING, "confluent"))
    added = found["zero copy alone over none, records a second, raw clients"]
    assert (added.over, added.under) == (only(ZERO_COPY, "raw"), none("raw"))
    cpu = found["all but zero copy over all six, broker CPU a record, raw clients"]
    assert (cpu.measure, cpu.over, cpu.under) == (BROKER_CPU, all_but(ZERO_COPY, "raw"), all_six("raw"))
    assert {comparison.measure for comparison in comparisons} <= {measure.name for measure in ABLATION.measures}


def test_a_smoke_plan_compares_only_what_it_runs() -> None:
    plan = ABLATION.plan(Options(is_smoke=True))
    assert {arm for comparison in plan.comparisons for arm in (comparison.over, comparison.under)} <= set(plan.arms)
    assert [comparison.words for comparison in plan.comparisons] == ["all six over none, records a second, raw clients"]
    assert not plan.warms_up
    assert any(arm.replicate for arm in plan.arms)


def test_an_arm_is_a_workload() -> None:
    settings = settings_of(none("raw"))
    assert (settings.workload, settings.consumer_count, settings.receive) == ("follow", 4, "discard")
    assert (settings.batch_records, settings.flush, settings.copy_mode) == (1, "batch", "read_send")
    assert (settings.layout, settings.compression, settings.long_polls) == ("scattered", "none", False)
    settings = settings_of(all_six("confluent"))
    assert (settings.client, settings.consumer_count, settings.batch_records) == ("confluent", 1, 1_000)
    assert (settings.layout, settings.compression, settings.long_polls) == ("log", "lz4", True)


def test_consumers_have_caught_up_when_they_have_nearly_all() -> None:
    assert is_followed(produced=1000, consumed=1900, consumer_count=2)
    assert is_followed(produced=1000, consumed=1001, consumer_count=1)  # the producer has not been told yet
    assert not is_followed(produced=1000, consumed=1900, consumer_count=3)
    assert not is_followed(produced=0, consumed=0, consumer_count=1)


def test_a_smoke_run_counts_what_each_arm_is(result: ExperimentResult) -> None:
    assert len(result.runs) == len(result.arms)
    for run in result.runs:
        arrived, produced = run.value(ARRIVED), run.value(PRODUCED)
        assert not isinstance(arrived, Unavailable)
        assert not isinstance(produced, Unavailable)
        assert arrived > 0
        assert {"broker", "producer", "consumer 1"} <= set(run.measurement.cpu_s)
        assert run.value(ARRIVED_SHARE) == pytest.approx(arrived / (produced * settings_of(run.arm).consumer_count))
        assert DEVICE_BUSY in run.measurement.values
    by_codec = {"none": [], "lz4": []}
    for run in result.runs:
        by_codec[run.arm["compression"]].append(run.value(STORED))
    # A batch more or less at the end of so short a run changes the figure of an arm, hardly that of all of them.
    assert min(by_codec["lz4"]) < 0.7 * max(by_codec["none"])
    assert "follows it" in result.conditions["workload"]
    assert any("SMOKE RUN" in line for line in report_lines(ABLATION, result))


def test_nothing_is_left_behind_whatever_happens(tmp_path: Path) -> None:
    pids: list[int] = []

    def interrupted() -> None:
        with AblationSession(tmp_path, 0.0, 0.01) as session:
            session.run(all_six("raw"))
            for workload in session.workloads.values():
                pids.extend(workload.pids.values())
                assert list(workload.pids) == ["broker"]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
