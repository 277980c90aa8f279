"""What the broker counts: plain integers a connection at a time, added up only when somebody asks.

No lock is taken and nothing is shared on the hot path. A connection that ends leaves its counts in the totals.
"""

from __future__ import annotations

import os
import resource
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kfast.transfer.counters import TransferCounters
from kfast.wire.api_versions import ApiKey

if TYPE_CHECKING:
    from kfast.broker.broker import Broker
    from kfast.transfer.connection import Connection
    from kfast.transfer.tls_connection import TlsConnection

API_NAMES = {int(key): key.name for key in ApiKey}


class ConnectionMetrics:
    """The counts of one connection, written by its own thread only."""

    __slots__ = ("appended_bytes", "connection", "received_bytes", "requests")

    def __init__(self, connection: Connection | TlsConnection) -> None:
        self.connection = connection
        self.received_bytes = 0
        self.appended_bytes = 0
        self.requests: Counter[int] = Counter()

    def read(self) -> Totals:
        """The counts so far; from any thread."""
        return Totals(self.received_bytes, self.appended_bytes, self.requests.copy(), self.connection.counters)


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of one connection or of many: two of them add up."""

    received_bytes: int = 0
    appended_bytes: int = 0
    requests: Counter[int] = field(default_factory=Counter)
    transfer: TransferCounters = field(default_factory=TransferCounters)

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.received_bytes + other.received_bytes,
            self.appended_bytes + other.appended_bytes,
            self.requests + other.requests,
            self.transfer + other.transfer,
        )


class Metrics:
    """The counts of all connections, living and ended. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._living: set[ConnectionMetrics] = set()
        self._ended = Totals()

    def open(self, connection: Connection | TlsConnection) -> ConnectionMetrics:
        """Start counting for a new connection."""
        metrics = ConnectionMetrics(connection)
        with self._lock:
            self._living.add(metrics)
        return metrics

    def close(self, metrics: ConnectionMetrics) -> None:
        """Keep what an ended connection counted."""
        with self._lock:
            self._living.discard(metrics)
            self._ended += metrics.read()

    def total(self) -> tuple[Totals, int]:
        """Return the sum over all connections so far, and how many are open."""
        with self._lock:
            return sum((metrics.read() for metrics in self._living), self._ended), len(self._living)


def snapshot(broker: Broker) -> dict[str, Any]:
    """Everything the lab reads of a broker, as one JSON object: bytes, seconds, counts since the start.

    `flush_count` and `flush_s` are of segments, in all logs: what Kafka calls LogFlushRateAndTimeMs.
    """
    total, connection_count = broker.metrics.total()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    flush_count, flush_ns = broker.logs.flush_stats.read()
    return {
        "monotonic_ns": broker.clock.monotonic_ns(),
        "cpu_user_s": usage.ru_utime,
        "cpu_system_s": usage.ru_stime,
        "resident_bytes": resident_bytes(),
        "connections": connection_count,
        "received_bytes": total.received_bytes,
        "appended_bytes": total.appended_bytes,
        "unflushed_bytes": sum(log.unflushed_bytes for log in broker.logs.logs),
        "flush_count": flush_count,
        "flush_s": flush_ns / 1e9,
        "sent_bytes": total.transfer.sent_bytes,
        "inline_bytes": total.transfer.inline_bytes,
        "cpu_copied_bytes": total.transfer.cpu_copied_bytes,
        "send_syscalls": total.transfer.syscalls,
        "requests": {API_NAMES.get(key, str(key)): count for key, count in total.requests.items()},
        "copy_mode": broker.copy_mode,
    }


def resident_bytes() -> int:
    """Resident memory of this process now; on systems without /proc the peak, which is all they tell."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
