"""Everything that is counted about a running workload, at one moment. `kfast.lab.sampler` makes a reading of two.

Counts begin with the workload and only grow, also where a client was replaced by another on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kfast.lab.counters import DeviceIo, MachineCpu
from kfast.lab.unavailable import Unavailable

BROKER = "broker"
"""The broker's name among the processes."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Cumulative counts; `unflushed_bytes` and `dirty_bytes` are levels.

    `produced_bytes` were acknowledged to producers, `consumed_bytes` received by consumers: record batches with raw
    clients, values with confluent-kafka. `received_bytes`, `appended_bytes`, `sent_bytes` and `cpu_copied_bytes` are
    the broker's own counts. `client_cpu_s` has every client process that ever ran, by its name. `errors` counts answers
    that clients went on after, such as an offset that retention overtook. `machine_cpu` and `device` are the whole
    machine's and the whole device's. `waits_for_disk` says whether each batch is acknowledged only after an fsync.
    """

    monotonic_ns: int
    processor_count: int
    copy_mode: str
    receiver_discards: bool
    waits_for_disk: bool
    produced_bytes: int
    produced_records: int
    consumed_bytes: int
    consumed_records: int
    broker_cpu_s: float
    client_cpu_s: Mapping[str, float]
    received_bytes: int
    appended_bytes: int
    sent_bytes: Mapping[str, int]
    cpu_copied_bytes: int
    unflushed_bytes: int
    dirty_bytes: int | Unavailable
    device: DeviceIo | Unavailable
    machine_cpu: MachineCpu | Unavailable
    errors: int
    resident_bytes: int
