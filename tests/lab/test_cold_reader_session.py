"""The parts of a run, without a run's time: what is sampled becomes a measurement, and what was started ends."""

import pytest

from kfast.child_process import ChildProcess
from kfast.client.latency import LatencyHistogram
from kfast.lab import cold_reader_session, load_clients
from kfast.lab.cold_reader import reader_arm
from kfast.lab.cold_reader_session import (
    CACHED,
    COLD,
    CONSUMED,
    DEVICE_BYTES,
    LONGEST,
    NO_CONSUMER,
    P50,
    P99,
    REQUESTS,
    SHARED,
    WARM,
    ColdReaderSession,
    RunSample,
    Sizes,
    measurement,
)
from kfast.lab.counters import DeviceIo
from kfast.lab.experiment import ArmUnavailableError
from kfast.lab.residency import Residency
from kfast.lab.unavailable import Unavailable

TINY = Sizes(settle_s=0.0, measure_s=0.05, consumer_bytes_per_s=20e6)
MS = 1_000_000


def sample(at_s, latencies_ms, consumed_bytes=None, is_done=False):
    """What the processes say: each has used a tenth of the time."""
    histogram = LatencyHistogram()
    for latency_ms in latencies_ms:
        histogram.add(latency_ms * MS)
    common = {"monotonic_ns": at_s * 1e9, "cpu_user_s": at_s * 0.1, "cpu_system_s": 0.0, "is_done": is_done}
    processes = {
        "broker": common,
        "producer": {**common, "latency_counts": histogram.summary().to_counts()},
        "consumer": {**common, "bytes": consumed_bytes},
    }
    if consumed_bytes is None:
        del processes["consumer"]
    requests = int(at_s * 50)
    return RunSample(processes, DeviceIo("vda", requests, requests * 1000, 0, 0, 0, 0.0), Unavailable("made up"))


def test_latency_is_that_of_the_time_between_the_samples():
    early, late = [900] * 50, [1] * 98 + [70, 80]
    found = measurement(sample(1, early), sample(3, early + late), NO_CONSUMER)
    assert found.elapsed_s == 2
    assert found.values[P50] == pytest.approx(1, rel=0.04)
    assert found.values[P99] == pytest.approx(70, rel=0.04)
    assert found.values[LONGEST] == pytest.approx(80, rel=0.04)
    assert found.cpu_s == {"broker": pytest.approx(0.2), "producer": pytest.approx(0.2)}
    assert found.values[REQUESTS] == 50
    assert found.values[CONSUMED] == found.values[DEVICE_BYTES] == NO_CONSUMER


def test_what_came_from_the_device_stands_beside_what_was_consumed():
    found = measurement(sample(1, [1], 100_000), sample(2, [1, 1], 150_000), 0.0)
    assert (found.values[CONSUMED], found.values[DEVICE_BYTES], found.values[CACHED]) == (50_000, 1.0, 0.0)


@pytest.mark.parametrize(("consumed", "is_done", "why"), [(0, False, "nothing was consumed"), (9, True, "the end")])
def test_a_consumer_that_did_not_read_all_the_time_gives_no_number(consumed, is_done, why):
    found = measurement(sample(1, [1], 0), sample(2, [1, 1], consumed, is_done), 0.0)
    assert why in found.values[CONSUMED].reason
    assert found.values[DEVICE_BYTES] == found.values[CONSUMED]


@pytest.fixture
def started(monkeypatch):
    """The clients that a session starts."""
    children = []

    class Noted(ChildProcess):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            children.append(self)

    monkeypatch.setattr(load_clients, "ChildProcess", Noted)
    return children


def test_nothing_is_left_when_a_run_is_interrupted(disk_directory, started, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    def run():
        with ColdReaderSession(disk_directory, TINY) as session:
            session.run(reader_arm(SHARED, WARM))

    monkeypatch.setattr(ColdReaderSession, "_sample", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert len(started) == 2
    assert not any(child.is_running for child in started)
    assert list(disk_directory.iterdir()) == []


def test_where_coldness_cannot_be_had_the_arm_says_so_and_the_others_run(disk_directory, monkeypatch):
    with ColdReaderSession(disk_directory, TINY) as session:
        monkeypatch.setattr(cold_reader_session, "make_cold", lambda fd: Unavailable("no cachestat here"))
        with pytest.raises(ArmUnavailableError, match="no cachestat here"):
            session.run(reader_arm(SHARED, COLD))
        monkeypatch.setattr(cold_reader_session, "make_cold", lambda fd: Residency(4, 1, 0, 0))
        with pytest.raises(ArmUnavailableError, match=r"25.0% of the log stay"):
            session.run(reader_arm(SHARED, COLD))
        warm = session.run(reader_arm(SHARED, WARM))
    assert isinstance(warm.values[CACHED], Unavailable) or warm.values[CACHED] == 1
