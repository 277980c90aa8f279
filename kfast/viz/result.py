"""What stays of a run: sentences, and a figure that a saved notebook, GitHub or a page made by nbconvert shows."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from statistics import median

from kfast.lab.data_way import DataWay
from kfast.lab.mode_comparison import ModeComparison
from kfast.viz import style
from kfast.viz.comparison_figure import comparison_figure
from kfast.viz.controls import WORKLOADS
from kfast.viz.frames import stack
from kfast.viz.time_figure import Point, TimeFigure, Timeline
from kfast.viz.way_figure import WayFigure

FEWEST_SAMPLES = 3


@dataclass(frozen=True, slots=True)
class DashboardResult:
    """What was measured up to one moment. Shown as figure and sentences; `sentences` alone for those who read code."""

    timeline: Timeline
    comparison: ModeComparison | None
    way: DataWay | None
    remarks: Sequence[str] = field(default=())

    @property
    def sentences(self) -> list[str]:
        words = [] if self.comparison is None else [self.comparison.sentence()]
        return [*words, *mode_sentences(self.timeline), *self.remarks]

    @property
    def produce_by_batch(self) -> dict[int, float]:
        """Median MB/s produced for each batch size that was tried while something was produced."""
        rates: dict[int, list[float]] = {}
        for point in self.timeline.points:
            if point.produce_mb_per_s > 0:
                rates.setdefault(point.batch_records, []).append(point.produce_mb_per_s)
        return {size: median(of_size) for size, of_size in sorted(rates.items())}

    def png(self) -> bytes:
        """The whole run over time, the comparison if there was one, and the way of the data at the end."""
        pictures = []
        if self.comparison is not None and self.comparison.results:
            pictures.append(style.to_png(comparison_figure(self.comparison)))
        if self.timeline.points:
            time_figure = TimeFigure(window_s=None)
            time_figure.show(self.timeline)
            pictures.append(style.to_png(time_figure.figure))
        way_figure = WayFigure()
        if self.way is not None:
            way_figure.show(self.way)
        return stack([*pictures, style.to_png(way_figure.figure)])

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        png = base64.b64encode(self.png()).decode()
        words = " ".join(self.sentences)
        paragraphs = "".join(f"<p>{escape(sentence)}</p>" for sentence in self.sentences)
        # JupyterLab shows no alternative text for image/png, so the image is in HTML as well.
        image = f"<img alt='{escape(words, quote=True)}' src='data:image/png;base64,{png}' style='max-width:100%'>"
        return {"text/html": paragraphs + image, "image/png": png, "text/plain": "\n".join(self.sentences)}

    def __repr__(self) -> str:
        return f"DashboardResult({len(self.timeline.points)} samples)"


def mode_sentences(timeline: Timeline) -> list[str]:
    """For each workload and copy mode that was at work for a while, what the samples say."""
    groups: dict[tuple[str, str], list[Point]] = {}
    for point in timeline.points:
        if point.cpu_s_per_gb is not None:
            groups.setdefault((point.workload, point.copy_mode), []).append(point)
    sentences = [
        _mode_sentence(workload, mode, groups[workload, mode])
        for workload in WORKLOADS
        for mode in style.MODE_STYLES
        if len(groups.get((workload, mode), [])) >= FEWEST_SAMPLES
    ]
    return sentences or ["Nothing has been measured yet."]


def _mode_sentence(workload: str, mode: str, points: Sequence[Point]) -> str:
    cpu = [point.cpu_s_per_gb for point in points if point.cpu_s_per_gb is not None]
    return (
        f"Live, {style.mode_label(mode)}, workload {WORKLOADS[workload]}, median of {len(cpu)} samples: "
        f"{median(cpu):.2f} broker CPU seconds per GB, "
        f"{median(point.produce_mb_per_s for point in points):,.0f} MB/s produced, "
        f"{median(point.consume_mb_per_s for point in points):,.0f} MB/s consumed."
    )
