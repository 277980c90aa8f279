from dataclasses import replace

import pytest

from kfast.lab import verdicts
from kfast.lab.broker_copies import DirectionCopies
from kfast.lab.canary import CanaryResult
from kfast.lab.cold_reader import reader_arm
from kfast.lab.cold_reader_session import CACHED, DEVICE_BYTES, SHARED
from kfast.lab.cold_send import SentOnce
from kfast.lab.copy_cost import copy_arm
from kfast.lab.experiment import Arm, Measurement
from kfast.lab.experiment_result import ExperimentResult, Run
from kfast.lab.io_experiment import ORDERS, read_arm, write_arm
from kfast.lab.residency import Residency
from kfast.lab.unavailable import Unavailable


def canary(mode, new_bytes):
    return CanaryResult(mode, 65_536, old_bytes=65_536 - new_bytes, new_bytes=new_bytes)


AS_CLAIMED = {
    "read_send": canary("read_send", 0),
    "mmap_send": canary("mmap_send", 0),
    "sendfile": canary("sendfile", 65_536),
    "splice": Unavailable("splice(2) is a Linux system call"),
}


def test_canaries_agree_with_what_the_modes_claim():
    assert verdicts.canary_agrees(AS_CLAIMED)


@pytest.mark.parametrize(("mode", "new_bytes"), [("sendfile", 0), ("sendfile", 4096), ("read_send", 4096)])
def test_one_page_that_should_not_be_there_is_enough(mode, new_bytes):
    assert not verdicts.canary_agrees({**AS_CLAIMED, mode: canary(mode, new_bytes)})


def test_what_was_not_measured_agrees_with_nothing(copy_result):
    assert not verdicts.canary_agrees({mode: Unavailable("no socket") for mode in AS_CLAIMED})
    assert not verdicts.copied_as_claimed(copy_result({copy_arm("bare_sendfile", 4096): [0.2]}))


def test_copy_results(copy_result):
    result = copy_result({copy_arm("read_send", 4096): [0.5], copy_arm("bare_sendfile", 4096): [0.2]})
    assert verdicts.sent_everything(result)
    assert verdicts.copied_as_claimed(result)
    assert verdicts.stayed_warm(result)
    for value, wrong, verdict in (
        ("sent_bytes", 1, verdicts.sent_everything),
        ("received_bytes", 1, verdicts.sent_everything),
        ("cpu_copies", 0, verdicts.copied_as_claimed),
        ("cached_share", 15 / 16, verdicts.stayed_warm),
    ):
        assert not verdict(with_value(result, value, wrong))
    assert verdicts.stayed_warm(with_value(result, "cached_share", Unavailable("no cachestat(2)")))


def with_value(result, name, value):
    first, *others = result.runs
    values = {**first.measurement.values, name: value}
    return replace(result, runs=[replace(first, measurement=replace(first.measurement, values=values)), *others])


def test_only_fetching_is_zero_copy():
    produced, fetched = DirectionCopies("produced", 100, 201), DirectionCopies("fetched, sendfile", 100, 0)
    assert verdicts.only_fetching_is_zero_copy([produced, fetched])
    assert not verdicts.only_fetching_is_zero_copy([produced, replace(fetched, copied_bytes=1)])
    assert not verdicts.only_fetching_is_zero_copy([replace(produced, copied_bytes=100), fetched])


IN_ORDER, AT_RANDOM = (read_arm(order, 4096) for order in ORDERS)
SYNCED = write_arm(ORDERS[0], 4096, sync_bytes=-1)
SPEEDS = {IN_ORDER: [1000.0], AT_RANDOM: [100.0], SYNCED: [500.0]}


def with_values(run, **values):
    return replace(run, measurement=replace(run.measurement, values={**run.measurement.values, **values}))


def test_io_results(io_result):
    result = io_result(SPEEDS, {IN_ORDER: 0.5, AT_RANDOM: 200.0})
    assert verdicts.moved_the_same(result.runs)
    assert verdicts.cold_was_cold(result)
    assert verdicts.random_asks_more_often(result)
    assert verdicts.sync_left_nothing_dirty(result)


def test_what_must_not_be_in_io_results(io_result):
    result = io_result(SPEEDS, {IN_ORDER: 200.0, AT_RANDOM: 200.0})
    assert not verdicts.random_asks_more_often(result)
    read, _, written = result.runs
    assert not verdicts.moved_the_same([read, with_values(read, moved_bytes=1)])
    assert not verdicts.moved_the_same([with_values(read, moved_bytes=0)])
    warm = with_values(read, cached_share_before=0.1)
    assert not verdicts.cold_was_cold(replace(result, runs=[warm]))
    dirty = with_values(written, dirty_share_after=0.1)
    assert not verdicts.sync_left_nothing_dirty(replace(result, runs=[dirty]))


def test_what_cannot_be_counted_is_left_out(io_result):
    result = io_result(SPEEDS, dict.fromkeys(SPEEDS, Unavailable("no block device")))
    assert verdicts.random_asks_more_often(result)


SMALL, LARGE = Arm.of("small", size=1), Arm.of("large", size=1000, codec="zstd")


def test_every_arm_has_to_be_run_in_every_block(fake_result):
    whole = fake_result({SMALL: [1.0, 1.0], LARGE: [2.0, 2.0]})
    assert verdicts.ran_every_arm(whole)
    assert not verdicts.ran_every_arm(replace(whole, runs=whole.runs[1:]))
    skipped = replace(whole, runs=whole.runs_of(SMALL), skipped=((LARGE, Unavailable("not here")),))
    assert verdicts.ran_every_arm(skipped)
    assert not verdicts.ran_every_arm(replace(whole, runs=()))


def test_a_run_in_which_nothing_moved_is_found(fake_result):
    assert verdicts.moved_something(fake_result({SMALL: [1.0, 2.0]}), "records_per_s")
    assert not verdicts.moved_something(fake_result({SMALL: [1.0, 0.0]}), "records_per_s")
    assert not verdicts.moved_something(fake_result({SMALL: [Unavailable("none")]}), "records_per_s")


def test_medians_of_what_is_counted_are_compared(fake_result):
    result = fake_result({SMALL: [1.0, 2.0], LARGE: [2.0, 3.0]})
    assert verdicts.is_larger(result, "records_per_s", LARGE, SMALL)
    assert not verdicts.is_larger(result, "records_per_s", SMALL, LARGE)
    assert not verdicts.is_larger(fake_result({SMALL: [1.0]}), "records_per_s", LARGE, SMALL)


def test_a_smoke_run_is_no_evidence(fake_result):
    assert verdicts.is_evidence([fake_result({SMALL: [1.0]})])
    assert not verdicts.is_evidence([fake_result({SMALL: [1.0]}), fake_result({SMALL: [1.0]}, is_smoke=True)])
    assert not verdicts.is_evidence([])


@pytest.mark.parametrize(("cached", "sent_bytes", "is_proof"), [(0, 10, True), (1, 10, False), (0, 0, False)])
def test_a_call_that_sent_what_was_not_in_memory_has_waited(cached, sent_bytes, is_proof):
    cold = SentOnce(Residency(4, cached, 0, 0), sent_bytes, 1, 1)
    assert verdicts.cold_send_waited((cold, cold)) is is_proof
    assert verdicts.cold_send_waited(Unavailable("no cachestat"))


@pytest.mark.parametrize(
    ("consumer", "cached", "from_device", "holds"),
    [
        ("cold", 0.0, 1.0, True),
        ("cold", 0.0, Unavailable("no device"), True),
        ("cold", 0.1, 1.0, False),
        ("cold", 0.0, 0.0, False),
        ("warm", 1.0, 0.0, True),
    ],
)
def test_a_cold_consumer_has_read_from_the_device(some_provenance, consumer, cached, from_device, holds):
    arm = reader_arm(SHARED, consumer)
    values = {CACHED: cached, DEVICE_BYTES: from_device}
    run = Run(0, arm, Measurement(1.0, {}, values, "none"), Unavailable("not counted"))
    result = ExperimentResult("E7", (arm,), (), (run,), (), some_provenance, {}, 0, True)
    assert verdicts.cold_consumers_read_the_disk(result) is holds
