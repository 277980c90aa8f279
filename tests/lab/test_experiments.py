import pytest

from kfast.lab.experiment import Options
from kfast.lab.experiments import EXPERIMENTS, UnknownExperimentError, find_experiment, list_line


def test_experiments_are_found_by_name_and_by_slug():
    assert find_experiment("e6") is find_experiment("batching") is EXPERIMENTS["E6"]
    with pytest.raises(UnknownExperimentError, match=r"no experiment 'E99'; there are .*E6 batching"):
        find_experiment("E99")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_is_complete(name):
    experiment = EXPERIMENTS[name]
    for is_smoke in (True, False):
        plan = experiment.plan(Options(is_smoke=is_smoke))
        assert len(set(plan.arms)) == len(plan.arms)
        assert any(arm.replicate for arm in plan.arms), "no A/A pair"
        measures = {measure.name for measure in experiment.measures}
        for comparison in plan.comparisons:
            assert {comparison.over, comparison.under} <= set(plan.arms), comparison.words
            assert comparison.measure in measures, comparison.words
    assert plan.block_count >= 20
    assert experiment.name in list_line(experiment)
    assert all((experiment.question, experiment.falsifier, experiment.shows, experiment.shows_not))
