from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kfast.client.batch_run import BatchRun, whole_batches
from kfast.client.payload import BatchShape, build_batch
from kfast.record.batches import iter_batches

BATCHES = [
    bytes(build_batch(BatchShape(count, size), timestamp_ms=0))
    for count, size in ((1, 0), (1, 100), (3, 100), (2, 900))
]


@given(st.lists(st.tuples(st.sampled_from(BATCHES), st.integers(1, 40)), max_size=6), st.integers(0, 300))
def test_the_walk_ends_where_a_walk_header_by_header_ends(runs: list[tuple[bytes, int]], cut: int) -> None:
    data = b"".join(batch * count for batch, count in runs)
    data = bytearray(b"before" + data[: max(0, len(data) - cut)])
    batches = list(iter_batches(data, 6))
    run = whole_batches(data, 6, len(data))
    assert run.count == len(batches)
    assert run.end_position == 6 + sum(batch.size_bytes for batch in batches)
    if batches:
        assert run.last_position == run.end_position - batches[-1].size_bytes


def test_nothing_whole_is_a_run_of_none() -> None:
    assert whole_batches(bytearray(BATCHES[0][:-1]), 0, len(BATCHES[0]) - 1) == BatchRun(0, 0, 0)
    assert whole_batches(bytearray(), 0, 0) == BatchRun(0, 0, 0)


def test_a_size_that_cannot_be_ends_the_walk() -> None:
    data = bytearray(BATCHES[1] * 2 + bytes(100))
    assert whole_batches(data, 0, len(data)) == BatchRun(2, len(BATCHES[1]), 2 * len(BATCHES[1]))
