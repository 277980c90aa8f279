"""How wide words are in a figure, and where to break them so that they fit."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from matplotlib.text import Text


def text_width_px(figure: Figure, words: str, size: float, weight: str = "normal") -> float:
    """The width of the longest line of `words` in `size` points."""
    canvas: Any = figure.canvas  # Agg's own calls are not typed
    text = Text(0, 0, words, fontsize=size, fontweight=weight)
    text.set_figure(figure)
    return float(text.get_window_extent(canvas.get_renderer()).width)


def wrapped(figure: Figure, words: str, size: float, width_px: float, weight: str = "normal") -> str:
    """`words` with line breaks, so that no line is wider than `width_px`, unless a single word is."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width_px(figure, longer, size, weight) > width_px:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def balanced(figure: Figure, words: str, size: float, width_px: float, weight: str = "normal") -> str:
    """The same in no more lines, but about equally long ones: no last word alone in its line."""
    found = wrapped(figure, words, size, width_px, weight)
    while found.count("\n"):
        width_px *= 0.96
        narrower = wrapped(figure, words, size, width_px, weight)
        if narrower.count("\n") > found.count("\n"):
            break
        found = narrower
    return found


def shortened(figure: Figure, words: str, size: float, width_px: float) -> str:
    """`words`, or as many of them as fit, and three dots."""
    if text_width_px(figure, words, size) <= width_px:
        return words
    while words and text_width_px(figure, f"{words} ...", size) > width_px:
        words = words.rpartition(" ")[0]
    return f"{words} ..."
