"""The figures of an experiment, all in one place; each draws from stored results and gives a `ShownFigure`."""

from __future__ import annotations

from kfast.viz.ablation_figure import draw_ablation
from kfast.viz.arms_figure import draw_arms
from kfast.viz.curve_figure import draw_curve
from kfast.viz.ratio_figures import draw_by_machine, draw_ratios

__all__ = ["draw_ablation", "draw_arms", "draw_by_machine", "draw_curve", "draw_ratios"]
