"""What the copy experiment found, drawn: chunk size x copy mode, the receiver that discards, the working set.

Every single run is a dot; the line is the median and the band the middle half. Sender CPU stands on a logarithmic axis,
where equal factors are equal distances: so the two factors that the finding compares can be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kfast.lab.copy_cost import COPYING, ZERO_COPY, changed, copy_arm, reference_chunk_size
from kfast.lab.copy_findings import (
    chunk_effect,
    headline,
    main_sentence,
    mode_effect,
    receiver_sentence,
    sweep_arms,
    working_set_sentence,
)
from kfast.lab.copy_session import RECEIVER_CPU, SENDER_CPU, SENT
from kfast.lab.experiment import Arm
from kfast.lab.experiment_findings import no_finding, no_finding_headline
from kfast.lab.experiment_result import ExperimentResult
from kfast.lab.prediction import number
from kfast.lab.sizes import size_text
from kfast.lab.unavailable import Unavailable
from kfast.transfer.modes import COPY_MODES
from kfast.viz import style
from kfast.viz.shown_figure import ShownFigure
from kfast.viz.size_axis import set_factor_axis, set_size_axis
from kfast.viz.spread import Look, draw_dots, draw_spread, jitter, middle_half

WIDTH_PX = 900
SENDER_LABEL = "sender CPU seconds per GB"
RECEIVER_LABEL = "receiver CPU seconds per GB"
ARROW_COLOR = style.GREY


def draw_sweep(result: ExperimentResult) -> ShownFigure:
    """Sender CPU per GB over the chunk size, a line for each copy mode, and the two factors as arrows."""
    with style.context():
        figure = style.new_figure(WIDTH_PX, 470)
        axes = figure.add_axes((0.085, 0.125, 0.66, 0.755))
        modes = [mode for mode in COPY_MODES if _runs(result, mode)]
        for mode in modes:
            draw_spread(axes, _runs(result, mode), _look(mode))
        every = [value for mode in modes for values in _runs(result, mode).values() for value in values]
        if every:
            sizes = [arm["chunk_size"] for arm in sweep_arms(result, modes[0])]
            set_size_axis(axes, sizes, "chunk size, bytes")
            set_factor_axis(axes, min(every), max(every))
            figure.legend(loc="upper left", bbox_to_anchor=(0.755, 0.9), handlelength=2.6)
            if not no_finding(result) and {COPYING, ZERO_COPY} <= set(modes):
                _draw_factors(axes, result)
        axes.set_ylabel(SENDER_LABEL)
        figure.text(0.768, 0.56, _conditions(result), fontsize=9.5, color=style.GREY, va="top", linespacing=1.5)
        figure.text(0.012, 0.945, headline(result), fontsize=12.5, weight="bold")
    return ShownFigure(figure, main_sentence(result), _medians(result, modes))


def draw_receivers(result: ExperimentResult) -> ShownFigure:
    """Sender and receiver CPU in the largest chunks: a receiver that copies beside one that discards."""
    title = "A receiver that copies, or discards by MSG_TRUNC"
    with style.context():
        figure = style.new_figure(WIDTH_PX, 330)
        axes = figure.subplots(1, 2)
        figure.subplots_adjust(left=0.08, right=0.985, top=0.8, bottom=0.1, wspace=0.22)
        for one, measure, label in ((axes[0], SENDER_CPU, SENDER_LABEL), (axes[1], RECEIVER_CPU, RECEIVER_LABEL)):
            arms = [sweep_arms(result, mode)[-1] for mode in COPY_MODES]
            pairs = [(arm, changed(arm, is_discarded=True)) for arm in arms]
            _draw_pairs(one, result, pairs, measure)
            one.set_title(label, fontsize=11)
        figure.text(0.012, 0.93, _titled(title, result), fontsize=12.5, weight="bold")
        _draw_key(figure, 0.74, ("copies", "discards"))
    return ShownFigure(figure, receiver_sentence(result))


def draw_working_sets(result: ExperimentResult) -> ShownFigure:
    """Sender CPU of read+send and sendfile on what fits the processor's caches and on what does not."""
    small, *_, large = sorted({arm["working_set_size"] for arm in result.arms})
    words = (size_text(small), size_text(large))
    with style.context():
        figure = style.new_figure(WIDTH_PX, 330)
        axes = figure.add_axes((0.08, 0.1, 0.5, 0.68))
        arms = [copy_arm(mode, reference_chunk_size(result.arms), small) for mode in (COPYING, ZERO_COPY)]
        pairs = [(arm, changed(arm, working_set_size=large)) for arm in arms]
        _draw_pairs(axes, result, pairs, SENDER_CPU)
        axes.set_title(SENDER_LABEL, fontsize=11)
        figure.text(0.62, 0.76, _cache_words(result, large), fontsize=9.5, color=style.GREY, va="top", linespacing=1.5)
        title = f"A working set of {words[0]} and one of {words[1]}"
        figure.text(0.012, 0.93, _titled(title, result), fontsize=12.5, weight="bold")
        _draw_key(figure, 0.74, words)
    return ShownFigure(figure, working_set_sentence(result))


def _runs(result: ExperimentResult, mode: str) -> dict[int, list[float]]:
    arms = sweep_arms(result, mode)
    return {arm["chunk_size"]: values for arm in arms if (values := _values(result, arm, SENDER_CPU))}


def _values(result: ExperimentResult, arm: Arm, measure: str) -> list[float]:
    """One number a block; none where there is none to draw."""
    values = result.values(arm, measure)
    return [] if isinstance(values, Unavailable) else values


def _look(mode: str, is_hollow: bool = False) -> Look:
    look = style.MODE_STYLES[mode]
    return Look(look.label, look.color, look.marker, look.linestyle, is_hollow)


def _draw_factors(axes: Axes, result: ExperimentResult) -> None:
    """One factor at a time, from read+send in the smallest chunks; and what sendfile adds in the largest."""
    copying, zero = ([median(values) for values in _runs(result, mode).values()] for mode in (COPYING, ZERO_COPY))
    left, right = axes.get_xlim()
    axes.set_xlim(left / 4, right * 5)
    axes.plot([left, right * 1.5], [copying[0]] * 2, color=ARROW_COLOR, lw=0.9, ls=(0, (2, 3)), zorder=1)
    alone, chunks, then = mode_effect(result), chunk_effect(result), mode_effect(result, -1)
    _draw_factor(axes, left * 0.95, (copying[0], zero[0]), f"copy\nmode\n÷ {number(alone.median)}", "right")
    _draw_factor(axes, right * 1.15, (copying[0], copying[-1]), f"chunk\nsize\n÷ {number(chunks.median)}", "left")
    _draw_factor(axes, right * 1.15, (copying[-1], zero[-1]), f"then\nmode\n÷ {number(then.median)}", "left")


def _draw_factor(axes: Axes, x: float, ends: tuple[float, float], words: str, alignment: str) -> None:
    start, end = ends
    look = {"arrowstyle": "-|>", "color": ARROW_COLOR, "lw": 1.4, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (x, end), (x, start), arrowprops=look)
    aside = x * 1.25 if alignment == "left" else x / 1.25
    axes.text(aside, (start * end) ** 0.5, words, va="center", ha=alignment, fontsize=9.5)


def _draw_pairs(axes: Axes, result: ExperimentResult, pairs: Sequence[tuple[Arm, Arm]], measure: str) -> None:
    """For each mode two columns of runs, the second one hollow."""
    highest = 0.0
    for place, pair in enumerate(pairs):
        for side, arm in zip((-0.21, 0.21), pair, strict=True):
            values = _values(result, arm, measure)
            if values:
                _draw_column(axes, place + side, values, _look(arm["copy_mode"], is_hollow=side > 0))
                highest = max(highest, *values)
    axes.set_xticks(range(len(pairs)), [style.mode_label(arm["copy_mode"]) for arm, _ in pairs], fontsize=9.5)
    axes.set_xlim(-0.55, len(pairs) - 0.45)
    axes.set_ylim(0, highest * 1.08 or 1.0)
    axes.grid(False, axis="x")


def _draw_key(figure: Figure, x: float, words: tuple[str, str]) -> None:
    """Which columns are filled and which are hollow."""
    for place, (face, text) in enumerate(zip((style.GREY, "white"), words, strict=True)):
        figure.add_artist(
            Line2D([x + 0.13 * place], [0.945], marker="o", ms=7, mfc=face, mec=style.GREY, mew=1.4, ls="")
        )
        figure.text(x + 0.13 * place + 0.014, 0.932, text, fontsize=10)


def _draw_column(axes: Axes, place: float, values: Sequence[float], look: Look) -> None:
    low, high = middle_half(values)
    axes.fill_between([place - 0.16, place + 0.16], low, high, color=look.color, alpha=0.25, lw=0)
    axes.plot([place - 0.16, place + 0.16], [median(values)] * 2, color=look.color, lw=2.2, zorder=3)
    draw_dots(axes, [place + 0.1 * shift for shift in jitter(len(values))], values, look)
    face = "white" if look.is_hollow else look.color
    axes.plot([place], [median(values)], marker=look.marker, ms=6.5, mfc=face, mec=look.color, ls="", zorder=4)


def _titled(title: str, result: ExperimentResult) -> str:
    return f"{no_finding_headline(result)}: {title[0].lower()}{title[1:]}" if no_finding(result) else title


def _conditions(result: ExperimentResult) -> str:
    arm = result.arms[0]
    return (
        f"{_runs_words(result)}\nfrom a warm file, working\nset {size_text(arm['working_set_size'])}; loopback,\n"
        "the receiver copies.\n\nLine: median.\nBand: the middle half.\nDots: single runs."
    )


def _runs_words(result: ExperimentResult) -> str:
    count, size = result.block_count, int(result.runs[0].measurement.values[SENT] or 0)
    return f"{count} {'run' if count == 1 else 'runs'} of {size_text(size)}"


def _cache_words(result: ExperimentResult, large: int) -> str:
    caches = result.provenance.caches
    sizes = dict(caches) if isinstance(caches, dict) else {}
    if not sizes:
        return f"The processor's caches: {caches}."
    words = ", ".join(f"{name} {size_text(size)}" for name, size in sizes.items())
    last = max(sizes.values())
    fits = "more than" if large > last else "no more than"
    return (
        f"The processor's caches as announced:\n{words}.\nA virtual machine shares them with others.\n\n"
        f"{size_text(large)} is {fits} the largest.\n{_runs_words(result)}."
    )


def _medians(result: ExperimentResult, modes: Sequence[str]) -> str:
    words = []
    for mode in modes:
        values = ", ".join(f"{size_text(size)} {number(median(v))}" for size, v in _runs(result, mode).items())
        words.append(f"{style.mode_label(mode)}: {values}.")
    return f"Medians of sender CPU seconds per GB by chunk size. {' '.join(words)}"
