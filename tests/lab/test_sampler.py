from __future__ import annotations

from dataclasses import replace

import pytest

from kfast.lab.counters import DeviceIo, MachineCpu
from kfast.lab.sample import Sample
from kfast.lab.sampler import device_busy_share, limiting_resource, reading
from kfast.lab.unavailable import Unavailable

IDLE = MachineCpu(user_s=0, system_s=0, interrupt_s=0, idle_s=0, io_wait_s=0, steal_s=0)
BEFORE = Sample(
    monotonic_ns=10_000_000_000,
    processor_count=4,
    copy_mode="read_send",
    receiver_discards=False,
    waits_for_disk=False,
    produced_bytes=1_000,
    produced_records=10,
    consumed_bytes=5_000,
    consumed_records=50,
    broker_cpu_s=1.0,
    client_cpu_s={"producer": 0.5},
    received_bytes=1_100,
    appended_bytes=1_000,
    sent_bytes={"read_send": 5_000, "sendfile": 0},
    cpu_copied_bytes=10_000,
    unflushed_bytes=7,
    dirty_bytes=8,
    device=DeviceIo("vda", 1, read_bytes=100, write_requests=2, write_bytes=200, flush_requests=3, busy_s=0.5),
    machine_cpu=IDLE,
    errors=0,
    resident_bytes=1 << 25,
)
AFTER = replace(
    BEFORE,
    monotonic_ns=12_000_000_000,
    copy_mode="sendfile",
    produced_bytes=1_000 + 4_000_000,
    consumed_bytes=5_000 + 6_000_000,
    broker_cpu_s=1.5,
    client_cpu_s={"producer": 0.6, "consumer 1": 0.4},
    received_bytes=1_100 + 4_100_000,
    appended_bytes=1_000 + 4_000_000,
    sent_bytes={"read_send": 2_005_000, "sendfile": 4_000_000},
    unflushed_bytes=70,
    dirty_bytes=80,
    device=DeviceIo("vda", 1, read_bytes=300, write_requests=9, write_bytes=2_200, flush_requests=3, busy_s=1.7),
)


def test_a_reading_is_the_difference_of_two_samples() -> None:
    result = reading(BEFORE, AFTER)
    assert result.elapsed_s == 2.0
    assert (result.produced_bytes, result.consumed_bytes) == (4_000_000, 6_000_000)
    assert result.moved_bytes == 10_000_000
    assert result.cpu_s_per_gb == pytest.approx(50.0)
    assert result.processor_count == 4


def test_a_process_that_started_in_between_counts_from_nothing() -> None:
    cores = {"broker": 0.25, "producer": 0.05, "consumer 1": 0.2, "other programs": 0.0}
    assert reading(BEFORE, AFTER).cores == pytest.approx(cores)


def test_what_the_machine_does_besides_is_other_programs() -> None:
    machine_cpu = replace(IDLE, user_s=3.0)  # in 2 s, of which broker and clients used 1
    assert reading(BEFORE, replace(AFTER, machine_cpu=machine_cpu)).cores["other programs"] == pytest.approx(1.0)


def test_traffic_tells_the_modes_apart_and_keeps_levels_as_they_are() -> None:
    traffic = reading(BEFORE, AFTER).traffic
    assert traffic.copy_mode == "sendfile"
    assert traffic.sent_bytes_per_s == {"read_send": 1_000_000, "sendfile": 2_000_000}
    assert (traffic.received_bytes_per_s, traffic.appended_bytes_per_s) == (2_050_000, 2_000_000)
    assert (traffic.device_read_bytes_per_s, traffic.device_write_bytes_per_s) == (100, 1_000)
    assert (traffic.unflushed_bytes, traffic.dirty_bytes) == (70, 80)


def test_what_cannot_be_measured_stays_unavailable_and_is_not_zero() -> None:
    reason = Unavailable("no /proc")
    after = replace(AFTER, device=reason, dirty_bytes=reason, machine_cpu=reason)
    result = reading(BEFORE, after)
    assert result.traffic.device_read_bytes_per_s is reason
    assert result.traffic.dirty_bytes is reason
    assert result.limited_by == "none"


def test_no_time_between_samples_is_an_error_with_the_times() -> None:
    with pytest.raises(ValueError, match="10000000000 and 10000000000"):
        reading(BEFORE, BEFORE)


@pytest.mark.parametrize(
    ("cpu_s", "machine", "limit"),
    [
        ({"broker": 1.95, "producer": 0.1}, IDLE, "broker CPU"),
        ({"broker": 0.2, "producer": 1.9}, IDLE, "client CPU"),
        ({"broker": 1.0, "producer": 0.8, "consumer 1": 0.9}, IDLE, "none"),
        ({"broker": 1.6, "producer": 1.1, "consumer 1": 1.2}, replace(IDLE, user_s=2.0, system_s=1.9), "client CPU"),
        ({"broker": 1.6, "consumer 1": 0.7}, replace(IDLE, user_s=2.0, system_s=1.0, steal_s=0.9), "broker CPU"),
        ({"broker": 0.5, "consumer 1": 0.4}, replace(IDLE, user_s=2.0, system_s=1.9), "other programs"),
        ({"broker": 0.1, "producer": 0.1}, replace(IDLE, io_wait_s=1.0, idle_s=2.0), "disk"),
        ({"broker": 0.1, "producer": 0.1}, replace(IDLE, io_wait_s=0.1, idle_s=3.0), "none"),
        ({"broker": 0.1}, Unavailable("no /proc"), "none"),
        ({"broker": 2.0, "consumer 1": 1.9}, Unavailable("no /proc"), "broker CPU"),
        ({"broker": 0.0}, IDLE, "none"),
    ],
)
def test_the_limiting_resource_in_two_seconds_on_two_processors(
    cpu_s: dict[str, float], machine: MachineCpu | Unavailable, limit: str
) -> None:
    assert limiting_resource(cpu_s, machine, elapsed_s=2.0, processor_count=2) == limit


def test_a_busy_disk_is_the_limit_only_where_somebody_waits_for_it() -> None:
    assert device_busy_share(BEFORE, AFTER) == pytest.approx(0.6)
    assert reading(BEFORE, AFTER).limited_by == "none"
    assert reading(BEFORE, replace(AFTER, waits_for_disk=True)).limited_by == "disk"
    idle = replace(AFTER, waits_for_disk=True, device=BEFORE.device)
    assert reading(BEFORE, idle).limited_by == "none"
    missing = Unavailable("overlay shows no block device")
    unknown = replace(AFTER, waits_for_disk=True, device=missing)
    assert device_busy_share(BEFORE, unknown) is missing
    assert reading(BEFORE, unknown).limited_by == "none"


@pytest.mark.parametrize(
    ("cpu_s", "machine", "waiting_share", "limit"),
    [
        ({"broker": 0.9, "producer": 0.1}, IDLE, 0.49, "none"),
        ({"broker": 1.9, "producer": 0.1}, IDLE, 0.5, "disk"),  # its other threads serve consumers meanwhile
        ({"broker": 0.9, "producer": 1.9}, IDLE, 0.9, "client CPU"),
        ({"broker": 2.0, "producer": 1.8}, replace(IDLE, user_s=3.8), 0.9, "broker CPU"),
    ],
)
def test_a_broker_that_waits_for_the_disk_in_two_seconds_on_two_processors(
    cpu_s: dict[str, float], machine: MachineCpu, waiting_share: float, limit: str
) -> None:
    assert limiting_resource(cpu_s, machine, 2.0, 2, waiting_share) == limit
