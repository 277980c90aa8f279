"""Which bytes a broker's CPU copies in each direction: records produced to it, then fetched by each copy mode.

The broker counts what its own system calls moved. Producing has no zero copy: recv() copies into the broker, pwrite()
into the page cache.
"""

from __future__ import annotations

from dataclasses import dataclass

from kfast.broker.process import BrokerProcess
from kfast.client import perf
from kfast.lab.mode_comparison import LABELS
from kfast.lab.sizes import size_text

TOPIC = "copies"
RECORD_COUNT, RECORD_SIZE = 4_000, 1_000
COPY_MODES = ("read_send", "sendfile")


@dataclass(frozen=True, slots=True)
class DirectionCopies:
    """`payload_bytes` of record batches went in the named direction, and the broker's CPU copied `copied_bytes`."""

    name: str
    payload_bytes: int
    copied_bytes: int

    @property
    def copies(self) -> float:
        return self.copied_bytes / self.payload_bytes

    def __str__(self) -> str:
        return (
            f"{self.name:<20}{size_text(self.payload_bytes):>9} of batches, {size_text(self.copied_bytes):>9} copied "
            f"by the broker's CPU: {self.copies:.1f} copies of each byte"
        )


def broker_copies() -> list[DirectionCopies]:
    """Produce to a broker in a process of its own, then consume it all by two modes."""
    with BrokerProcess() as broker:
        address = broker.bootstrap_servers
        perf.produce(address, TOPIC, record_count=RECORD_COUNT, record_size=RECORD_SIZE, report=lambda _: None)
        counted = broker.metrics_at_rest()
        appended = counted["appended_bytes"]
        found = [DirectionCopies("produced", appended, counted["received_bytes"] + appended)]
        for mode in COPY_MODES:
            broker.set("kfast.copy.mode", mode)
            perf.consume(address, TOPIC, record_count=RECORD_COUNT)
            before, counted = counted, broker.metrics_at_rest()
            sent = counted["sent_bytes"][mode]
            copied = counted["cpu_copied_bytes"] - before["cpu_copied_bytes"]
            found.append(DirectionCopies(f"fetched, {LABELS[mode]}", sent, copied))
    return found
