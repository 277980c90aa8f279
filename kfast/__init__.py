"""kfast: why is Kafka fast? A segment log and a zero-copy broker to run, read and measure.

The layers, top to bottom; each imports only what lies below it:

    cli                         kfast lab | serve | experiment | bench | dump-log | graduate | doctor
    viz                         shows: widgets and figures
    lab                         measures: workloads, counters, the mutation canary
    broker      client          joins log, wire and transfer  /  load that speaks the protocol
    log   wire   transfer       files  /  Kafka's messages  /  system calls: three that never meet
    record                      bytes <-> batches
    file_slice  clock  scheduler  varint  child_process
    errors

A fetch is a list of chunks; a chunk is bytes or a `FileSlice`; a copy mode is a function that puts a `FileSlice` on a
socket. Everything durable is a log.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kfast.broker.broker import Broker
    from kfast.broker.process import BrokerProcess
    from kfast.log.log import Log
    from kfast.record.batch import RecordBatch
    from kfast.record.builder import RecordBatchBuilder

__all__ = ["Broker", "BrokerProcess", "Log", "RecordBatch", "RecordBatchBuilder", "data_path"]

_HOMES = {
    "Broker": "kfast.broker.broker",
    "BrokerProcess": "kfast.broker.process",
    "Log": "kfast.log.log",
    "RecordBatch": "kfast.record.batch",
    "RecordBatchBuilder": "kfast.record.builder",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kfast' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


def data_path(*parts: str) -> Path:
    """Where kfast's own notebooks/ and data/ lie: `data_path("data", "golden")`.

    In a checkout they are beside the package, in an installed wheel inside it.
    """
    package = Path(__file__).parent
    checkout = package.parent
    root = checkout if (checkout / "pyproject.toml").is_file() else package
    return root.joinpath(*parts)
