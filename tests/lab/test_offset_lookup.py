"""The steps of a look-up are those the log takes, and those Kafka's own index took."""

from __future__ import annotations

import pytest

from kfast.errors import OffsetOutOfRangeError
from kfast.lab.damage import erase_records
from kfast.lab.golden import GoldenDirectory
from kfast.lab.offset_lookup import agrees_with_kafka, look_up, lookup_costs, reindex, same_files, slices_of_all
from kfast.log.log import Log

PARTITIONS = [
    ("01-plain", "sparse-0"),
    ("01-plain", "dense-0"),
    ("02-codecs", "mixed-0"),
    ("03-edge-records", "edge-0"),
]


@pytest.fixture(scope="module")
def plain() -> GoldenDirectory:
    return GoldenDirectory("01-plain")


@pytest.fixture(scope="module")
def log(plain):
    return Log.open(plain.path / "sparse-0", was_clean=True)


@pytest.mark.parametrize(("case", "partition"), PARTITIONS)
def test_every_step_is_the_one_kafka_takes(case, partition):
    golden = GoldenDirectory(case)
    agreed = agrees_with_kafka(Log.open(golden.path / partition, was_clean=True), golden.facts(partition))
    assert len(agreed) > 4
    assert all(agreed)


def test_a_look_up_that_differs_from_kafkas_is_told(log, plain):
    facts = {"lookups": [[*plain.facts("sparse-0")["lookups"][1][:-1], 1]]}
    assert agrees_with_kafka(log, facts) == [False]


def test_steps_end_at_the_batch_that_holds_the_offset(log):
    for offset in range(log.log_end_offset):
        steps = look_up(log, offset)
        found = steps.headers[-1]
        assert found.base_offset <= offset <= found.last_offset
        assert steps.position == steps.records.position
        assert steps.headers[0].position == steps.index_entry.position
        assert all(header.last_offset < offset for header in steps.headers[:-1])


def test_headers_before_the_entry_are_what_the_index_spares(log):
    steps = look_up(log, 150)
    assert (steps.segment_number, steps.segment.base_offset) == (0, 0)
    assert steps.index_entry == (139, 13613)
    assert (len(steps.headers), steps.headers_before, steps.headers_without_index) == (2, 18, 20)
    assert steps.sentence() == ("Offset 150 is in the batch at position 14,761: 2 headers read, 20 without the index")


def test_nothing_is_found_at_the_end_and_beyond(log):
    with pytest.raises(ValueError, match="offset 1200 is the one the next record will get"):
        look_up(log, 1200)
    with pytest.raises(OffsetOutOfRangeError):
        look_up(log, 1201)


def test_costs_cover_every_offset_and_say_what_the_index_spares(log):
    costs = lookup_costs(log)
    assert len(costs.with_index) == len(costs.without_index) == 1200
    assert costs.base_offsets == [0, 470, 939]
    assert (costs.most_with_index, costs.most_without_index) == (11, 73)
    assert all(few <= many for few, many in zip(costs.with_index, costs.without_index, strict=True))
    assert costs.sentence() == "With the index no look-up reads more than 11 headers, without it up to 73"
    assert costs.price() == "The index takes 208 bytes for 126,478 bytes of log: 0.16%"


@pytest.mark.parametrize(
    ("predicted", "words"), [(11, "Exactly."), (20, "fewer than you thought."), (1, "more than you thought.")]
)
def test_a_prediction_is_held_against_the_count(log, predicted, words):
    assert lookup_costs(log).against(predicted).endswith(words)


def test_a_denser_index_reads_fewer_headers_and_takes_more_bytes(plain, log, tmp_path):
    dense = lookup_costs(reindex(plain.path / "sparse-0", tmp_path / "dense", 512))
    assert dense.most_with_index < lookup_costs(log).most_with_index
    assert dense.index_bytes > lookup_costs(log).index_bytes


def test_an_index_made_anew_is_kafkas_byte_for_byte(plain, tmp_path):
    reindex(plain.path / "sparse-0", tmp_path / "again", 4096)
    assert same_files(plain.path / "sparse-0", tmp_path / "again", "*.index") == [True] * 3
    reindex(plain.path / "sparse-0", tmp_path / "denser", 512)
    assert not any(same_files(plain.path / "sparse-0", tmp_path / "denser", "*.index"))


def test_look_ups_do_without_the_records():
    golden = GoldenDirectory("01-plain")
    directory = golden.path / "sparse-0"
    before = slices_of_all(Log.open(directory, was_clean=True))
    assert erase_records(directory) > 100_000
    erased = Log.open(directory, was_clean=True)
    assert slices_of_all(erased) == before
    assert not any(batch.is_valid() for _, batch in erased.segments[0].records.batches())
