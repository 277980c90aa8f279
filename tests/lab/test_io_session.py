import pytest

from kfast.child_process import ChildError
from kfast.errors import KafkaStorageError
from kfast.lab.experiment import Arm, ArmUnavailableError
from kfast.lab.io_experiment import read_arm, write_arm
from kfast.lab.io_session import IoSession, limited_by, measurement
from kfast.lab.io_work import NO_SYNC
from kfast.lab.io_worker import COLD, IN_ORDER, WARM
from kfast.lab.unavailable import Unavailable
from kfast.lab.usage import UsageInterval

FILE_SIZE = 256 << 10
MIB = 1 << 20


def answer(**changes):
    usage = UsageInterval(0.25, 0.25, 6, 0, 0, 0, 1_000_000_000)
    return {
        "moved_bytes": 2 * MIB,
        "sync_count": 4,
        "usage": usage.to_json(),
        "device": {"read_requests": 10, "read_bytes": 3 * MIB, "write_requests": 0, "write_bytes": 0},
        "process": {"device_read_bytes": 2 * MIB},
        "cached_share_before": 0.0,
        "dirty_share_after": 0.25,
        **changes,
    }


@pytest.fixture
def session(disk_directory):
    with IoSession(disk_directory, FILE_SIZE, {"sync policy": "none"}) as session:
        yield session


def test_what_the_child_counted_becomes_values(session):
    found = measurement(read_arm(IN_ORDER, 4096), answer())
    assert found.cpu_s == {"worker": 0.5}
    assert found.values == {
        "bytes_per_s": 2 * MIB,
        "device_requests_per_mib": 5.0,
        "device_bytes_per_byte": 1.5,
        "cpu_s_per_gb": 0.5 / (2 * MIB / 1e9),
        "cpu_us_per_block": 0.5e6 / 512,
        "voluntary_switches_per_mib": 3.0,
        "file_syncs_per_mib": 2.0,
        "moved_bytes": 2 * MIB,
        "process_device_read_bytes": 2 * MIB,
        "cached_share_before": 0.0,
        "dirty_share_after": 0.25,
    }


def test_what_is_not_counted_says_why():
    words = "unavailable: overlay shows no block device"
    found = measurement(write_arm(IN_ORDER, 4096), answer(device=words, dirty_share_after=words)).values
    reason = Unavailable("overlay shows no block device")
    assert found["device_requests_per_mib"] == found["dirty_share_after"] == reason


@pytest.mark.parametrize(
    ("arm", "cpu_s", "words"),
    [
        (read_arm(IN_ORDER, 4096, COLD), 0.95, "worker CPU"),
        (read_arm(IN_ORDER, 4096, COLD), 0.5, "disk"),
        (read_arm(IN_ORDER, 4096, WARM), 0.5, "none"),
        (write_arm(IN_ORDER, 4096, MIB), 0.5, "disk"),
        (write_arm(IN_ORDER, 4096, NO_SYNC), 0.5, "none"),
    ],
)
def test_the_limit_of_a_run(arm, cpu_s, words):
    assert limited_by(arm, UsageInterval(cpu_s, 0.0, 0, 0, 0, 0, 1_000_000_000)) == words


def test_an_arm_is_what_the_child_is_asked_for(session):
    found = session.run(read_arm(IN_ORDER, 4096, WARM))
    assert found.values["moved_bytes"] == FILE_SIZE
    assert session.conditions == {"file size": "256 KiB", "sync policy": "none"}


def test_what_this_machine_cannot_do_is_an_arm_that_cannot_be_run_here(session, monkeypatch):
    monkeypatch.setattr(session._worker, "ask", lambda request, **arguments: {"unavailable": "no cachestat"})
    with pytest.raises(ArmUnavailableError, match="no cachestat"):
        session.run(read_arm(IN_ORDER, 4096))


def test_what_goes_wrong_in_the_child_is_no_reason_to_go_on(session):
    with pytest.raises(ChildError, match="not to erase"):
        session.run(Arm.of("erase", operation="erase"))


def test_more_than_may_be_put_there_is_not_written(session):
    session._files.limit_bytes = 3 * MIB
    with pytest.raises(KafkaStorageError, match="4194304 bytes of lab data are more than the 3145728 allowed"):
        session.run(write_arm(IN_ORDER, 4096, NO_SYNC, 4 * MIB))


def test_a_child_that_has_ended_is_an_error(session):
    session._worker.stop()
    with pytest.raises(ChildError):
        session.run(read_arm(IN_ORDER, 4096, WARM))


def test_fewer_bytes_than_planned_are_an_error(session, monkeypatch):
    short = answer(planned_bytes=3 * MIB)
    monkeypatch.setattr(session._worker, "ask", lambda request, **arguments: short)
    with pytest.raises(KafkaStorageError, match="moved 2097152 of 3145728 bytes"):
        session.run(read_arm(IN_ORDER, 4096, WARM))


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_nothing_is_left_behind(disk_directory, error):
    try:
        with IoSession(disk_directory, FILE_SIZE, {}) as session:
            if error:
                raise error
    except KeyboardInterrupt:
        pass
    assert not session._worker.is_running
    assert list(disk_directory.iterdir()) == []
