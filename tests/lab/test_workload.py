"""A whole workload: broker and clients in processes of their own. What it counts is checked, never how fast it is."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kfast.child_process import ChildError
from kfast.lab.sample import Sample
from kfast.lab.sampler import reading
from kfast.lab.workload import Workload
from kfast.lab.workload_settings import WorkloadError, WorkloadSettings


@pytest.fixture(scope="module")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workload]:
    settings = WorkloadSettings(batch_records=64, verify=True)
    with Workload(settings, parent=tmp_path_factory.mktemp("lab")) as running:
        yield running


def sample_until(workload: Workload, condition: Callable[[Sample], bool]) -> Sample:
    """Samples are taken as fast as the processes answer; a broken workload raises, or runs into the limit."""
    for _ in range(20_000):
        sample = workload.sample()
        if condition(sample):
            return sample
    raise AssertionError(f"not within 20000 samples: {sample}")


def grows_past(before: Sample, size_bytes: int = 1 << 20) -> Callable[[Sample], bool]:
    return lambda now: now.consumed_bytes > before.consumed_bytes + size_bytes


def test_both_sides_move_bytes_and_the_broker_counts_them(workload: Workload) -> None:
    workload.set(workload="both")
    before = workload.sample()
    after = sample_until(
        workload,
        lambda now: grows_past(before)(now) and now.produced_bytes > before.produced_bytes,
    )
    result = reading(before, after)
    assert result.produced_bytes > 0
    assert result.consumed_bytes > 0
    assert result.broker_cpu_s > 0
    assert {"broker", "producer", "consumer 1"} <= set(result.cores)
    assert after.appended_bytes >= after.produced_bytes
    assert sum(after.sent_bytes.values()) >= after.consumed_bytes


def test_verified_bytes_go_on_through_every_change_of_copy_mode(workload: Workload) -> None:
    workload.set(workload="both", verify=True)
    for mode in ("read_send", "mmap_send", "splice", "sendfile"):
        workload.set(copy_mode=mode)
        before = workload.sample()
        assert before.copy_mode == mode
        sample_until(workload, grows_past(before))
        # What was under way when the mode changed was sent by the one before.
        sample_until(workload, lambda now, mode=mode, before=before: now.sent_bytes[mode] > before.sent_bytes[mode])


def test_the_batch_size_changes_in_mid_stream(workload: Workload) -> None:
    workload.set(workload="produce", batch_records=1)
    before = workload.sample()
    small = sample_until(workload, lambda now: now.produced_records > before.produced_records + 50)
    workload.set(batch_records=3000)
    sample_until(workload, lambda now: now.produced_records > small.produced_records + 9000)
    assert workload.settings.batch_records == 3000


def test_counts_and_processors_go_on_where_a_client_was_replaced(workload: Workload) -> None:
    workload.set(workload="reread", batch_records=64, receive="recv_into", verify=True)
    raw = sample_until(workload, lambda now: now.consumed_bytes > 0)
    workload.set(client="confluent")
    other = workload.sample()
    assert other.consumed_bytes >= raw.consumed_bytes
    assert other.client_cpu_s["consumer 1"] >= raw.client_cpu_s["consumer 1"]
    sample_until(workload, lambda now: now.consumed_records > other.consumed_records + 1000)
    workload.set(client="raw")


def test_consumers_come_and_go(workload: Workload) -> None:
    workload.set(workload="reread", consumer_count=3)
    before = workload.sample()
    assert {"consumer 1", "consumer 2", "consumer 3"} <= set(before.client_cpu_s)
    workload.set(consumer_count=1)
    sample_until(workload, grows_past(before))


def test_flushed_batches_leave_nothing_unflushed(workload: Workload) -> None:
    workload.set(workload="produce", flush="batch")
    before = workload.sample()
    sample_until(workload, lambda now: now.produced_records > before.produced_records + 640)
    workload.set(workload="reread")
    assert workload.sample().unflushed_bytes == 0
    workload.set(flush="never")


def test_consumers_that_follow_get_what_is_produced_and_a_new_topic_is_empty(tmp_path: Path) -> None:
    settings = WorkloadSettings(workload="idle", batch_records=64, verify=True)
    with Workload(settings, parent=tmp_path) as workload:
        assert list(workload.pids) == ["broker"]
        for long_polls in (True, False):
            before = workload.sample()
            workload.set(workload="follow", long_polls=long_polls)
            sample_until(workload, grows_past(before, 1))
            # A consumer may have a batch before its producer has the answer.
            sample_until(workload, lambda now, before=before: now.produced_bytes > before.produced_bytes)
            with pytest.raises(WorkloadError, match="producer, consumer 1 use the topic"):
                workload.renew_topic()
            workload.set(workload="idle")
            done = workload.sample()
            assert done.consumed_records <= done.produced_records
            workload.renew_topic()
            assert workload.sample().unflushed_bytes == 0


def test_a_scattered_log_stays_one(tmp_path: Path) -> None:
    settings = WorkloadSettings(workload="follow", layout="scattered", batch_records=64, verify=True)
    with Workload(settings, parent=tmp_path) as workload:
        sample_until(workload, grows_past(workload.sample()))
        assert list(workload.directory.glob("workload-*/*.slots"))
        with pytest.raises(WorkloadError, match="layout stays scattered"):
            workload.set(layout="log")


def test_a_setting_that_cannot_be_changes_nothing(workload: Workload) -> None:
    settings = workload.settings
    with pytest.raises(WorkloadError, match="not 'fax'"):
        workload.set(client="fax", batch_records=2)
    assert workload.settings == settings
    workload.sample()


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    workload = Workload(WorkloadSettings(batch_records=16, consumer_count=2), parent=tmp_path)
    pids = workload.pids
    assert list(pids) == ["broker", "producer", "consumer 1", "consumer 2"]
    workload.stop()
    workload.stop()
    assert list(tmp_path.iterdir()) == []
    for pid in pids.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert repr(workload) == "Workload(stopped, both, no clients)"
    with pytest.raises(RuntimeError, match="stopped"):
        workload.sample()


def test_a_client_that_ended_is_heard_of(tmp_path: Path) -> None:
    with Workload(WorkloadSettings(workload="reread"), parent=tmp_path) as workload:
        os.kill(workload.pids["consumer 1"], signal.SIGKILL)
        with pytest.raises(ChildError, match=r"ended with status"):
            sample_until(workload, lambda _: False)
    assert list(tmp_path.iterdir()) == []
