from __future__ import annotations

import socket

import pytest

from kfast.client import perf
from kfast.client.connection import parse_bootstrap_servers
from kfast.errors import KafkaStorageError
from kfast.lab.bench_cluster import bench_cluster
from kfast.lab.lab_directory import MAX_SIZE_BYTES


def test_a_cluster_that_was_named_is_taken_as_it_is() -> None:
    with bench_cluster("a:1,b:2", 1 << 60) as servers:
        assert servers == "a:1,b:2"


def test_without_one_a_broker_of_its_own_serves_and_goes() -> None:
    with bench_cluster(None, 1000) as servers:
        assert perf.produce(servers, "t", record_count=10, report=print).record_count == 10
        assert perf.consume(servers, "t", record_count=10).record_count == 10
        address = parse_bootstrap_servers(servers)[0]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_more_than_the_lab_may_take_is_refused() -> None:
    with pytest.raises(KafkaStorageError, match=str(MAX_SIZE_BYTES + 1)), bench_cluster(None, MAX_SIZE_BYTES + 1):
        pass
