from collections import Counter

import pytest

import kfast
from kfast.child_process import ChildError
from kfast.client.cluster import create_topic
from kfast.client.latency import LatencyHistogram
from kfast.lab import beside_loads
from kfast.lab.beside_loads import (
    ALONE,
    BYTES,
    CPU_PER_GB,
    CPU_PER_REQUEST,
    ELSEWHERE,
    FETCH,
    LIBRARY_CONSUME,
    LOADS,
    P50,
    P99,
    RECORDS,
    Counts,
    RunningBroker,
    clients_of,
    load_measurement,
    together,
)
from kfast.lab.unavailable import Unavailable


def latency(*microseconds: int):
    histogram = LatencyHistogram()
    for value in microseconds:
        histogram.add(value * 1000)
    return histogram.summary()


def counts(second=0.0, broker_cpu_s=0.0, client_cpu_s=0.0, latencies=(), **totals):
    return Counts(
        monotonic_ns=int(second * 1e9),
        totals=Counter(totals),
        client_cpu_s={"client 1": client_cpu_s},
        broker_cpu_s=broker_cpu_s,
        latency=latency(*latencies),
        machine=Unavailable("not read"),
    )


def test_loads_say_what_they_do():
    assert [load.reads for load in LOADS.values()] == [True, False, False, False, False, True]
    assert [load.is_raw for load in LOADS.values()] == [True, True, True, True, False, False]
    assert LOADS[ALONE].settings["requests_in_flight"] == 1


def test_two_counts_say_what_moved_and_what_it_cost():
    before = counts(1, 10.0, 5.0, (100,) * 10, bytes=1000, records=10, requests=10)
    after = counts(3, 11.0, 5.5, (100,) * 10 + (400,) * 100, bytes=2_000_001_000, records=2010, requests=1010)
    found = load_measurement(LOADS[FETCH], before, after)
    assert found.elapsed_s == 2.0
    assert found.cpu_s == {"broker": 1.0, "client 1": 0.5}
    expected = {BYTES: 1e9, RECORDS: 1000, CPU_PER_GB: 0.5, CPU_PER_REQUEST: 1000, P50: 400, P99: 400}
    assert dict(found.values) == pytest.approx(expected, rel=1 / 32)


def test_a_broker_elsewhere_has_no_cpu():
    before, after = counts(broker_cpu_s=ELSEWHERE), counts(1, ELSEWHERE, 1.0, (1,), bytes=1, records=1, requests=1)
    found = load_measurement(LOADS[FETCH], before, after)
    assert found.cpu_s == {"client 1": 1.0}
    assert str(found.values[CPU_PER_GB]) == str(found.values[CPU_PER_REQUEST]) == "unavailable: not on this machine"
    assert found.limited_by == "client CPU"


def test_requests_of_the_library_are_its_own():
    found = load_measurement(LOADS[LIBRARY_CONSUME], counts(), counts(1, 1.0, bytes=1, records=1, requests=7))
    assert all(isinstance(found.values[name], Unavailable) for name in (CPU_PER_REQUEST, P50, P99))


def test_where_nothing_moved_nothing_has_a_price():
    found = load_measurement(LOADS[ALONE], counts(), counts(1, 1.0))
    assert found.values[BYTES] == 0
    assert all(str(found.values[name]).endswith("nothing moved in this run") for name in (CPU_PER_GB, P50))


def test_clients_that_get_nothing_are_told_with_their_numbers(monkeypatch):
    monkeypatch.setattr(beside_loads, "START_S", 0.0)
    with kfast.Broker() as broker:
        create_topic(broker.bootstrap_servers, "empty")
        with clients_of(RunningBroker(broker.bootstrap_servers), "empty", LOADS[FETCH]) as clients:
            with pytest.raises(ChildError, match=r"after 0 s the clients have \[0\] records"):
                clients.wait_for_records()
            assert clients.counts().totals["records"] == 0


def test_latencies_of_several_clients_are_put_together():
    found = together([latency(100, 100, 100), latency(900)])
    assert (found.count, found.sum_ns, found.max_ns) == (4, 1_200_000, 900_000)
    assert found.quantile_ns(0.5) == pytest.approx(100_000, rel=1 / 32)
    assert found.quantile_ns(1.0) == pytest.approx(900_000, rel=1 / 32)
