"""The archives unpack, and the digest is the one Kafka's bytes were summed up with."""

from __future__ import annotations

from kfast.lab.golden import GoldenDirectory, digest
from kfast.log.log import Log
from kfast.record.record import Record


def test_a_partition_has_the_records_kafka_says_it_has():
    golden = GoldenDirectory("03-edge-records")
    for partition in ("edge-0", "edge-timestamps-0", "edge-raw-0"):
        log = Log.open(golden.path / partition, was_clean=True)
        records = (
            record for segment in log.segments for _, batch in segment.records.batches() for record in batch.records()
        )
        assert digest(records) == golden.facts(partition)["digest_on_disk"]


def test_digest_tells_null_from_empty_and_order_matters():
    null, empty = Record(0, 5, None, None), Record(0, 5, b"", b"")
    assert digest([null])[0] == 1
    assert digest([null]) != digest([empty])
    assert digest([null, empty]) != digest([empty, null])
    assert digest([Record(0, 5, b"k", b"v", (("h", None),))]) != digest([Record(0, 5, b"k", b"v")])


def test_each_has_a_directory_of_its_own_that_goes_with_it():
    one, other = GoldenDirectory("12-kraft"), GoldenDirectory("12-kraft")
    assert one.path != other.path
    path = one.path
    assert (path / "meta.properties").is_file()
    del one
    assert not path.exists()
    assert other.path.is_dir()
    assert repr(other) == "GoldenDirectory('12-kraft', written by Apache Kafka 4.1.0)"


def test_a_damaged_directory_says_what_kafka_made_of_it():
    golden = GoldenDirectory("10-crash-torn-header", logdir="damaged")
    assert golden.partition.name == "crash-0"
    assert golden.partition.is_dir()
    assert golden.after_recovery["end_offset_on_disk"] == 679
    assert golden.facts("crash-0")["end_offset"] == 679
