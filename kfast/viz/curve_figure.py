"""A measure over a factor that is a number, such as records a batch: a line a series, single runs as dots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from kfast.lab.experiment import Arm, Experiment, Factor, Measure
from kfast.lab.experiment_findings import no_finding
from kfast.lab.experiment_result import ExperimentResult
from kfast.lab.unavailable import Unavailable
from kfast.viz import style
from kfast.viz.arm_look import looks_of
from kfast.viz.arms_figure import arms_headline, arms_sentence, how_it_was_run, rounded, scaled_values, where
from kfast.viz.end_labels import LABEL_PX, SIZE, LineEnd, label_ends
from kfast.viz.measured_text import balanced, text_width_px, wrapped
from kfast.viz.row_chart import EDGE_PX, LABEL_SIZE, LINE_PX, SMALL_SIZE, TITLE_LINE_PX, TITLE_SIZE, WIDTH_PX
from kfast.viz.shown_figure import ShownFigure
from kfast.viz.size_axis import MARGIN, number_tick, set_factor_axis, set_size_axis
from kfast.viz.spread import Look, draw_spread

LEFT_PX, ENDS_PX, BOTTOM_PX = 104, 40, 56
AXES_PX = 340
LOG_ABOVE = 3  # times the smallest value: what spans less is seen better from 0

Series = Mapping[str, Callable[[Arm], bool]]


@dataclass(frozen=True, slots=True)
class Line:
    """One series: its runs by the value of the factor, in the unit of the measure's label."""

    look: Look
    values: dict[float, list[float]]


def draw_curve(
    experiment: Experiment, result: ExperimentResult, x_factor: str, measure: str, series: Series | None = None
) -> ShownFigure:
    """`measure` over `x_factor`. `series` says by the name of each line which arms it goes through.

    Without `series` there is a line for each combination of the other factors. An arm's second row of an A/A pair is
    left out. What a smoke run measured is drawn as grey dots, without lines.
    """
    shown, label = experiment.measure(measure), experiment.factors.get(x_factor, x_factor)
    arms = [arm for arm in result.arms if x_factor in dict(arm.factors) and not arm.replicate]
    picked = {name: list(filter(is_in, arms)) for name, is_in in (series or other_factors(arms, x_factor)).items()}
    lines = _lines(result, x_factor, shown, picked)
    drawn = {arm for some in picked.values() for arm in some}
    about = [one for one in result.comparisons if one.over in drawn and one.under in drawn]
    told = replace(result, comparisons=about)
    axes = _new_axes(arms_headline(told, shown), result, [line.look.label for line in lines])
    _set_axes(axes, lines, x_factor)
    axes.set_xlabel(label)
    axes.set_title(shown.label, fontsize=LABEL_SIZE, loc="left")
    is_shy = bool(no_finding(result))
    for line in lines:
        _draw_line(axes, line, is_shy)
    label_ends(axes, [_end(line, is_shy) for line in lines])
    figure = axes.get_figure(root=True)
    assert figure is not None
    return ShownFigure(figure, arms_sentence(told, shown), "" if is_shy else _medians(lines, shown, label))


def other_factors(arms: Sequence[Arm], x_factor: str) -> dict[str, Callable[[Arm], bool]]:
    """A series for each combination of the factors but `x_factor`, named by those that differ between arms."""
    shapes = dict.fromkeys(_others(arm, x_factor) for arm in arms)
    same = set.intersection(*map(set, shapes)) if shapes else set()
    names = {shape: ", ".join(_factor_words(*factor) for factor in shape if factor not in same) for shape in shapes}
    return {name or "all": partial(_is_of, x_factor, shape) for shape, name in names.items()}


def _is_of(x_factor: str, others: tuple[tuple[str, Factor], ...], arm: Arm) -> bool:
    return _others(arm, x_factor) == others


def _others(arm: Arm, x_factor: str) -> tuple[tuple[str, Factor], ...]:
    return tuple(factor for factor in arm.factors if factor[0] != x_factor)


def _factor_words(name: str, value: Factor) -> str:
    return value if isinstance(value, str) else f"{name.replace('_', ' ')} {value}"


def _lines(
    result: ExperimentResult, x_factor: str, measure: Measure, picked: Mapping[str, Sequence[Arm]]
) -> list[Line]:
    """The series that have any values."""
    found = {}
    for name, arms in picked.items():
        runs = {arm[x_factor]: scaled_values(result, arm, measure) for arm in arms}
        values = {x: some for x, some in runs.items() if not isinstance(some, Unavailable)}
        if values:
            found[name] = values
    looks = looks_of(picked[name][0] for name in found)
    return [Line(replace(look, label=name), found[name]) for name, look in zip(found, looks, strict=True)]


def _new_axes(title: str, result: ExperimentResult, names: Sequence[str]) -> Axes:
    """Axes in a figure with its words, and room at the right for the names of the lines."""
    sheet = style.new_figure(WIDTH_PX, 100)
    room = WIDTH_PX - 2 * EDGE_PX
    title = balanced(sheet, title, TITLE_SIZE, room, "bold")
    foot = wrapped(sheet, where([result]), SMALL_SIZE, room)
    top = 12 + TITLE_LINE_PX * (title.count("\n") + 1) + LINE_PX + 34  # and the name of the measure
    axes_px = max(AXES_PX, LABEL_PX * len(names))
    height = top + axes_px + BOTTOM_PX + LINE_PX * (foot.count("\n") + 1) + 4
    right = WIDTH_PX - ENDS_PX - max((text_width_px(sheet, name, SIZE) for name in names), default=0.0)
    figure = style.new_figure(WIDTH_PX, height)
    x = EDGE_PX / WIDTH_PX
    figure.text(x, 1 - 10 / height, title, fontsize=TITLE_SIZE, weight="bold", va="top", linespacing=1.25)
    subtitle_y = 1 - (top - LINE_PX - 32) / height
    figure.text(x, subtitle_y, how_it_was_run(result), fontsize=SMALL_SIZE, color=style.GREY, va="top")
    figure.text(x, 4 / height, foot, fontsize=SMALL_SIZE, color=style.GREY, va="bottom", linespacing=1.25)
    with style.context():
        place = (LEFT_PX / WIDTH_PX, 1 - (top + axes_px) / height, (right - LEFT_PX) / WIDTH_PX, axes_px / height)
        return figure.add_axes(place)


def _set_axes(axes: Axes, lines: Sequence[Line], x_factor: str) -> None:
    """Both logarithmic; y from 0 where the values span little."""
    xs = sorted({x for line in lines for x in line.values})
    every = [value for line in lines for values in line.values.values() for value in values]
    if not every:
        return
    _set_x_axis(axes, xs, is_size="size" in x_factor or "bytes" in x_factor)
    if max(every) > LOG_ABOVE * min(every) > 0:
        set_factor_axis(axes, min(every), max(every))
    else:
        axes.set_ylim(min(0.0, *every), max(every) * 1.1 or 1.0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number_tick(value)))


def _set_x_axis(axes: Axes, xs: Sequence[float], is_size: bool) -> None:
    if is_size:
        set_size_axis(axes, [round(x) for x in xs], "")
        return
    if min(xs) > 0:
        axes.set_xscale("log")
        axes.set_xlim(min(xs) / MARGIN, max(xs) * MARGIN)
    axes.set_xticks(xs, [number_tick(x) for x in xs])
    axes.xaxis.set_minor_locator(NullLocator())


def _draw_line(axes: Axes, line: Line, is_shy: bool) -> None:
    if not is_shy:
        draw_spread(axes, line.values, line.look)
        return
    for x, values in line.values.items():
        axes.plot([x] * len(values), values, ls="", marker=line.look.marker, ms=4.2, color=style.GREY, alpha=0.6)


def _end(line: Line, is_shy: bool) -> LineEnd:
    x = max(line.values)
    return LineEnd(line.look.label, style.LIGHT_GREY if is_shy else line.look.color, x, median(line.values[x]))


def _medians(lines: Sequence[Line], measure: Measure, label: str) -> str:
    words = []
    for line in lines:
        values = ", ".join(f"{number_tick(x)}: {rounded(median(line.values[x]))}" for x in sorted(line.values))
        words.append(f"{line.look.label}: {values}.")
    return f"Medians, {measure.label}, by {label}. {' '.join(words)}"
