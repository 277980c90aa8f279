"""From two samples to what they say: rates, CPU and the resource that set the limit. Nothing here reads a counter."""

from __future__ import annotations

from collections.abc import Mapping

from kfast.lab.counters import DeviceIo, MachineCpu, difference
from kfast.lab.data_way import Traffic
from kfast.lab.reading import Reading
from kfast.lab.sample import BROKER, Sample
from kfast.lab.summary import BUSY_SHARE
from kfast.lab.unavailable import Unavailable

WAITING_SHARE = 0.2
"""Of one processor: idle for so long while a request to a disk is under way, the machine waits for the disk."""

DISK_BUSY_SHARE = 0.5
"""Of the time, where each batch waits for its fsync: more than half of it is more than all else takes together. A loop
of nothing but fdatasync kept a virtual disk busy for 0.6 of it; the rest is the kernel's way there and back."""

BROKER_CPU, CLIENT_CPU, DISK, NONE = "broker CPU", "client CPU", "disk", "none"
OTHERS = "other programs"


def reading(before: Sample, after: Sample) -> Reading:
    """What happened between two samples of one workload. Raises ValueError where no time passed between them."""
    elapsed_s = (after.monotonic_ns - before.monotonic_ns) / 1e9
    if elapsed_s <= 0:
        raise ValueError(f"no time passed between the samples: {before.monotonic_ns} and {after.monotonic_ns} ns")
    broker_cpu_s = after.broker_cpu_s - before.broker_cpu_s
    cpu_s = {name: total - before.client_cpu_s.get(name, 0.0) for name, total in after.client_cpu_s.items()}
    cpu_s[BROKER] = broker_cpu_s
    machine_cpu = difference(after.machine_cpu, before.machine_cpu)
    return Reading(
        elapsed_s=elapsed_s,
        produced_bytes=after.produced_bytes - before.produced_bytes,
        consumed_bytes=after.consumed_bytes - before.consumed_bytes,
        moved_bytes=after.appended_bytes - before.appended_bytes + _sent(after) - _sent(before),
        broker_cpu_s=broker_cpu_s,
        cores={name: seconds / elapsed_s for name, seconds in {**cpu_s, **_others(cpu_s, machine_cpu)}.items()},
        processor_count=after.processor_count,
        limited_by=limiting_resource(cpu_s, machine_cpu, elapsed_s, after.processor_count, _waiting(before, after)),
        traffic=traffic(before, after, elapsed_s),
    )


def limiting_resource(
    cpu_s: Mapping[str, float],
    machine_cpu: MachineCpu | Unavailable,
    elapsed_s: float,
    processor_count: int,
    waiting_share: float = 0.0,
) -> str:
    """`broker CPU`, `client CPU`, `other programs`, `disk` or `none`, in the order of the evidence.

    Where all processors were busy, it is the side that used more; a measurement beside programs that used more than
    broker and clients together says little about either. A process that kept a processor busy is the limit: each works
    mostly in one thread, or under one interpreter lock. But a broker that waited for the disk for most of the time,
    `waiting_share` of it, has used its processor in other threads meanwhile, and the disk is the limit. Where nothing
    of this is so, and processors were idle while a request to a disk was under way, it is the disk too.
    """
    broker_s = cpu_s[BROKER]
    clients_s = [seconds for name, seconds in cpu_s.items() if name != BROKER]
    busiest_client_s = max(clients_s, default=0.0)
    busy_s, waiting_s = broker_s + sum(clients_s), 0.0
    if not isinstance(machine_cpu, Unavailable):
        busy_s, waiting_s = machine_cpu.busy_s + machine_cpu.steal_s, machine_cpu.io_wait_s
    if busy_s >= BUSY_SHARE * elapsed_s * processor_count:
        if busy_s > 2 * (broker_s + sum(clients_s)):
            return OTHERS
        return BROKER_CPU if broker_s >= sum(clients_s) else CLIENT_CPU
    if waiting_share >= DISK_BUSY_SHARE and busiest_client_s < BUSY_SHARE * elapsed_s:
        return DISK
    if max(broker_s, busiest_client_s) >= BUSY_SHARE * elapsed_s:
        return BROKER_CPU if broker_s >= busiest_client_s else CLIENT_CPU
    if waiting_s >= WAITING_SHARE * elapsed_s:
        return DISK
    return NONE


def device_busy_share(before: Sample, after: Sample) -> float | Unavailable:
    """Of the time between two samples, that in which the device had a request under way, whoever made it."""
    device = difference(after.device, before.device)
    return _per_second(device, "busy_s", (after.monotonic_ns - before.monotonic_ns) / 1e9)


def traffic(before: Sample, after: Sample, elapsed_s: float) -> Traffic:
    """The bytes per second that took each way through the broker."""
    device = difference(after.device, before.device)
    sent = {mode: total - before.sent_bytes.get(mode, 0) for mode, total in after.sent_bytes.items()}
    return Traffic(
        copy_mode=after.copy_mode,
        received_bytes_per_s=(after.received_bytes - before.received_bytes) / elapsed_s,
        appended_bytes_per_s=(after.appended_bytes - before.appended_bytes) / elapsed_s,
        sent_bytes_per_s={mode: count / elapsed_s for mode, count in sent.items() if count},
        consumed_bytes_per_s=(after.consumed_bytes - before.consumed_bytes) / elapsed_s,
        device_read_bytes_per_s=_per_second(device, "read_bytes", elapsed_s),
        device_write_bytes_per_s=_per_second(device, "write_bytes", elapsed_s),
        receiver_discards=after.receiver_discards,
        unflushed_bytes=after.unflushed_bytes,
        dirty_bytes=after.dirty_bytes,
    )


def _others(cpu_s: Mapping[str, float], machine_cpu: MachineCpu | Unavailable) -> dict[str, float]:
    """What programs besides the workload's used; nothing where the machine does not say."""
    if isinstance(machine_cpu, Unavailable):
        return {}
    return {OTHERS: max(0.0, machine_cpu.busy_s - sum(cpu_s.values()))}


def _waiting(before: Sample, after: Sample) -> float:
    """How much of the time somebody waited for the disk; a disk that writes back on its own keeps nobody waiting."""
    share = device_busy_share(before, after)
    return share if after.waits_for_disk and not isinstance(share, Unavailable) else 0.0


def _sent(sample: Sample) -> int:
    return sum(sample.sent_bytes.values())


def _per_second(device: DeviceIo | Unavailable, name: str, elapsed_s: float) -> float | Unavailable:
    if isinstance(device, Unavailable):
        return device
    count: float = getattr(device, name)
    return count / elapsed_s
