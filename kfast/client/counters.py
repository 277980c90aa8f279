"""What every load generator counts, and what it looks like to the process that runs it."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from kfast.client.latency import LatencyHistogram
from kfast.errors import KfastError


class LoadError(KfastError):
    """A load that could not go on; the message says why, in the words of the broker or of the socket."""


@dataclass(slots=True)
class LoadCounters:
    """Written by the thread that makes the load, read by any.

    `bytes` are those of whole record batches that the broker acknowledged, or that were received. `received_bytes` is
    everything a consumer took off its socket. `errors` counts answers that the load went on after: an offset that
    retention had overtaken, a record that could not be delivered. `loops` counts returns to the start of the log.
    """

    bytes: int = 0
    records: int = 0
    requests: int = 0
    errors: int = 0
    loops: int = 0
    received_bytes: int = 0
    latency: LatencyHistogram = field(default_factory=LatencyHistogram)


class Load(Protocol):
    """Work that goes on until it is done or stopped."""

    counters: LoadCounters

    def run(self) -> None:
        """Do the work in the calling thread; return when done or stopped, raise when it cannot go on."""

    def set(self, name: str, value: Any) -> None:
        """Change a setting in mid-stream, from any thread. Raises ValueError for one that cannot change."""

    def stop(self) -> None:
        """Ask `run` to return soon, after counting what is under way. From any thread."""

    def close(self) -> None:
        """Let go of the connection at once; `run` ends with it."""


def snapshot(counters: LoadCounters, *, is_done: bool) -> dict[str, Any]:
    """The counters with the process's own CPU and the moment, as one JSON object.

    `latency` is since the start; two `latency_counts` give that of the time between them (`LatencySummary.since`).
    """
    usage = resource.getrusage(resource.RUSAGE_SELF)
    latency = counters.latency.summary()
    return {
        "monotonic_ns": time.monotonic_ns(),
        "cpu_user_s": usage.ru_utime,
        "cpu_system_s": usage.ru_stime,
        "bytes": counters.bytes,
        "records": counters.records,
        "requests": counters.requests,
        "errors": counters.errors,
        "loops": counters.loops,
        "received_bytes": counters.received_bytes,
        "latency": latency.as_json(),
        "latency_counts": latency.to_counts(),
        "is_done": is_done,
    }
