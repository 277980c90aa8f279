"""The ablation: what each ingredient is worth beside all others, and by itself, a panel for each kind of client.

It is drawn on a logarithmic axis: ingredients need each other, so their factors are not shares of
one whole, and what slows down stands as far to the left as what speeds up to the right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kfast.lab.experiment import Comparison, Experiment, Factor
from kfast.lab.experiment_findings import no_finding, no_finding_headline
from kfast.lab.experiment_result import ExperimentResult
from kfast.lab.prediction import factor, number
from kfast.lab.summary import Interval
from kfast.lab.unavailable import Unavailable
from kfast.viz import style
from kfast.viz.arms_figure import where
from kfast.viz.forest import HOW, ForestPanel, ForestRow, Point, draw_forest
from kfast.viz.row_chart import Mark, RowWords
from kfast.viz.shown_figure import ShownFigure

CLIENT = "client"
TAKEN = Mark("taken from all: all over all but it", style.BLACK, "o")
ADDED = Mark("added to none: it alone over none", style.BLACK, "o", is_hollow=True)


@dataclass(frozen=True, slots=True)
class Ablation:
    """The comparisons with one kind of client: all over none, and two for each factor that is an ingredient."""

    whole: Comparison
    taken: Mapping[str, Comparison]
    added: Mapping[str, Comparison]

    @property
    def client(self) -> str:
        """As the name of the arm with all ingredients ends: all six, raw clients."""
        return self.whole.over.name.partition(", ")[2]

    @classmethod
    def of(cls, comparisons: Sequence[Comparison]) -> Ablation:
        whole = max(comparisons, key=lambda one: len(_changed(one)))
        single = [(one, _changed(one)[0]) for one in comparisons if len(_changed(one)) == 1]
        return cls(
            whole,
            {name: one for one, name in single if one.over == whole.over},
            {name: one for one, name in single if one.under == whole.under},
        )


def draw_ablation(experiment: Experiment, result: ExperimentResult) -> ShownFigure:
    """A row an ingredient: one marker for taking it away from all, one for adding it to none. Of the first measure."""
    ablations = _ablations(result, experiment.measures[0].name)
    settings = list(dict.fromkeys(name for one in ablations for name in (*one.taken, *one.added)))
    names = [_ingredient(experiment, setting) for setting in settings]
    title = _headline(result, ablations)
    if reason := no_finding(result):
        panels = [ForestPanel([ForestRow(name, []) for name in names], one.client) for one in ablations]
        words = RowWords(title, names, foot=where([result]))
        return ShownFigure(draw_forest(words, panels or [ForestPanel([])]), reason)
    panels = [_panel(result, one, settings, names) for one in ablations]
    words = RowWords(title, names, HOW, key=[TAKEN, ADDED], foot=where([result]))
    figure = draw_forest(words, panels)
    return ShownFigure(figure, f"{title}.", " ".join(_panel_words(result, one, settings, names) for one in ablations))


def _ablations(result: ExperimentResult, measure: str) -> list[Ablation]:
    """One for each kind of client, in the order of the comparisons."""
    by_client: dict[Factor, list[Comparison]] = {}
    for comparison in result.comparisons:
        if comparison.measure == measure:
            by_client.setdefault(dict(comparison.over.factors).get(CLIENT, ""), []).append(comparison)
    return [Ablation.of(comparisons) for comparisons in by_client.values()]


def _changed(comparison: Comparison) -> list[str]:
    """The factors in which the two arms differ."""
    under = dict(comparison.under.factors)
    return [name for name, value in comparison.over.factors if under.get(name) != value]


def _ingredient(experiment: Experiment, setting: str) -> str:
    """ "zero copy" where the factor is described as "zero copy: sendfile, or ...", else the name of the factor."""
    name, colon, _ = experiment.factors.get(setting, "").partition(":")
    return name if colon else setting.replace("_", " ")


def _panel(result: ExperimentResult, one: Ablation, settings: Sequence[str], names: Sequence[str]) -> ForestPanel:
    rows = []
    for setting, name in zip(settings, names, strict=True):
        pair = [(TAKEN, one.taken.get(setting)), (ADDED, one.added.get(setting))]
        rows.append(ForestRow(name, [Point.of(mark, result, found) for mark, found in pair if found]))
    return ForestPanel(rows, f"{one.client}; the limit with all: {result.limited_by(one.whole.over)}")


def _headline(result: ExperimentResult, ablations: Sequence[Ablation]) -> str:
    if no_finding(result):
        return no_finding_headline(result)
    ratios = [(one.client, result.ratio(one.whole)) for one in ablations]
    found = [f"{number(r.median)} times with {client}" for client, r in ratios if isinstance(r, Interval)]
    return f"All ingredients over none: {', '.join(found) or 'not measured'}"


def _panel_words(result: ExperimentResult, one: Ablation, settings: Sequence[str], names: Sequence[str]) -> str:
    words = []
    for setting, name in zip(settings, names, strict=True):
        pair = (("taken from all", one.taken.get(setting)), ("added to none", one.added.get(setting)))
        words.append(f"{name}: {', '.join(f'{how} {_times(result, found)}' for how, found in pair if found)}")
    return f"{one.client}: all over none {_times(result, one.whole)}; {'; '.join(words)}."


def _times(result: ExperimentResult, comparison: Comparison) -> str:
    ratio = result.ratio(comparison)
    return str(ratio) if isinstance(ratio, Unavailable) else factor(ratio)
