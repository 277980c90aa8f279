"""What a reader predicted, held against what was measured: in a sentence, computed."""

from __future__ import annotations

from kfast.lab.summary import Interval

SMOKE = "A smoke run: it shows that everything works, and is no finding."


def against(question: str, predicted: float | None, measured: Interval, no_finding: str = "") -> str:
    """`question` is a factor in words, such as "4 KiB chunks over 1 MiB chunks"; `no_finding` says why none is made."""
    if predicted is None:
        words = f"{question}: you predicted nothing"
    else:
        words = f"{question}: you predicted {predicted:g} times"
    if no_finding:
        return f"{words}. {no_finding}"
    found = f"measured: {factor(measured)}"
    if predicted is None:
        return f"{words}; {found}."
    if measured.spans(predicted):
        return f"{words}; {found}. Your prediction lies within the interval."
    return f"{words}; {found}: {'less' if measured.median < predicted else 'more'} than you thought."


def counted(question: str, predicted: int | None, found: int) -> str:
    """The same for what can be counted, and needs no interval."""
    if predicted is None:
        return f"{question}: you predicted nothing; counted: {found:,}."
    verdict = "less than you thought" if found < predicted else "more than you thought"
    return f"{question}: you predicted {predicted:,}; counted: {found:,}, {'right' if found == predicted else verdict}."


def factor(ratio: Interval) -> str:
    """A ratio with its interval: 2.1 times [1.9, 2.3]."""
    return f"{number(ratio.median)} times [{number(ratio.low)}, {number(ratio.high)}]"


def number(value: float) -> str:
    """As many digits as a measurement of this kind bears: 1,230, 14.2, 2.05, 0.0391."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3g}"


def inverse(ratio: Interval) -> Interval:
    """The same comparison the other way around."""
    return Interval(1 / ratio.median, 1 / ratio.high, 1 / ratio.low, ratio.count)
