"""Arms and comparisons exactly; the smoke form once, for its structure and what is counted alike on any machine."""

import pytest

from kfast.lab.append_order import (
    APPEND_ORDER,
    AS_OFTEN,
    EVERY_BATCH,
    PARTITIONS,
    RUN_SIZE,
    SMOKE_RUN_SIZE,
    SOMETIMES,
    SYNC_POLICIES,
    SYNCED_RUN_SIZE,
    append_arm,
    append_arms,
    append_comparisons,
    log_arm,
    place_arm,
)
from kfast.lab.experiment import Options
from kfast.lab.experiment_run import ExperimentRun
from kfast.lab.io_work import NO_SYNC
from kfast.lab.io_worker import AT_RANDOM, IN_ORDER, SHUFFLED
from kfast.lab.unavailable import Unavailable


@pytest.fixture(scope="module")
def result():
    return ExperimentRun(APPEND_ORDER, Options(is_smoke=True)).run()


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        (append_arm(1, SOMETIMES), "append to 1 partition, fdatasync every 64 MiB"),
        (append_arm(1000, EVERY_BATCH), "append to 1,000 partitions, fdatasync every batch"),
        (place_arm(AT_RANDOM, NO_SYNC), "one laid-out file at random, not synced (memory only)"),
        (log_arm(NO_SYNC), "append to 1 partition by kfast's Log, not synced (memory only)"),
        (append_arm(1, AS_OFTEN), "append to 1 partition, fdatasync every 64 KiB"),
        (place_arm(SHUFFLED, SOMETIMES), "one laid-out file shuffled, fdatasync every 64 MiB"),
    ],
)
def test_an_arm_names_its_sync_policy(arm, words):
    assert str(arm) == words


def test_every_layout_is_run_under_every_sync_policy():
    arms = append_arms(is_smoke=False)
    for sync_bytes in SYNC_POLICIES:
        assert all(append_arm(count, sync_bytes) in arms for count in PARTITIONS)
        assert {place_arm(order, sync_bytes) for order in (IN_ORDER, AT_RANDOM)} <= set(arms)
    assert len(set(arms)) == len(arms) == 3 * (4 + 2) + 2 + 2 + 2
    assert arms[-2:] == [place_arm(IN_ORDER, sync_bytes).again() for sync_bytes in (SOMETIMES, EVERY_BATCH)]


def test_each_of_a_thousand_partitions_gets_more_than_one_batch():
    for arm in append_arms(is_smoke=False):
        if arm["operation"] == "append":
            assert arm["size"] // arm["block_size"] // arm["partitions"] > 1
        assert arm["size"] == (SYNCED_RUN_SIZE if arm["sync_bytes"] == EVERY_BATCH else RUN_SIZE)


@pytest.mark.parametrize("is_smoke", [False, True])
def test_the_order_alone_is_the_headline_and_all_that_is_compared_is_run(is_smoke):
    arms, comparisons = append_arms(is_smoke), append_comparisons(is_smoke)
    headline = comparisons[0]
    assert (headline.over, headline.under) == tuple(place_arm(o, SOMETIMES, is_smoke) for o in (IN_ORDER, AT_RANDOM))
    assert headline.words == "fdatasync every 64 MiB: in order over at random in one laid-out file, MB/s"
    assert {arm for one in comparisons for arm in (one.over, one.under)} <= set(arms)
    assert all(one.over["size"] == one.under["size"] for one in comparisons)


def test_one_file_is_synced_about_as_often_as_a_thousand_are():
    thousand, one = append_arm(PARTITIONS[-1], SOMETIMES), append_arm(1, AS_OFTEN)
    assert one["size"] == thousand["size"]
    assert one["size"] // AS_OFTEN == pytest.approx(PARTITIONS[-1] * thousand["size"] // SOMETIMES, rel=0.03)


def test_every_arm_ran_and_wrote_what_it_should(result):
    assert result.skipped == ()
    assert len(result.runs) == 2 * len(result.arms)
    for run in result.runs:
        assert run.value("moved_bytes") == pytest.approx(SMOKE_RUN_SIZE, rel=0.001)


def test_the_syncs_are_counted(result):
    syncs = {run.arm: run.value("file_syncs_per_mib") for run in result.runs}
    for partitions in (1, 10):
        assert syncs[append_arm(partitions, NO_SYNC, True)] == 0
        assert syncs[append_arm(partitions, SOMETIMES, True)] == partitions, "all files at the end"
        assert syncs[append_arm(partitions, EVERY_BATCH, True)] == 64, "the one file that was written to"
    assert syncs[append_arm(1, AS_OFTEN, True)] == 16
    assert syncs[log_arm(SOMETIMES, True)] == pytest.approx(1, rel=0.001)


def test_what_was_synced_has_reached_the_device(result):
    for run in result.runs:
        written = run.value("device_bytes_per_byte")
        if run.arm["sync_bytes"] and not isinstance(written, Unavailable):
            assert written >= 1


def test_the_conditions_name_the_sync_policy(result):
    assert "the memory's and not the disk's" in result.conditions["sync policy"]
