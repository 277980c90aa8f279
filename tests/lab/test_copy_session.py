from pathlib import Path

import pytest

from kfast.child_process import ChildError
from kfast.lab import copy_session
from kfast.lab.copy_cost import copy_arm
from kfast.lab.copy_sender import BARE_SENDFILE
from kfast.lab.copy_session import CopyLink, measurement, open_copy_session
from kfast.lab.counters import MachineCpu
from kfast.lab.experiment import ArmUnavailableError
from kfast.lab.unavailable import Unavailable
from kfast.transfer.capability import Capability
from kfast.transfer.modes import COPY_MODES, CPU_COPIES

SIZE, CHUNK, WORKING_SET = 1 << 20, 64 << 10, 256 << 10


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    with open_copy_session(tmp_path_factory.mktemp("copy"), WORKING_SET, SIZE, 2 * CHUNK, "256 KiB") as session:
        yield session


def small_arm(copy_mode, **factors):
    return copy_arm(copy_mode, CHUNK, WORKING_SET, **factors)


@pytest.mark.parametrize("mode", list(COPY_MODES))
def test_every_mode_sends_every_byte_and_copies_what_it_says(mode, session):
    values = session.run(small_arm(mode)).values
    assert values["sent_bytes"] == values["received_bytes"] == SIZE
    assert values["cpu_copies"] == CPU_COPIES[mode]
    assert values["sender_cpu_s_per_gb"] > 0


@pytest.mark.parametrize("mode", ["sendfile", BARE_SENDFILE])
def test_the_bare_loop_makes_the_calls_of_sendfile_and_no_more(mode, session):
    values = session.run(small_arm(mode)).values
    assert values["syscalls_per_gb"] == pytest.approx(SIZE / CHUNK / SIZE * 1e9)
    assert values["sent_bytes"] == SIZE


def test_what_the_bare_loop_does_not_count_it_does_not_claim(session):
    copies = session.run(small_arm(BARE_SENDFILE)).values["cpu_copies"]
    assert copies == Unavailable("the bare loop counts its calls only")


def test_the_file_is_warm(session):
    share = session.run(small_arm("sendfile")).values["cached_share"]
    assert isinstance(share, Unavailable) or share == 1.0


def test_a_receiver_that_discards_takes_every_byte_too(session):
    run = session.run(small_arm("sendfile", is_discarded=True))
    assert run.values["received_bytes"] == SIZE
    assert set(run.cpu_s) == {"sender", "receiver"}


def test_the_conditions_are_those_of_all_arms(session):
    assert session.conditions["each run"] == "1 MiB in fetches of 128 KiB"
    assert session.conditions["working sets"] == "256 KiB"
    assert session.conditions["congestion control"]
    assert session.conditions["sync policy"].startswith("nothing is written")


def test_what_this_machine_cannot_do_says_why(session, monkeypatch):
    modes = {**session._modes, "sendfile": Capability(False, "no sendfile(2) in this sandbox")}
    monkeypatch.setattr(session, "_modes", modes)
    for mode in ("sendfile", BARE_SENDFILE):
        with pytest.raises(ArmUnavailableError, match="no sendfile"):
            session.run(small_arm(mode))
    monkeypatch.setattr(copy_session.sys, "platform", "darwin")
    with pytest.raises(ArmUnavailableError, match="Linux's"):
        session.run(small_arm("read_send", is_discarded=True))


def test_neither_the_file_nor_the_children_outlive_a_session_that_fails(tmp_path):
    pids = []

    def stopped_in_the_middle():
        with open_copy_session(tmp_path, CHUNK, CHUNK, CHUNK, "") as session:
            pids.extend([session._link._sender.pid, session._link._receiver.pid])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped_in_the_middle()
    assert pids
    assert list(tmp_path.iterdir()) == []
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_an_arm_a_child_cannot_run_ends_the_link_with_its_words(tmp_path):
    path = tmp_path / "small.log"
    path.write_bytes(bytes(1000))
    with CopyLink(path) as link, pytest.raises(ChildError, match="a working set of 2000 bytes"):
        link.run(copy_arm("sendfile", CHUNK, 2000), 2000, 500)


def counted(start_ns, end_ns, cpu_s, **more):
    switches = dict.fromkeys(("voluntary_switches", "involuntary_switches", "page_faults"), 0)
    return {"usage": {"user_s": cpu_s, "system_s": 0.0, **switches, "start_ns": start_ns, "end_ns": end_ns}, **more}


def test_the_values_are_for_each_gb_from_the_first_call_to_the_last():
    sent = counted(0, 1_900_000_000, 1.9, sent_bytes=2 * 10**9, syscalls=100, cpu_copied_bytes=4 * 10**9)
    received = counted(500, 2_000_000_000, 0.5, received_bytes=2 * 10**9)
    machine = MachineCpu(user_s=1.0, system_s=2.0, interrupt_s=0.0, idle_s=1.0, io_wait_s=0.0, steal_s=0.0)
    found = measurement({**sent, "cached_share": "unavailable: no cachestat"}, received, machine)
    assert found.elapsed_s == 2.0
    assert found.limited_by == "sender CPU"
    assert found.values["sender_cpu_s_per_gb"] == pytest.approx(0.95)
    assert found.values["receiver_cpu_s_per_gb"] == 0.25
    assert found.values["machine_cpu_s_per_gb"] == 1.5
    assert found.values["throughput_bytes_per_s"] == 1e9
    assert found.values["syscalls_per_gb"] == 50
    assert found.values["cpu_copies"] == 2
    assert found.values["cached_share"] == Unavailable("no cachestat")


@pytest.mark.parametrize(("idle_s", "limit"), [(0.1, "all processors"), (1.0, "none")])
def test_where_no_processor_is_idle_neither_end_has_to_be_the_limit(idle_s, limit):
    machine = MachineCpu(user_s=1.0, system_s=1.0, interrupt_s=0.0, idle_s=idle_s, io_wait_s=0.0, steal_s=0.0)
    sent = counted(0, 10**9, 0.5, sent_bytes=1, syscalls=1, cpu_copied_bytes=0, cached_share=1.0)
    assert measurement(sent, counted(0, 10**9, 0.5, received_bytes=1), machine).limited_by == limit


def test_a_machine_that_counted_no_tick_is_no_zero():
    idle = MachineCpu(user_s=0.0, system_s=0.0, interrupt_s=0.0, idle_s=0.01, io_wait_s=0.0, steal_s=0.0)
    sent = counted(0, 10, 0.1, sent_bytes=1, syscalls=1, cpu_copied_bytes=0, cached_share=1.0)
    found = measurement(sent, counted(0, 10, 0.1, received_bytes=1), idle)
    assert found.values["machine_cpu_s_per_gb"] == Unavailable("shorter than a tick of 10 ms")
