"""A real client reads back what a broker has, or says what is wrong."""

from __future__ import annotations

import pytest

import kfast
from kfast.lab.damage import flip_bit
from kfast.lab.golden import GoldenDirectory, digest
from kfast.lab.real_client import ReadBackError, read_back

pytest.importorskip("confluent_kafka")


@pytest.mark.parametrize("copy_mode", ["sendfile", "read_send"])
def test_a_partition_of_kafkas_is_served_as_kafka_served_it(copy_mode):
    golden = GoldenDirectory("01-plain")
    with kfast.Broker(golden.path, copy_mode=copy_mode) as broker:
        for topic, partition in (("sparse", 0), ("dense", 2)):
            records = read_back(broker.bootstrap_servers, topic, partition)
            assert digest(records) == golden.facts(f"{topic}-{partition}")["consumer"]


def test_nulls_headers_and_empties_come_through():
    golden = GoldenDirectory("03-edge-records")
    with kfast.Broker(golden.path) as broker:
        records = read_back(broker.bootstrap_servers, "edge")
    assert digest(records) == golden.facts("edge-0")["consumer"]


def test_an_empty_partition_has_no_records():
    with kfast.Broker() as broker:
        broker.metadata.create_topic("empty", 1, {})
        assert read_back(broker.bootstrap_servers, "empty") == []


def test_the_client_finds_the_bit_that_the_broker_does_not_look_at():
    golden = GoldenDirectory("01-plain")
    flip_bit(golden.path / "sparse-0" / "00000000000000000470.log", 200)
    with kfast.Broker(golden.path) as broker, pytest.raises(ReadBackError, match="after 470 records of sparse-0"):
        read_back(broker.bootstrap_servers, "sparse", check_crcs=True)
