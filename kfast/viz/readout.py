"""What the dashboard says in words and figures. Written by the renderer thread only; colours are the reader's theme's.

Each part has a CSS class, kfast-numbers, -limit, -finding, -status, -place and -words, so that a test in a browser
reads what a reader reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import ipywidgets as widgets

from kfast.lab.lab_directory import MAX_SIZE_BYTES
from kfast.lab.reading import Reading
from kfast.lab.sizes import size_text
from kfast.viz import style

NOTHING_YET = "–"


class Readout:
    """The texts around the pictures."""

    def __init__(self) -> None:
        self.numbers = _html("numbers", numbers_html(None, ""))
        self.limit = _html("limit", "")
        self.finding = _html("finding", "")
        self.status = widgets.Label("not started")
        self.status.add_class("kfast-status")
        self.words = _html("words", "")
        self.place = _html("place", "")

    def show(self, reading: Reading, copy_mode: str) -> None:
        self.numbers.value = numbers_html(reading, copy_mode)
        self.limit.value = paragraph(limit_sentence(reading))

    def show_place(self, directory: Path) -> None:
        """Where the log lies: on a disk, bounded, and not for long."""
        bound = f"never more than {size_text(MAX_SIZE_BYTES)} or a tenth of the free space, removed at the end"
        self.place.value = paragraph(f"The log of this run lies in {directory}: {bound}.")

    def show_finding(self, sentence: str) -> None:
        """Set the sentence, if it is a new one: a screen reader reads it out whenever it is set."""
        value = f"<p role='status' style='margin:0;line-height:1.4'><b>Measured:</b> {escape(sentence)}</p>"
        if value != self.finding.value:
            self.finding.value = value

    def show_words(self, sentences: Sequence[str]) -> None:
        """The pictures in words."""
        items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
        self.words.value = f"<ul style='margin:0;line-height:1.4'>{items}</ul>"


def numbers_html(reading: Reading | None, copy_mode: str) -> str:
    """Produce and consume MB/s, and large beside them the broker's CPU seconds per GB."""
    produce = consume = cpu = NOTHING_YET
    if reading is not None:
        produce = megabytes_text(reading.produce_bytes_per_s)
        consume = megabytes_text(reading.consume_bytes_per_s)
        cpu = cpu_text(reading.cpu_s_per_gb)
    mode = f" with {style.mode_label(copy_mode)}" if copy_mode else ""
    row = "display:flex;flex-wrap:wrap;gap:2px 28px;align-items:baseline;line-height:1.15"
    return (
        f"<div style='{row}'>"
        f"{_number(produce, 'MB/s produced', 22)}{_number(consume, 'MB/s consumed', 22)}"
        f"{_number(cpu, f'broker CPU seconds per GB{mode}', 40)}</div>"
    )


def limit_sentence(reading: Reading) -> str:
    """Which resource is the limit, and how busy each process was, in processors."""
    shares = ", ".join(f"{name} ({cores:.2f})" for name, cores in reading.cores.items())
    return f"Limit: {reading.limited_by}. Of {reading.processor_count} processors, kept busy by {shares}."


def live_sentence(reading: Reading, copy_mode: str) -> str:
    """One moment as a sentence."""
    limit = "nothing was the limit" if reading.limited_by == "none" else f"{reading.limited_by} was the limit"
    return (
        f"{style.mode_label(copy_mode)}: {cpu_text(reading.cpu_s_per_gb)} broker CPU seconds per GB over the last "
        f"{reading.elapsed_s:.1f} s, at {megabytes_text(reading.produce_bytes_per_s)} MB/s produced and "
        f"{megabytes_text(reading.consume_bytes_per_s)} MB/s consumed; {limit}."
    )


def cpu_text(cpu_s_per_gb: float | None) -> str:
    return NOTHING_YET if cpu_s_per_gb is None else f"{cpu_s_per_gb:.2f}"


def megabytes_text(bytes_per_s: float) -> str:
    megabytes = bytes_per_s / 1e6
    return f"{megabytes:,.1f}" if 0.05 <= megabytes < 10 else f"{megabytes:,.0f}"


def paragraph(words: str) -> str:
    return f"<p style='margin:0;line-height:1.4'>{escape(words)}</p>"


def _number(value: str, unit: str, size_px: int) -> str:
    return f"<span><b style='font-size:{size_px}px;font-variant-numeric:tabular-nums'>{value}</b> {escape(unit)}</span>"


def _html(name: str, value: str) -> widgets.HTML:
    widget = widgets.HTML(value)
    widget.add_class(f"kfast-{name}")
    return widget
