"""The comparisons of an experiment as a forest plot: of stored results beside the reader's own, or by machine.

Smoke runs find nothing out, so nothing of theirs is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from kfast.lab.experiment import Comparison, Experiment
from kfast.lab.experiment_findings import agreement_sentence, no_finding, no_finding_headline
from kfast.lab.experiment_result import ExperimentResult
from kfast.lab.prediction import number
from kfast.lab.results import machine_name
from kfast.lab.summary import Interval
from kfast.viz import style
from kfast.viz.arms_figure import day, where
from kfast.viz.forest import HOW, PUBLISHED, ForestPanel, ForestRow, Point, draw_forest
from kfast.viz.row_chart import Mark, RowWords
from kfast.viz.shown_figure import ShownFigure

STORED_MARKERS = ("o", "s", "^", "v")
STORED = Mark("stored", style.BLACK, STORED_MARKERS[0])
OWN = Mark("your own run", style.BLUE, "D")
OWN_LEFT_OUT = "Your own run was a smoke run: it finds nothing out, and nothing of it is drawn."


def draw_ratios(
    experiment: Experiment,
    results: Sequence[ExperimentResult],
    own: ExperimentResult | None = None,
    published: Mapping[str, float] | None = None,
    published_source: str = "",
) -> ShownFigure:
    """A row a comparison, with a marker for each stored result and one for the reader's `own`.

    `published` has what others found, by the words of a comparison, and `published_source` says who.
    """
    runs = _runs(results, own)
    given = [*results, own] if own else list(results)
    names = _names([result for _, result in runs] or given)
    published = dict(published or {})
    if names and (unknown := set(published) - set(names)):
        raise ValueError(f"{experiment.name} has no comparison {' or '.join(sorted(map(repr, unknown)))}")
    rows = [ForestRow(name, _points(runs, name), published.get(name)) for name in names]
    title = _headline(rows[0]) if runs else no_finding_headline(given[-1]) if given else "No result yet"
    notes = [where([result for _, result in runs]), *_left_out(results, own)]
    notes += [f"Published: {published_source}."] if published_source else []
    shown = RowWords(title, names, HOW if runs else "", key=_key(runs, published), foot=" ".join(notes).strip())
    finding = f"{title}. {agreement_sentence([result for mark, result in runs if mark != OWN])}".strip()
    return ShownFigure(
        draw_forest(shown, [ForestPanel(rows)]), finding, " ".join([*(row.words for row in rows if runs), *notes])
    )


def draw_by_machine(results: Sequence[ExperimentResult], place: int = 0) -> ShownFigure:
    """The comparison at `place` of the first result, by machine: a row each, a marker for each result of it.

    Results of other experiments, smoke runs and results without this comparison are left out, and counted.
    """
    name = results[0].comparisons[place].words if results else ""
    counted = [result for result in results if not no_finding(result) and _named(result, name)]
    machines = sorted({machine_name(result.provenance) for result in counted})
    rows = [ForestRow(machine, _points(_of_machine(counted, machine), name)) for machine in machines]
    title = _machines_headline(name, rows)
    missing = len(results) - len(counted)
    foot = f"{missing} of {len(results)} results left out: smoke runs, or without this comparison." if missing else ""
    figure = draw_forest(RowWords(title, machines, HOW, foot=foot), [ForestPanel(rows)])
    return ShownFigure(figure, f"{title}.", " ".join([*(row.words for row in rows), foot]).strip())


def _runs(results: Sequence[ExperimentResult], own: ExperimentResult | None) -> list[tuple[Mark, ExperimentResult]]:
    """Those that found something out, each with its marker."""
    counted = [result for result in results if not no_finding(result)]
    days = [day(result.provenance) for result in counted]
    runs = []
    for place, (result, when) in enumerate(zip(counted, days, strict=True)):
        label = f"run of {when}" if days.count(when) == 1 else f"run {place + 1}, of {when}"
        runs.append((replace(STORED, label=label, marker=STORED_MARKERS[place % len(STORED_MARKERS)]), result))
    return [*runs, (OWN, own)] if own and not no_finding(own) else runs


def _of_machine(results: Sequence[ExperimentResult], machine: str) -> list[tuple[Mark, ExperimentResult]]:
    return [(STORED, result) for result in results if machine_name(result.provenance) == machine]


def _names(results: Sequence[ExperimentResult]) -> list[str]:
    return list(dict.fromkeys(comparison.words for result in results for comparison in result.comparisons))


def _named(result: ExperimentResult, name: str) -> Comparison | None:
    return next((comparison for comparison in result.comparisons if comparison.words == name), None)


def _points(runs: Sequence[tuple[Mark, ExperimentResult]], name: str) -> list[Point]:
    return [Point.of(mark, result, one) for mark, result in runs if (one := _named(result, name))]


def _left_out(results: Sequence[ExperimentResult], own: ExperimentResult | None) -> list[str]:
    count = sum(bool(no_finding(result)) for result in results)
    words = [f"{count} stored {'run' if count == 1 else 'runs'} without a finding left out."] if count else []
    return [*words, OWN_LEFT_OUT] if own and no_finding(own) else words


def _key(runs: Sequence[tuple[Mark, ExperimentResult]], published: Mapping[str, float]) -> list[Mark]:
    return [*(mark for mark, _ in runs), *([PUBLISHED] if published else [])]


def _headline(row: ForestRow) -> str:
    """What all runs found of the first comparison."""
    found = [point for point in row.points if isinstance(point.ratio, Interval)]
    if not found:
        return row.words.removesuffix(".")
    ratios = _listed([number(point.ratio.median) for point in found if isinstance(point.ratio, Interval)])
    seen = sum(point.is_effect for point in found)
    ending = "" if seen == len(found) else ", no effect" if not seen else f", an effect in {seen} of {len(found)} runs"
    return f"{row.label}: {ratios} times{ending}"


def _listed(words: Sequence[str]) -> str:
    """135, 136 and 134."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _machines_headline(name: str, rows: Sequence[ForestRow]) -> str:
    medians = [point.ratio.median for row in rows for point in row.points if isinstance(point.ratio, Interval)]
    if not medians:
        return f"{name}: no result that finds anything out" if name else "No result yet"
    low, high = number(min(medians)), number(max(medians))
    machines = "1 machine" if len(rows) == 1 else f"{len(rows)} machines"
    return f"{name}: {low if low == high else f'{low} to {high}'} times on {machines}"
