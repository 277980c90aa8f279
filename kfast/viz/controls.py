"""The dashboard's controls: each a widget that the keyboard reaches, with its value in words beside it.

A callback copies the value under a lock and returns; the renderer thread takes the changes with `take_changes` and
writes what came of them: a slow change never holds up the kernel, and a dragged slider is applied four times a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from kfast.lab.sizes import KIB, size_text
from kfast.viz import style

BATCH_RECORDS = tuple(2**power for power in range(15))
RECORD_SIZES = (10, 100, KIB, 10 * KIB)
FETCH_SIZES = tuple(2**power for power in range(12, 25, 2))
CONSUMER_COUNTS = (1, 2, 3, 4)
WORKLOADS = {"produce": "produce", "reread": "re-read", "both": "both"}
CLIENTS = {"raw": "raw", "confluent": "confluent-kafka"}
RECEIVERS = {"recv_into": "copies", "discard": "discards"}
COMPRESSIONS = ("none", "gzip", "snappy", "lz4", "zstd")
FLUSH_POLICIES = {"never": "left to the kernel", "batch": "fsync every batch"}


class Controls:
    """All settings of the dashboard. `first_row` is always seen, `more` is a closed accordion."""

    def __init__(self, settings: Mapping[str, Any], copy_modes: Sequence[str]) -> None:
        self._lock = threading.Lock()
        self._changes: dict[str, Any] = {}
        self._widgets = _make_widgets(settings, copy_modes)
        self._notes = {name: widgets.HTML() for name in self._widgets}
        for name, note in self._notes.items():
            note.add_class(f"kfast-note-{name.replace('_', '-')}")
            self._widgets[name].add_class(f"kfast-control-{name.replace('_', '-')}")
            self._widgets[name].observe(self._changed, names="value")
        self._show_notes()
        self.first_row = widgets.HBox(
            [self._with_note("batch_records"), self._with_note("copy_mode")],
            layout=widgets.Layout(flex_flow="row wrap"),
        )
        rest = [self._with_note(name) for name in self._widgets if name not in ("batch_records", "copy_mode")]
        self.more = widgets.Accordion([widgets.VBox(rest)], selected_index=None)
        self.more.set_title(0, "More settings")

    @property
    def values(self) -> dict[str, Any]:
        """What the controls stand at."""
        return {name: widget.value for name, widget in self._widgets.items()}

    def set(self, **settings: Any) -> None:
        """Move controls, as the reader would. Raises ValueError for a setting or a value there is not."""
        for name, value in settings.items():
            if name not in self._widgets:
                raise ValueError(f"{name!r} is no setting; there are {', '.join(self._widgets)}")
            widget = self._widgets[name]
            allowed = [value for _, value in widget.options]
            if value not in allowed:
                raise ValueError(f"{name} is one of {', '.join(map(str, allowed))}, not {value!r}")
        for name, value in settings.items():
            self._widgets[name].value = value

    def take_changes(self) -> dict[str, Any]:
        """The settings that changed since the last call, each with its newest value."""
        with self._lock:
            changes, self._changes = self._changes, {}
        return changes

    def _changed(self, change: Mapping[str, Any]) -> None:
        name = next(name for name, widget in self._widgets.items() if widget is change["owner"])
        with self._lock:
            self._changes[name] = change["new"]
            self._show_notes()

    def _show_notes(self) -> None:
        values = self.values
        for name, note in self._notes.items():
            note.value = f"<div style='line-height:1.3'>{WORDS[name](values)}</div>"

    def _with_note(self, name: str) -> widgets.Widget:
        return widgets.HBox(
            [self._widgets[name], self._notes[name]],
            layout=widgets.Layout(flex_flow="row wrap", align_items="center", grid_gap="0 12px"),
        )


def _make_widgets(settings: Mapping[str, Any], copy_modes: Sequence[str]) -> dict[str, Any]:
    toggles = {"copy_mode": {mode: style.mode_label(mode) for mode in copy_modes}, "workload": WORKLOADS}
    toggles |= {"client": CLIENTS, "flush": FLUSH_POLICIES, "receive": RECEIVERS}
    sliders = {"batch_records": BATCH_RECORDS, "record_size": RECORD_SIZES, "fetch_bytes": FETCH_SIZES}
    sliders |= {"consumer_count": CONSUMER_COUNTS}
    made: dict[str, Any] = {}
    for name in DESCRIPTIONS:
        common = {"description": DESCRIPTIONS[name], "style": {"description_width": "92px"}}
        if name in toggles:
            options = [(label, value) for value, label in toggles[name].items()]
            made[name] = widgets.ToggleButtons(options=options, value=settings[name], **common)
            made[name].style.button_width = "auto"
            made[name].layout = widgets.Layout(
                display="flex", flex_flow="row nowrap", align_items="baseline", width="max-content"
            )
        elif name in sliders:
            options = [(_short(name, value), value) for value in sliders[name]]
            layout = widgets.Layout(width="340px")
            made[name] = widgets.SelectionSlider(options=options, value=settings[name], layout=layout, **common)
        else:
            options = [(value, value) for value in COMPRESSIONS]
            made[name] = widgets.Dropdown(options=options, value=settings[name], **common)
    return made


def change_label(name: str, value: Any) -> str:
    """What stands at the line of a change: short, as lines may be near each other."""
    if name == "copy_mode":
        return style.mode_label(value)
    if name == "batch_records":
        return f"batch {value:,}"
    if name in ("record_size", "fetch_bytes"):
        return f"{DESCRIPTIONS[name].split()[0].lower()} {size_text(value)}"
    if name == "consumer_count":
        return count_text(value, "consumer", "consumers")
    if name == "receive":
        return f"receiver {RECEIVERS[value]}"
    return {**WORKLOADS, **CLIENTS, **FLUSH_POLICIES}.get(value, str(value))


def _short(name: str, value: int) -> str:
    return size_text(value) if name in ("record_size", "fetch_bytes") else f"{value:,}"


def count_text(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


DESCRIPTIONS = {
    "batch_records": "Batch size",
    "copy_mode": "Copy mode",
    "workload": "Workload",
    "consumer_count": "Consumers",
    "fetch_bytes": "Fetch size",
    "record_size": "Record size",
    "compression": "Compression",
    "client": "Client",
    "flush": "Flush",
    "receive": "Receiver",
}


def _batch_words(values: Mapping[str, Any]) -> str:
    words = f"{count_text(values['batch_records'], 'record', 'records')} of {size_text(values['record_size'])} a batch"
    if values["client"] == "raw":
        words += "<br>raw client: the client's own cost for each record is left out"
    return words


COPY_WORDS = {
    "read_send": "read into the broker, then sent: two copies",
    "mmap_send": "mapped, then sent: one copy and page faults",
    "sendfile": "sent from the page cache: no copy in the broker",
    "splice": "sent through a pipe of page references: no copy in the broker",
}

WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "batch_records": _batch_words,
    "copy_mode": lambda values: COPY_WORDS[values["copy_mode"]],
    "workload": lambda values: {
        "produce": "producer only, nothing is read",
        "reread": "consumers read the log again and again, nothing is written",
        "both": "a producer writes while consumers read the log again and again",
    }[values["workload"]],
    "consumer_count": lambda values: count_text(values["consumer_count"], "consumer process", "consumer processes"),
    "fetch_bytes": lambda values: f"at most {size_text(values['fetch_bytes'])} an answer",
    "record_size": lambda values: f"{size_text(values['record_size'])} a record value",
    "compression": lambda values: f"batches compressed by the producer: {values['compression']}",
    "client": lambda values: {
        "raw": "requests made in advance; records are not looked at",
        "confluent": "librdkafka makes and reads every record: the client soon is the limit",
    }[values["client"]],
    "receive": lambda values: {
        "recv_into": "the receiver copies the bytes into its own memory, as every consumer does",
        "discard": "the receiver drops the bytes in the kernel (MSG_TRUNC): its copy is taken away",
    }[values["receive"]],
    "flush": lambda values: {
        "never": "acknowledged when in the page cache (Kafka's default)",
        "batch": "acknowledged when on disk (flush.messages=1)",
    }[values["flush"]],
}
