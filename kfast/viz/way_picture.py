"""The way of the data as a picture that stands still, with the same in words."""

from __future__ import annotations

from kfast.lab.data_way import DataWay, copies_by_cpu, sentences
from kfast.viz import style
from kfast.viz.shown_figure import ShownFigure
from kfast.viz.way_figure import WayFigure


def draw_way(way: DataWay) -> ShownFigure:
    """Both paths in the copy mode of `way`."""
    drawing = WayFigure()
    drawing.show(way)
    times = ("never", "once", "twice", "three times")[copies_by_cpu(way)]
    mode = style.mode_label(way.copy_mode)
    finding = f"The way of the data with {mode}: the CPU copies each byte {times} on its read path."
    return ShownFigure(drawing.figure, finding, " ".join(sentences(way)))
