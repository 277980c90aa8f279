"""Structure, and what is true on any machine; speeds are not tested."""

import json
from dataclasses import replace

import pytest

from kfast.child_process import ChildProcess
from kfast.lab import io_experiment
from kfast.lab.io_experiment import MIB, IoArm, IoExperiment, io_arms
from kfast.lab.io_worker import NO_SYNC, SYNC_AT_END

FILE_SIZE = 1 << 20
BLOCK_SIZES = (16 << 10, 256 << 10)


@pytest.fixture(scope="module")
def result():
    told = []
    arms = io_arms(BLOCK_SIZES, temperatures=(True, False), sync_policies=(NO_SYNC, SYNC_AT_END, 128 << 10))
    experiment = IoExperiment(arms, block_count=2, file_size=FILE_SIZE, is_smoke=True)
    result = experiment.run(lambda *words: told.append(words))
    assert [done for done, _, _ in told] == list(range(1, 2 * len(arms) + 1))
    return result


def test_the_arms_are_pairs_that_differ_in_order_alone_and_a_twin():
    *arms, twin = io_arms(BLOCK_SIZES, temperatures=(True,), sync_policies=(NO_SYNC,))
    assert len(arms) == 2 * 2 + 2 * 2
    in_order = [arm for arm in arms if arm.is_sequential]
    assert {replace(arm, is_sequential=False) for arm in in_order} == set(arms) - set(in_order)
    assert twin == IoArm("read", True, BLOCK_SIZES[1], is_cold=True, replicate=1)


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        (IoArm("read", True, 4096, is_cold=True), "read in order, 4 KiB blocks, cold"),
        (IoArm("read", False, MIB), "read at random, 1 MiB blocks, warm"),
        (IoArm("write", True, 4096), "write in order, 4 KiB blocks, no sync: page cache only"),
        (IoArm("write", True, 4096, sync_bytes=SYNC_AT_END), "write in order, 4 KiB blocks, fdatasync at the end"),
        (IoArm("write", True, 4096, sync_bytes=MIB), "write in order, 4 KiB blocks, fdatasync every 1 MiB"),
    ],
)
def test_an_arm_names_its_order_its_block_and_its_condition(arm, words):
    assert str(arm) == words


def test_every_arm_ran_in_every_block_or_says_why_not(result):
    skipped = {arm for arm, reason in result.skipped if reason.reason}
    for block in (0, 1):
        assert {run.arm for run in result.runs if run.block == block} == set(result.arms) - skipped


def test_every_arm_moved_the_same_bytes(result):
    assert {run.moved_bytes for run in result.runs} == {FILE_SIZE}


def test_cold_reads_began_with_nothing_cached_and_warm_ones_with_everything(result):
    reads = [run for run in result.runs if run.arm.operation == "read" and isinstance(run.residency_before, dict)]
    for run in reads:
        page_count = run.residency_before["page_count"]
        assert run.residency_before["cached_pages"] == (0 if run.arm.is_cold else page_count)
        assert run.residency_after["cached_pages"] == page_count


def test_a_cold_read_needed_the_device_and_a_synced_write_left_nothing_dirty(result):
    for run in result.runs:
        if run.arm.is_cold and isinstance(run.io, dict):
            assert run.io["device_read_bytes"] >= FILE_SIZE
        if run.arm.sync_bytes and isinstance(run.residency_after, dict):
            assert run.residency_after["dirty_pages"] == 0


def test_summaries_and_ratios(result):
    summaries = result.summaries()
    assert len(summaries) == len(result.arms) - len(result.skipped)
    assert all(summary.throughput_bytes_per_s.low > 0 for summary in summaries)
    in_order = IoArm("write", True, BLOCK_SIZES[0])
    assert result.speed_ratio(in_order, replace(in_order, is_sequential=False)).count == 2
    assert json.loads(json.dumps(result.to_json()))["file_size"] == FILE_SIZE


def test_coldness_that_cannot_be_checked_skips_the_arm_with_the_reason(monkeypatch):
    class Blind(ChildProcess):
        """A worker on a kernel without cachestat."""

        def ask(self, request, **arguments):
            if arguments.get("is_cold"):
                return super().ask("refused")
            return super().ask(request, **arguments)

    monkeypatch.setattr(io_experiment, "ChildProcess", Blind)
    cold, warm = IoArm("read", True, MIB, is_cold=True), IoArm("read", True, MIB)
    result = IoExperiment([cold, warm], block_count=2, file_size=MIB, is_smoke=True).run()
    ((arm, reason),) = result.skipped
    assert arm == cold
    assert "not to refused" in reason.reason
    assert [run.arm for run in result.runs] == [warm, warm]
    assert [summary.arm for summary in result.summaries()] == [warm]
