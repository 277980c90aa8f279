"""The way of the data: which hops a byte takes through the broker, how many bytes a second took each, and who says so.

    write               1.1 producer -> broker             CPU copy
                        1.2 broker -> page cache           CPU copy
                        1.3 page cache -> disk             DMA
    read, copying       2.1 disk -> page cache             DMA
                        2.2 page cache -> application      CPU copy (read_send), or mapped (mmap_send)
                        2.3 application -> socket buffer   CPU copy
                        2.5 socket buffer -> receiver      CPU copy, or discarded
    read, zero copy     3.1, 3.3 as 2.1, 2.5
                        3.2 page cache -> socket buffer    by reference (sendfile, splice)

The numbers are those of the two read paths of "Why is Kafka fast?". On loopback there is no NIC: 2.4, the DMA to it,
does not exist, and the receiver's own copy takes its place. Pure: counters go in, hops come out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from kfast.lab.unavailable import Unavailable

COPYING_MODES = frozenset({"read_send", "mmap_send"})
ZERO_COPY_SYSCALLS = {"sendfile": "sendfile()", "splice": "splice()"}


class Station(Enum):
    """Where bytes rest between two hops."""

    PRODUCER = "producer"
    APPLICATION = "broker"
    PAGE_CACHE = "page cache"
    DISK = "disk"
    SOCKET_BUFFER = "socket buffer"
    RECEIVER = "receiver"


class Mover(Enum):
    """Who moves the bytes of a hop."""

    CPU = "CPU copy"
    DMA = "DMA"
    REFERENCE = "by reference"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes per second over one interval, from the counters."""

    copy_mode: str
    received_bytes_per_s: float = 0.0
    appended_bytes_per_s: float = 0.0
    sent_bytes_per_s: Mapping[str, float] = field(default_factory=dict)
    """Record bytes the broker sent, by the copy mode that moved them: two modes when it was switched meanwhile."""
    consumed_bytes_per_s: float = 0.0
    device_read_bytes_per_s: float | Unavailable = 0.0
    device_write_bytes_per_s: float | Unavailable = 0.0
    receiver_discards: bool = False
    unflushed_bytes: int = 0
    """Bytes of this log that were acknowledged and not yet flushed by fsync."""
    dirty_bytes: int | Unavailable = 0
    """The whole machine's dirty pages."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One arrow. `measured_by` is None where the hop is inferred; `is_skipped` where the copy mode goes around it."""

    number: str
    source: Station
    target: Station
    mover: Mover
    by: str
    bytes_per_s: float | Unavailable
    measured_by: str | None
    is_skipped: bool = False

    @property
    def is_inferred(self) -> bool:
        return self.measured_by is None


@dataclass(frozen=True, slots=True)
class DataWay:
    """Both paths at one moment."""

    copy_mode: str
    write: tuple[Hop, ...]
    read: tuple[Hop, ...]
    unflushed_bytes: int
    dirty_bytes: int | Unavailable

    @property
    def hops(self) -> tuple[Hop, ...]:
        return self.write + self.read

    def hop(self, source: Station, target: Station) -> Hop:
        return next(hop for hop in self.hops if (hop.source, hop.target) == (source, target))


def data_way(traffic: Traffic) -> DataWay:
    """Return the hops that `traffic` took."""
    return DataWay(
        traffic.copy_mode, _write_path(traffic), _read_path(traffic), traffic.unflushed_bytes, traffic.dirty_bytes
    )


def _write_path(traffic: Traffic) -> tuple[Hop, ...]:
    # What the broker receives while nothing is appended are consumers' requests, which take another way.
    received = traffic.received_bytes_per_s if traffic.appended_bytes_per_s else 0.0
    return (
        Hop("1.1", Station.PRODUCER, Station.APPLICATION, Mover.CPU, "recv()", received, "broker"),
        Hop(
            "1.2",
            Station.APPLICATION,
            Station.PAGE_CACHE,
            Mover.CPU,
            "pwrite()",
            traffic.appended_bytes_per_s,
            "broker",
        ),
        _device_hop("1.3", Station.PAGE_CACHE, Station.DISK, "write-back", traffic.device_write_bytes_per_s),
    )


def _read_path(traffic: Traffic) -> tuple[Hop, ...]:
    mode, sent = traffic.copy_mode, traffic.sent_bytes_per_s
    read = sent.get("read_send", 0.0)
    copied = read + sent.get("mmap_send", 0.0)
    referenced = sum(sent.get(name, 0.0) for name in ZERO_COPY_SYSCALLS)
    is_mapped = mode == "mmap_send"
    return (
        _device_hop(
            "2.1" if mode in COPYING_MODES else "3.1",
            Station.DISK,
            Station.PAGE_CACHE,
            "page cache is warm" if _is_little(traffic.device_read_bytes_per_s) else "readahead",
            traffic.device_read_bytes_per_s,
        ),
        Hop(
            "2.2",
            Station.PAGE_CACHE,
            Station.APPLICATION,
            Mover.NOBODY if is_mapped else Mover.CPU,
            "mapped, not copied" if is_mapped else "pread()",
            read,
            "broker",
            is_skipped=mode != "read_send" and not read,
        ),
        Hop(
            "2.3",
            Station.APPLICATION,
            Station.SOCKET_BUFFER,
            Mover.CPU,
            "send()",
            copied,
            "broker",
            is_skipped=mode not in COPYING_MODES and not copied,
        ),
        # The system call returns how many bytes it moved; that no CPU copied them no counter says. The canary does.
        Hop(
            "3.2",
            Station.PAGE_CACHE,
            Station.SOCKET_BUFFER,
            Mover.REFERENCE,
            ZERO_COPY_SYSCALLS.get(mode, "sendfile() or splice()"),
            referenced,
            None,
            is_skipped=mode in COPYING_MODES and not referenced,
        ),
        Hop(
            "2.5" if mode in COPYING_MODES else "3.3",
            Station.SOCKET_BUFFER,
            Station.RECEIVER,
            Mover.NOBODY if traffic.receiver_discards else Mover.CPU,
            "receiver discards (MSG_TRUNC)" if traffic.receiver_discards else "receiver copies (CPU)",
            traffic.consumed_bytes_per_s,
            "client",
        ),
    )


def _device_hop(number: str, source: Station, target: Station, by: str, bytes_per_s: float | Unavailable) -> Hop:
    measured_by = None if isinstance(bytes_per_s, Unavailable) else "device"
    return Hop(number, source, target, Mover.DMA, by, bytes_per_s, measured_by)


def _is_little(bytes_per_s: float | Unavailable) -> bool:
    """What a whole device reads now and then for anybody: too little to be a log that is read."""
    return not isinstance(bytes_per_s, Unavailable) and bytes_per_s < 1e6


def copies_by_cpu(way: DataWay) -> int:
    """How often the CPU copies each byte between log and receiver in the way's copy mode."""
    return sum(hop.mover is Mover.CPU and not hop.is_skipped for hop in way.read)


def sentences(way: DataWay) -> list[str]:
    """The way in words, one sentence a hop: what a screen reader reads instead of the picture."""
    return [_sentence(hop) for hop in way.hops] + [_durability_sentence(way)]


def _sentence(hop: Hop) -> str:
    head = f"{hop.number} {hop.source.value} to {hop.target.value}"
    if hop.is_skipped:
        return f"{head}: skipped in this copy mode."
    if isinstance(hop.bytes_per_s, Unavailable):
        return f"{head}: {hop.bytes_per_s}."
    rate = f"{hop.bytes_per_s / 1e6:,.0f} MB/s"
    mover = hop.by if hop.mover is Mover.NOBODY or hop.mover.value in hop.by else f"{hop.mover.value}, {hop.by}"
    return f"{head}: {rate}, {mover}, {SOURCES[hop.measured_by]}."


def _durability_sentence(way: DataWay) -> str:
    dirty = way.dirty_bytes if isinstance(way.dirty_bytes, Unavailable) else f"{way.dirty_bytes / 1e6:,.0f} MB"
    return (
        f"Acknowledged and not yet flushed by this log: {way.unflushed_bytes / 1e6:,.0f} MB; "
        f"dirty pages of the whole machine: {dirty}."
    )


SOURCES: dict[str | None, str] = {
    "broker": "measured by the broker's own counters",
    "client": "measured by the consumers' own counters",
    "device": "measured by /proc/diskstats for the whole device",
    None: "inferred",
}
