"""What an `ExperimentResult` says, in sentences: computed from the runs, and worded for whatever came out.

An effect is called one only if its interval does not span 1 and it is larger than the A/A resolution; otherwise the
sentence says that there is none to be seen, and what was the limit meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence

from kfast.lab.conditions import condition_lines
from kfast.lab.experiment import Comparison, Experiment, Measure
from kfast.lab.experiment_result import ExperimentResult, Run
from kfast.lab.prediction import SMOKE, against, factor, number
from kfast.lab.results import machine_name
from kfast.lab.summary import Interval
from kfast.lab.unavailable import Unavailable

FINDING_BLOCK_COUNT = 10  # the bootstrap interval of a median of fewer holds the median clearly too seldom


def no_finding(result: ExperimentResult) -> str:
    """Why nothing may be concluded; empty where something may."""
    if result.is_smoke:
        return SMOKE
    if result.block_count < FINDING_BLOCK_COUNT:
        lost = f" and {dropped} lost too much processor time" if (dropped := len(result.dropped_blocks)) else ""
        return f"{result.block_count} blocks count{lost}; it takes {FINDING_BLOCK_COUNT}: no finding."
    return ""


def no_finding_headline(result: ExperimentResult) -> str:
    """The same, short enough for the title of a figure."""
    return f"{'Smoke run' if result.is_smoke else 'Too few blocks'}, no finding"


def is_effect(result: ExperimentResult, comparison: Comparison) -> bool:
    """Whether the two arms differ by more than chance and by more than the same arm run twice does."""
    ratio, smallest = result.ratio(comparison), result.aa_resolution(comparison.measure, comparison)
    if isinstance(ratio, Unavailable) or ratio.spans(1.0):
        return False
    return isinstance(smallest, Unavailable) or not 1 / smallest <= ratio.median <= smallest


def sentence(result: ExperimentResult, comparison: Comparison) -> str:
    """One comparison: its factor with its interval, or that there is no effect to be seen, or why it is missing."""
    if reason := no_finding(result):
        return f"{comparison.words}: {reason[0].lower()}{reason[1:]}"
    ratio = result.ratio(comparison)
    if isinstance(ratio, Unavailable):
        return f"{comparison.words}: {ratio}."
    smallest = result.aa_resolution(comparison.measure, comparison)
    if is_effect(result, comparison):
        unknown = " How far equal runs differ is not known." if isinstance(smallest, Unavailable) else ""
        return f"{comparison.words}: {factor(ratio)}. {_limit_words(result, comparison)}{unknown}"
    seen = f"larger than the A/A resolution ({smallest:.2f} times)" if isinstance(smallest, float) else "to be seen"
    return f"{comparison.words}: no effect {seen}, {factor(ratio)}. {_limit_words(result, comparison)}"


def headline(result: ExperimentResult) -> str:
    """The first comparison, short enough for the title of a figure."""
    if no_finding(result):
        return no_finding_headline(result)
    if not result.comparisons:
        return f"{result.block_count} blocks"
    comparison = result.comparisons[0]
    ratio = result.ratio(comparison)
    if isinstance(ratio, Unavailable):
        return f"{comparison.words}: {ratio}"
    return f"{comparison.words}: {number(ratio.median)} times" + (
        "" if is_effect(result, comparison) else ", no effect"
    )


def sentences(result: ExperimentResult) -> list[str]:
    """Every comparison; of what finds nothing out one sentence that says so."""
    if reason := no_finding(result):
        return [reason]
    return [sentence(result, comparison) for comparison in result.comparisons]


def held_against(question: str, predicted: float | None, result: ExperimentResult, comparison: Comparison) -> str:
    """What a reader predicted for the ratio of a comparison, beside what was measured."""
    ratio = result.ratio(comparison)
    if isinstance(ratio, Unavailable):
        return f"{question}: {ratio}."
    return against(question, predicted, ratio, no_finding(result))


def agreement(results: Sequence[ExperimentResult]) -> list[str]:
    """Whether the last two full runs of an experiment on one machine agree: a line for each comparison.

    Two agree where their intervals meet.
    """
    pair = last_two(results)
    if pair is None:
        return ["No two full runs on one machine are stored: it takes two to say whether they agree."]
    return [_agreement_line(comparison, *pair) for comparison in pair[1].comparisons]


def agreement_sentence(results: Sequence[ExperimentResult]) -> str:
    """In how many comparisons the last two full runs on one machine agree; empty where there are no two."""
    pair = last_two(results)
    if pair is None:
        return ""
    shared = [_intervals(comparison, *pair) for comparison in pair[1].comparisons if comparison in pair[0].comparisons]
    measured = [both for both in shared if both is not None]
    apart = [_times_apart(*both) for both in measured if not _meet(*both)]
    words = f"The last two stored runs agree in {len(measured) - len(apart)} of {len(measured)} comparisons"
    others = f"; the others differ by at most {number(max(apart))} times" if apart else ""
    return f"{words}{others}." if measured else ""


def last_two(results: Sequence[ExperimentResult]) -> tuple[ExperimentResult, ExperimentResult] | None:
    """The last two full runs, both on the machine of the last one."""
    counted = [result for result in results if not no_finding(result)]
    same = [one for one in counted if machine_name(one.provenance) == machine_name(counted[-1].provenance)]
    return (same[-2], same[-1]) if len(same) > 1 else None


def _agreement_line(comparison: Comparison, first: ExperimentResult, second: ExperimentResult) -> str:
    if comparison not in first.comparisons:
        return f"{comparison.words}: not compared in the run before."
    both = _intervals(comparison, first, second)
    if both is None:
        return f"{comparison.words}: {first.ratio(comparison)} and {second.ratio(comparison)}."
    meets = "agree" if _meet(*both) else "DO NOT agree"
    return f"{comparison.words}: {factor(both[0])} and {factor(both[1])} {meets}."


def _intervals(
    comparison: Comparison, first: ExperimentResult, second: ExperimentResult
) -> tuple[Interval, Interval] | None:
    one, other = first.ratio(comparison), second.ratio(comparison)
    return None if isinstance(one, Unavailable) or isinstance(other, Unavailable) else (one, other)


def report_lines(experiment: Experiment, result: ExperimentResult) -> list[str]:
    """All of it for a terminal: conditions, a table of the arms, the sentences, what they show and how to check."""
    return [
        f"{experiment.name} {experiment.title}: {experiment.question}",
        *head_lines(result),
        "",
        *arm_table(experiment, result),
        "",
        *(sentence(result, comparison) for comparison in result.comparisons),
        *experiment.own_sentences(result),
        "",
        f"What this shows: {experiment.shows}",
        f"What it does not: {experiment.shows_not}",
        f"It would be wrong if: {experiment.falsifier}",
        f"To check it without kfast: {experiment.counter_check}",
    ]


def head_lines(result: ExperimentResult) -> list[str]:
    """What stands above the numbers: how many blocks, on which machine, and what was the same for all arms."""
    dropped = f", {len(result.dropped_blocks)} more dropped for stolen processor time" if result.dropped_blocks else ""
    return [
        f"{'SMOKE RUN, no finding: ' if result.is_smoke else ''}{result.block_count} blocks, every arm once in each, "
        f"in random order{dropped}. Medians [95 % intervals].",
        *condition_lines(result.provenance),
        *(f"{name}: {value}." for name, value in result.conditions.items()),
    ]


def arm_table(experiment: Experiment, result: ExperimentResult) -> list[str]:
    """A row an arm: each measure with its interval, and what limited it; then the arms that could not be run.

    A measure that an arm of its kind does not have is a dash.
    """
    shown = [measure for measure in experiment.measures if _is_measured(result.runs, measure)]
    rows = [["arm", *(measure.label for measure in shown), "limited by"]]
    for arm in result.arms:
        if runs := result.runs_of(arm):
            cells = [
                cell(result.summary(arm, measure.name), measure.scale) if _is_measured(runs, measure) else "-"
                for measure in shown
            ]
            rows.append([str(arm), *cells, result.limited_by(arm)])
    return [*table_lines(rows), *(f"{arm}: {reason}" for arm, reason in result.skipped)]


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of equally many cells, the first of them the head, in columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def resolution_sentence(result: ExperimentResult, measure: str) -> str:
    """What an effect must be larger than, without which a ratio means nothing."""
    found = result.aa_resolution(measure)
    if isinstance(found, Unavailable):
        return f"Resolution {found}."
    return f"The same arm run twice differed by up to {found:.2f} times."


def cell(values: Interval | Unavailable, scale: float = 1.0) -> str:
    """A median with its interval, as tables show it."""
    if isinstance(values, Unavailable):
        return str(values)
    middle, low, high = (number(value / scale) for value in (values.median, values.low, values.high))
    return f"{middle} [{low}, {high}]"


def _is_measured(runs: Sequence[Run], measure: Measure) -> bool:
    return any(measure.name in run.measurement.values for run in runs)


def _limit_words(result: ExperimentResult, comparison: Comparison) -> str:
    over, under = result.limited_by(comparison.over), result.limited_by(comparison.under)
    if over == under:
        return f"The limit was {over}." if over != "none" else "No resource was the limit."
    return f"The limit was {over} in {comparison.over}, {under} in {comparison.under}."


def _times_apart(one: Interval, other: Interval) -> float:
    return max(one.median / other.median, other.median / one.median)


def _meet(one: Interval, other: Interval) -> bool:
    return one.low <= other.high and other.low <= one.high
