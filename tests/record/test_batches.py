from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kfast.errors import CorruptRecordError
from kfast.record.batches import ValidPrefix, iter_batches, valid_prefix

Build = Callable[..., bytearray]


@pytest.fixture(scope="module")
def three(build: Build) -> bytes:
    return bytes(build(2) + build(1, base_offset=2) + build(4, base_offset=3))


def test_batches_come_in_order_with_their_positions(three: bytes, build: Build) -> None:
    batches = list(iter_batches(three))
    assert [(batch.base_offset, batch.last_offset) for batch in batches] == [(0, 1), (2, 2), (3, 6)]
    assert b"".join(batch.buffer for batch in batches) == three
    assert [batch.base_offset for batch in iter_batches(three, len(build(2)))] == [2, 3]


def test_byte_by_byte_only_whole_batches_come_and_nothing_is_an_error(three: bytes) -> None:
    ends = []
    position = 0
    for batch in iter_batches(three):
        position += batch.size_bytes
        ends.append(position)
    for size in range(len(three) + 1):
        prefix = three[:size]
        whole = sum(end <= size for end in ends)
        assert len(list(iter_batches(prefix))) == whole
        valid = valid_prefix(prefix)
        assert (valid.count, valid.size_bytes) == (whole, [0, *ends][whole])
        assert (valid.reason is None) == (size in (0, *ends))


def test_an_empty_buffer_is_valid_to_its_end() -> None:
    assert valid_prefix(b"") == ValidPrefix(0, None, 0, None)


def test_the_rest_after_a_torn_batch_is_counted(three: bytes) -> None:
    valid = valid_prefix(three[:-5])
    assert valid.next_offset == 3
    last_size = list(iter_batches(three))[-1].size_bytes
    assert valid.reason == f"the batch at position {valid.size_bytes} is cut off after {last_size - 5} bytes"


def test_a_flipped_bit_ends_the_valid_prefix(three: bytes) -> None:
    damaged = bytearray(three)
    first, second, _ = iter_batches(three)
    damaged[first.size_bytes + second.size_bytes - 1] ^= 1
    valid = valid_prefix(damaged)
    assert (valid.size_bytes, valid.next_offset, valid.count) == (first.size_bytes, 2, 1)
    assert valid.reason is not None
    assert "CRC" in valid.reason


def test_zeros_after_the_last_batch_are_no_batch(three: bytes) -> None:
    with_zeros = three + bytes(4096)
    assert valid_prefix(with_zeros).size_bytes == len(three)
    with pytest.raises(CorruptRecordError, match=f"position {len(three)} says 12 bytes"):
        list(iter_batches(with_zeros))


def test_damaged_segments_are_valid_up_to_where_kafka_says(golden: Any) -> None:
    damaged = 0
    cases = golden.manifest["cases"]
    for case in cases:
        if not case.startswith("10-crash"):
            continue
        for logdir, entry in cases[case]["logdirs"].items():
            for name, facts in entry["partitions"].items():
                for stem, segment in facts["segments"].items():
                    data = (golden(case) / logdir / name / f"{stem}.log").read_bytes()
                    valid = valid_prefix(data)
                    expected = segment.get("first_bad_position")
                    assert valid.size_bytes == (segment["bytes"] if expected is None else expected), (case, stem)
                    assert (valid.reason is None) == (valid.size_bytes == segment["bytes"])
                    damaged += valid.reason is not None
    assert damaged >= 6
