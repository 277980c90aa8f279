"""The look of every figure: Okabe and Ito's colours, and one colour, marker and line style for each copy mode.

Figures are opaque white, so that they read the same in JupyterLab's dark theme, on GitHub and on paper. Nothing here
uses pyplot, whose global state is not safe in the threads that widgets' callbacks run in.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from kfast.lab.mode_comparison import LABELS

# Okabe and Ito, "Color Universal Design" (2008): told apart with any colour vision.
BLACK = "#000000"
ORANGE = "#E69F00"
SKY_BLUE = "#56B4E9"
BLUISH_GREEN = "#009E73"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
REDDISH_PURPLE = "#CC79A7"
GREY = "#5F6368"
LIGHT_GREY = "#C8CCD0"
GRID_COLOR = "#E4E7EA"

CPU_COLOR = VERMILLION
DMA_COLOR = BLUE

DPI = 100


@dataclass(frozen=True, slots=True)
class ModeStyle:
    """How a copy mode looks, in every figure of every notebook."""

    label: str
    color: str
    marker: str
    linestyle: str


MODE_STYLES: dict[str, ModeStyle] = {
    "read_send": ModeStyle(LABELS["read_send"], ORANGE, "s", ":"),
    "mmap_send": ModeStyle(LABELS["mmap_send"], REDDISH_PURPLE, "D", "-."),
    "sendfile": ModeStyle(LABELS["sendfile"], BLUISH_GREEN, "o", "-"),
    "splice": ModeStyle(LABELS["splice"], SKY_BLUE, "^", "--"),
}

RC: Any = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.transparent": False,
    "axes.facecolor": "white",
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.labelsize": 11,
    "grid.color": GRID_COLOR,
    "grid.linewidth": 0.8,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "legend.frameon": False,
    "legend.fontsize": 10.5,
    "lines.linewidth": 2.0,
    "lines.markersize": 6.0,
}


@contextlib.contextmanager
def context() -> Iterator[None]:
    """Within this, new figures and axes have kfast's look; the reader's own settings come back afterwards."""
    with mpl.rc_context(RC):
        yield


def new_figure(width_px: int, height_px: int) -> Figure:
    """Return an opaque white figure with an Agg canvas of exactly this size; safe in any thread."""
    with context():
        figure = Figure(figsize=(width_px / DPI, height_px / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def mode_label(copy_mode: str) -> str:
    """The name of a copy mode as people read it: read+send for read_send."""
    return MODE_STYLES[copy_mode].label


def to_png(figure: Figure) -> bytes:
    """Return the figure as PNG bytes, at its own size."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=figure.dpi, facecolor="white")
    return buffer.getvalue()
